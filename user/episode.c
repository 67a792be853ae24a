// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "episode.h"
#include "listeners.h"
#include "prefix.h"
#include "view.h"

/* A copy that no program was writing. False: there is none in that place. */
static bool read_episode(const struct sw_episode *from, struct sw_episode *to)
{
	for (int tries = 0; tries < 1000; tries++) {
		uint32_t number = __atomic_load_n(&from->number, __ATOMIC_ACQUIRE);

		if (!number)
			return false;
		*to = *from;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&from->number, __ATOMIC_RELAXED) == number)
			return true;
	}
	return false;
}

/* One that goes on, or whose end nobody has noticed yet: its numbers until now. */
static void complete(const struct store *s, const struct guard *g, struct sw_episode *e, uint64_t now)
{
	const struct sw_guard *of = &g->guards[e->listener], *all = &g->guards[0];
	const struct sw_policy *p = sw_policy_of(of, all, now);
	struct sw_calm calm;

	if (e->end_ns)
		return;
	sw_episode_count(e, &s->listeners[e->listener], of);
	if (of->episode != e->number || !of->armed_ns) {
		e->end_ns = now; /* at this moment, or a program was hindered */
		return;
	}
	if (sw_over(p, sw_armed(of, p, s->meta.config.syn_timeout_s, now, &calm), &calm))
		e->end_ns = sw_disarmed_ns(of, all, now, &calm);
	/* seconds that are over, and that no program has judged yet */
	e->attack += calm.attack;
	if (calm.peak > e->peak_syn)
		e->peak_syn = calm.peak;
}

static int by_weight(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static json_object *top_prefixes(const struct sw_episode *e)
{
	struct {
		uint32_t syn, i;
	} order[SW_TOP];
	json_object *all = json_object_new_array();

	for (uint32_t i = 0; i < SW_TOP; i++) {
		order[i].syn = e->top[i].syn;
		order[i].i = i;
	}
	qsort(order, SW_TOP, sizeof(*order), by_weight);
	for (int i = 0; i < SW_TOP && order[i].syn; i++) {
		struct sw_list_key key = { .bits = 64 };
		json_object *one = json_object_new_object();
		struct prefix p;
		char text[PREFIX_TEXT];

		memcpy(key.addr, e->top[order[i].i].addr, sizeof(key.addr));
		if (!key.addr[0] && !key.addr[1] && key.addr[2] == sw_htonl(0xffff))
			key.bits = SW_V4_BITS + 24;
		p = prefix_from_key(&key);
		json_object_object_add(one, "prefix",
				       json_object_new_string(prefix_text(&p, text)));
		json_object_object_add(one, "syn",
				       json_object_new_int64((int64_t)order[i].syn * SW_SAMPLE));
		json_object_array_add(all, one);
	}
	return all;
}

json_object *episode_view(const struct store *s, const struct sw_episode *e)
{
	json_object *doc = json_object_new_object();
	char text[LISTENER_TEXT];

	json_object_object_add(doc, "start", view_time(e->start_ns));
	json_object_object_add(doc, "end", e->end_ns ? view_time(e->end_ns) : NULL);
	json_object_object_add(doc, "listener",
			       json_object_new_string(
				       listener_text(&s->listeners[e->listener], text)));
	json_object_object_add(doc, "kind",
			       json_object_new_string(e->attack ? "attack" : "armed"));
	json_object_object_add(doc, "peak_syn_per_s", json_object_new_int64(e->peak_syn));
	json_object_object_add(doc, "syn", json_object_new_int64(e->syn));
	json_object_object_add(doc, "completed", json_object_new_int64(e->completed));
	json_object_object_add(doc, "kept_off", json_object_new_int64(e->kept_off));
	json_object_object_add(doc, "admitted", json_object_new_int64(e->admitted));
	json_object_object_add(doc, "top_prefixes", top_prefixes(e));
	return doc;
}

bool episode_get(const struct store *s, const struct guard *g, uint32_t i, uint64_t now,
		 struct sw_episode *e)
{
	if (!read_episode(&g->episodes[i % SW_EPISODES], e) || e->listener >= SW_MAX_LISTENERS)
		return false;
	complete(s, g, e, now);
	return true;
}
