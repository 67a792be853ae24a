/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_CLSACT_H
#define SW_CLSACT_H

#include <stdbool.h>

/*
 * tc programs as filters on a clsact qdisc: for kernels without tcx (before
 * 6.6). A filter is not a link: it stays when its owner dies, and it is known
 * by its handle and priority, which are synward's own.
 */

/* Attach prog_fd; *qdisc_made says whether the clsact qdisc was made for it. -1 with sw_err(). */
int clsact_attach(int ifindex, bool egress, int prog_fd, bool replace, bool *qdisc_made);

/* Remove synward's filter, and the qdisc if it is ours and nothing else is on it. */
void clsact_detach(int ifindex, bool qdisc_ours);

/* How many tc filters of others it carries on clsact, on both sides. */
int clsact_filters(int ifindex);

/* Does this device carry a filter of synward? */
bool clsact_present(int ifindex);

#endif
