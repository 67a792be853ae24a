/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_STORE_H
#define SW_STORE_H

#include "shared.h"

/*
 * The pinned maps of the current network namespace, opened for reading. The
 * tables are mapped read-only into this process: a view costs the kernel
 * nothing, and reads the same structures as the BPF programs. Those of flows
 * only where flows are looked at: the kernel enters each page into the process,
 * which at a million flows takes longer than to count them.
 */
struct store {
	struct sw_meta meta;
	const struct sw_bucket *proven; /* meta.config.proven_buckets of them; NULL: not opened */
	const struct sw_bucket *half;   /* meta.config.half_buckets of them, likewise */
	const struct sw_listener *listeners; /* SW_MAX_LISTENERS */
	uint64_t evicted; /* live flows that a full table gave up */
	uint32_t n_listeners; /* highest index in use */
	struct store_device {
		uint32_t ifindex;
		struct sw_device dev;
	} device[SW_MAX_DEVICES];
	int n_devices;
	int stats_fd;
	int latency_fd, moves_fd; /* -1: an older synward made the maps */
	uint64_t netns; /* inode of the network namespace */
};

/* Opens and checks; -1 with sw_err() (nothing attached here, another version). */
int store_open(struct store *s);
/* With the tables of flows: what snapshot_flows() and snapshot_histogram() need. */
int store_open_flows(struct store *s);
void store_close(struct store *s);
/* How many listeners there are now, and the devices. */
int store_reload(struct store *s);

/* The attached device of that name or index; NULL with sw_err() when there is none. */
const struct store_device *store_device(const struct store *s, const char *name);
/* Its name: attached devices first, then the kernel's. buf holds IF_NAMESIZE. */
const char *store_device_name(const struct store *s, uint32_t ifindex, char *buf);

/* Packets by reason: of one device's slot, summed over CPUs, added to sum. */
int store_reasons(const struct store *s, uint32_t slot, uint64_t sum[SW_R_COUNT]);
/* How long handshakes took, summed over CPUs; all 0 when the maps do not tell. */
int store_latency(const struct store *s, struct sw_latency *sum);
/* Which states endpoints went through, likewise. */
int store_moves(const struct store *s, struct sw_moves *sum);

/* The same from a map "stats" that is open. */
int stats_add(int fd, uint32_t slot, uint64_t sum[SW_R_COUNT]);

#endif
