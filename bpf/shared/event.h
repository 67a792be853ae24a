/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EVENT_H
#define SW_EVENT_H

#include "observe.h"

/*
 * A segment that changed a state, as a reader of events gets it. A hint: what
 * is true stands in the tables, whether or not there was room for the event.
 */
struct sw_record {
	__u64 time; /* ns, CLOCK_MONOTONIC */
	struct sw_key key;
	__u32 what; /* SW_CH_* */
	__u32 ifindex;
	__u32 server_us; /* with SW_CH_SYNACK, SW_CH_COMPLETED */
	__u32 client_us;
	__u16 flags; /* SW_TH_* of the segment */
	__u16 listener;
	__u8 state[2]; /* after it */
	__u8 ends;     /* SW_E_* */
	__u8 from;     /* who sent it */
};

#define SW_READERS 4u		/* at a time */
#define SW_READER_RING (1u << 20) /* bytes that wait for a reader */
#define SW_READER_RATE 10000u	/* events per second that it gets at most, unless it asks for more */
#define SW_READER_GONE_S 60u	/* one that is not heard of for so long is not told any more */

/* What a reader wants to be told of. */
struct sw_filter {
	__u32 family;  /* of peer, 0: all */
	__u32 peer[4]; /* network byte order */
	__u32 mask[4];
	__u16 port;    /* of either end, network byte order; 0: all */
	__u16 pad;
};

/*
 * Map "readers", one entry: who reads. A reader owns its place by the lock on a
 * directory beside the pins, which ends with the process. Writers: readers;
 * programs: told, lost, and the bit of one that is gone.
 */
struct sw_readers {
	__u32 mask; /* a bit for each place that is read */
	__u32 pad;
	__u64 lost; /* by readers before those that are here */
	struct sw_reader {
		struct sw_filter filter;
		__u32 rate;    /* events per second */
		__u32 alive_s; /* CLOCK_MONOTONIC: when it was there last */
		__u64 told;    /* second << 32 | events in it */
		__u64 lost;    /* over the rate, or the ring was full */
	} reader[SW_READERS];
};

/* Which endpoint is the peer: the remote one; where that is not known, the client. */
static sw_inline __u32 sw_record_peer(const struct sw_record *e)
{
	switch (e->ends & (SW_E_LOCAL | SW_E_LOCAL << 1)) {
	case SW_E_LOCAL:
		return 1;
	case SW_E_LOCAL << 1:
		return 0;
	default:
		return !(e->ends & SW_E_SERVER);
	}
}

static sw_inline bool sw_record_wanted(const struct sw_record *e, const struct sw_filter *f)
{
	const __u32 *addr = sw_record_peer(e) ? e->key.addr[1] : e->key.addr[0];

	if (f->port && e->key.port[0] != f->port && e->key.port[1] != f->port)
		return false;
	return !f->family ||
	       (f->family == e->key.family &&
		!(((addr[0] ^ f->peer[0]) & f->mask[0]) | ((addr[1] ^ f->peer[1]) & f->mask[1]) |
		  ((addr[2] ^ f->peer[2]) & f->mask[2]) | ((addr[3] ^ f->peer[3]) & f->mask[3])));
}

/* Is there room for one more in this second? CPUs may disagree on the second for a moment. */
static sw_inline bool sw_reader_allowed(struct sw_reader *r, __u32 now_s)
{
	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)&r->told;

		if (old >> 32 == now_s) {
			if ((__u32)old >= r->rate)
				return false;
			__sync_fetch_and_add(&r->told, 1);
			return true;
		}
		if (sw_cas(&r->told, old, (__u64)now_s << 32 | 1))
			return true;
	}
	return true; /* others are at it: one more does no harm */
}

_Static_assert(sizeof(struct sw_record) == 80 - 8, "no holes");
_Static_assert(sizeof(struct sw_reader) == 64, "no holes");

#endif
