/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ETHTOOL_H
#define SW_ETHTOOL_H

#include <stdbool.h>
#include <stdint.h>

/* What a device's driver says of itself. */
struct driver {
	char name[32];	    /* "" when it does not say */
	bool strips_vlan;   /* rx-vlan-offload: XDP sees no tag */
	bool xdp_known;	    /* the next two are known: Linux 6.3 and later */
	bool xdp, xdp_frags; /* native XDP; and in several pieces, for a large MTU */
};

struct driver driver_get(const char *dev, int ifindex);

/* Checksums of what the device sends are filled in by the stack. False when it refuses. */
bool driver_no_tx_checksum(const char *dev);

#endif
