/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SNAPSHOT_H
#define SW_SNAPSHOT_H

#include "store.h"

/* One flow at one moment: a consistent copy of its entry. */
struct flow_view {
	struct sw_flow f;
	uint64_t now;	   /* CLOCK_MONOTONIC ns: the moment */
	uint8_t state[2];  /* enum sw_state, time taken into account */
	bool proven;	   /* from the proven table */
	uint32_t ends_s;   /* half-open table: seconds until it ends */
};

/* All flows that are alive now, of a store with its flows; fn non-zero ends the walk and is returned. */
typedef int (*flow_fn)(const struct flow_view *v, void *arg);
int snapshot_flows(const struct store *s, flow_fn fn, void *arg);

/* CLOCK_MONOTONIC in ns, the clock of every entry. */
uint64_t snapshot_now(void);

/* The histogram of both endpoints. */
struct histogram {
	uint64_t flows;
	uint64_t unproven;	/* of these, in the half-open table */
	uint64_t half_open;	/* entries that hold a +1, see also the listeners' gauges */
	uint64_t pending;
	uint64_t client[SW_STATE_COUNT], server[SW_STATE_COUNT];
	uint64_t local[SW_STATE_COUNT], remote[SW_STATE_COUNT];
};

/* ifindex 0: of all devices. A store with its flows (store_open_flows()). */
void snapshot_histogram(const struct store *s, uint32_t ifindex, struct histogram *h);

/* The gauges of a listener at this moment. */
struct listener_gauges {
	uint64_t tracked, untracked, pending;
};
struct listener_gauges snapshot_gauges(const struct store *s, const struct sw_listener *l);

/* Half-open and pending of all listeners, the unknown one included. */
struct listener_gauges snapshot_all_gauges(const struct store *s);

/* Which endpoint is local: 0, 1, or -1 when not known, or both are. */
int flow_local(const struct sw_flow *f);

/*
 * Not to be relied on: stacks differ on what happened; or an end waits for the
 * other's FIN or ACK, silent for so long that an orphan would have been given up.
 */
bool flow_ambiguous(const struct flow_view *v);

const char *state_name(unsigned int state);
/* -1 when there is no such state. */
int state_number(const char *name);

#endif
