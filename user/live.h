/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LIVE_H
#define SW_LIVE_H

#include "listeners.h"
#include "trend.h"

/* What a live view shows, read again and again: counters, rates, listeners. */

struct live_listener {
	struct listener l;
	char name[LISTENER_TEXT];
	char process[16]; /* "" when not known */
	uint32_t backlog; /* the one that binds; 0 when not known */
	struct tally tally;
	struct guard_state guard;
};

struct live {
	bool open; /* else nothing is attached, and sw_err_text() says so */
	struct store store;
	struct guard guard;
	struct trend *trend; /* trend->last is the newest sample */
	struct sample sample;
	struct live_listener *listener; /* by port and address */
	size_t n;
	struct procs *procs;
	uint64_t procs_due; /* CLOCK_MONOTONIC ns */
	uint64_t pin;	    /* which maps these are */
};

/* -1 with sw_err(): nothing is attached here, or no memory. */
int live_open(struct live *v);
void live_close(struct live *v);

/*
 * Everything anew. Maps that were made since are opened in place of those that
 * are gone, and the trend begins again. -1 with sw_err(): nothing is attached
 * any more; it may be tried again.
 */
int live_update(struct live *v);

/* Per second, in the newest interval. */
double live_rate(const struct live *v, const struct live_listener *l, enum trend_rate rate);

/*
 * Another mode for one of v->listener, which gets a policy of its own by that;
 * dry_run 0, 1, or -1: as it was. Waits for other commands that are at work. -1
 * with sw_err().
 */
int live_set_guard(struct live *v, const struct live_listener *l, enum sw_mode mode, int dry_run);

#endif
