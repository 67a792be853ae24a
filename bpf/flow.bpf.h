/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FLOW_BPF_H
#define SW_FLOW_BPF_H

#include "checksum.bpf.h"
#include "events.bpf.h"
#include "glance.bpf.h"
#include "served.bpf.h"

/* Always SW_V_PASS. */
static sw_inline int sw_count(__u32 reason)
{
	__u32 slot = sw_device_slot;
	struct sw_stats *s = bpf_map_lookup_elem(&stats, &slot);

	sw_hide(reason); /* one register for both */
	if (s && reason < SW_R_COUNT)
		s->reasons[reason]++;
	return SW_V_PASS;
}

/* tc drops what sw_xdp counted already: each packet is counted once. */
static sw_inline void sw_recount(__u32 from, __u32 to)
{
	__u32 slot = sw_device_slot;
	struct sw_stats *s = bpf_map_lookup_elem(&stats, &slot);

	if (!s)
		return;
	s->reasons[from]--; /* another CPU's, perhaps: the sum is right */
	s->reasons[to]++;
}

static sw_inline struct sw_bucket *sw_bucket_of(void *map, __u32 hash, __u32 buckets)
{
	__u32 i = sw_bucket_index(hash, buckets);

	return bpf_map_lookup_elem(map, &i);
}

/* Asks for a bucket's head, so that it is on its way while something else is done. */
static sw_inline void sw_touch(const struct sw_bucket *b)
{
	(void)*(const volatile __u32 *)b->tag;
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
	if (ch->what & SW_CH_COMPLETED) {
		__u32 zero = 0;
		struct sw_latency *took = bpf_map_lookup_elem(&latency, &zero);

		if (took)
			sw_latency_count(took, ch->server_us, ch->client_us);
	}
	if (ch->what & SW_CH_STATE) {
		__u32 zero = 0;
		struct sw_moves *m = bpf_map_lookup_elem(&moves, &zero);

		if (m)
			sw_moves_count(m, ch);
	}
	if (!i || !(ch->what & (SW_CH_SYN | SW_CH_SYN_RTX | SW_CH_SYNACK | SW_CH_SYNACK_RTX |
				SW_CH_COMPLETED | SW_CH_REFUSED | SW_CH_ABORTED |
				SW_CH_COOKIE_OK | SW_CH_COOKIE_BAD)))
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
	if (ch->what & (SW_CH_SYNACK | SW_CH_COMPLETED | SW_CH_COOKIE_OK | SW_CH_COOKIE_BAD))
		sw_guard_account();
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

/* What the mirror wants to know of it. */
static sw_inline void sw_resolved(struct sw_pkt *p, __u64 now)
{
	__u32 now_s = now / SW_NS_PER_SEC, i = p->listener;
	struct sw_listener *l = bpf_map_lookup_elem(&listeners, &i);

	p->overflowed = i && l && l->lost_s && sw_since(now_s, l->lost_s) < sw_cfg()->syn_timeout_s;
}

__noinline int sw_resolve_in(void)
{
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);

	/* a SYN-ACK that comes in is another host's answer to this one */
	if (w && !(w->pkt.flags & SW_TH_ACK))
		sw_resolve(which);
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
	return 0;
}

__noinline int sw_learn_out(struct __sk_buff *skb)
{
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);

	if (w)
		sw_learn_served(skb, &w->pkt, w->change.offered, w->now);
	return 0;
}

/* The flow of a cookie that came back. Not inlined: see sw_verify_xdp(). */
__noinline int sw_admit_in(void)
{
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);
	const struct sw_config *c = sw_cfg();
	const struct sw_served *s;
	struct sw_stripe *stripe;
	struct sw_tables t;
	struct sw_hash h;
	__u32 i, side;
	bool done;

	if (!w)
		return 0;
	h = w->hash;
	stripe = sw_stripe_of(h);
	side = (w->pkt.from & 1) ^ 1;
	i = sw_served_find(side);
	if (i == SW_SERVED) /* another host's cookie: what that one offers is not known */
		i = sw_served_first(&w->pkt, side);
	s = bpf_map_lookup_elem(&served, &i);
	if (!stripe || !s || !sw_buckets(&t, h, c))
		return 0;
	__builtin_memset(&w->change, 0, sizeof(w->change));
	bpf_spin_lock(&stripe->lock);
	done = sw_admit_flow(&t, &w->pkt, h, w->now, c, &w->cookie, s, w->target, &w->change);
	bpf_spin_unlock(&stripe->lock);
	if (!done)
		return false;
	sw_account(&w->change, w->now / SW_NS_PER_SEC);
	if (sw_has_readers())
		sw_tell();
	return true;
}

/* Does a flow explain a segment? One that is over does not, nor one without proof. */
__noinline int sw_explained(void)
{
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);
	struct sw_tables t;
	struct sw_place at;
	struct sw_flow *f;

	if (!w || !sw_buckets(&t, w->hash, sw_cfg()))
		return true;
	at = sw_find(t.proven, w->hash.tag, &w->pkt.key);
	if (at.bucket && sw_proven_class(sw_flow_of(at)) == SW_CLASS_OPEN)
		return true;
	at = sw_find(t.half, w->hash.tag, &w->pkt.key);
	if (!at.bucket)
		return false;
	f = sw_flow_of(at);
	return !!(f->flags & (SW_F_BOTH(SW_F_LOCAL) | SW_F_HALF));
}

/* Allow and deny, before any work is done for a SYN. */
static sw_inline bool sw_is_denied(struct sw_work *w)
{
	struct sw_control *control = sw_control_of();

	w->listed = !sw_replaying && control && control->lists ? sw_listed() : 0;
	return w->listed == SW_LISTED_DENY;
}

/* The guard on ingress: what it says of a segment that is not data of an open connection. */
static sw_inline int sw_guard_in(void *ctx, bool xdp, struct sw_work *w)
{
	struct sw_control *control = sw_control_of();
	__u16 flags = w->pkt.flags & (SW_TH_SYN | SW_TH_ACK);
	int verdict;

	if (sw_replaying || !control)
		return SW_V_PASS;
	if (flags == SW_TH_SYN) {
		if (w->listed || !control->active)
			return SW_V_PASS;
		verdict = xdp ? sw_judge_syn_xdp(ctx) : sw_judge_syn_tc(ctx);
		if (w->attacked)
			sw_attacked();
		if (verdict == SW_V_UNSEEN)
			return xdp ? sw_judge_unseen_xdp(ctx) : sw_judge_unseen_tc(ctx);
		if (verdict == SW_V_BEYOND)
			return sw_judge_beyond();
		if (xdp && verdict == SW_V_TX)
			return sw_make_answer(ctx) ? sw_answer(ctx) : sw_leave_syn(w);
		return verdict;
	}
	if (sw_since(w->now / SW_NS_PER_SEC, control->armed_s) > SW_CAME_BACK_S || sw_explained())
		return SW_V_PASS;
	sw_find_target(); /* here: calls three deep are more stack than 6.1 allows */
	verdict = xdp ? sw_judge_stray_xdp(ctx) : sw_judge_stray_tc(ctx);
	return verdict == SW_V_STRAY ? sw_drop_stray() : verdict;
}

/* What is no segment that can be judged, for this reason. */
static sw_inline int sw_no_segment(void *ctx, bool xdp, bool egress, struct sw_work *w, int reason)
{
	int verdict = SW_V_PASS;

	w->reason = reason;
	if (w->pkt.obscured && !egress && !sw_replaying) {
		w->now = sw_now_coarse(w);
		verdict = xdp ? sw_judge_unseen_xdp(ctx) : sw_judge_unseen_tc(ctx);
	}
	sw_count(w->reason);
	return verdict;
}

/* The short way; the answer is opaque, so that the verifier follows the long one once. */
static sw_inline __u32 sw_short_way(struct sw_pkt *p, struct sw_hash h, const struct sw_config *c,
				     __u64 now)
{
	struct sw_tables t = { .proven = { sw_bucket_of(&proven, h.index[0], c->proven_buckets),
					   sw_bucket_of(&proven, h.index[1], c->proven_buckets) } };

	if (t.proven[1])
		sw_touch(t.proven[1]);
	return sw_opaque(&p->scratch, t.proven[0] && t.proven[1] &&
				      sw_mirror_data(&t, p, h, now));
}

/*
 * The hot path, from parsed packet to verdict. Three ways through it: data of
 * an open connection needs no lock; everything else takes its flow's lock; a
 * segment on ingress is checked first as the kernel would check it, and shown
 * to the guard.
 */
static sw_inline int sw_segment(void *ctx, bool xdp, bool egress, struct sw_work *w)
{
	const struct sw_config *c = sw_cfg();
	struct sw_pkt *p = &w->pkt;
	struct sw_change *ch = &w->change;
	int verdict = SW_V_PASS;
	struct sw_stripe *stripe;
	struct sw_tables t;
	struct sw_hash h;

	w->again = false;
	if (!egress && (p->flags & (SW_TH_SYN | SW_TH_ACK)) == SW_TH_SYN) {
		w->now = sw_now_coarse(w);
		if (sw_is_denied(w)) {
			sw_count(SW_R_DENIED);
			return SW_V_DROP;
		}
		w->again = xdp && sw_again(ctx, w);
	}
	h = sw_hash_key(&p->key, c);
	if (!(p->flags & (SW_TH_SYN | SW_TH_FIN | SW_TH_RST)) &&
	    sw_short_way(p, h, c, sw_now_coarse(w)))
		return sw_count(SW_R_OBSERVED);

	w->now = egress ? sw_now(w) : sw_now_coarse(w);
	if (!egress && (xdp ? sw_verify_xdp(ctx) : sw_verify_skb(ctx)) == SW_CSUM_BAD)
		return sw_count(SW_R_BAD_CHECKSUM);
	w->hash = h;
	w->reason = 0;
	w->proved = 0;
	if (p->flags & SW_TH_SYN && !w->again)
		egress ? sw_resolve_out(ctx) : sw_resolve_in();
	if (!egress)
		verdict = sw_guard_in(ctx, xdp, w);
	if (verdict != SW_V_PASS) {
		sw_count(w->reason);
		return verdict;
	}
	sw_resolved(p, w->now);
	stripe = sw_stripe_of(h);
	if (!stripe || !sw_buckets(&t, h, c))
		return sw_count(SW_R_INTERNAL);
	sw_touch(t.proven[0]);
	sw_touch(t.proven[1]);
	sw_touch(t.half[0]);
	sw_touch(t.half[1]);
	if (!egress)
		w->now = sw_now(w); /* latencies are told in microseconds */
	if (!egress && w->proved)
		sw_admit_in();

	__builtin_memset(ch, 0, sizeof(*ch));
	bpf_spin_lock(&stripe->lock);
	sw_mirror(&t, p, h, w->now, c, ch);
	bpf_spin_unlock(&stripe->lock);

	if (egress && p->sender_local && ch->what & SW_CH_SYNACK)
		sw_learn_out(ctx);
	sw_account(ch, w->now / SW_NS_PER_SEC);
	if (ch->what & SW_CH_STATE && sw_has_readers())
		sw_tell();
	return sw_count(w->reason ? w->reason : ch->reason);
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
