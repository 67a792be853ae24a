/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_GUARDWATCH_H
#define SW_GUARDWATCH_H

#include "guard.h"
#include "store.h"

/*
 * What the guard does, told from its maps by looking at them again and again:
 * so nothing is lost in a flood, and a listener is disarmed when it is, though
 * no packet comes that the programs could notice it by.
 */
enum guard_action { GUARD_POLICY, GUARD_BREAKER, GUARD_DISARMED, GUARD_ARMED };

struct guard_event {
	enum guard_action action;
	uint32_t listener; /* index; 0: the policy of all that have none of their own */
	uint32_t episode;  /* that began or ended with it, 0 none */
	uint64_t time;	   /* CLOCK_MONOTONIC ns */
	bool armed;	   /* after it */
};

struct guard_watch;

/* What is so already is no news. NULL with sw_err(): no memory. */
struct guard_watch *guard_watch_new(const struct guard *g, const struct store *s);
void guard_watch_free(struct guard_watch *w);

/* Calls fn for each thing that has changed since the last time. */
typedef void (*guard_event_fn)(const struct guard_event *e, void *arg);
void guard_watch_look(struct guard_watch *w, const struct guard *g, const struct store *s,
		      guard_event_fn fn, void *arg);

const char *guard_action_name(enum guard_action action);

#endif
