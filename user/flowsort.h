/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FLOWSORT_H
#define SW_FLOWSORT_H

#include "snapshot.h"

/* What flows are sorted by, the greatest first: age, idle, server_us... NULL ends the names. */
extern const char *const flow_sort_names[];
uint64_t flow_sort_key(int sort, const struct flow_view *v);

#endif
