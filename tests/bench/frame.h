/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_BENCH_FRAME_H
#define SW_BENCH_FRAME_H

#include <linux/types.h>
#include <stdbool.h>

#include "scene.h"

/* What a client or the server says, with the options of Linux. */
enum what { SYN, SYNACK, ACK, DATA, FIN, UDP };

#define FRAME_DATA 64 /* bytes of payload in DATA */

/*
 * The packet of a scene, but for what the restore step fills in: the client's
 * address and port, numbers, sums. mac, address (network byte order), port: the
 * server's. The caller sets seq and ack.
 */
void frame_make(struct scene *s, enum what what, bool egress, const __u8 mac[6], __be32 address,
		__u16 port);

/* The hardware address of a device; false when there is none such. */
bool frame_mac(const char *dev, __u8 mac[6]);

#endif
