/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_MIRROR_H
#define SW_MIRROR_H

#include "observe.h"

/*
 * One segment against the two tables. Half-open flows live in a table of their
 * own; a flow moves to the proven table only on proof (observe.h), so nothing
 * forged evicts what is proven. A key can be in both: an old connection in
 * TIME_WAIT, and the new one that is opening on the same ports.
 *
 * Pure: the caller looked up the buckets, and holds the stripe lock of the
 * flow's hash if anybody else might be writing.
 */
struct sw_tables {
	struct sw_bucket *proven[2];
	struct sw_bucket *half[2];
};

/* A flow that has ended for good at this moment, so that its slot is free. */
static sw_inline bool sw_ended(const struct sw_flow *f, __u64 now, const struct sw_config *cfg)
{
	if (sw_state_at(f, 0, now, cfg) != SW_CLOSED || sw_state_at(f, 1, now, cfg) != SW_CLOSED)
		return false;
	if (f->ctl.state[0] == SW_TIME_WAIT || f->ctl.state[1] == SW_TIME_WAIT)
		return true;
	return sw_age(now, f->changed) >= SW_LINGER_S * SW_NS_PER_SEC;
}

/*
 * Does a SYN on an old connection open a new one? Believed from the own stack
 * (its SYN-ACK too, unless it repeats the old one: the stack has forgotten the
 * old connection without a word on the wire); else if the receiver has forgotten the old connection, or holds it in
 * TIME_WAIT and tcp_timewait_state_process would accept the SYN (RFC 6191,
 * RFC 9293 section 3.6.1): a newer timestamp, or a higher sequence number.
 */
static sw_inline bool sw_reopens(const struct sw_flow *f, const struct sw_pkt *p, __u64 now,
				 const struct sw_config *cfg)
{
	__u32 s = p->from & 1, r = s ^ 1;
	const struct sw_dir *S = &f->dir[s];
	__u8 state = sw_state_at(f, r, now, cfg);

	if (!(p->flags & SW_TH_SYN))
		return false;
	if (p->flags & SW_TH_ACK)
		return p->sender_local && (!(f->flags & SW_F_SYN_SEEN << s) || p->seq != S->iss);
	if (p->sender_local || state == SW_CLOSED)
		return true;
	if (state != SW_TIME_WAIT)
		return false;
	if (!(f->flags & SW_F_SEQ << r))
		return true;
	if (sw_older(f, s, p))
		return false;
	if (p->opts & S->opts & SW_OPT_TS && p->tsval != S->ts)
		return true;
	return sw_after(p->seq, S->fin); /* r is in TIME_WAIT: its RCV.NXT, acknowledged or not */
}

static sw_inline __u32 sw_half_class(const struct sw_flow *f)
{
	__u32 client = sw_server(f) ^ 1;

	if (f->flags & SW_F_PROVEN) /* on its way to the other table */
		return SW_CLASS_ACTIVE;
	if (f->flags & SW_F_HALF)
		return SW_CLASS_HALF;
	if (f->flags & SW_F_MIDSTREAM)
		return SW_CLASS_PICKUP;
	if (f->flags & SW_F_LOCAL << client && !(f->flags & SW_F_SYNACK))
		return SW_CLASS_ACTIVE;
	return f->flags & SW_F_SYNACK ? SW_CLASS_HALF : SW_CLASS_PENDING;
}

static sw_inline __u32 sw_proven_class(const struct sw_flow *f)
{
	if (f->ctl.state[0] == SW_CLOSED && f->ctl.state[1] == SW_CLOSED)
		return SW_CLASS_CLOSED;
	/* nothing more to come but stray segments */
	if ((f->ctl.state[0] == SW_TIME_WAIT || f->ctl.state[0] == SW_CLOSED) &&
	    (f->ctl.state[1] == SW_TIME_WAIT || f->ctl.state[1] == SW_CLOSED))
		return SW_CLASS_TIME_WAIT;
	return SW_CLASS_OPEN;
}

/* A flow of the half-open table is replaced: its +1 goes where it is not lost. */
static sw_inline void sw_displace(struct sw_flow *f, struct sw_change *ch)
{
	sw_settle(f, &ch->victim);
	if (ch->victim.flags & SW_G_HALF_SUB)
		ch->victim.flags |= SW_G_LOST_ADD;
}

/* A proven flow moves out of the half-open table. to: the slot of the same key, if any. */
static sw_inline void sw_promote(struct sw_tables *t, struct sw_place from, struct sw_place to,
				 __u32 tag, __u32 now_s, const struct sw_config *cfg,
				 struct sw_change *ch)
{
	struct sw_flow *f = sw_flow_of(from);
	bool live = false;
	__u16 gen;

	if (!to.bucket || !sw_claim(sw_flow_of(to), &f->key))
		to = sw_take(t->proven, SW_PROVEN, SW_RANK_ANY, now_s, cfg, &live,
		     &ch->scratch);
	if (!to.bucket) {
		/* being written by another CPU: stays, and moves with its next segment */
		from.bucket->stamp[sw_bounded(from.slot, SW_WAYS - 1)] =
			sw_stamp(SW_CLASS_ACTIVE, now_s);
		ch->reason = SW_R_CONTENDED;
		sw_release(f, SW_LIVE);
		return;
	}
	if (live)
		ch->what |= SW_CH_EVICTED;
	gen = sw_flow_of(to)->ctl.gen + 1;
	*sw_flow_of(to) = *f;
	sw_flow_of(to)->ctl.gen = gen;
	sw_publish(to, tag, sw_stamp(sw_proven_class(f), now_s));
	sw_drop(from);
	ch->what |= SW_CH_STORED;
}

/* What the half-open table's gauges need to know after a segment. */
static sw_inline void sw_account_half(struct sw_flow *f, const struct sw_pkt *p, __u32 now_s,
				      struct sw_change *ch)
{
	bool serves = f->listener != 0;

	if (ch->what & SW_CH_SYN && serves && !p->sender_local) {
		f->flags |= SW_F_PENDING;
		f->birth_s = now_s;
		ch->add.flags = SW_G_PENDING_ADD;
	} else if (ch->what & SW_CH_SYNACK) {
		sw_settle(f, &ch->sub);
		if (!serves && p->listener && !(f->flags & SW_F_MIDSTREAM))
			ch->what |= SW_CH_SYN; /* its SYN found the listener unknown */
		f->listener = p->listener;
		f->birth_s = now_s;
		/* Without its SYN, of a listener that lost entries: one that was counted then. */
		if (f->flags & SW_F_MIDSTREAM && p->overflowed) {
			ch->what ^= SW_CH_SYNACK | SW_CH_SYNACK_RTX;
		} else if (p->listener) {
			f->flags |= SW_F_HALF;
			ch->add.flags = SW_G_HALF_ADD;
		}
	}
	ch->listener = ch->add.listener = f->listener;
	ch->add.birth_s = now_s;
}

/* A claimed slot of the half-open table for a segment that opens a flow; NULL: none. */
static sw_inline struct sw_place sw_create(struct sw_tables *t, const struct sw_pkt *p, __u64 now,
					   const struct sw_config *cfg, struct sw_change *ch)
{
	struct sw_place at = { 0 };
	__u32 now_s = now / SW_NS_PER_SEC;
	struct sw_flow *f;
	bool live, again;

	if (p->flags & SW_TH_RST) {
		sw_ignore(ch, SW_R_NO_FLOW);
		return at;
	}
	/*
	 * A segment out of nowhere replaces no handshake; nor does the SYN-ACK of
	 * one that lost its entry, which was counted then and is sent again.
	 */
	again = p->flags & SW_TH_ACK && p->overflowed;
	at = sw_take(t->half, SW_HALF,
		     p->flags & SW_TH_SYN && !again ? SW_RANK_ANY : SW_CLASS_PICKUP + 1, now_s, cfg, &live,
		     &ch->scratch);
	if (!at.bucket) {
		sw_ignore(ch, SW_R_TABLE_FULL);
		if (p->flags & SW_TH_SYN && p->flags & SW_TH_ACK && p->listener && !again) {
			ch->what |= SW_CH_SYNACK;
			ch->listener = ch->add.listener = p->listener;
			ch->add.flags = SW_G_LOST_ADD;
			ch->add.birth_s = now_s;
		}
		return at;
	}
	f = sw_flow_of(at);
	if (live)
		sw_displace(f, ch);
	f->key = p->key;
	f->ctl.state[0] = f->ctl.state[1] = SW_CLOSED;
	f->born = f->last = f->changed = now;
	f->mark = 0;
	__builtin_memset(f->dir, 0, sizeof(f->dir));
	f->flags = 0;
	f->birth_s = 0;
	f->ifindex = p->path >> 1;
	f->path = 0;
	f->server_us = f->client_us = SW_UNSEEN;
	f->closed_ms = 0;
	f->listener = p->listener;
	f->syn_rtx = f->synack_rtx = f->fin_rtx = 0;
	ch->what |= SW_CH_STORED;
	return at;
}

/* After a segment of a handshake: keep the entry, move it, or drop it. */
static sw_inline void sw_settle_half(struct sw_tables *t, const struct sw_pkt *p, struct sw_hash h,
				     struct sw_place at, struct sw_place old, __u64 now,
				     const struct sw_config *cfg, struct sw_change *ch)
{
	struct sw_flow *f = sw_flow_of(at);
	__u32 *stamp = &at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)];
	__u32 now_s = now / SW_NS_PER_SEC, class;

	sw_account_half(f, p, now_s, ch);
	if (ch->what & SW_CH_SYNACK && old.bucket && sw_claim(sw_flow_of(old), &f->key)) {
		sw_drop(old); /* its TIME_WAIT was recycled: here is the proof */
		old.bucket = 0;
	}
	class = sw_half_class(f);
	if (class == SW_CLASS_ACTIVE && f->flags & SW_F_PENDING)
		sw_settle(f, &ch->sub); /* it is the own stack's: what came before was forged */
	if (f->flags & SW_F_RST || (!f->ctl.state[0] && !f->ctl.state[1])) {
		sw_drop(at);
	} else if (f->flags & SW_F_PROVEN) {
		sw_promote(t, at, old, h.tag, now_s, cfg, ch);
	} else if (ch->what & SW_CH_STORED) {
		sw_publish(at, h.tag, sw_stamp(class, now_s));
	} else {
		/* a retransmission does not prolong a handshake; an answer does, once */
		if (class != *stamp >> 30)
			*stamp = sw_stamp(class, now_s);
		sw_release(f, SW_LIVE);
	}
}

/* The long way: anything but data between two ESTABLISHED ends. *ch must be zero. */
static sw_inline void sw_mirror(struct sw_tables *t, const struct sw_pkt *p, struct sw_hash h,
				__u64 now, const struct sw_config *cfg, struct sw_change *ch)
{
	struct sw_place old = sw_find(t->proven, h.tag, &p->key), at = { 0 };
	__u32 now_s = now / SW_NS_PER_SEC;
	bool finished = false, reopens = false, proven;

	/* The stripe lock keeps others off this flow: one that cannot be claimed is being replaced. */
	if (old.bucket && !sw_claim(sw_flow_of(old), &p->key))
		old.bucket = 0;
	if (old.bucket) {
		struct sw_flow *f = sw_flow_of(old);

		if (sw_ended(f, now, cfg)) {
			sw_drop(old);
			old.bucket = 0;
		} else {
			finished = sw_proven_class(f) != SW_CLASS_OPEN;
			reopens = sw_reopens(f, p, now, cfg);
		}
	}
	if (!old.bucket || finished || reopens)
		at = sw_find(t->half, h.tag, &p->key);
	if (at.bucket && sw_expired(SW_HALF, at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)], now_s, cfg)) {
		/* its gauge slot has left the window with it */
		if (sw_claim(sw_flow_of(at), &p->key))
			sw_drop(at);
		at.bucket = 0;
	}

	/* What is not the new connection's belongs to the old one. */
	proven = old.bucket && !reopens && !(at.bucket && p->flags & (SW_TH_SYN | SW_TH_RST));
	if (proven)
		at = old;
	else if (old.bucket)
		sw_release(sw_flow_of(old), SW_LIVE);
	if (!proven && (!at.bucket || !sw_claim(sw_flow_of(at), &p->key))) {
		at = sw_create(t, p, now, cfg, ch);
		if (!at.bucket)
			return;
	}

	ch->was[0] = sw_flow_of(at)->ctl.state[0];
	ch->was[1] = sw_flow_of(at)->ctl.state[1];
	sw_observe(sw_flow_of(at), p, now, ch);
	sw_note_ends(sw_flow_of(at), ch);

	if (!proven)
		return sw_settle_half(t, p, h, at, old, now, cfg, ch);
	ch->listener = sw_flow_of(at)->listener;
	if (ch->what & (SW_CH_STATE | SW_CH_RESTAMP))
		at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)] =
			sw_stamp(sw_proven_class(sw_flow_of(at)), now_s);
	sw_release(sw_flow_of(at), SW_LIVE);
}

/* The short way; false when the segment has to take the long one. */
static sw_inline bool sw_mirror_data(struct sw_tables *t, const struct sw_pkt *p, struct sw_hash h,
				     __u64 now)
{
	struct sw_place at = sw_find(t->proven, h.tag, &p->key);
	__u32 *stamp, old, now_s;

	if (!at.bucket || !sw_observe_data(sw_flow_of(at), p, now))
		return false;
	now_s = now / SW_NS_PER_SEC;
	stamp = &at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)];
	old = *(volatile __u32 *)stamp;
	/* the class is not ours to write: another CPU may be closing the flow */
	if (old >> 30 == SW_CLASS_OPEN && sw_stamp_age(old, now_s) >= SW_RESTAMP_S)
		sw_raise(stamp, old, sw_stamp(SW_CLASS_OPEN, now_s));
	return true;
}

#endif
