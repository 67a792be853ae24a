/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FLOW_BPF_H
#define SW_FLOW_BPF_H

#include "checksum.bpf.h"
#include "listener.bpf.h"
#include "shared/parse.h"

/* Written by the loader before load, so that the verifier and the JIT see constants. */
const volatile struct sw_config sw_settings = { 0 };
const volatile __u32 sw_device_slot = 0;
const volatile bool sw_device_raw = false; /* packets start with their IP header */
const volatile bool sw_replaying = false;  /* sw_xdp by test runs, on a capture's frames and clock */

/* Without volatile; the barrier keeps clang from taking the zeros above for the values. */
static sw_inline const struct sw_config *sw_cfg(void)
{
	const struct sw_config *c = (const struct sw_config *)&sw_settings;

	asm volatile("" : "+r"(c));
	return c;
}

static sw_inline void sw_count(__u32 reason)
{
	__u32 slot = sw_device_slot;
	struct sw_stats *s = bpf_map_lookup_elem(&stats, &slot);

	if (s && reason < SW_R_COUNT)
		s->reasons[reason]++;
}

static sw_inline struct sw_bucket *sw_bucket_of(void *map, __u32 hash, __u32 buckets)
{
	__u32 i = sw_bucket_index(hash, buckets);

	return bpf_map_lookup_elem(map, &i);
}

static sw_inline bool sw_buckets(struct sw_tables *t, struct sw_hash h, const struct sw_config *c)
{
	t->proven[0] = sw_bucket_of(&proven, h.index[0], c->proven_buckets);
	t->proven[1] = sw_bucket_of(&proven, h.index[1], c->proven_buckets);
	t->half[0] = sw_bucket_of(&half, h.index[0], c->half_buckets);
	t->half[1] = sw_bucket_of(&half, h.index[1], c->half_buckets);
	return t->proven[0] && t->proven[1] && t->half[0] && t->half[1];
}

static sw_inline struct sw_stripe *sw_stripe_of(struct sw_hash h)
{
	__u32 i = h.tag >> 1 & (SW_STRIPES - 1);

	return bpf_map_lookup_elem(&stripes, &i);
}

static sw_inline void sw_gauge(const struct sw_gauge_ref *ref, __u32 now_s)
{
	__u32 i = ref->listener;
	struct sw_listener *l;

	if (!ref->flags || !i)
		return;
	l = bpf_map_lookup_elem(&listeners, &i);
	if (l)
		sw_gauge_apply(l, ref, now_s);
}

/* Counters and gauges of a change, after the lock is dropped. */
static sw_inline void sw_account(const struct sw_change *ch, __u32 now_s)
{
	__u32 i = ch->listener;
	struct sw_listener *l;

	if (ch->what & SW_CH_EVICTED) {
		__u32 zero = 0;
		struct sw_shared *own = bpf_map_lookup_elem(&shared, &zero);

		if (own)
			__sync_fetch_and_add(&own->evicted, 1);
	}
	sw_gauge(&ch->victim, now_s);
	sw_gauge(&ch->sub, now_s);
	sw_gauge(&ch->add, now_s);
	if (!i || !(ch->what & (SW_CH_SYN | SW_CH_SYN_RTX | SW_CH_SYNACK | SW_CH_SYNACK_RTX |
				SW_CH_COMPLETED | SW_CH_REFUSED | SW_CH_ABORTED)))
		return;
	l = bpf_map_lookup_elem(&listeners, &i);
	if (!l)
		return;
	if (ch->what & SW_CH_SYN)
		__sync_fetch_and_add(&l->syn, 1);
	if (ch->what & SW_CH_SYN_RTX)
		__sync_fetch_and_add(&l->syn_rtx, 1);
	if (ch->what & SW_CH_SYNACK)
		__sync_fetch_and_add(&l->answered, 1);
	if (ch->what & SW_CH_SYNACK_RTX)
		__sync_fetch_and_add(&l->synack_rtx, 1);
	if (ch->what & SW_CH_COMPLETED)
		__sync_fetch_and_add(&l->completed, 1);
	if (ch->what & SW_CH_REFUSED)
		__sync_fetch_and_add(&l->refused, 1);
	if (ch->what & SW_CH_ABORTED)
		__sync_fetch_and_add(&l->aborted, 1);
}

/*
 * Which listener a handshake segment concerns, into the work area. These are
 * not inlined: see sw_verify_xdp().
 */
__noinline int sw_resolve(__u32 which)
{
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);
	struct sw_pkt *p;
	__u32 side;

	if (!w)
		return 0;
	p = &w->pkt;
	side = sw_bounded(p->flags & SW_TH_ACK ? p->from : p->from ^ 1, 1);
	p->listener = sw_listener_find(p->key.family, p->key.addr[side], p->key.port[side],
				       &w->first, &p->listener, &p->scratch);
	return 0;
}

static sw_inline void sw_resolved(struct sw_pkt *p)
{
	__u32 now_s = bpf_ktime_get_coarse_ns() / SW_NS_PER_SEC, i = p->listener;
	struct sw_listener *l = bpf_map_lookup_elem(&listeners, &i);

	p->overflowed = i && l && l->lost_s && now_s - l->lost_s < sw_cfg()->syn_timeout_s;
}

__noinline int sw_resolve_in(void)
{
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);

	/* a SYN-ACK that comes in is another host's answer to this one */
	if (w && !(w->pkt.flags & SW_TH_ACK)) {
		sw_resolve(which);
		sw_resolved(&w->pkt);
	}
	return 0;
}

__noinline int sw_resolve_out(struct __sk_buff *skb)
{
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);

	if (!w)
		return 0;
	/* several CPUs may see a new listener's first SYN-ACKs, of several on one port */
	for (int n = 0; n < SW_LEARN_TRIES; n++) {
		sw_resolve(which);
		if (w->pkt.listener || !(w->pkt.flags & SW_TH_ACK))
			break;
		w->pkt.listener = sw_listener_learn(skb, &w->pkt, w->first);
		if (w->pkt.listener)
			break;
	}
	sw_resolved(&w->pkt);
	return 0;
}

static sw_inline __u64 sw_now(const struct sw_work *w)
{
	return sw_replaying ? w->replay.now : bpf_ktime_get_ns();
}

/* Half as dear, and late by a tick at most. */
static sw_inline __u64 sw_now_coarse(const struct sw_work *w)
{
	return sw_replaying ? w->replay.now : bpf_ktime_get_coarse_ns();
}

/* The short way; the answer is opaque, so that the verifier follows the long one once. */
static sw_inline __u32 sw_short_way(struct sw_pkt *p, struct sw_hash h, const struct sw_config *c,
				     __u64 now)
{
	struct sw_tables t = { .proven = { sw_bucket_of(&proven, h.index[0], c->proven_buckets),
					   sw_bucket_of(&proven, h.index[1], c->proven_buckets) } };

	return sw_opaque(&p->scratch, t.proven[0] && t.proven[1] &&
				      sw_mirror_data(&t, p, h, now));
}

/*
 * The hot path, from parsed packet to counters. Three ways through it: data of
 * an open connection needs no lock; everything else takes its flow's lock; a
 * segment on ingress is checked first as the kernel would check it.
 */
static sw_inline void sw_segment(void *ctx, bool xdp, bool egress, struct sw_work *w)
{
	const struct sw_config *c = sw_cfg();
	struct sw_pkt *p = &w->pkt;
	struct sw_change *ch = &w->change;
	struct sw_hash h = sw_hash_key(&p->key, c);
	struct sw_stripe *stripe;
	struct sw_tables t;
	__u64 now;

	if (!(p->flags & (SW_TH_SYN | SW_TH_FIN | SW_TH_RST)) &&
	    sw_short_way(p, h, c, sw_now_coarse(w)))
		return sw_count(SW_R_OBSERVED);

	if (!egress && (xdp ? sw_verify_xdp(ctx) : sw_verify_skb(ctx)) == SW_CSUM_BAD)
		return sw_count(SW_R_BAD_CHECKSUM);
	if (p->flags & SW_TH_SYN)
		egress ? sw_resolve_out(ctx) : sw_resolve_in();
	now = sw_now(w);
	stripe = sw_stripe_of(h);
	if (!stripe || !sw_buckets(&t, h, c))
		return sw_count(SW_R_INTERNAL);

	__builtin_memset(ch, 0, sizeof(*ch));
	bpf_spin_lock(&stripe->lock);
	sw_mirror(&t, p, h, now, c, ch);
	bpf_spin_unlock(&stripe->lock);

	sw_account(ch, now / SW_NS_PER_SEC);
	sw_count(ch->reason);
}

/* The work area, with a clean packet in it. */
static sw_inline struct sw_work *sw_begin(__u32 which, __u32 path, __u8 sender_local)
{
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);

	if (!w) {
		sw_count(SW_R_INTERNAL);
		return w;
	}
	__builtin_memset(&w->pkt, 0, sizeof(w->pkt));
	w->pkt.path = path;
	w->pkt.sender_local = sender_local;
	return w;
}

#endif
