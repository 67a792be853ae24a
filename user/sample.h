/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SAMPLE_H
#define SW_SAMPLE_H

#include "snapshot.h"
#include "tally.h"

/* Everything that is counted, at one moment: what screens, metrics and trends are made of. */
struct sample {
	uint64_t now; /* CLOCK_MONOTONIC ns */
	struct histogram states;
	uint64_t half_open, pending; /* of all listeners, those without an entry included */
	uint64_t challenged;
	uint64_t reasons[SW_R_COUNT]; /* packets of all attached devices */
	struct sw_latency latency;
	struct sw_moves moves;
	uint32_t n_listeners;	/* highest index in use */
	struct tally listener[SW_MAX_LISTENERS]; /* by index in map "listeners", from 1 */
};

/* Reads anew what devices and listeners there are. -1 with sw_err(). */
int sample_take(struct sample *to, struct store *s, const struct guard *g);

#endif
