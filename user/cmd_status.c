// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "commands.h"
#include "events.h"
#include "fail.h"
#include "out.h"
#include "version.h"
#include "view.h"

static const struct option options[] = { COMMON_OPTIONS };

static const struct {
	const char *name, *meaning;
} reasons[] = {
#define SW_X(name, text, meaning) { text, meaning },
	SW_REASONS(SW_X)
#undef SW_X
};

static json_object *use(uint64_t used, uint64_t max)
{
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "used", json_object_new_int64(used));
	json_object_object_add(doc, "max", json_object_new_int64(max));
	return doc;
}

/* Is nf_conntrack told of connections that a cookie opened, on all devices? */
static bool conntrack_told(const struct store *s)
{
	bool told = s->n_devices > 0;

	for (int i = 0; i < s->n_devices; i++)
		told &= s->device[i].dev.conntrack;
	return told;
}

static json_object *make(const struct store *s, const struct guard *guard)
{
	uint64_t sum[SW_R_COUNT] = { 0 };
	struct histogram h;
	uint64_t lost;
	int readers;
	struct listener_gauges g = snapshot_all_gauges(s);
	json_object *doc = json_object_new_object(), *o;
	char netns[32];

	for (int i = 0; i < s->n_devices; i++)
		if (store_reasons(s, s->device[i].dev.slot, sum))
			return json_object_put(doc), NULL;
	snapshot_histogram(s, 0, &h);
	snprintf(netns, sizeof(netns), "%lu", (unsigned long)s->netns);
	json_object_object_add(doc, "version", json_object_new_string(SW_VERSION));
	json_object_object_add(doc, "netns", json_object_new_string(netns));
	o = json_object_new_array();
	for (int i = 0; i < s->n_devices; i++)
		json_object_array_add(o, view_device(&s->device[i].dev, s->device[i].ifindex));
	json_object_object_add(doc, "devices", o);
	o = use(h.flows - h.unproven, s->meta.config.proven_buckets * SW_WAYS);
	json_object_object_add(o, "evicted", json_object_new_int64(s->evicted));
	json_object_object_add(doc, "flows", o);
	o = use(h.unproven, s->meta.config.half_buckets * SW_WAYS);
	json_object_object_add(o, "untracked", json_object_new_int64(g.untracked));
	json_object_object_add(doc, "half_open", o);
	json_object_object_add(doc, "guard", view_guard_all(guard, s, snapshot_now()));
	json_object_object_add(doc, "cookie", json_object_new_string(backend_name(s->meta.backend)));
	json_object_object_add(doc, "conntrack", json_object_new_boolean(conntrack_told(s)));
	if (events_status(&readers, &lost)) { /* attached by a synward without them */
		json_object_object_add(doc, "events", NULL);
	} else {
		o = json_object_new_object();
		json_object_object_add(o, "readers", json_object_new_int(readers));
		json_object_object_add(o, "lost", json_object_new_int64(lost));
		json_object_object_add(doc, "events", o);
	}
	json_object_object_add(doc, "reasons", view_reasons(sum));
	return doc;
}

static void print_use(json_object *doc, const char *label, const char *name)
{
	char used[32], max[32], path[64];

	snprintf(path, sizeof(path), "%s.used", name);
	out_thousands(used, sizeof(used), out_int(doc, path));
	snprintf(path, sizeof(path), "%s.max", name);
	out_thousands(max, sizeof(max), out_int(doc, path));
	printf("%-11s %s of %s", label, used, max);
}

static void print(json_object *doc)
{
	json_object *devices = out_at(doc, "devices");
	char number[32];

	printf("synward %s, network namespace %s\n\n", out_str(doc, "version"), out_str(doc, "netns"));
	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		json_object *d = json_object_array_get_idx(devices, i);
		bool gone = json_object_get_boolean(out_at(d, "gone"));

		printf("%-11s %s%s%s  since %s%s\n", out_str(d, "dev"), out_str(d, "hook"),
		       out_at(d, "xdp_mode") ? " " : "",
		       out_at(d, "xdp_mode") ? out_str(d, "xdp_mode") : "", out_str(d, "since"),
		       gone ? "  (the device is gone: synward detach it)" : "");
	}
	putchar('\n');
	print_use(doc, "flows", "flows");
	out_thousands(number, sizeof(number), out_int(doc, "flows.evicted"));
	printf(", %s given up for others", number);
	print_use(doc, "\nhandshakes", "half_open");
	out_thousands(number, sizeof(number), out_int(doc, "half_open.untracked"));
	printf(", %s half-open without an entry\n", number);
	printf("guard       %s%s, method %s, %" PRId64 " listeners armed; cookies: %s%s\n",
	       out_str(doc, "guard.mode"),
	       json_object_get_boolean(out_at(doc, "guard.dry_run")) ? ", dry run" : "",
	       out_str(doc, "guard.method"), out_int(doc, "guard.armed"), out_str(doc, "cookie"),
	       json_object_get_boolean(out_at(doc, "conntrack")) ? ", conntrack is told" : "");
	out_thousands(number, sizeof(number), out_int(doc, "events.lost"));
	if (out_at(doc, "events"))
		printf("events      %" PRId64 " readers, %s lost\n", out_int(doc, "events.readers"), number);
	puts("\npackets");
	for (int i = 0; i < SW_R_COUNT; i++) {
		int64_t n = out_int(out_at(doc, "reasons"), reasons[i].name);

		out_thousands(number, sizeof(number), n);
		if (n || i == SW_R_OBSERVED)
			printf("%15s  %-15s %s%s%s\n", number, reasons[i].name, out_dim(),
			       reasons[i].meaning, out_plain());
	}
}

static int run(int argc, char **argv)
{
	json_object *doc = NULL;
	struct guard guard;
	struct store s;

	if (opts_next(&cmd_status, argc, argv, options) == OPT_DONE)
		return opts_status();
	if (optind < argc)
		return opts_bad(&cmd_status, "unexpected '%s'", argv[optind]);
	if (store_open_flows(&s))
		return EXIT_FAILED;
	if (!guard_open(&guard)) {
		doc = make(&s, &guard);
		guard_close(&guard);
	}
	store_close(&s);
	if (!doc)
		return EXIT_FAILED;
	out_doc(doc, print);
	return EXIT_DONE;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "Devices, how full the tables are, what became of packets",
	.usage = "[OPTION]...",
	.help = "Example:\n      synward status --json | jq .reasons\n\n",
	.run = run,
};
