// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "fail.h"
#include "out.h"
#include "view.h"

enum { DEV = OPT_FIRST_OWN, WATCH };

static const struct option options[] = {
	{ "dev", required_argument, 0, DEV },
	{ "watch", optional_argument, 0, WATCH },
	COMMON_OPTIONS,
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* Answered by a cookie, and silent yet; not kept by device. */
static uint64_t challenged(const struct store *s, const struct guard *guard)
{
	uint32_t now_s = snapshot_now() / SW_NS_PER_SEC;
	uint64_t sum = 0;

	for (uint32_t i = 1; i <= s->n_listeners; i++)
		sum += sw_challenged(&guard->guards[i], now_s);
	return sum;
}

static json_object *make(const struct store *s, const struct guard *guard,
			 const struct store_device *dev)
{
	struct listener_gauges g = snapshot_all_gauges(s);
	json_object *doc = json_object_new_object();
	struct histogram h;

	snapshot_histogram(s, dev ? dev->ifindex : 0, &h);
	json_object_object_add(doc, "dev", dev ? json_object_new_string(dev->dev.name) : NULL);
	json_object_object_add(doc, "time", out_now());
	json_object_object_add(doc, "flows", json_object_new_int64(h.flows));
	/* the gauges count what has no entry as well; they are not kept by device */
	json_object_object_add(doc, "half_open",
			       json_object_new_int64(dev ? h.half_open : g.tracked + g.untracked));
	json_object_object_add(doc, "challenged",
			       json_object_new_int64(dev ? 0 : challenged(s, guard)));
	json_object_object_add(doc, "pending", json_object_new_int64(dev ? h.pending : g.pending));
	json_object_object_add(doc, "local", view_states(h.local));
	json_object_object_add(doc, "remote", view_states(h.remote));
	json_object_object_add(doc, "client", view_states(h.client));
	json_object_object_add(doc, "server", view_states(h.server));
	return doc;
}

static void print(json_object *doc)
{
	json_object *client = out_at(doc, "client"), *server = out_at(doc, "server");
	char flows[32], half[32], pending[32], bar[256];
	int width = (out.width - 36) / 2;
	int64_t max = 1;

	width = width < 8 ? 8 : width > 40 ? 40 : width;
	out_thousands(flows, sizeof(flows), out_int(doc, "flows"));
	out_thousands(half, sizeof(half), out_int(doc, "half_open"));
	out_thousands(pending, sizeof(pending), out_int(doc, "pending"));
	printf("%s  %s%s%s flows  %s%s half-open%s  %s pending", out_str(doc, "time"),
	       out_at(doc, "dev") ? out_str(doc, "dev") : "", out_at(doc, "dev") ? "  " : "", flows,
	       out_int(doc, "half_open") ? out_bold() : "", half, out_plain(), pending);
	out_thousands(half, sizeof(half), out_int(doc, "challenged"));
	if (out_int(doc, "challenged"))
		printf("  %s challenged", half);
	puts("\n");
	for (int i = 0; i < SW_STATE_COUNT; i++) {
		int64_t c = out_int(client, state_name(i)), s = out_int(server, state_name(i));

		max = c > max ? c : max;
		max = s > max ? s : max;
	}
	printf("%s%-12s %8s %-*s  %8s%s\n", out_bold(), "", "client", width, "", "server",
	       out_plain());
	for (int i = 0; i < SW_STATE_COUNT; i++) {
		const char *name = state_name(view_nth_state(i));
		int64_t c = out_int(client, name), s = out_int(server, name);
		int cells = 0;

		out_bar(bar, sizeof(bar), c, max, width);
		for (const char *p = bar; *p; p++)
			cells += (*p & 0xc0) != 0x80;
		printf("%s%-12s%s %8" PRId64 " %s%*s", c || s ? "" : out_dim(), name, out_plain(), c,
		       bar, width - cells, "");
		out_bar(bar, sizeof(bar), s, max, width);
		printf("  %8" PRId64 "%s%s\n", s, *bar ? " " : "", bar);
	}
}

/* One snapshot per interval: redrawn on a terminal, one after the other elsewhere. */
static int watch(const struct store *s, const struct guard *guard, const struct store_device *dev,
		 uint64_t seconds)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timespec next;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	clock_gettime(CLOCK_MONOTONIC, &next);
	if (out.terminal && !out.json)
		fputs("\033[?25l\033[2J", stdout);
	while (!stop) {
		if (out.terminal && !out.json)
			fputs("\033[H", stdout);
		out_doc(make(s, guard, dev), print);
		if (out.terminal && !out.json)
			fputs("\033[J\n\033[2mCtrl-C ends\033[0m", stdout);
		else if (!out.json)
			putchar('\n');
		if (fflush(stdout))
			break;
		next.tv_sec += seconds;
		while (!stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL))
			;
	}
	if (out.terminal && !out.json)
		fputs("\033[?25h\r\033[K", stdout);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	const char *name = NULL, *every = NULL;
	const struct store_device *dev = NULL;
	uint64_t seconds = 0;
	struct guard guard;
	struct store s;
	int c, status = EXIT_DONE;

	while ((c = opts_next(&cmd_states, argc, argv, options)) >= 0) {
		if (c == DEV)
			name = optarg;
		else
			every = optarg ? optarg : "1";
	}
	if (c == OPT_DONE)
		return opts_status();
	if (every && optind == argc - 1 && !strcmp(every, "1"))
		every = argv[optind++]; /* --watch SEC as well as --watch=SEC */
	if (optind < argc)
		return opts_bad(&cmd_states, "unexpected '%s'", argv[optind]);
	if (every && !opts_number("--watch", every, 1, 86400, &seconds))
		return EXIT_USAGE;
	if (store_open_flows(&s))
		return EXIT_FAILED;
	if (guard_open(&guard)) {
		store_close(&s);
		return EXIT_FAILED;
	}
	if (name && !(dev = store_device(&s, name)))
		status = EXIT_FAILED;
	else if (every)
		status = watch(&s, &guard, dev, seconds);
	else
		out_doc(make(&s, &guard, dev), print);
	guard_close(&guard);
	store_close(&s);
	return status;
}

const struct command cmd_states = {
	.name = "states",
	.summary = "How many connections are in which state, at both ends",
	.usage = "[OPTION]...",
	.help = "      --dev DEV            only connections first seen on DEV\n"
		"      --watch [SEC]        again every SEC seconds (default 1)\n\n"
		"LISTEN counts server endpoints whose SYN is not answered yet, not sockets.\n"
		"Example:\n      synward states --watch\n\n",
	.run = run,
};
