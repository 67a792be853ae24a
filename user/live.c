// SPDX-License-Identifier: GPL-2.0
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backlog.h"
#include "fail.h"
#include "import.h"
#include "live.h"
#include "pin.h"
#include "policy.h"
#include "sockdiag.h"

#define PROCS_EVERY_NS (10 * SW_NS_PER_SEC) /* at most so often */
#define PROCS_SHARE 1000		    /* and so many times longer than it takes */

/* A pin that was made anew is another inode: 0 when there is none. */
static uint64_t which_maps(void)
{
	char path[PATH_MAX];
	struct stat st;

	pin_path(path, sizeof(path), "meta");
	return stat(path, &st) ? 0 : st.st_ino;
}

static int open_maps(struct live *v)
{
	v->pin = which_maps();
	if (store_open_flows(&v->store))
		return -1;
	if (guard_open(&v->guard)) {
		store_close(&v->store);
		return -1;
	}
	v->open = true;
	return 0;
}

static void close_maps(struct live *v)
{
	if (v->open) {
		guard_close(&v->guard);
		store_close(&v->store);
	}
	v->open = false;
	v->n = 0;
	trend_clear(v->trend);
}

int live_open(struct live *v)
{
	memset(v, 0, sizeof(*v));
	v->trend = trend_new();
	if (v->trend && !open_maps(v))
		return 0;
	live_close(v);
	return -1;
}

void live_close(struct live *v)
{
	if (v->trend)
		close_maps(v);
	trend_free(v->trend);
	procs_free(v->procs);
	free(v->listener);
	memset(v, 0, sizeof(*v));
}

/* Looking through /proc is dear: again only for a socket that is not known yet, and not often. */
static const char *process_of(struct live *v, const struct listener *l)
{
	const char *name = NULL;
	uint64_t begin = v->sample.now, took;

	if (!l->socket)
		return NULL;
	if (v->procs)
		name = procs_name(v->procs, l->inode);
	if (name || begin < v->procs_due)
		return name;
	begin = snapshot_now();
	procs_free(v->procs);
	v->procs = procs_scan();
	took = (snapshot_now() - begin) * PROCS_SHARE;
	v->procs_due = begin + (took > PROCS_EVERY_NS ? took : PROCS_EVERY_NS);
	return v->procs ? procs_name(v->procs, l->inode) : NULL;
}

static int update_listeners(struct live *v)
{
	struct listener_list list;
	struct live_listener *more;

	if (listeners_get(&v->store, &list))
		return -1;
	more = reallocarray(v->listener, list.n ? list.n : 1, sizeof(*more));
	if (!more) {
		listeners_free(&list);
		return sw_err("no memory for %zu listeners", list.n);
	}
	v->listener = more;
	v->n = list.n;
	for (size_t i = 0; i < list.n; i++) {
		struct live_listener *to = &v->listener[i];
		const char *process = process_of(v, &list.l[i]);

		memset(to, 0, sizeof(*to));
		to->l = list.l[i];
		to->backlog = to->l.backlog;
		if (to->l.socket)
			backlog_limit(&to->backlog);
		listener_text(&to->l.key, to->name);
		snprintf(to->process, sizeof(to->process), "%s", process ? process : "");
		/* one that has been learned since is in no sample yet */
		if (to->l.index <= v->sample.n_listeners)
			to->tally = v->sample.listener[to->l.index];
		to->guard = listener_guard(&v->guard, &v->store, &to->l, v->sample.now);
	}
	listeners_free(&list);
	return 0;
}

int live_update(struct live *v)
{
	uint64_t pin = which_maps();

	if (pin != v->pin)
		close_maps(v);
	if (!v->open && open_maps(v))
		return -1;
	if (sample_take(&v->sample, &v->store, &v->guard) || update_listeners(v)) {
		close_maps(v);
		return -1;
	}
	trend_add(v->trend, &v->sample);
	return 0;
}

double live_rate(const struct live *v, const struct live_listener *l, enum trend_rate rate)
{
	return l->l.index ? trend_at(v->trend, v->trend->rate[l->l.index][rate], 0) : 0;
}

/* The index of a listener in the maps; 0 when it is not there. */
static uint32_t index_of(const struct store *s, const struct sw_listener *key)
{
	for (uint32_t i = 1; i <= s->n_listeners; i++) {
		const struct sw_listener *l = &s->listeners[i];

		if (l->flags & SW_L_USED && l->port == key->port && l->family == key->family &&
		    !memcmp(l->addr, key->addr, sizeof(l->addr)))
			return i;
	}
	return 0;
}

int live_set_guard(struct live *v, const struct live_listener *l, enum sw_mode mode, int dry_run)
{
	const struct policy_change change = { mode, dry_run, -1, -1, -1, -1, 0 };
	int lock = pin_lock(false), ret = -1;
	uint32_t i;

	if (lock == -1)
		return -1;
	/* one that has begun to listen since attach has no entry yet */
	if (!import_listeners() && !store_reload(&v->store)) {
		i = index_of(&v->store, &l->l.key);
		if (i) {
			policy_set(&v->guard, i, &change);
			guard_refresh(&v->guard);
			ret = 0;
		} else {
			sw_err("nothing listens on %s any more", l->name);
		}
	}
	pin_unlock(lock);
	return ret;
}
