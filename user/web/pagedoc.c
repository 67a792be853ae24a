// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE 1 /* asprintf */
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../alarm.h"
#include "../episode.h"
#include "../out.h"
#include "../version.h"
#include "../view.h"
#include "pagedoc.h"

#define LISTENERS 50u /* that the page shows: those with most to tell */
#define ATTACKS 10u
#define ALARMS 5u

static void add(json_object *doc, const char *key, json_object *value)
{
	json_object_object_add(doc, key, value);
}

static json_object *number(double value)
{
	char text[32];

	/* a hundredth is enough; %.2f of what is whole is longer than that */
	snprintf(text, sizeof(text), value == (double)(int64_t)value ? "%.0f" : "%.2f", value);
	return json_object_new_double_s(value, text);
}

/* One event. json-c escapes line ends, so the document is one line. */
static char *event(const char *name, json_object *doc)
{
	char *text = NULL;

	if (asprintf(&text, "event: %s\ndata: %s\n\n", name,
		     json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN)) < 0)
		text = NULL;
	json_object_put(doc);
	return text;
}

/* Of so many samples ago; t: its second of CLOCK_REALTIME. */
static json_object *point(const struct trend *t, uint32_t ago, int64_t second)
{
	const trend_ring *all = t->rate[0];
	json_object *doc = json_object_new_object();

	add(doc, "t", json_object_new_int64(second));
	add(doc, "syn", number(trend_at(t, all[TREND_SYN], ago)));
	add(doc, "completed", number(trend_at(t, all[TREND_COMPLETED], ago)));
	add(doc, "kept_off", number(trend_at(t, all[TREND_KEPT_OFF], ago)));
	add(doc, "timed_out", number(trend_at(t, all[TREND_TIMED_OUT], ago)));
	add(doc, "refused", number(trend_at(t, all[TREND_REFUSED], ago)));
	add(doc, "aborted", number(trend_at(t, all[TREND_ABORTED], ago)));
	add(doc, "half_open", number(trend_at(t, t->half_open, ago)));
	add(doc, "pending", number(trend_at(t, t->pending, ago)));
	add(doc, "challenged", number(trend_at(t, t->challenged, ago)));
	return doc;
}

static int64_t second_of(const struct live *v)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return wall.tv_sec - (int64_t)((snapshot_now() - v->sample.now) / SW_NS_PER_SEC);
}

char *pagedoc_history(const struct picture *p)
{
	json_object *doc = json_object_new_array();
	const struct trend *t = p->live->trend;
	double second = second_of(p->live);

	for (uint32_t ago = 0; ago < trend_length(t); ago++) {
		json_object_array_add(doc, point(t, ago, second));
		second -= trend_at(t, t->seconds, ago);
	}
	return event("history", doc);
}

static void add_arrows(json_object *doc, const struct arrow_rates *r)
{
	json_object *arrows = json_object_new_array(), *resets = json_object_new_array();

	for (int a = 0; a < ARROW_COUNT; a++) {
		json_object *one = json_object_new_array();

		json_object_array_add(one, json_object_new_string(state_name(arrow_from(a))));
		json_object_array_add(one, json_object_new_string(state_name(arrow_to(a))));
		for (int role = 0; role < SW_ROLES; role++)
			json_object_array_add(one, number(r->on[a][role]));
		json_object_array_add(arrows, one);
	}
	for (int role = 0; role < SW_ROLES; role++)
		json_object_array_add(resets, number(r->reset[role]));
	add(doc, "arrows", arrows);
	add(doc, "resets", resets);
}

static json_object *listener(const struct live *v, const struct live_listener *l)
{
	json_object *doc = json_object_new_object();

	add(doc, "listener", json_object_new_string(l->name));
	add(doc, "process", l->process[0] ? json_object_new_string(l->process) : NULL);
	add(doc, "half_open", json_object_new_int64(l->tally.tracked + l->tally.untracked));
	add(doc, "kernel_half_open", json_object_new_int64(l->l.kernel_half_open));
	add(doc, "backlog", out_maybe(l->l.socket, l->backlog));
	add(doc, "accept_queue", out_maybe(l->l.socket, l->l.accept_queue));
	add(doc, "accept_max", out_maybe(l->l.socket, l->l.backlog));
	add(doc, "syn", json_object_new_int64(l->tally.syn));
	add(doc, "completed", json_object_new_int64(l->tally.completed));
	add(doc, "kept_off", json_object_new_int64(l->tally.kept_off));
	add(doc, "syn_per_s", number(live_rate(v, l, TREND_SYN)));
	add(doc, "completed_per_s", number(live_rate(v, l, TREND_COMPLETED)));
	add(doc, "kept_off_per_s", number(live_rate(v, l, TREND_KEPT_OFF)));
	add(doc, "would_keep_off_per_s", number(live_rate(v, l, TREND_WOULD_KEEP_OFF)));
	add(doc, "guard", view_guard(&l->guard, v->sample.now));
	return doc;
}

static const struct live *sorting;

/* Armed ones first, then by half-open, then by SYNs per second, then by port. */
static int by_interest(const void *a, const void *b)
{
	const struct live_listener *x = *(const struct live_listener *const *)a;
	const struct live_listener *y = *(const struct live_listener *const *)b;
	uint64_t hx = x->tally.tracked + x->tally.untracked;
	uint64_t hy = y->tally.tracked + y->tally.untracked;
	double rx = live_rate(sorting, x, TREND_SYN), ry = live_rate(sorting, y, TREND_SYN);

	if (x->guard.armed != y->guard.armed)
		return y->guard.armed - x->guard.armed;
	if (hx != hy)
		return hx < hy ? 1 : -1;
	if (rx != ry)
		return rx < ry ? 1 : -1;
	return x < y ? -1 : 1; /* they are by port already */
}

static void add_listeners(json_object *doc, const struct live *v)
{
	const struct live_listener **order = calloc(v->n + 1, sizeof(*order));
	json_object *all = json_object_new_array();
	size_t shown = v->n < LISTENERS ? v->n : LISTENERS;

	for (size_t i = 0; order && i < v->n; i++)
		order[i] = &v->listener[i];
	sorting = v;
	if (order)
		qsort(order, v->n, sizeof(*order), by_interest);
	for (size_t i = 0; order && i < shown; i++)
		json_object_array_add(all, listener(v, order[i]));
	free(order);
	add(doc, "listeners", all);
	add(doc, "more_listeners", json_object_new_int64(v->n - shown));
}

static void add_alarms(json_object *doc, const struct live *v)
{
	struct alarm at[ALARMS];
	size_t n = alarms(v, at, ALARMS);
	json_object *all = json_object_new_array();

	for (size_t i = 0; i < n && i < ALARMS; i++) {
		json_object *one = json_object_new_object();

		add(one, "level",
		    json_object_new_string(at[i].level == ALARM_ATTACK ? "attack" : "note"));
		add(one, "text", json_object_new_string(at[i].text));
		json_object_array_add(all, one);
	}
	add(doc, "alarms", all);
}

static json_object *latency(const struct sw_latency *l, enum sw_part part)
{
	json_object *doc = json_object_new_object();

	add(doc, "count", json_object_new_int64(latency_count(l, part)));
	add(doc, "p50_us", number(latency_quantile(l, part, .5)));
	add(doc, "p99_us", number(latency_quantile(l, part, .99)));
	return doc;
}

static json_object *table(const char *name, uint64_t used, uint64_t max)
{
	json_object *doc = json_object_new_object();

	add(doc, "table", json_object_new_string(name));
	add(doc, "used", json_object_new_int64(used));
	add(doc, "max", json_object_new_int64(max));
	return doc;
}

static void add_rest(json_object *doc, const struct picture *p)
{
	const struct live *v = p->live;
	const struct sw_config *cfg = &v->store.meta.config;
	struct sw_latency recent = trend_latency(v->trend, 60);
	json_object *o = json_object_new_array();

	for (size_t i = 0; i < p->n_episodes && i < ATTACKS; i++)
		json_object_array_add(o, episode_view(&v->store, &p->episode[i]));
	add(doc, "attacks", o);
	o = json_object_new_object();
	add(o, "server", latency(&recent, SW_PART_SERVER));
	add(o, "client", latency(&recent, SW_PART_CLIENT));
	add(doc, "latency", o);
	o = json_object_new_array();
	json_object_array_add(o, table("connections",
				       v->sample.states.flows - v->sample.states.unproven,
				       cfg->proven_buckets * SW_WAYS));
	json_object_array_add(
		o, table("handshakes", v->sample.states.unproven, cfg->half_buckets * SW_WAYS));
	add(doc, "tables", o);
	add(doc, "guard", view_guard_all(&v->guard, &v->store, v->sample.now));
}

char *pagedoc_now(const struct picture *p)
{
	json_object *doc = json_object_new_object(), *devices = json_object_new_array();
	const struct sample *s = &p->live->sample;
	char host[HOST_NAME_MAX + 1] = "";

	gethostname(host, sizeof(host) - 1);
	add(doc, "time", out_now());
	add(doc, "host", json_object_new_string(host));
	add(doc, "version", json_object_new_string(SW_VERSION));
	add(doc, "attached", json_object_new_boolean(p->attached));
	for (int i = 0; p->attached && i < p->n_devices; i++)
		json_object_array_add(devices,
				      view_device(&p->device[i].dev, p->device[i].ifindex));
	add(doc, "devices", devices);
	if (!p->attached) {
		json_object *alarm = json_object_new_object(), *all = json_object_new_array();

		add(alarm, "level", json_object_new_string("note"));
		add(alarm, "text", json_object_new_string(p->why));
		json_object_array_add(all, alarm);
		add(doc, "alarms", all);
		return event("now", doc);
	}
	add(doc, "flows", json_object_new_int64(s->states.flows));
	add(doc, "half_open", json_object_new_int64(s->half_open));
	add(doc, "challenged", json_object_new_int64(s->challenged));
	add(doc, "pending", json_object_new_int64(s->pending));
	add(doc, "client", view_states(s->states.client));
	add(doc, "server", view_states(s->states.server));
	add(doc, "point", point(p->live->trend, 0, second_of(p->live)));
	add_alarms(doc, p->live);
	add_arrows(doc, &p->arrows);
	add_listeners(doc, p->live);
	add_rest(doc, p);
	return event("now", doc);
}
