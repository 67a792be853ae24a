/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_IMPORT_SOCKETS_H
#define SW_IMPORT_SOCKETS_H

#include <stdint.h>

/*
 * The kernel's listeners and connections (sock_diag) into the mirror of the
 * current network namespace, where they are not known there yet; connections
 * only when an attached device carries them. Returns the number of connections
 * taken, and of listeners in *listeners; -1 with sw_err().
 */
int import_sockets(uint32_t *listeners);

/*
 * The listeners alone, and how long their backlogs are now. -1 with sw_err().
 */
int import_listeners(void);

#endif
