/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_HOSTMIRROR_H
#define SW_HOSTMIRROR_H

#include "shared.h"

/*
 * The mirror in this process: the same steps as sw_segment() of
 * bpf/flow.bpf.h, with tables from calloc and listeners in a plain array. No
 * root, no clock but the one passed in. For replay and explain, and for the tests of the core.
 */
#define HOST_LISTENERS 16

struct host {
	struct sw_config cfg;
	struct sw_bucket *proven, *half;
	struct sw_listener listeners[HOST_LISTENERS]; /* from 1 on; learned from own SYN-ACKs */
	uint32_t n_listeners;
	uint64_t reasons[SW_R_COUNT];
	struct sw_latency latency;
	struct sw_moves moves;
	uint64_t evicted; /* live flows that a full proven table gave up */
	bool raw;	  /* packets begin with their IP header */
	/* the last one, and what it did; aligned as in a map: sw_key_equal() reads 64 bits at a
	 * time */
	struct sw_pkt pkt __attribute__((aligned(8)));
	struct sw_change change;
};

/* What the observer knows of a packet besides its bytes; all 0 for a capture. */
struct vantage {
	uint32_t path; /* sw_pkt.path */
	bool local, egress;
};

/* Timeouts as for attach; cfg.seed is fixed. -1 with sw_err() when there is no memory. */
int host_init(struct host *h, uint32_t flows, uint32_t half_open, uint32_t syn_timeout_s,
	      uint32_t msl_s);
void host_clear(struct host *h);
void host_free(struct host *h);

/*
 * One packet: len bytes of it are here, of wire_len (a capture may have cut it
 * off). now in ns, never 0. Returns its reason, and counts it; h->pkt is what was parsed.
 */
int host_packet(struct host *h, const void *data, size_t len, size_t wire_len, struct vantage at,
		uint64_t now);

/* Its first half: into h->pkt. SW_R_OBSERVED, or why it is no TCP segment. */
int host_parse(struct host *h, const void *data, size_t len, size_t wire_len, struct vantage at);
/* Its second half, with h->pkt: sw_segment(). Without data no checksum is looked at. */
int host_segment(struct host *h, const void *data, size_t len, bool egress, uint64_t now);

/* Where the flow of a key may be. */
struct sw_tables host_tables(struct host *h, struct sw_hash hash);

/* The index of an address among h->listeners, 0 when there is none. */
uint32_t host_listener_find(const struct host *h, uint32_t family, const uint32_t addr[4],
			    uint16_t port);
/* A new one; 0 when there is no room. */
uint32_t host_listener_add(struct host *h, uint32_t family, const uint32_t addr[4], uint16_t port,
			   uint8_t flags);
/* Counters and gauges of h->change. */
void host_account(struct host *h, uint32_t now_s);

#endif
