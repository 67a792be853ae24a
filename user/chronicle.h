/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_CHRONICLE_H
#define SW_CHRONICLE_H

#include "live.h"

/* Writes what the guard does, and attacks, into the log, as it happens. */
struct chronicle;

/* NULL with sw_err(): no memory. */
struct chronicle *chronicle_new(void);
void chronicle_free(struct chronicle *c);

/* After each live_update() that could. What is so at the first one is no news, but for armed guards. */
void chronicle_look(struct chronicle *c, const struct live *v);

#endif
