// SPDX-License-Identifier: GPL-2.0
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fail.h"
#include "flowsort.h"
#include "out.h"
#include "prefix.h"
#include "view.h"

enum { DEV = OPT_FIRST_OWN, STATE, PORT, PEER, SORT, BY, LIMIT };

static const struct option options[] = {
	{ "dev", required_argument, 0, DEV },	{ "state", required_argument, 0, STATE },
	{ "port", required_argument, 0, PORT }, { "peer", required_argument, 0, PEER },
	{ "sort", required_argument, 0, SORT }, { "by", required_argument, 0, BY },
	{ "limit", required_argument, 0, LIMIT }, COMMON_OPTIONS,
};

static struct {
	uint32_t states; /* bit per state, 0 all */
	uint32_t port;	 /* host order, 0 all */
	uint32_t ifindex;
	bool has_peer;
	struct prefix peer;
	int sort; /* index in flow_sort_names, -1: as found */
	bool by_prefix;
	uint64_t limit;
} want = { .sort = -1 };

/* Which endpoint is the peer: the remote one; where that is not known, the client. */
static int peer_side(const struct sw_flow *f)
{
	int local = flow_local(f);

	return local < 0 ? (int)(sw_server(f) ^ 1) : local ^ 1;
}

static bool matches(const struct flow_view *v)
{
	const struct sw_flow *f = &v->f;
	int peer = peer_side(f);

	if (want.states && !(want.states & (1u << v->state[0] | 1u << v->state[1])))
		return false;
	if (want.port && sw_ntohs(f->key.port[0]) != want.port &&
	    sw_ntohs(f->key.port[1]) != want.port)
		return false;
	if (want.ifindex && f->ifindex != want.ifindex)
		return false;
	return !want.has_peer || prefix_holds(&want.peer, f->key.family, f->key.addr[peer]);
}

/* Flows that match, collected: for sorting and grouping. */
struct list {
	struct flow_view *v;
	size_t n, size;
};

static int collect(const struct flow_view *v, void *arg)
{
	struct list *l = arg;

	if (!matches(v))
		return 0;
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 1024;
		struct flow_view *more = realloc(l->v, size * sizeof(*more));

		if (!more)
			return sw_err("no memory for %zu flows; use --limit without --sort", size);
		l->v = more;
		l->size = size;
	}
	l->v[l->n++] = *v;
	return 0;
}

/* Greatest first. */
static int compare(const void *a, const void *b)
{
	uint64_t x = flow_sort_key(want.sort, a), y = flow_sort_key(want.sort, b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static void cell_age(json_object *row, char *text, size_t size)
{
	out_duration(text, size, out_int(row, "age_ms"));
}

static void cell_idle(json_object *row, char *text, size_t size)
{
	out_duration(text, size, out_int(row, "idle_ms"));
}

static const struct out_column columns[] = {
	{ "CLIENT", NULL, -21, view_cell_client },	    { "STATE", "client.state", -11, NULL },
	{ "SERVER", NULL, -21, view_cell_server },	    { "STATE", "server.state", -11, NULL },
	{ "AGE", NULL, 6, cell_age },		    { "IDLE", NULL, 6, cell_idle },
	{ "SRV-US", "server_us", 7, NULL },	    { "CLI-US", "client_us", 7, NULL },
	{ "NOTES", NULL, -8, view_cell_notes },	    { 0 },
};

static const struct out_column prefix_columns[] = {
	{ "PREFIX", "prefix", -22, NULL },
	{ "FLOWS", "flows", 9, NULL },
	{ "HALF-OPEN", "half_open", 10, NULL },
	{ "ESTABLISHED", "established", 12, NULL },
	{ 0 },
};

struct print {
	const struct store *s;
	uint64_t left;
};

static void print_flow(const struct store *s, const struct flow_view *v)
{
	json_object *row = json_object_new_object();
	char name[IF_NAMESIZE];

	view_flow(row, &s->meta.config, store_device_name(s, v->f.ifindex, name), v);
	out_table_row(row);
}

static int print_one(const struct flow_view *v, void *arg)
{
	struct print *p = arg;

	if (!matches(v))
		return 0;
	print_flow(p->s, v);
	return --p->left ? 0 : 1;
}

/* Flows of one /24 or /64 of peers. */
struct group {
	struct prefix prefix;
	uint64_t flows, half_open, established;
};

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));
}

static int compare_sizes(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->flows < y->flows ? 1 : x->flows > y->flows ? -1 : compare_groups(a, b);
}

static int print_groups(const struct list *l)
{
	struct group *g = calloc(l->n ? l->n : 1, sizeof(*g));
	uint64_t left = want.limit ? want.limit : UINT64_MAX;
	size_t n = 0;

	if (!g)
		return sw_err("no memory for %zu groups", l->n);
	for (size_t i = 0; i < l->n; i++) {
		const struct flow_view *v = &l->v[i];
		struct prefix *p = &g[i].prefix;

		p->family = v->f.key.family;
		p->bits = p->family == SW_AF_INET ? 24 : 64;
		memcpy(p->addr, v->f.key.addr[peer_side(&v->f)], p->bits / 8);
		g[i].flows = 1;
		g[i].half_open = !!(v->f.flags & SW_F_HALF);
		g[i].established =
			v->state[0] == SW_ESTABLISHED && v->state[1] == SW_ESTABLISHED;
	}
	qsort(g, l->n, sizeof(*g), compare_groups);
	for (size_t i = 0; i < l->n; i++) {
		if (n && !compare_groups(&g[n - 1], &g[i])) {
			g[n - 1].flows += g[i].flows;
			g[n - 1].half_open += g[i].half_open;
			g[n - 1].established += g[i].established;
		} else {
			g[n++] = g[i];
		}
	}
	qsort(g, n, sizeof(*g), compare_sizes);
	for (size_t i = 0; i < n && left--; i++) {
		json_object *row = json_object_new_object();
		char text[PREFIX_TEXT];

		json_object_object_add(row, "prefix",
				       json_object_new_string(prefix_text(&g[i].prefix, text)));
		json_object_object_add(row, "flows", json_object_new_int64(g[i].flows));
		json_object_object_add(row, "half_open", json_object_new_int64(g[i].half_open));
		json_object_object_add(row, "established", json_object_new_int64(g[i].established));
		out_table_row(row);
	}
	free(g);
	return 0;
}

static int parse_states(char *list)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		int state = state_number(name);

		if (state < 0)
			return sw_err("no state '%s'; LISTEN, SYN_SENT, SYN_RCVD, ESTABLISHED, "
				      "FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, "
				      "TIME_WAIT, CLOSED",
				      name);
		want.states |= 1u << state;
	}
	return 0;
}

static int parse(int argc, char **argv, const char **dev)
{
	static const char *const bys[] = { "prefix", NULL };
	uint64_t number;
	int c;

	while ((c = opts_next(&cmd_flows, argc, argv, options)) >= 0) {
		switch (c) {
		case DEV:
			*dev = optarg;
			break;
		case STATE:
			if (parse_states(optarg))
				return EXIT_USAGE;
			break;
		case PORT:
			if (!opts_number("--port", optarg, 1, 65535, &number))
				return EXIT_USAGE;
			want.port = number;
			break;
		case PEER:
			if (!prefix_parse("--peer", optarg, &want.peer))
				return EXIT_USAGE;
			want.has_peer = true;
			break;
		case SORT:
			want.sort = opts_word("--sort", optarg, flow_sort_names);
			if (want.sort < 0)
				return EXIT_USAGE;
			break;
		case BY:
			if (opts_word("--by", optarg, bys) < 0)
				return EXIT_USAGE;
			want.by_prefix = true;
			break;
		case LIMIT:
			if (!opts_number("--limit", optarg, 1, UINT32_MAX, &want.limit))
				return EXIT_USAGE;
		}
	}
	if (c == OPT_DONE)
		return opts_status() ? opts_status() : -1;
	if (optind < argc)
		return opts_bad(&cmd_flows, "unexpected '%s'", argv[optind]);
	return EXIT_DONE;
}

static int show(const struct store *s)
{
	struct print p = { s, want.limit ? want.limit : UINT64_MAX };
	struct list l = { 0 };
	int ret = 0;

	if ((want.by_prefix || want.sort >= 0) && snapshot_flows(s, collect, &l)) {
		free(l.v);
		return -1;
	}
	out_table_begin(want.by_prefix ? prefix_columns : columns);
	if (want.by_prefix) {
		ret = print_groups(&l);
	} else if (want.sort >= 0) {
		qsort(l.v, l.n, sizeof(*l.v), compare);
		for (size_t i = 0; i < l.n && p.left--; i++)
			print_flow(s, &l.v[i]);
	} else {
		snapshot_flows(s, print_one, &p);
	}
	out_table_end("no such flow");
	free(l.v);
	return ret;
}

static int run(int argc, char **argv)
{
	const struct store_device *dev;
	const char *name = NULL;
	struct store s;
	int status = parse(argc, argv, &name);

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (store_open_flows(&s))
		return EXIT_FAILED;
	if (name) {
		dev = store_device(&s, name);
		if (!dev)
			status = EXIT_FAILED;
		else
			want.ifindex = dev->ifindex;
	}
	if (!status && show(&s))
		status = EXIT_FAILED;
	store_close(&s);
	return status;
}

const struct command cmd_flows = {
	.name = "flows",
	.summary = "Connections one by one, with the state of both ends",
	.usage = "[OPTION]...",
	.help = "      --dev DEV            first seen on DEV\n"
		"      --state S[,S]        either end is in one of these states\n"
		"      --port P             either end has this port\n"
		"      --peer PREFIX        the remote end is in it (the client, where that is not known)\n"
		"      --sort FIELD         greatest first: age, idle, server_us, client_us,\n"
		"                           retransmits, state\n"
		"      --by prefix          summed up by peer /24 or /64\n"
		"      --limit N            no more than N lines\n\n"
		"Example:\n      synward flows --state SYN_RCVD --by prefix --limit 10\n\n",
	.run = run,
};
