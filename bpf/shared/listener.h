/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LISTENER_H
#define SW_LISTENER_H

#include "observe.h"

/*
 * A gauge without a sweep: a ring of one-second slots. +1 goes into the slot of
 * its second; who holds it remembers that second and takes it back from there.
 * The value is the sum of the slots younger than the timeout, so an entry that
 * expires needs no event: its slot leaves the window.
 *
 * A slot is one word, second * 2^32 + count, so that a stale slot is taken over
 * by one compare-and-swap and a count is one atomic add. The count is signed:
 * +1 and -1 of an entry come from two CPUs and may arrive in either order, and
 * a -1 does not borrow from the second. A slot that has gone on to a later
 * second is left alone.
 */
struct sw_gauge {
	__u64 slot[SW_RING];
};

static sw_inline __s32 sw_slot_count(__u64 slot)
{
	return (__s32)slot;
}

static sw_inline __u32 sw_slot_second(__u64 slot)
{
	return (slot - (__u64)(__s64)sw_slot_count(slot)) >> 32;
}

static sw_inline void sw_gauge_move(struct sw_gauge *g, __u32 second, int by)
{
	__u64 *slot = &g->slot[second & (SW_RING - 1)], fresh = (__u64)second << 32;

	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)slot;
		__s32 ahead = sw_slot_second(old) - second;

		if (old && ahead > 0)
			return;
		if (!ahead) {
			__sync_fetch_and_add(slot, (__s64)by);
			return;
		}
		if (sw_cas(slot, old, fresh + (__s64)by))
			return;
	}
}

/* The value at second now_s, of slots younger than timeout_s (less than SW_RING). */
static sw_inline __u64 sw_gauge_read(const struct sw_gauge *g, __u32 now_s, __u32 timeout_s)
{
	__s64 sum = 0;

	for (__u32 i = 0; i < SW_RING; i++) {
		__u64 slot = *(volatile const __u64 *)&g->slot[i];

		/* a CPU whose clock is a second ahead has counted already; no branch */
		__u64 young = (__u64)((__s64)(__u32)(now_s + 1 - sw_slot_second(slot)) - 1 -
				      timeout_s) >> 63;

		sw_hide(young);
		sum += sw_slot_count(slot) & -(__s64)young;
	}
	return sum > 0 ? sum : 0; /* a -1 can be here before its +1 */
}

/* sw_listener.flags */
#define SW_L_USED 0x1	 /* the entry is filled in */
#define SW_L_LEARNED 0x2 /* from a SYN-ACK; no socket of this host, or none found */
#define SW_L_V6ONLY 0x4	 /* bound to ::, but not for IPv4 */

/*
 * One listener, as the kernel binds it: family, address (zero = any), port.
 * Entries are never freed before detach; one whose socket is gone is found
 * again when it comes back. Writers: attach fills entries in (import program);
 * the SYN-ACK path learns new ones; counters are atomic adds of any CPU.
 */
struct sw_listener {
	__u32 addr[4];	/* network byte order, as in sw_key */
	__u16 port;	/* network byte order */
	__u8 family;
	__u8 flags;	/* SW_L_*; written last */
	__u16 next;	/* next listener on the same port, 0 = last */
	__u16 pad;
	__u32 lost_s;	/* second of the last half-open handshake without an entry */
	__u32 pad2;
	__u64 syn;	/* SYNs, retransmissions apart */
	__u64 syn_rtx;
	__u64 answered; /* first SYN-ACKs */
	__u64 synack_rtx;
	__u64 completed;
	__u64 refused;	/* RST in answer to the SYN */
	__u64 aborted;	/* RST while half-open */
	struct sw_gauge half;	   /* half-open, held by an entry of the table */
	struct sw_gauge untracked; /* half-open, no entry holds it; ends by time */
	struct sw_gauge pending;   /* not answered */
};

/* How well a listener fits an address: 0 not at all; the kernel prefers the higher. */
static sw_inline int sw_listener_fits(const struct sw_listener *l, __u32 family,
				      const __u32 addr[4])
{
	bool any = !(l->addr[0] | l->addr[1] | l->addr[2] | l->addr[3]);

	if (!(l->flags & SW_L_USED))
		return 0;
	if (l->family == family) {
		if (any)
			return 2;
		return l->addr[0] == addr[0] && l->addr[1] == addr[1] && l->addr[2] == addr[2] &&
				       l->addr[3] == addr[3] ?
			       3 :
			       0;
	}
	/* IPv4 to a dual-stack :: */
	return any && family == SW_AF_INET && !(l->flags & SW_L_V6ONLY) ? 1 : 0;
}

/* Take a gauge reference: what a change gives back or takes. */
static sw_inline void sw_gauge_apply(struct sw_listener *l, const struct sw_gauge_ref *ref,
				     __u32 now_s)
{
	if (ref->flags & SW_G_PENDING_SUB)
		sw_gauge_move(&l->pending, ref->birth_s, -1);
	if (ref->flags & SW_G_HALF_SUB)
		sw_gauge_move(&l->half, ref->birth_s, -1);
	if (ref->flags & SW_G_PENDING_ADD)
		sw_gauge_move(&l->pending, ref->birth_s, 1);
	if (ref->flags & SW_G_HALF_ADD)
		sw_gauge_move(&l->half, ref->birth_s, 1);
	if (ref->flags & SW_G_LOST_ADD) {
		sw_gauge_move(&l->untracked, ref->birth_s, 1);
		l->lost_s = now_s;
	}
}

#endif
