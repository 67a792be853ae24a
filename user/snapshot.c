// SPDX-License-Identifier: GPL-2.0
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "snapshot.h"

/* A histogram of large tables is counted by several threads: memory is what it waits for. */
#define PARTS_MAX 4
#define PARTS_FROM 16384 /* buckets */

static const char *const state_names[] = {
#define SW_X(name) #name,
	SW_STATES(SW_X)
#undef SW_X
};

const char *state_name(unsigned int state)
{
	return state < SW_STATE_COUNT ? state_names[state] : "?";
}

int state_number(const char *name)
{
	for (int i = 0; i < SW_STATE_COUNT; i++)
		if (!strcmp(name, state_names[i]))
			return i;
	return -1;
}

uint64_t snapshot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SW_NS_PER_SEC + now.tv_nsec;
}

int flow_local(const struct sw_flow *f)
{
	switch (f->flags & SW_F_BOTH(SW_F_LOCAL)) {
	case SW_F_LOCAL:
		return 0;
	case SW_F_LOCAL << 1:
		return 1;
	default:
		return -1;
	}
}

bool flow_ambiguous(const struct flow_view *v)
{
	const uint32_t waiting = 1u << SW_FIN_WAIT_1 | 1u << SW_FIN_WAIT_2 | 1u << SW_CLOSING |
				 1u << SW_LAST_ACK;

	return v->f.flags & SW_F_AMBIGUOUS ||
	       (waiting & (1u << v->state[0] | 1u << v->state[1]) &&
		sw_age(v->now, v->f.last) >= SW_QUIET_S * SW_NS_PER_SEC);
}

/*
 * Copy an entry that a CPU may be writing: the word that claims it is the same
 * before and after, and not claimed. A writer is done in well under a
 * microsecond; an entry that never holds still is taken as it is.
 */
static bool read_slot(const struct sw_bucket *b, int i, struct sw_flow *to)
{
	const struct sw_flow *f = &b->slot[i];

	for (int tries = 0; tries < 1000; tries++) {
		union sw_ctl before, after;

		before.word = __atomic_load_n(&f->ctl.word, __ATOMIC_ACQUIRE);
		if (!(before.lock & (SW_LIVE | SW_BUSY)))
			return false;
		if (before.lock & SW_BUSY)
			continue;
		*to = *f;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after.word = __atomic_load_n(&f->ctl.word, __ATOMIC_RELAXED);
		if (after.word == before.word) {
			to->ctl = before;
			return true;
		}
	}
	return to->ctl.lock & SW_LIVE;
}

/* Of the table's buckets, the part-th of so many equal parts. */
static int walk(const struct store *s, enum sw_table table, uint32_t part, uint32_t parts,
		flow_fn fn, void *arg)
{
	const struct sw_config *cfg = &s->meta.config;
	const struct sw_bucket *b = table == SW_PROVEN ? s->proven : s->half, *end;
	uint64_t buckets = table == SW_PROVEN ? cfg->proven_buckets : cfg->half_buckets;
	struct flow_view v = { .proven = table == SW_PROVEN, .now = snapshot_now() };
	uint32_t now_s = v.now / SW_NS_PER_SEC;

	end = b + buckets * (part + 1) / parts;
	for (b += buckets * part / parts; b < end; b++) {
		for (int i = 0; i < SW_WAYS; i++) {
			uint32_t stamp = b->stamp[i];
			int ret;

			if (!b->tag[i] || !read_slot(b, i, &v.f))
				continue;
			if (table == SW_HALF) {
				uint32_t life = cfg->life_s[SW_HALF][stamp >> 30];

				if (sw_expired(SW_HALF, stamp, now_s, cfg))
					continue;
				v.ends_s = life - sw_stamp_age(stamp, now_s);
			} else if (sw_ended(&v.f, v.now, cfg)) {
				continue;
			}
			v.state[0] = sw_state_at(&v.f, 0, v.now, cfg);
			v.state[1] = sw_state_at(&v.f, 1, v.now, cfg);
			ret = fn(&v, arg);
			if (ret)
				return ret;
		}
	}
	return 0;
}

int snapshot_flows(const struct store *s, flow_fn fn, void *arg)
{
	int ret = walk(s, SW_HALF, 0, 1, fn, arg);

	return ret ? ret : walk(s, SW_PROVEN, 0, 1, fn, arg);
}

/* What one thread counts. */
struct count {
	const struct store *s;
	struct histogram h;
	uint32_t ifindex;
	uint32_t part, parts;
	pthread_t thread;
};

static int count_flow(const struct flow_view *v, void *arg)
{
	struct count *c = arg;
	struct histogram *h = &c->h;
	int server = sw_server(&v->f), local = flow_local(&v->f);

	if (c->ifindex && v->f.ifindex != c->ifindex)
		return 0;
	h->flows++;
	h->unproven += !v->proven;
	h->half_open += !!(v->f.flags & SW_F_HALF);
	h->pending += !!(v->f.flags & SW_F_PENDING);
	h->client[v->state[server ^ 1]]++;
	h->server[v->state[server]]++;
	if (local >= 0) {
		h->local[v->state[local]]++;
		h->remote[v->state[local ^ 1]]++;
	}
	return 0;
}

static void *count_part(void *arg)
{
	struct count *c = arg;

	walk(c->s, SW_HALF, c->part, c->parts, count_flow, c);
	walk(c->s, SW_PROVEN, c->part, c->parts, count_flow, c);
	return NULL;
}

static void add_up(struct histogram *to, const struct histogram *h)
{
	to->flows += h->flows;
	to->unproven += h->unproven;
	to->half_open += h->half_open;
	to->pending += h->pending;
	for (int i = 0; i < SW_STATE_COUNT; i++) {
		to->client[i] += h->client[i];
		to->server[i] += h->server[i];
		to->local[i] += h->local[i];
		to->remote[i] += h->remote[i];
	}
}

void snapshot_histogram(const struct store *s, uint32_t ifindex, struct histogram *h)
{
	const struct sw_config *cfg = &s->meta.config;
	struct count c[PARTS_MAX] = { 0 };
	uint32_t parts = 1;

	if (cfg->proven_buckets + cfg->half_buckets >= PARTS_FROM) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);

		parts = cpus < 1 ? 1 : cpus > PARTS_MAX ? PARTS_MAX : cpus;
	}
	for (uint32_t i = 0; i < parts; i++)
		c[i] = (struct count){ .s = s, .ifindex = ifindex, .part = i, .parts = parts };
	for (uint32_t i = 1; i < parts; i++)
		if (pthread_create(&c[i].thread, NULL, count_part, &c[i]))
			c[i].thread = 0;
	count_part(&c[0]);
	memset(h, 0, sizeof(*h));
	for (uint32_t i = 0; i < parts; i++) {
		if (i && c[i].thread)
			pthread_join(c[i].thread, NULL);
		else if (i) /* there was no thread to be had */
			count_part(&c[i]);
		add_up(h, &c[i].h);
	}
}

struct listener_gauges snapshot_gauges(const struct store *s, const struct sw_listener *l)
{
	uint32_t now_s = snapshot_now() / SW_NS_PER_SEC, timeout = s->meta.config.syn_timeout_s;

	return (struct listener_gauges){
		.tracked = sw_gauge_read(&l->half, now_s, timeout),
		.untracked = sw_gauge_read(&l->untracked, now_s, timeout),
		.pending = sw_gauge_read(&l->pending, now_s, timeout),
	};
}

struct listener_gauges snapshot_all_gauges(const struct store *s)
{
	struct listener_gauges sum = { 0 };

	for (uint32_t i = 0; i <= s->n_listeners; i++) {
		struct listener_gauges g = snapshot_gauges(s, &s->listeners[i]);

		sum.tracked += g.tracked;
		sum.untracked += g.untracked;
		sum.pending += g.pending;
	}
	return sum;
}
