// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent.h"
#include "chronicle.h"
#include "config.h"
#include "fail.h"
#include "follow.h"
#include "import.h"
#include "live.h"
#include "log.h"
#include "notify.h"
#include "pin.h"
#include "pinwait.h"
#include "web/web.h"

struct agent {
	const struct agent_options *options;
	struct config config;
	struct follow follow;
	struct live live;
	struct chronicle *chronicle;
	struct web *web;		/* NULL: no HTTP */
	bool applied[SW_MAX_LISTENERS]; /* the configuration's policy, by listener; 0: of all */
	uint64_t sockets;		/* a digest of those that listen */
	struct pin_wait wait;		/* for the lock, for what is due */
	bool devices_due, sockets_due;
	int epoll, signals, timer;
	bool stops;
};

/* The file, and what the command line says before it. */
static int load(const struct agent_options *o, struct config *c)
{
	config_init(c);
	if (o->config && config_read(c, o->config))
		return -1;
	if (o->n_devices)
		c->n_devices = 0;
	for (int i = 0; i < o->n_devices; i++)
		if (config_add_device(c, o->devices[i]))
			return -1;
	if (o->http && config_set_http(c, "--http", o->http))
		return -1;
	c->detach_on_exit |= o->detach_on_exit;
	if (!web_built && !o->http)
		c->http = false;
	return 0;
}

static int watch_fd(const struct agent *a, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &e) ?
		       sw_err("cannot wait for events: %s", strerror(errno)) :
		       0;
}

static int start_web(struct agent *a)
{
	if (!a->config.http)
		return 0;
	a->web = web_start(&a->config.http_at, &a->live);
	if (!a->web)
		return -1;
	return watch_fd(a, web_fd(a->web));
}

static void stop_web(struct agent *a)
{
	if (a->web)
		epoll_ctl(a->epoll, EPOLL_CTL_DEL, web_fd(a->web), NULL);
	web_stop(a->web);
	a->web = NULL;
}

/* The policy that the configuration has for a listener: of several that fit, the last. */
static const struct policy_change *policy_for(const struct agent *a, uint32_t i)
{
	const struct config *c = &a->config;
	const struct sw_listener *l = &a->live.store.listeners[i];
	const struct policy_change *found = NULL;

	if (!i)
		return c->guard_given ? &c->guard : NULL;
	for (int k = 0; k < c->n_listeners; k++)
		if (l->flags & SW_L_USED && listener_is(l, &c->listeners[k].which))
			found = &c->listeners[k].change;
	return found;
}

/* Once for each listener, so that what somebody sets later by hand stays. */
static void apply_policies(struct agent *a)
{
	struct guard *g = &a->live.guard;

	for (uint32_t i = 0; i <= a->live.store.n_listeners; i++) {
		const struct policy_change *change = a->applied[i] ? NULL : policy_for(a, i);
		struct sw_policy p;

		if (!change)
			continue;
		a->applied[i] = true;
		if (policy_lasts(g, i, change))
			continue;
		p = policy_after(g, i, change);
		if (p.high && p.low >= p.high)
			log_line(LOG_LINE_ERROR, "guard: low %u is not below high %u", p.low,
				 p.high);
		else
			policy_set(g, i, change);
	}
	guard_refresh(g);
}

/* Which sockets listen, with what backlog: when that changes, the guard has to know. */
static uint64_t digest_sockets(const struct live *v)
{
	uint64_t sum = 14695981039346656037ull; /* FNV-1a, by words */

	for (size_t i = 0; i < v->n; i++) {
		const struct listener *l = &v->listener[i].l;

		if (!l->socket)
			continue;
		sum = (sum ^ l->inode) * 1099511628211ull;
		sum = (sum ^ l->backlog) * 1099511628211ull;
	}
	return sum;
}

/* What has begun to listen since. */
static void import_sockets_anew(struct agent *a)
{
	uint64_t sockets = digest_sockets(&a->live);

	if (import_listeners() || store_reload(&a->live.store)) {
		log_line(LOG_LINE_ERROR, "cannot follow what listens: %s", sw_err_text());
		return;
	}
	a->sockets = sockets;
	apply_policies(a);
}

/* What takes the lock, as soon as no other command has it. */
static void work(struct agent *a)
{
	int lock = -1;

	if (a->devices_due || a->sockets_due || a->wait.waits)
		lock = pin_wait_lock(&a->wait, a->devices_due);
	if (lock < 0)
		return;
	if (a->devices_due)
		follow_attach(&a->follow, &a->config);
	if (a->sockets_due && a->live.open)
		import_sockets_anew(a);
	a->devices_due = a->sockets_due = false;
	pin_unlock(lock);
}

static void tick(struct agent *a)
{
	bool was = a->live.open, open = !live_update(&a->live);

	if (was && !open)
		log_line(LOG_LINE_WARNING, "%s; SIGHUP attaches what is configured", sw_err_text());
	if (open && !was) {
		memset(a->applied, 0, sizeof(a->applied));
		a->sockets = 0;
	}
	if (open) {
		a->sockets_due |= digest_sockets(&a->live) != a->sockets;
		chronicle_look(a->chronicle, &a->live);
	}
	work(a);
	if (a->web)
		web_tick(a->web, open);
	notify("WATCHDOG=1");
}

/* HTTP at another place. The old one is left first: both may be the same port. */
static void move_web(struct agent *a, const struct config *old)
{
	const struct config *c = &a->config;

	if (old->http == c->http &&
	    (!c->http || !memcmp(&old->http_at, &c->http_at, sizeof(c->http_at))))
		return;
	stop_web(a);
	if (!start_web(a))
		return;
	log_line(LOG_LINE_ERROR, "%s; it stays where it was", sw_err_text());
	a->config.http = old->http;
	a->config.http_at = old->http_at;
	if (start_web(a))
		log_line(LOG_LINE_ERROR, "%s", sw_err_text());
}

/* It may hold the secret of the cookies. */
static void forget(struct config *c)
{
	if (c)
		explicit_bzero(c, sizeof(*c));
	free(c);
}

static void reload(struct agent *a)
{
	struct config *old = malloc(sizeof(*old)), *next = malloc(sizeof(*next));
	char text[64];
	int lock;

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, snapshot_now() / 1000);
	notify(text);
	if (!old || !next || load(a->options, next)) {
		log_line(LOG_LINE_ERROR, "%s; the configuration of before stays",
			 old && next ? sw_err_text() : "no memory");
	} else {
		*old = a->config;
		a->config = *next;
		if (a->config.attach.secret)
			a->config.attach.secret = &a->config.secret;
		if (!a->config.n_devices) { /* as at the start: what is attached */
			memcpy(a->config.devices, old->devices, sizeof(old->devices));
			a->config.n_devices = old->n_devices;
		}
		move_web(a, old);
		lock = pin_wait_for(&a->wait, true);
		if (lock < 0)
			log_line(LOG_LINE_ERROR, "%s", sw_err_text());
		else
			follow_config(&a->follow, old, &a->config);
		memset(a->applied, 0, sizeof(a->applied));
		if (lock >= 0 && !live_update(&a->live))
			import_sockets_anew(a); /* with its policies */
		pin_unlock(lock);
		log_line(LOG_LINE_INFO, "configuration read%s%s", a->options->config ? ": " : "",
			 a->options->config ? a->options->config : "");
	}
	forget(old);
	forget(next);
	notify("READY=1");
}

static void on_signal(struct agent *a)
{
	struct signalfd_siginfo info;

	if (read(a->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(a);
	else
		a->stops = true;
}

static void on_event(struct agent *a, int fd)
{
	uint64_t times;

	if (fd == a->signals) {
		on_signal(a);
	} else if (fd == a->timer) {
		if (read(a->timer, &times, sizeof(times)) == sizeof(times))
			tick(a);
	} else if (fd == a->wait.event) {
		work(a);
	} else if (fd == follow_fd(&a->follow)) {
		a->devices_due |= follow_read(&a->follow, &a->config);
		work(a);
	} else if (a->web && fd == web_fd(a->web)) {
		web_work(a->web);
	}
}

/* Signals come by a descriptor; a reader of the log or of a page that goes away is none. */
static int begin(struct agent *a)
{
	struct itimerspec second = { { 1, 0 }, { 1, 0 } };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->epoll < 0 || a->signals < 0 || a->timer < 0 ||
	    timerfd_settime(a->timer, 0, &second, NULL))
		return sw_err("cannot begin: %s", strerror(errno));
	return pin_wait_init(&a->wait) || watch_fd(a, a->wait.event) || watch_fd(a, a->signals) ||
			       watch_fd(a, a->timer) ?
		       -1 :
		       0;
}

static void say_start(const struct agent *a)
{
	const struct config *c = &a->config;
	struct sw_listener at = c->http_at;
	char devices[512] = "", http[LISTENER_TEXT + 16] = "off", text[LISTENER_TEXT];

	for (int i = 0; i < c->n_devices; i++)
		snprintf(devices + strlen(devices), sizeof(devices) - strlen(devices), "%s%s",
			 i ? ", " : "", c->devices[i]);
	if (!at.family) {
		at.family = SW_AF_INET;
		at.addr[0] = sw_htonl(0x7f000001);
	}
	if (c->http)
		snprintf(http, sizeof(http), "http://%s/", listener_text(&at, text));
	log_line(LOG_LINE_INFO, "watching %s; page and metrics: %s", devices, http);
}

static int loop(struct agent *a)
{
	while (!a->stops) {
		struct epoll_event e[8];
		int n = epoll_wait(a->epoll, e, 8, -1);

		if (n < 0 && errno != EINTR)
			return sw_err("cannot wait for events: %s", strerror(errno));
		for (int i = 0; i < n; i++)
			on_event(a, e[i].data.fd);
	}
	return 0;
}

static int start_following(struct agent *a)
{
	int lock = pin_mount() ? -1 : pin_wait_for(&a->wait, true), ret;

	if (lock < 0)
		return -1;
	ret = follow_start(&a->follow, &a->config);
	if (!ret && !live_update(&a->live))
		import_sockets_anew(a);
	pin_unlock(lock);
	return ret;
}

static void detach(struct agent *a)
{
	int lock = pin_wait_for(&a->wait, false);

	if (lock >= 0)
		follow_detach(&a->config);
	pin_unlock(lock);
}

static int run(struct agent *a)
{
	int ret = -1;

	a->live.trend = trend_new(); /* live_update() opens the maps, as soon as there are any */
	a->chronicle = chronicle_new();
	if (!a->live.trend || !a->chronicle || begin(a) || start_web(a) || start_following(a))
		return -1;
	if (!watch_fd(a, follow_fd(&a->follow))) {
		tick(a);
		say_start(a);
		notify("READY=1");
		ret = loop(a);
		notify("STOPPING=1");
	}
	if (a->config.detach_on_exit)
		detach(a);
	follow_stop(&a->follow);
	return ret;
}

int agent_run(const struct agent_options *o)
{
	struct agent *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return sw_err("no memory");
	a->options = o;
	log_init();
	ret = load(o, &a->config);
	if (!ret) {
		ret = run(a);
		stop_web(a);
		chronicle_free(a->chronicle);
		live_close(&a->live);
	}
	explicit_bzero(&a->config, sizeof(a->config));
	free(a);
	return ret;
}
