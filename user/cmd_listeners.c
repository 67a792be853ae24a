// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backlog.h"
#include "commands.h"
#include "fail.h"
#include "listeners.h"
#include "out.h"
#include "sockdiag.h"
#include "tally.h"
#include "view.h"

enum { DEV = OPT_FIRST_OWN };

static const struct option options[] = {
	{ "dev", required_argument, 0, DEV },
	COMMON_OPTIONS,
};

static void number(json_object *doc, const char *name, uint64_t value)
{
	json_object_object_add(doc, name, json_object_new_int64(value));
}

static json_object *make(const struct store *s, const struct guard *guard,
			 const struct listener *l, const struct procs *procs, bool by_dev)
{
	struct tally t = tally_of(s, guard, l->index);
	uint64_t now = snapshot_now();
	struct guard_state state = listener_guard(guard, s, l, now);
	json_object *doc = json_object_new_object(), *cookies = json_object_new_object();
	const char *process = l->socket ? procs_name(procs, l->inode) : NULL;
	uint32_t backlog = l->backlog;
	const char *limited = backlog_limit(&backlog);
	char addr[INET6_ADDRSTRLEN];

	view_addr(l->key.family, l->key.addr, addr);
	json_object_object_add(doc, "addr", json_object_new_string(addr));
	number(doc, "port", sw_ntohs(l->key.port));
	json_object_object_add(doc, "process", process ? json_object_new_string(process) : NULL);
	json_object_object_add(doc, "origin",
			       json_object_new_string(l->key.flags & SW_L_LEARNED ? "learned" :
										    "socket"));
	number(doc, "half_open", by_dev ? l->dev_half_open : t.tracked + t.untracked);
	number(doc, "tracked", by_dev ? l->dev_half_open : t.tracked);
	number(doc, "untracked", by_dev ? 0 : t.untracked);
	number(doc, "kernel_half_open", l->kernel_half_open);
	number(doc, "challenged", t.challenged);
	number(doc, "pending", t.pending);
	json_object_object_add(doc, "backlog", out_maybe(l->socket, backlog));
	json_object_object_add(doc, "backlog_limit",
			       l->socket ? json_object_new_string(limited) : NULL);
	json_object_object_add(doc, "accept_queue", out_maybe(l->socket, l->accept_queue));
	json_object_object_add(doc, "accept_max", out_maybe(l->socket, l->backlog));
	number(doc, "syn", t.syn);
	number(doc, "completed", t.completed);
	number(doc, "refused", t.refused);
	number(doc, "aborted", t.aborted);
	number(doc, "timed_out", t.timed_out);
	number(doc, "synack_retransmits", t.synack_rtx);
	number(doc, "kept_off", t.kept_off);
	number(doc, "passed", t.passed);
	number(doc, "dropped", t.dropped);
	number(doc, "would_keep_off", t.would_keep_off);
	number(cookies, "sent", t.cookies_sent);
	number(cookies, "ok", t.cookies_ok);
	number(cookies, "bad", t.cookies_bad);
	json_object_object_add(doc, "cookies", cookies);
	json_object_object_add(doc, "guard", view_guard(&state, now));
	return doc;
}

static void cell_listener(json_object *row, char *text, size_t size)
{
	view_endpoint(text, size, out_str(row, "addr"), out_int(row, "port"));
}

static void cell_half_open(json_object *row, char *text, size_t size)
{
	int64_t half = out_int(row, "half_open");

	if (out_at(row, "backlog"))
		snprintf(text, size, "%" PRId64 "/%" PRId64, half, out_int(row, "backlog"));
	else
		snprintf(text, size, "%" PRId64, half);
}

static void cell_accept(json_object *row, char *text, size_t size)
{
	if (out_at(row, "accept_max"))
		snprintf(text, size, "%" PRId64 "/%" PRId64, out_int(row, "accept_queue"),
			 out_int(row, "accept_max"));
	else
		snprintf(text, size, "-");
}

/* What it does now: armed for how long, in parentheses where it is a dry run. */
static void cell_guard(json_object *row, char *text, size_t size)
{
	bool dry = json_object_get_boolean(out_at(row, "guard.dry_run"));
	char armed[32];

	if (!json_object_get_boolean(out_at(row, "guard.armed"))) {
		snprintf(text, size, "%s", out_str(row, "guard.mode"));
		return;
	}
	out_duration(armed, sizeof(armed), out_int(row, "guard.armed_for_ms"));
	snprintf(text, size, dry ? "(armed %s)" : "armed %s", armed);
}

static void cell_kept_off(json_object *row, char *text, size_t size)
{
	int64_t would = out_int(row, "would_keep_off"), kept = out_int(row, "kept_off");

	if (would && json_object_get_boolean(out_at(row, "guard.dry_run")))
		snprintf(text, size, "(%" PRId64 ")", would);
	else
		snprintf(text, size, "%" PRId64, kept);
}

static const struct out_column columns[] = {
	{ "LISTENER", NULL, -22, cell_listener },
	{ "PROCESS", "process", -10, NULL },
	{ "HALF-OPEN", NULL, 11, cell_half_open },
	{ "KERNEL", "kernel_half_open", 7, NULL },
	{ "PENDING", "pending", 7, NULL },
	{ "ACCEPT", NULL, 9, cell_accept },
	{ "SYN", "syn", 9, NULL },
	{ "COMPLETED", "completed", 9, NULL },
	{ "REFUSED", "refused", 7, NULL },
	{ "ABORTED", "aborted", 7, NULL },
	{ "TIMED-OUT", "timed_out", 9, NULL },
	{ "KEPT-OFF", NULL, 8, cell_kept_off },
	{ "GUARD", NULL, -5, cell_guard },
	{ 0 },
};

/* With --dev: entries that hold a +1 and came by that device. */
struct by_dev {
	struct listener_list *list;
	uint32_t ifindex;
};

static int count_by_dev(const struct flow_view *v, void *arg)
{
	struct by_dev *d = arg;

	if (v->f.ifindex != d->ifindex || !(v->f.flags & SW_F_HALF))
		return 0;
	for (size_t i = 0; i < d->list->n; i++)
		if (d->list->l[i].index == v->f.listener)
			d->list->l[i].dev_half_open++;
	return 0;
}

static int show(const struct store *s, const struct store_device *dev)
{
	struct listener_list list;
	struct procs *procs;
	struct guard g;

	if (guard_open(&g))
		return -1;
	if (listeners_get(s, &list)) {
		guard_close(&g);
		return -1;
	}
	procs = procs_scan();
	if (dev)
		snapshot_flows(s, count_by_dev, &(struct by_dev){ &list, dev->ifindex });
	out_table_begin(columns);
	for (size_t i = 0; i < list.n; i++)
		out_table_row(make(s, &g, &list.l[i], procs, dev));
	out_table_end("nothing listens in this network namespace");
	procs_free(procs);
	listeners_free(&list);
	guard_close(&g);
	return 0;
}

static int run(int argc, char **argv)
{
	const struct store_device *dev = NULL;
	const char *name = NULL;
	struct store s;
	int c, status = EXIT_DONE;

	while ((c = opts_next(&cmd_listeners, argc, argv, options)) >= 0)
		name = optarg;
	if (c == OPT_DONE)
		return opts_status();
	if (optind < argc)
		return opts_bad(&cmd_listeners, "unexpected '%s'", argv[optind]);
	if (name ? store_open_flows(&s) : store_open(&s))
		return EXIT_FAILED;
	if (name && !(dev = store_device(&s, name)))
		status = EXIT_FAILED;
	else if (show(&s, dev))
		status = EXIT_FAILED;
	store_close(&s);
	return status;
}

const struct command cmd_listeners = {
	.name = "listeners",
	.summary = "Per listener: half-open against backlog, and what became of handshakes",
	.usage = "[OPTION]...",
	.help = "      --dev DEV            half-open handshakes first seen on DEV only\n\n"
		"HALF-OPEN is what the wire shows, KERNEL what the kernel queues: with syncookies it\n"
		"answers without queueing. Counters are since attach. KEPT-OFF: SYNs that the guard spared the\n"
		"listener; (in parentheses: a dry run, where it would have). Example:\n"
		"      synward listeners --json | jq '.[] | select(.half_open > 100)'\n\n",
	.run = run,
};
