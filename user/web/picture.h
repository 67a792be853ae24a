/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PICTURE_H
#define SW_PICTURE_H

#include "../live.h"
#include "arrows.h"

/*
 * All that metrics and page show, of one moment: what is live, and what only
 * they ask for. They read this and no map.
 */
#define PICTURE_WINDOW 5u /* samples that the rates on arrows are the mean of */

struct picture {
	bool attached; /* else nothing below but why holds */
	char why[256];
	const struct live *live;
	struct picture_device {
		uint32_t ifindex;
		struct sw_device dev;
		uint64_t reasons[SW_R_COUNT];
	} device[SW_MAX_DEVICES];
	int n_devices;
	struct sw_episode episode[SW_EPISODES]; /* newest first */
	size_t n_episodes;
	uint64_t events_lost;
	struct arrow_rates arrows;
	uint64_t timed_out[SW_MAX_LISTENERS]; /* by index: the most there has been */

	struct sample window[PICTURE_WINDOW + 1]; /* the last ones, by n */
	uint32_t n;
	uint64_t maps; /* that they are of */
};

/* After each live_update(); attached: whether it could. *p is all 0 at first. */
void picture_take(struct picture *p, const struct live *live, bool attached);

#endif
