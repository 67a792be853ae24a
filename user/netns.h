/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_NETNS_H
#define SW_NETNS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Enter the network namespace that --netns names: NAME (/run/netns/NAME), a
 * PID (/proc/PID/ns/net) or a PATH (anything with a '/'). Only the network
 * namespace changes: bpffs and /sys stay the caller's (under
 * `ip netns exec` bpffs is another, private mount). A number is taken as a
 * PID unless /run/netns has an entry of that name.
 * Returns 0, or -1 with sw_err() set.
 */
int netns_enter(const char *spec);

/* Inode of the network namespace this process is in; 0 with sw_err() set. */
ino_t netns_inode(void);

/*
 * The cookie of the network namespace this process is in: unlike the inode
 * number never given to another one until the next boot (net_cookie of
 * net/core/net_namespace.c, 5.14 and later). 0 when the kernel does not tell.
 */
uint64_t netns_cookie(void);

#endif
