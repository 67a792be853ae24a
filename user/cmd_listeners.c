// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fail.h"
#include "out.h"
#include "sockdiag.h"
#include "sysctl.h"
#include "view.h"

enum { DEV = OPT_FIRST_OWN };

static const struct option options[] = {
	{ "dev", required_argument, 0, DEV },
	COMMON_OPTIONS,
};

/* One line: what the kernel says of a listener, and what the mirror has counted for it. */
struct line {
	struct sw_listener key;	  /* address, port, family, flags of the bound socket */
	const struct sw_listener *mirror; /* NULL: never seen by the mirror */
	bool socket;
	uint32_t inode, backlog, accept_queue;
	uint64_t kernel_half_open;
	uint64_t dev_half_open;	  /* entries first seen on --dev */
};

struct lines {
	struct line *line;
	size_t n, size;
};

static struct line *add(struct lines *l)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 64;
		struct line *more = realloc(l->line, size * sizeof(*more));

		if (!more)
			return NULL;
		l->line = more;
		l->size = size;
	}
	memset(&l->line[l->n], 0, sizeof(*l->line));
	return &l->line[l->n++];
}

static bool same(const struct sw_listener *a, const struct sw_listener *b)
{
	return a->port == b->port && a->family == b->family &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* A listening socket; those of one SO_REUSEPORT group are one listener, backlogs summed. */
static int add_socket(const struct ksock *sk, void *arg)
{
	struct lines *l = arg;
	struct sw_listener key = { .port = htons(sk->sport), .family = sk->family };
	struct line *line = NULL;

	memcpy(key.addr, sk->src, sizeof(key.addr));
	key.flags = SW_L_USED | (sk->v6only ? SW_L_V6ONLY : 0);
	for (size_t i = 0; i < l->n; i++)
		if (same(&l->line[i].key, &key))
			line = &l->line[i];
	if (!line) {
		line = add(l);
		if (!line)
			return sw_err("no memory");
		line->key = key;
		line->socket = true;
		line->inode = sk->inode;
	}
	line->backlog += sk->wqueue;
	line->accept_queue += sk->rqueue;
	return 0;
}

/* A request in the kernel's queue belongs to the listener that fits its address best. */
static int add_request(const struct ksock *sk, void *arg)
{
	struct lines *l = arg;
	struct line *best = NULL;
	int fit = 0;

	for (size_t i = 0; i < l->n; i++) {
		int fits = l->line[i].key.port == htons(sk->sport) ?
				   sw_listener_fits(&l->line[i].key, sk->family, sk->src) :
				   0;

		if (fits > fit) {
			fit = fits;
			best = &l->line[i];
		}
	}
	if (best)
		best->kernel_half_open++;
	return 0;
}

/* The mirror's counters to the sockets; what has no socket here is a line of its own. */
static int add_mirror(const struct store *s, struct lines *l)
{
	for (uint32_t i = 1; i <= s->n_listeners; i++) {
		const struct sw_listener *m = &s->listeners[i];
		struct listener_gauges g;
		struct line *line = NULL;

		if (!(m->flags & SW_L_USED))
			continue;
		for (size_t k = 0; k < l->n; k++)
			if (same(&l->line[k].key, m))
				line = &l->line[k];
		if (!line) {
			g = snapshot_gauges(s, m);
			/* its socket is closed and nothing is left of it */
			if (!(m->flags & SW_L_LEARNED) && !(g.tracked | g.untracked | g.pending))
				continue;
			line = add(l);
			if (!line)
				return sw_err("no memory");
			line->key = *m;
		}
		line->mirror = m;
	}
	return 0;
}

/* Which number bounds the SYN queue: what listen() said, or a sysctl (inet_csk_reqsk_queue_is_full). */
static const char *limit(uint32_t *backlog)
{
	uint32_t somaxconn = sysctl_read("net/core/somaxconn");
	uint32_t syn_backlog = sysctl_read("net/ipv4/tcp_max_syn_backlog");

	if (!sysctl_read("net/ipv4/tcp_syncookies") && syn_backlog &&
	    syn_backlog - (syn_backlog >> 2) < *backlog) {
		*backlog = syn_backlog - (syn_backlog >> 2);
		return "tcp_max_syn_backlog";
	}
	return *backlog >= somaxconn ? "somaxconn" : "listen";
}

static void number(json_object *doc, const char *name, uint64_t value)
{
	json_object_object_add(doc, name, json_object_new_int64(value));
}

static json_object *guard(void)
{
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "mode", json_object_new_string("off"));
	json_object_object_add(doc, "dry_run", json_object_new_boolean(false));
	json_object_object_add(doc, "armed", json_object_new_boolean(false));
	number(doc, "armed_for_ms", 0);
	json_object_object_add(doc, "method", NULL);
	json_object_object_add(doc, "serves", json_object_new_string("none"));
	json_object_object_add(doc, "why", json_object_new_string("this version observes only"));
	json_object_object_add(doc, "high", NULL);
	json_object_object_add(doc, "low", NULL);
	json_object_object_add(doc, "hold_s", NULL);
	return doc;
}

static json_object *make(const struct store *s, const struct line *line, const struct procs *procs,
			 bool by_dev)
{
	static const struct sw_listener nothing;
	const struct sw_listener *m = line->mirror ? line->mirror : &nothing;
	struct listener_gauges g = snapshot_gauges(s, m);
	json_object *doc = json_object_new_object(), *cookies = json_object_new_object();
	const char *process = line->socket ? procs_name(procs, line->inode) : NULL;
	uint32_t backlog = line->backlog;
	const char *limited = limit(&backlog);
	uint64_t ended = m->completed + m->aborted + g.tracked + g.untracked;
	char addr[INET6_ADDRSTRLEN];

	view_addr(line->key.family, line->key.addr, addr);
	json_object_object_add(doc, "addr", json_object_new_string(addr));
	number(doc, "port", sw_ntohs(line->key.port));
	json_object_object_add(doc, "process", process ? json_object_new_string(process) : NULL);
	json_object_object_add(doc, "origin",
			       json_object_new_string(line->key.flags & SW_L_LEARNED ? "learned" :
										       "socket"));
	number(doc, "half_open", by_dev ? line->dev_half_open : g.tracked + g.untracked);
	number(doc, "tracked", by_dev ? line->dev_half_open : g.tracked);
	number(doc, "untracked", by_dev ? 0 : g.untracked);
	number(doc, "kernel_half_open", line->kernel_half_open);
	number(doc, "challenged", 0);
	number(doc, "pending", g.pending);
	json_object_object_add(doc, "backlog", out_maybe(line->socket, backlog));
	json_object_object_add(doc, "backlog_limit",
			       line->socket ? json_object_new_string(limited) : NULL);
	json_object_object_add(doc, "accept_queue", out_maybe(line->socket, line->accept_queue));
	json_object_object_add(doc, "accept_max", out_maybe(line->socket, line->backlog));
	number(doc, "syn", m->syn);
	number(doc, "completed", m->completed);
	number(doc, "refused", m->refused);
	number(doc, "aborted", m->aborted);
	number(doc, "timed_out", m->answered > ended ? m->answered - ended : 0);
	number(doc, "synack_retransmits", m->synack_rtx);
	number(doc, "kept_off", 0);
	number(doc, "passed", m->syn);
	number(doc, "dropped", 0);
	number(doc, "would_keep_off", 0);
	number(cookies, "sent", 0);
	number(cookies, "ok", 0);
	number(cookies, "bad", 0);
	json_object_object_add(doc, "cookies", cookies);
	json_object_object_add(doc, "guard", guard());
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
	{ 0 },
};

/* With --dev: entries that hold a +1 and came by that device. */
struct by_dev {
	const struct store *s;
	struct lines *l;
	uint32_t ifindex;
};

static int count_by_dev(const struct flow_view *v, void *arg)
{
	struct by_dev *d = arg;

	if (v->f.ifindex != d->ifindex || !(v->f.flags & SW_F_HALF))
		return 0;
	for (size_t i = 0; i < d->l->n; i++)
		if (d->l->line[i].mirror == &d->s->listeners[v->f.listener])
			d->l->line[i].dev_half_open++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int px = sw_ntohs(x->key.port), py = sw_ntohs(y->key.port);

	if (px != py)
		return px - py;
	return memcmp(x->key.addr, y->key.addr, sizeof(x->key.addr));
}

static int show(const struct store *s, const struct store_device *dev)
{
	struct lines l = { 0 };
	struct procs *procs = procs_scan();
	int ret = sockdiag_dump(1u << 10, false, add_socket, &l);

	if (!ret)
		ret = sockdiag_dump(1u << 3, false, add_request, &l);
	if (!ret)
		ret = add_mirror(s, &l);
	if (!ret) {
		if (dev)
			snapshot_flows(s, count_by_dev, &(struct by_dev){ s, &l, dev->ifindex });
		qsort(l.line, l.n, sizeof(*l.line), compare);
		out_table_begin(columns);
		for (size_t i = 0; i < l.n; i++)
			out_table_row(make(s, &l.line[i], procs, dev));
		out_table_end("nothing listens in this network namespace");
	}
	procs_free(procs);
	free(l.line);
	return ret;
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
	if (store_open(&s))
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
		"answers without queueing. Counters are since attach. Example:\n"
		"      synward listeners --json | jq '.[] | select(.half_open > 100)'\n\n",
	.run = run,
};
