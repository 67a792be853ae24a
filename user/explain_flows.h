/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EXPLAIN_FLOWS_H
#define SW_EXPLAIN_FLOWS_H

#include "snapshot.h"

#define FLOWS_LISTED 20

/* A connection of a capture; n as `replay` numbers them. */
struct found_flow {
	uint64_t n;
	int score; /* how much there is to explain */
	struct flow_view v;
};

struct found_flows {
	uint64_t count;
	int listed;
	struct found_flow list[FLOWS_LISTED]; /* the most interesting ones, in order of the file */
	struct found_flow chosen; /* the one asked for, else the most interesting; n 0: there is none */
};

/*
 * Read a capture for its connections; wanted: the number of one, 0 none. What
 * comes before damage counts; *whole says whether that was all. -1 with
 * sw_err(): nothing could be read.
 */
int flows_find(const char *path, uint64_t wanted, struct found_flows *to, bool *whole);

/* The list as a table, the chosen one marked. */
void flows_print(const struct found_flows *f, const char *path);

#endif
