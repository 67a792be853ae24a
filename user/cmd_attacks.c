// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "episode.h"
#include "out.h"
#include "snapshot.h"

static const struct option options[] = { COMMON_OPTIONS };

static void cell_start(json_object *row, char *text, size_t size)
{
	snprintf(text, size, "%.19sZ", out_str(row, "start"));
}

static void cell_end(json_object *row, char *text, size_t size)
{
	if (out_at(row, "end"))
		snprintf(text, size, "%.19sZ", out_str(row, "end"));
	else
		snprintf(text, size, "goes on");
}

static void cell_top(json_object *row, char *text, size_t size)
{
	json_object *first = json_object_array_get_idx(out_at(row, "top_prefixes"), 0);

	snprintf(text, size, "%s", first ? out_str(first, "prefix") : "-");
}

static const struct out_column columns[] = {
	{ "START", NULL, -20, cell_start },   { "END", NULL, -20, cell_end },
	{ "LISTENER", "listener", -22, NULL }, { "KIND", "kind", -6, NULL },
	{ "PEAK/S", "peak_syn_per_s", 8, NULL }, { "SYN", "syn", 9, NULL },
	{ "COMPLETED", "completed", 9, NULL }, { "KEPT-OFF", "kept_off", 9, NULL },
	{ "ADMITTED", "admitted", 9, NULL },  { "MOST-FROM", NULL, -9, cell_top },
	{ 0 },
};

static int newest_first(const void *a, const void *b)
{
	const struct sw_episode *x = a, *y = b;

	return x->number < y->number ? 1 : x->number > y->number ? -1 : 0;
}

static void show(const struct store *s, const struct guard *g)
{
	struct sw_episode e[SW_EPISODES];
	uint64_t now = snapshot_now();
	size_t n = 0;

	for (uint32_t i = 0; i < SW_EPISODES; i++)
		n += episode_get(s, g, i, now, &e[n]);
	qsort(e, n, sizeof(*e), newest_first);
	out_table_begin(columns);
	for (size_t i = 0; i < n; i++)
		out_table_row(episode_view(s, &e[i]));
	out_table_end("no listener has been armed by itself, or attacked, since attach");
}

static int run(int argc, char **argv)
{
	int status = EXIT_FAILED;
	struct guard g;
	struct store s;

	if (opts_next(&cmd_attacks, argc, argv, options) == OPT_DONE)
		return opts_status();
	if (optind < argc)
		return opts_bad(&cmd_attacks, "unexpected '%s'", argv[optind]);
	if (store_open(&s))
		return EXIT_FAILED;
	if (!guard_open(&g)) {
		show(&s, &g);
		guard_close(&g);
		status = EXIT_DONE;
	}
	store_close(&s);
	return status;
}

const struct command cmd_attacks = {
	.name = "attacks",
	.summary = "The last times that a listener was armed, and why",
	.usage = "[OPTION]...",
	.help = "Newest first, the last 64 since attach; in mode on, when it would have been armed.\n"
		"KIND: attack, when most handshakes were not completed; armed, when they were.\n"
		"In a dry run, what would have been kept off counts. Prefixes are /24 and /64, from one SYN in 64.\n\n"
		"Example:\n      synward attacks --json | jq '.[] | select(.end == null)'\n\n",
	.run = run,
};
