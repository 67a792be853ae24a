// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "episode.h"
#include "fail.h"
#include "guardwatch.h"
#include "snapshot.h"

/* A listener's guard as it was last seen. */
struct seen {
	struct sw_policy policy;
	uint32_t episode;
	bool own, armed, backing_off;
};

struct guard_watch {
	struct seen seen[SW_MAX_LISTENERS];
};

static struct seen look(const struct guard *g, const struct store *s, uint32_t i, uint64_t now)
{
	const struct sw_guard *e = &g->guards[i];
	const struct sw_policy *p = sw_policy_of(e, &g->guards[0], now);
	struct sw_calm calm;

	return (struct seen){
		.policy = *p,
		.episode = e->episode,
		.own = e->own,
		.armed = i && sw_armed(e, p, s->meta.config.syn_timeout_s, now, &calm),
		.backing_off = sw_backing_off(e, now / SW_NS_PER_SEC),
	};
}

struct guard_watch *guard_watch_new(const struct guard *g, const struct store *s)
{
	struct guard_watch *w = calloc(1, sizeof(*w));
	uint64_t now = snapshot_now();

	if (!w)
		sw_err("no memory");
	else
		for (uint32_t i = 0; i < SW_MAX_LISTENERS; i++)
			w->seen[i] = look(g, s, i, now);
	return w;
}

void guard_watch_free(struct guard_watch *w)
{
	free(w);
}

/* When an episode began or ended, as the programs noted it; else now. */
static uint64_t when(const struct guard *g, const struct store *s, uint32_t episode, bool armed,
		     uint64_t now)
{
	struct sw_episode e;

	if (!episode || !episode_get(s, g, episode, now, &e) || e.number != episode)
		return now;
	return armed ? e.start_ns : e.end_ns ? e.end_ns : now;
}

void guard_watch_look(struct guard_watch *w, const struct guard *g, const struct store *s,
		      guard_event_fn fn, void *arg)
{
	uint64_t now = snapshot_now();

	for (uint32_t i = 0; i <= s->n_listeners; i++) {
		struct seen was = w->seen[i], is = look(g, s, i, now);
		bool auto_was = was.policy.mode == SW_MODE_AUTO;
		/* in mode on an episode is an attack, and nothing is armed or disarmed by it */
		bool again = is.policy.mode == SW_MODE_AUTO && auto_was && was.episode != is.episode;
		struct guard_event e = { .listener = i, .time = now, .armed = is.armed };

		w->seen[i] = is;
		if ((!i || is.own) && memcmp(&was.policy, &is.policy, sizeof(is.policy))) {
			e.action = GUARD_POLICY;
			fn(&e, arg);
		}
		if (is.backing_off && !was.backing_off) {
			e.action = GUARD_BREAKER;
			fn(&e, arg);
		}
		if (was.armed && (!is.armed || again)) {
			e.action = GUARD_DISARMED;
			e.episode = auto_was ? was.episode : 0;
			e.time = when(g, s, e.episode, false, now);
			e.armed = false;
			fn(&e, arg);
		}
		if ((is.armed && !was.armed) || again) {
			e.action = GUARD_ARMED;
			e.episode = again ? is.episode : 0;
			e.time = when(g, s, e.episode, true, now);
			e.armed = true;
			fn(&e, arg);
		}
		if (again && !is.armed) { /* armed and disarmed between two looks */
			e.action = GUARD_DISARMED;
			e.time = when(g, s, e.episode, false, now);
			e.armed = false;
			fn(&e, arg);
		}
	}
}

const char *guard_action_name(enum guard_action action)
{
	static const char *const names[] = { "policy", "breaker", "disarmed", "armed" };

	return names[action];
}
