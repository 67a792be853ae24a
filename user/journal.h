/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_JOURNAL_H
#define SW_JOURNAL_H

#include "snapshot.h"

/*
 * Every flow that a replay meets. The mirror's tables forget: a slot is taken
 * for another flow when its own is over or when there is no room. The journal
 * looks at the tables before and after each packet, whoever writes them (this
 * process or the kernel), and keeps what leaves them in a temporary file. Its
 * memory is that of the tables; the file grows by a record for each flow.
 */
struct journal;

/* The tables are the mirror's. NULL with sw_err(). */
struct journal *journal_new(const struct sw_config *cfg, const struct sw_bucket *proven,
			    const struct sw_bucket *half);
void journal_free(struct journal *j);

/* Around a packet that may concern this flow. */
void journal_before(struct journal *j, const struct sw_key *key);
/*
 * True when the packet changed a state: *v is the flow after it. -1 with
 * sw_err() when the file cannot be written.
 */
int journal_after(struct journal *j, uint64_t now, struct flow_view *v);

/* How many flows there were so far. */
uint64_t journal_flows(const struct journal *j);

/*
 * All flows as they are at the end, in the order of their first packets, which
 * n counts from 1. fn non-zero ends the walk and is returned. Nothing can be
 * added any more.
 */
int journal_end(struct journal *j, uint64_t now,
		int (*fn)(uint64_t n, const struct flow_view *v, void *arg), void *arg);

#endif
