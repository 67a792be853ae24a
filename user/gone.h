/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_GONE_H
#define SW_GONE_H

/*
 * Remove the pins of network namespaces that are gone: a namespace deleted
 * without a detach leaves its maps in memory, and its inode number to the next
 * one. The caller holds the pin lock. Best effort, never fails.
 */
void gone_sweep(void);

#endif
