// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "fail.h"
#include "guard.h"
#include "pin.h"
#include "snapshot.h"
#include "sysctl.h"

static int open_map(const char *name)
{
	char path[PATH_MAX];
	int fd;

	pin_path(path, sizeof(path), name);
	fd = bpf_obj_get(path);
	return fd < 0 ? sw_err("cannot open %s: %s", path, strerror(errno)) : fd;
}

static void *map_whole(const char *name, size_t size)
{
	int fd = open_map(name);
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		return at;
	sw_err("cannot map %s: %s", name, strerror(errno));
	return NULL;
}

#define GUARDS_SIZE (SW_MAX_LISTENERS * sizeof(struct sw_guard))
#define EPISODES_SIZE (SW_EPISODES * sizeof(struct sw_episode))
#define SERVED_SIZE (SW_SERVED * sizeof(struct sw_served))

int guard_open(struct guard *g)
{
	memset(g, 0, sizeof(*g));
	g->guards = map_whole("guards", GUARDS_SIZE);
	if (g->guards)
		g->control = map_whole("control", sizeof(*g->control));
	if (g->control)
		g->episodes = map_whole("episodes", EPISODES_SIZE);
	if (g->episodes)
		g->served = map_whole("served", SERVED_SIZE);
	if (g->served)
		return 0;
	guard_close(g);
	return -1;
}

void guard_close(struct guard *g)
{
	if (g->guards)
		munmap(g->guards, GUARDS_SIZE);
	if (g->control)
		munmap(g->control, sizeof(*g->control));
	if (g->episodes)
		munmap(g->episodes, EPISODES_SIZE);
	if (g->served)
		munmap(g->served, SERVED_SIZE);
	memset(g, 0, sizeof(*g));
}

/* Epochs by the wall clock, so that hosts with one secret agree. */
static uint64_t wall_offset(void)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (wall.tv_sec - mono.tv_sec) * SW_NS_PER_SEC + wall.tv_nsec - mono.tv_nsec;
}

int guard_read_secret(const char *path, struct sw_secret *to)
{
	FILE *f = fopen(path, "r");
	unsigned int n = 0;
	int c;

	if (!f)
		return sw_err("cannot open %s: %s", path, strerror(errno));
	memset(to, 0, sizeof(*to));
	while ((c = getc(f)) != EOF && n <= 32) {
		if (isspace(c))
			continue;
		if (!isxdigit(c))
			n = 33;
		else if (n < 32)
			to->key[n / 16] = to->key[n / 16] << 4 |
					  (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
		n++;
	}
	fclose(f);
	to->clock_ns = wall_offset();
	return n == 32 ? 0 :
			 sw_err("%s does not hold a secret: 32 hexadecimal digits; try: openssl rand "
				"-hex 16",
				path);
}

static int set_secret(const struct sw_secret *shared)
{
	struct sw_secret secret = { 0 };
	uint32_t zero = 0;
	int fd, ret;

	if (shared)
		secret = *shared;
	else if (getrandom(secret.key, sizeof(secret.key), 0) != sizeof(secret.key))
		return sw_err("cannot get random numbers: %s", strerror(errno));
	fd = open_map("secret");
	if (fd < 0)
		return -1;
	ret = bpf_map_update_elem(fd, &zero, &secret, BPF_ANY);
	explicit_bzero(&secret, sizeof(secret));
	close(fd);
	return ret ? sw_err("cannot write map secret: %s", strerror(errno)) : 0;
}

struct sw_control guard_control(void)
{
	return (struct sw_control){
		.reply_rate = SW_REPLY_RATE_DEFAULT,
		.total_rate = SW_TOTAL_RATE_DEFAULT,
		.core_rate = SW_CORE_RATE_DEFAULT,
		.reset_rate = SW_RESET_RATE_DEFAULT,
		.source_rate = SW_SOURCE_RATE_DEFAULT,
		.prefix_rate = SW_PREFIX_RATE_DEFAULT,
		.prefix_bits = { 24, 48 },
		.source_bits = { 32, 64 },
		.offers = SW_OPT_MSS | (sysctl_read("net/ipv4/tcp_sack") ? SW_OPT_SACK : 0) |
			  (sysctl_read("net/ipv4/tcp_timestamps") ? SW_OPT_TS : 0),
		.ecn = !!sysctl_read("net/ipv4/tcp_ecn"),
	};
}

int guard_init(const struct attach_options *o)
{
	struct guard g;

	if (set_secret(o->secret) || guard_open(&g))
		return -1;
	*g.control = guard_control();
	g.guards[0].now = o->policy;
	g.guards[0].since_ns = snapshot_now();
	guard_refresh(&g);
	guard_close(&g);
	return 0;
}

void guard_refresh(struct guard *g)
{
	bool active = g->control->lists != 0;

	for (int i = 0; i < SW_MAX_LISTENERS; i++) {
		const struct sw_guard *e = &g->guards[i];

		if (!i || e->own)
			active |= e->now.mode != SW_MODE_OFF ||
				  (e->until_ns && e->then.mode != SW_MODE_OFF);
	}
	g->control->active = active;
}

const char *guard_serves_name(enum guard_serves serves)
{
	static const char *const names[] = { "cookie", "first-syn", "drop", "none" };

	return names[serves];
}

const char *const guard_modes[] = { "off", "auto", "on", NULL };
const char *const guard_methods[] = { "cookie", "first-syn", "drop", NULL };

const char *guard_mode_name(uint8_t mode)
{
	return mode < 3 ? guard_modes[mode] : "?";
}

const char *guard_method_name(uint8_t method)
{
	return method < 3 ? guard_methods[method] : "?";
}

const struct sw_served *guard_served(const struct guard *g, const struct sw_listener *l, bool nat)
{
	for (uint32_t i = 0; i < SW_SERVED; i++) {
		const struct sw_served *s = &g->served[i];

		if (s->port == l->port && (!nat || s->nat) && sw_listener_fits(l, s->family, s->addr))
			return s;
	}
	return NULL;
}

/* Ingress of some device is seen there. */
static bool seen_by(const struct store *s, enum sw_hook hook)
{
	for (int i = 0; i < s->n_devices; i++)
		if (s->device[i].dev.hook == hook)
			return true;
	return false;
}

static void serves(const struct guard *g, const struct store *s, uint32_t listener,
		   struct guard_state *state)
{
	const struct sw_guard *own = &g->guards[listener];
	const char *lacks;

	state->serves = state->policy.method == SW_METHOD_COOKIE    ? SERVES_COOKIE :
			state->policy.method == SW_METHOD_FIRST_SYN ? SERVES_FIRST_SYN :
								      SERVES_DROP;
	state->why = "";
	if (!seen_by(s, SW_HOOK_XDP) && !seen_by(s, SW_HOOK_TC)) {
		state->serves = SERVES_NONE;
		state->why = "only lo is attached, where no SYN is judged";
		return;
	}
	if (state->serves != SERVES_COOKIE)
		return;
	lacks = backend_lacks(s->meta.backend);
	if (lacks)
		state->why = lacks;
	else if (!seen_by(s, SW_HOOK_XDP))
		state->why = "no device is attached by XDP, which answers SYNs";
	else if (s->listeners[listener].flags & SW_L_LEARNED)
		state->why = "its socket is not on this host, or behind DNAT";
	else if (own->mptcp)
		state->why = "its socket speaks MPTCP";
	else if (listener && guard_served(g, &s->listeners[listener], true))
		state->why = "NAT looks at its connections, and takes a cookie's socket off its packet";
	else
		return;
	state->serves = SERVES_FIRST_SYN;
}

struct guard_state guard_state(const struct guard *g, const struct store *s, uint32_t listener,
			       uint64_t now)
{
	const struct sw_guard *e = &g->guards[listener], *from = e->own ? e : &g->guards[0];
	const struct sw_policy *p = sw_policy_of(e, &g->guards[0], now);
	uint32_t now_s = now / SW_NS_PER_SEC;
	struct guard_state state = { .policy = *p };
	struct sw_calm calm;

	state.until_ns = from->until_ns > now ? from->until_ns : 0;
	state.high = sw_high(e, p);
	state.low = sw_low(e, p);
	state.armed = sw_armed(e, p, s->meta.config.syn_timeout_s, now, &calm);
	if (state.armed && p->mode == SW_MODE_AUTO)
		state.armed_for_ms = sw_age(now, e->armed_ns) / SW_NS_PER_MS;
	else if (state.armed)
		state.armed_for_ms = sw_age(now, from->since_ns) / SW_NS_PER_MS;
	state.challenged = sw_challenged(e, now_s);
	serves(g, s, listener, &state);
	if (sw_backing_off(e, now_s))
		state.why = e->why == SW_WHY_REFUSED ?
				    "left alone for a minute: the kernel refused its cookies" :
				    "left alone for a minute: admitted connections did not come to be";
	return state;
}
