/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_WATCH_H
#define SW_WATCH_H

#include "dev.h"
#include "shared.h"

/*
 * Does the mirror get to see a connection of this host? Asked of the kernel's
 * routing: what it sends leaves by an attached device, or by one whose packets
 * all cross an attached one (dev_overlap()).
 */
struct watch {
	struct mnl_socket *nl;
	struct dev_list devs;
	bool *seen; /* by index in devs */
	uint32_t seq;
};

/* One connection: endpoint side of key is this host's. */
struct watch_query {
	const struct sw_key *key;
	uint32_t side;
	uint32_t bound; /* device that the socket is bound to, 0 none */
	uint32_t mark;	/* SO_MARK */
};

/* 0, or -1 with sw_err(). */
int watch_open(struct watch *w, const uint32_t *ifindex, int n);
void watch_close(struct watch *w);

/* False also when there is no route any more. */
bool watch_sees(struct watch *w, const struct watch_query *q);
/* Its packets wait for a next hop that does not answer ARP or neighbour discovery. */
bool watch_stuck(struct watch *w, const struct watch_query *q);
#endif
