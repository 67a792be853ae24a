/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LATENCY_H
#define SW_LATENCY_H

#include "flow.h"

/*
 * How long handshakes took, both parts as the place of observation sees them:
 * SYN to SYN-ACK (the server), SYN-ACK to ACK (the client). Bucket i counts
 * those of 2^i to 2^(i+1) - 1 us; the first one 0 as well. Map "latency", one
 * entry, per CPU. Writer: the programs, once per completed handshake, so the
 * sum of a part's buckets is how many there were. What was not seen is not counted.
 */
#define SW_LATENCY_BUCKETS 32

enum sw_part { SW_PART_SERVER, SW_PART_CLIENT, SW_PARTS };

struct sw_latency {
	__u64 bucket[SW_PARTS][SW_LATENCY_BUCKETS];
	__u64 sum_us[SW_PARTS];
};

/* The whole part of the binary logarithm; of 0 it is 0. */
static sw_inline __u32 sw_log2(__u32 n)
{
	__u32 log = 0;

	for (__u32 step = 16; step; step /= 2) {
		__u32 more = n >> step ? step : 0;

		n >>= more;
		log += more;
	}
	return log;
}

static sw_inline void sw_latency_add(struct sw_latency *l, enum sw_part part, __u32 us)
{
	if (us == SW_UNSEEN)
		return;
	l->bucket[part][sw_bounded(sw_log2(us), SW_LATENCY_BUCKETS - 1)]++;
	l->sum_us[part] += us;
}

/* Of a handshake that is complete. */
static sw_inline void sw_latency_count(struct sw_latency *l, __u32 server_us, __u32 client_us)
{
	sw_latency_add(l, SW_PART_SERVER, server_us);
	sw_latency_add(l, SW_PART_CLIENT, client_us);
}

#endif
