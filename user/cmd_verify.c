// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "out.h"
#include "verify.h"
#include "view.h"

static const struct option options[] = { COMMON_OPTIONS };

static json_object *endpoint(const struct difference *d, uint32_t side)
{
	json_object *doc = json_object_new_object();
	char addr[INET6_ADDRSTRLEN];

	view_addr(d->key.family, d->key.addr[side & 1], addr);
	json_object_object_add(doc, "addr", json_object_new_string(addr));
	json_object_object_add(doc, "port", json_object_new_int(sw_ntohs(d->key.port[side & 1])));
	return doc;
}

static json_object *state(int32_t state)
{
	return state == NO_STATE ? NULL : json_object_new_string(state_name(state));
}

static json_object *difference(const struct difference *d)
{
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "client", endpoint(d, d->server ^ 1));
	json_object_object_add(doc, "server", endpoint(d, d->server));
	json_object_object_add(doc, "local",
			       json_object_new_string(d->side == d->server ? "server" : "client"));
	json_object_object_add(doc, "mirror", state(d->mirror));
	json_object_object_add(doc, "kernel", state(d->kernel));
	return doc;
}

static json_object *make(const struct verdict *v)
{
	json_object *doc = json_object_new_object(), *differ = json_object_new_array(),
		    *only_mirror = json_object_new_array(), *only_kernel = json_object_new_array();

	for (size_t i = 0; i < v->n; i++)
		json_object_array_add(v->differ[i].kernel == NO_STATE ? only_mirror :
				      v->differ[i].mirror == NO_STATE ? only_kernel :
									differ,
				      difference(&v->differ[i]));
	json_object_object_add(doc, "compared", json_object_new_int64(v->agree + v->n));
	json_object_object_add(doc, "agree", json_object_new_int64(v->agree));
	json_object_object_add(doc, "differ", differ);
	json_object_object_add(doc, "only_mirror", only_mirror);
	json_object_object_add(doc, "only_kernel", only_kernel);
	json_object_object_add(doc, "stateless", json_object_new_int64(v->stateless));
	json_object_object_add(doc, "silent", json_object_new_int64(v->silent));
	json_object_object_add(doc, "elsewhere", json_object_new_int64(v->elsewhere));
	json_object_object_add(doc, "moving", json_object_new_int64(v->moving));
	return doc;
}

static void cell_client(json_object *row, char *text, size_t size)
{
	view_endpoint(text, size, out_str(row, "client.addr"), out_int(row, "client.port"));
}

static void cell_server(json_object *row, char *text, size_t size)
{
	view_endpoint(text, size, out_str(row, "server.addr"), out_int(row, "server.port"));
}

static const struct out_column columns[] = {
	{ "CLIENT", NULL, -22, cell_client },
	{ "SERVER", NULL, -22, cell_server },
	{ "LOCAL", "local", -6, NULL },
	{ "MIRROR", "mirror", -12, NULL },
	{ "KERNEL", "kernel", -12, NULL },
	{ 0 },
};

static void print(json_object *doc)
{
	static const char *const lists[] = { "differ", "only_mirror", "only_kernel" };
	static const char *const aside[] = { "stateless", "silent", "elsewhere", "moving" };
	char compared[32], agree[32], number[32];
	json_object *list;

	out_table_begin(columns);
	for (int i = 0; i < 3; i++) {
		list = out_at(doc, lists[i]);
		for (size_t k = 0; k < json_object_array_length(list); k++)
			out_table_row(json_object_get(json_object_array_get_idx(list, k)));
	}
	out_thousands(compared, sizeof(compared), out_int(doc, "compared"));
	out_thousands(agree, sizeof(agree), out_int(doc, "agree"));
	printf("%s compared, %s agree", compared, agree);
	for (int i = 0; i < 4; i++) {
		out_thousands(number, sizeof(number), out_int(doc, aside[i]));
		if (out_int(doc, aside[i]))
			printf("; %s %s", number, aside[i]);
	}
	putchar('\n');
}

static int run(int argc, char **argv)
{
	struct verdict v;
	struct store s;
	int status;

	if (opts_next(&cmd_verify, argc, argv, options) == OPT_DONE)
		return opts_status();
	if (optind < argc)
		return opts_bad(&cmd_verify, "unexpected '%s'", argv[optind]);
	if (store_open_flows(&s))
		return EXIT_FAILED;
	status = verify(&s, &v) ? EXIT_FAILED : v.n ? EXIT_NO : EXIT_DONE;
	if (status != EXIT_FAILED)
		out_doc(make(&v), print);
	free(v.differ);
	store_close(&s);
	return status;
}

const struct command cmd_verify = {
	.name = "verify",
	.summary = "Compare the mirror with the kernel's sockets",
	.usage = "[OPTION]...",
	.help = "Of each connection the ends that are this host's: the state in the mirror and the one of\n"
		"the socket. What differs is looked at again for 0.4 s. Exit status 3 when it differs.\n"
		"Not compared, only counted:\n"
		"  stateless   half-open, but the kernel keeps no request (syncookies); or it puts off the\n"
		"              final ACK (TCP_DEFER_ACCEPT, a full accept queue)\n"
		"  silent      ended by the kernel without a segment, or not begun with one\n"
		"  elsewhere   passes no attached device\n"
		"  moving      changed while it was looked at\n\n"
		"Example:\n      synward verify --json | jq '.differ, .only_mirror, .only_kernel'\n\n",
	.run = run,
};
