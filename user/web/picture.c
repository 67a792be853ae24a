// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../episode.h"
#include "../events.h"
#include "../fail.h"
#include "picture.h"

static int newest_first(const void *a, const void *b)
{
	const struct sw_episode *x = a, *y = b;

	return x->number < y->number ? 1 : x->number > y->number ? -1 : 0;
}

static void take_episodes(struct picture *p)
{
	const struct live *v = p->live;

	p->n_episodes = 0;
	for (uint32_t i = 0; i < SW_EPISODES; i++)
		p->n_episodes += episode_get(&v->store, &v->guard, i, v->sample.now,
					     &p->episode[p->n_episodes]);
	qsort(p->episode, p->n_episodes, sizeof(*p->episode), newest_first);
}

static int take_devices(struct picture *p)
{
	const struct store *s = &p->live->store;

	p->n_devices = s->n_devices;
	for (int i = 0; i < s->n_devices; i++) {
		struct picture_device *d = &p->device[i];

		*d = (struct picture_device){ .ifindex = s->device[i].ifindex,
					      .dev = s->device[i].dev };
		if (store_reasons(s, d->dev.slot, d->reasons))
			return -1;
	}
	return 0;
}

/*
 * Calculated, from gauges that are read one after the other: it may step back
 * by a few, which for a counter would mean that it began again.
 */
static void take_timed_out(struct picture *p)
{
	for (uint32_t i = 1; i <= p->live->sample.n_listeners; i++)
		if (p->timed_out[i] < p->live->sample.listener[i].timed_out)
			p->timed_out[i] = p->live->sample.listener[i].timed_out;
}

static void take_arrows(struct picture *p)
{
	uint32_t last = p->n % (PICTURE_WINDOW + 1);
	uint32_t first = p->n < PICTURE_WINDOW ? 0 : (p->n + 1) % (PICTURE_WINDOW + 1);

	p->window[last] = p->live->sample;
	arrows_between(&p->window[first], &p->window[last], &p->arrows);
	p->n++;
}

void picture_take(struct picture *p, const struct live *live, bool attached)
{
	int readers;

	p->live = live;
	p->attached = attached && !take_devices(p);
	if (!p->attached) {
		snprintf(p->why, sizeof(p->why), "%s", sw_err_text());
		return;
	}
	if (p->maps != live->pin) {
		p->maps = live->pin;
		p->n = 0;
		memset(p->timed_out, 0, sizeof(p->timed_out));
	}
	take_episodes(p);
	take_timed_out(p);
	take_arrows(p);
	if (events_status(&readers, &p->events_lost))
		p->events_lost = 0; /* an older synward made the maps */
}
