// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chronicle.h"
#include "episode.h"
#include "fail.h"
#include "guardwatch.h"
#include "log.h"
#include "out.h"

struct chronicle {
	struct guard_watch *watch;
	uint64_t pin;			  /* of the maps that it looks at */
	uint32_t attack[SW_EPISODES];	  /* episodes that were said to be one, and go on */
	const struct live *live;
};

static void begin(struct chronicle *c, const struct live *v)
{
	guard_watch_free(c->watch);
	c->watch = guard_watch_new(&v->guard, &v->store);
	c->pin = v->pin;
	memset(c->attack, 0, sizeof(c->attack)); /* other maps count from 1 again */
	for (size_t i = 0; i < v->n; i++)
		if (v->listener[i].guard.armed)
			log_line(LOG_LINE_NOTICE, "%s: the guard is armed, for %" PRIu64 " s%s",
				 v->listener[i].name, v->listener[i].guard.armed_for_ms / 1000,
				 v->listener[i].guard.policy.dry_run ? " (dry run)" : "");
}

struct chronicle *chronicle_new(void)
{
	struct chronicle *c = calloc(1, sizeof(*c));

	if (!c)
		sw_err("no memory");
	return c;
}

void chronicle_free(struct chronicle *c)
{
	if (!c)
		return;
	guard_watch_free(c->watch);
	free(c);
}

/* "; most from PREFIX", as far as that is known. */
static void most_from(const struct live *v, const struct sw_episode *e, char *text, size_t size)
{
	json_object *doc = episode_view(&v->store, e);
	json_object *first = json_object_array_get_idx(out_at(doc, "top_prefixes"), 0);

	text[0] = 0;
	if (first)
		snprintf(text, size, "; most from %s", out_str(first, "prefix"));
	json_object_put(doc);
}

/* What an episode came to. */
static void say_end(const struct live *v, const char *name, const struct sw_episode *e,
		    bool dry_run)
{
	char took[32], from[96];

	out_duration(took, sizeof(took), sw_age(e->end_ns, e->start_ns) / SW_NS_PER_MS);
	most_from(v, e, from, sizeof(from));
	log_line(LOG_LINE_NOTICE,
		 "%s: disarmed after %s, %s: %" PRIu64 " SYNs, %" PRIu64
		 " a second at most, %" PRIu64 " handshakes completed, %" PRIu64
		 " SYNs %s off, %" PRIu64 " connections by cookie%s",
		 name, took, e->attack ? "an attack" : "no attack", (uint64_t)e->syn,
		 (uint64_t)e->peak_syn, (uint64_t)e->completed, (uint64_t)e->kept_off,
		 dry_run ? "would have been kept" : "kept", (uint64_t)e->admitted, from);
}

static void say_policy(const struct live *v, uint32_t listener, const char *name)
{
	const struct guard_state g = guard_state(&v->guard, &v->store, listener, v->sample.now);

	log_line(LOG_LINE_NOTICE, "guard of %s: %s, %s, method %s%s", name,
		 guard_mode_name(g.policy.mode), g.policy.dry_run ? "dry run" : "live",
		 guard_method_name(g.policy.method), g.until_ns ? ", for a time" : "");
}

static void on_event(const struct guard_event *e, void *arg)
{
	struct chronicle *c = arg;
	const struct live *v = c->live;
	struct sw_episode episode;
	char name[LISTENER_TEXT] = "all listeners";
	struct guard_state g = guard_state(&v->guard, &v->store, e->listener, v->sample.now);

	if (e->listener)
		listener_text(&v->store.listeners[e->listener], name);
	switch (e->action) {
	case GUARD_POLICY:
		say_policy(v, e->listener, name);
		break;
	case GUARD_BREAKER:
		log_line(LOG_LINE_WARNING, "%s: %s", name, g.why);
		break;
	case GUARD_ARMED:
		if (g.policy.dry_run)
			log_line(LOG_LINE_NOTICE, "%s: the guard would be armed (dry run)", name);
		else
			log_line(LOG_LINE_NOTICE, "%s: armed, by %s%s%s", name,
				 guard_serves_name(g.serves), g.why[0] ? ": " : "", g.why);
		break;
	case GUARD_DISARMED:
		if (e->episode &&
		    episode_get(&v->store, &v->guard, e->episode, v->sample.now, &episode) &&
		    episode.number == e->episode)
			say_end(v, name, &episode, g.policy.dry_run);
		else
			log_line(LOG_LINE_NOTICE, "%s: disarmed", name);
	}
}

/* Of a listener that is armed always: nothing else tells that an attack is over. */
static void say_over(const struct live *v, const struct sw_episode *e, const char *name)
{
	const struct guard_state g = guard_state(&v->guard, &v->store, e->listener, v->sample.now);
	char took[32];

	if (g.policy.mode != SW_MODE_ON)
		return;
	out_duration(took, sizeof(took), sw_age(e->end_ns, e->start_ns) / SW_NS_PER_MS);
	log_line(LOG_LINE_NOTICE,
		 "%s: the attack is over after %s: %" PRIu64 " SYNs, %" PRIu64
		 " a second at most, %" PRIu64 " handshakes completed",
		 name, took, (uint64_t)e->syn, (uint64_t)e->peak_syn, (uint64_t)e->completed);
}

/* An episode becomes an attack when most of its handshakes are not completed. */
static void say_attacks(struct chronicle *c, const struct live *v)
{
	for (uint32_t i = 0; i < SW_EPISODES; i++) {
		struct sw_episode e;
		char name[LISTENER_TEXT], from[96];

		if (!episode_get(&v->store, &v->guard, i, v->sample.now, &e) || !e.attack)
			continue;
		listener_text(&v->store.listeners[e.listener], name);
		if (e.end_ns && c->attack[i] == e.number)
			say_over(v, &e, name);
		if (e.end_ns || c->attack[i] == e.number) {
			c->attack[i] = e.end_ns ? 0 : e.number;
			continue;
		}
		c->attack[i] = e.number;
		most_from(v, &e, from, sizeof(from));
		log_line(LOG_LINE_WARNING,
			 "%s is under attack: %" PRIu64
			 " SYNs a second, most handshakes are not completed%s",
			 name, (uint64_t)e.peak_syn, from);
	}
}

void chronicle_look(struct chronicle *c, const struct live *v)
{
	c->live = v;
	if (!c->watch || c->pin != v->pin)
		begin(c, v);
	else
		guard_watch_look(c->watch, &v->guard, &v->store, on_event, c);
	say_attacks(c, v);
}
