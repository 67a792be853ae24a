// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "alarm.h"
#include "commands.h"
#include "fail.h"
#include "out.h"
#include "top/top.h"
#include "view.h"

enum { INTERVAL = OPT_FIRST_OWN };

static const struct option options[] = {
	{ "interval", required_argument, 0, INTERVAL },
	COMMON_OPTIONS,
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void add(json_object *doc, const char *name, json_object *value)
{
	json_object_object_add(doc, name, value);
}

static json_object *per_second(double rate)
{
	json_object *value = json_object_new_double(rate);

	json_object_set_serializer(value, json_object_double_to_json_string, (void *)"%.1f", NULL);
	return value;
}

static json_object *rates(const struct trend *t, uint32_t listener)
{
	json_object *doc = json_object_new_object();

#define SW_X(name, field)                                                                          \
	add(doc, #field, per_second(trend_at(t, t->rate[listener][TREND_##name], 0)));
	TREND_RATES(SW_X)
#undef SW_X
	return doc;
}

static json_object *latency(const struct sw_latency *l, enum sw_part part)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = { { "p50_us", 0.5 }, { "p90_us", 0.9 }, { "p99_us", 0.99 } };
	json_object *doc = json_object_new_object();
	uint64_t n = latency_count(l, part);

	add(doc, "count", json_object_new_int64(n));
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++)
		add(doc, quantiles[i].name,
		    out_maybe(n, latency_quantile(l, part, quantiles[i].q)));
	return doc;
}

static json_object *listener(const struct live *v, const struct live_listener *l)
{
	json_object *doc = json_object_new_object();

	add(doc, "listener", json_object_new_string(l->name));
	add(doc, "process", l->process[0] ? json_object_new_string(l->process) : NULL);
	add(doc, "half_open", json_object_new_int64(l->tally.tracked + l->tally.untracked));
	add(doc, "backlog", out_maybe(l->l.socket, l->backlog));
	add(doc, "accept_queue", out_maybe(l->l.socket, l->l.accept_queue));
	add(doc, "per_second", l->l.index ? rates(v->trend, l->l.index) : NULL);
	add(doc, "guard", view_guard(&l->guard, v->sample.now));
	return doc;
}

static json_object *make(const struct live *v)
{
	json_object *doc = json_object_new_object(), *o;
	const struct sample *s = &v->sample;
	const struct trend *t = v->trend;
	struct sw_latency recent = trend_latency(t, TOP_LATENCY_INTERVALS);
	struct alarm alarm[16];
	size_t n = alarms(v, alarm, sizeof(alarm) / sizeof(*alarm));

	add(doc, "time", out_now());
	add(doc, "interval_ms", json_object_new_int64(trend_at(t, t->seconds, 0) * 1000));
	add(doc, "flows", json_object_new_int64(s->states.flows));
	add(doc, "half_open", json_object_new_int64(s->half_open));
	add(doc, "challenged", json_object_new_int64(s->challenged));
	add(doc, "pending", json_object_new_int64(s->pending));
	add(doc, "client", view_states(s->states.client));
	add(doc, "server", view_states(s->states.server));
	add(doc, "per_second", rates(t, 0));
	o = json_object_new_object();
	for (int r = 0; r < SW_R_COUNT; r++)
		add(o, view_reason(r), per_second(trend_at(t, t->reason[r], 0)));
	add(doc, "reasons_per_second", o);
	o = json_object_new_object();
	add(o, "server", latency(&recent, SW_PART_SERVER));
	add(o, "client", latency(&recent, SW_PART_CLIENT));
	add(doc, "latency", o);
	o = json_object_new_array();
	for (size_t i = 0; i < n && i < sizeof(alarm) / sizeof(*alarm); i++)
		json_object_array_add(o, json_object_new_string(alarm[i].text));
	add(doc, "alarms", o);
	o = json_object_new_array();
	for (size_t i = 0; i < v->n; i++)
		json_object_array_add(o, listener(v, &v->listener[i]));
	add(doc, "listeners", o);
	return doc;
}

/* One document per interval, on a line each. */
static int stream(uint64_t seconds)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timespec next;
	struct live v;
	int status = EXIT_DONE;

	if (live_open(&v))
		return EXIT_FAILED;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!stop) {
		if (live_update(&v)) {
			status = EXIT_FAILED;
			break;
		}
		if (trend_length(v.trend)) {
			out_doc(make(&v), NULL);
			if (fflush(stdout))
				break;
		}
		next.tv_sec += seconds;
		while (!stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL))
			;
	}
	live_close(&v);
	return status;
}

static int run(int argc, char **argv)
{
	uint64_t seconds = 1;
	int c;

	while ((c = opts_next(&cmd_top, argc, argv, options)) >= 0)
		if (!opts_number("--interval", optarg, 1, 3600, &seconds))
			return EXIT_USAGE;
	if (c == OPT_DONE)
		return opts_status();
	if (optind < argc)
		return opts_bad(&cmd_top, "unexpected '%s'", argv[optind]);
	if (out.json)
		return stream(seconds);
	if (!out.terminal)
		return opts_bad(&cmd_top, "top draws on a terminal; elsewhere: synward top --json");
	return top_screen(seconds);
}

const struct command cmd_top = {
	.name = "top",
	.summary = "Live screen: states, rates, latency, listeners and their guard",
	.usage = "[OPTION]...",
	.help = "      --interval SEC       looks every SEC seconds (default 1)\n\n"
		"Tab goes to the diagram of TCP states and back, g switches the guard of the\n"
		"selected listener (and asks first), Enter shows its flows, h tells all keys, q ends.\n"
		"With --json: a document per interval, with rates per second. NO_COLOR is respected.\n\n"
		"Example:\n      synward top\n\n",
	.run = run,
};
