/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_BACKEND_H
#define SW_BACKEND_H

#include "shared.h"

/* Option --cookie-backend, in the order of its words. */
enum backend_asked { BACKEND_AUTO, BACKEND_ASSIGN, BACKEND_HELPER, BACKEND_NONE };

/* The one to use in the current network namespace; -1 with sw_err() when the one asked for cannot be. */
int backend_pick(enum backend_asked asked, uint32_t *backend);

/* What this kernel or its sysctls lack for it, now; NULL: nothing. Valid until the next call. */
const char *backend_lacks(uint32_t backend);

/* "assign", "helper", "none". */
const char *backend_name(uint32_t backend);

#endif
