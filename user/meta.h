/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_META_H
#define SW_META_H

#include "shared.h"

enum { META_NONE, META_OK };

/*
 * What the pinned maps of the current network namespace are. META_OK: they are
 * whole and of this build's layout. META_NONE: there are none, or they are a
 * vanished namespace's, whose inode number ours was given. -1 with sw_err().
 */
int meta_read(struct sw_meta *meta);

#endif
