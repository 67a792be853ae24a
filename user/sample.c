// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "sample.h"

int sample_take(struct sample *to, struct store *s, const struct guard *g)
{
	struct listener_gauges all;

	if (store_reload(s))
		return -1;
	memset(to->reasons, 0, sizeof(to->reasons));
	for (int i = 0; i < s->n_devices; i++)
		if (store_reasons(s, s->device[i].dev.slot, to->reasons))
			return -1;
	if (store_latency(s, &to->latency) || store_moves(s, &to->moves))
		return -1;
	snapshot_histogram(s, 0, &to->states);
	to->now = snapshot_now();
	all = snapshot_all_gauges(s);
	to->half_open = all.tracked + all.untracked;
	to->pending = all.pending;
	to->challenged = 0;
	to->n_listeners = s->n_listeners;
	for (uint32_t i = 1; i <= s->n_listeners; i++) {
		to->listener[i] = tally_of(s, g, i);
		to->challenged += to->listener[i].challenged;
	}
	return 0;
}
