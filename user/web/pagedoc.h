/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PAGEDOC_H
#define SW_PAGEDOC_H

#include "picture.h"

/*
 * What the page is drawn from, as server-sent events: "history", the points of
 * its charts so far, for who begins to watch; "now", after each picture. Allocated
 * texts, NULL: no memory.
 */
char *pagedoc_history(const struct picture *p);
char *pagedoc_now(const struct picture *p);

#endif
