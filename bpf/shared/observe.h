/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_OBSERVE_H
#define SW_OBSERVE_H

#include "table.h"

/*
 * What one segment does to one flow. Pure: (flow, packet, now) to changes in
 * the flow and a struct sw_change for the counters. The caller owns the flow.
 *
 * Notation: s sends this segment, r is to receive it; S and R are what each has
 * sent so far. S->ack is s's RCV.NXT, S->max its SND.NXT, as far as seen. A row
 * is a case of tests/unit/scripts.c, where the packets that show it stand.
 */

/* What happened, for the counters: a segment can do several of these. */
#define SW_CH_SYN 0x0001u	 /* a SYN that opens a flow */
#define SW_CH_SYN_RTX 0x0002u
#define SW_CH_SYNACK 0x0004u	 /* first SYN-ACK */
#define SW_CH_SYNACK_RTX 0x0008u
#define SW_CH_COMPLETED 0x0010u	 /* handshake complete */
#define SW_CH_REFUSED 0x0020u	 /* RST in answer to the SYN */
#define SW_CH_ABORTED 0x0040u	 /* RST while half-open */
#define SW_CH_RESET 0x0080u	 /* RST of an open connection */
#define SW_CH_PROVEN 0x0100u	 /* the flow is not forged */
#define SW_CH_STATE 0x0200u	 /* an endpoint's state changed */
#define SW_CH_RESTAMP 0x0400u	 /* restarts its time: 2 MSL */
#define SW_CH_STORED 0x0800u	 /* entered a table */
#define SW_CH_COOKIE_OK 0x2000u /* the kernel has a connection that opened by cookie */
#define SW_CH_COOKIE_BAD 0x4000u
#define SW_CH_ADMITTED 0x8000u	/* opened by a cookie */
#define SW_CH_EVICTED 0x1000u	 /* a full proven table gave up another flow for it */

/* A +1 of a gauge that has to be given back, or taken. */
struct sw_gauge_ref {
	__u16 listener;
	__u16 flags;	/* SW_G_* */
	__u32 birth_s;	/* second of the slot that holds the +1 */
};

#define SW_G_PENDING_ADD 0x01
#define SW_G_PENDING_SUB 0x02
#define SW_G_HALF_ADD 0x04
#define SW_G_HALF_SUB 0x08
#define SW_G_LOST_ADD 0x10 /* a half-open handshake that no entry holds */

/* sw_change.ends: which endpoint is what */
#define SW_E_SERVER 0x1 /* endpoint 1 is the server, else endpoint 0 */
#define SW_E_LOCAL 0x2	/* [2] it is this host */

struct sw_change {
	__u32 what;	    /* SW_CH_* */
	__u16 reason;	    /* enum sw_reason */
	__u16 listener;	    /* of the flow */
	__u16 scratch;	    /* for sw_opaque() */
	__u8 offered;	    /* SW_OPT_* of the SYN that a SYN-ACK answers; 0 when it was not seen */
	__u8 ends;	    /* SW_E_*, with SW_CH_STATE */
	__u8 state[2];	    /* of both endpoints afterwards, with SW_CH_STATE */
	__u8 was[2];	    /* and before */
	struct sw_gauge_ref sub;    /* what this flow gives back (old birth) */
	struct sw_gauge_ref add;    /* what it takes (now) */
	struct sw_gauge_ref victim; /* what the flow that it replaced gives back */
	__u32 server_us;    /* with SW_CH_SYNACK, SW_CH_COMPLETED */
	__u32 client_us;
};

static sw_inline void sw_ignore(struct sw_change *ch, __u16 reason)
{
	ch->reason = reason;
}

/* What an event tells of the flow. */
static sw_inline void sw_note_ends(const struct sw_flow *f, struct sw_change *ch)
{
	ch->state[0] = f->ctl.state[0];
	ch->state[1] = f->ctl.state[1];
	ch->ends = sw_server(f) | (f->flags & SW_F_BOTH(SW_F_LOCAL)) << 1;
}

static sw_inline void sw_inc8(__u8 *n)
{
	if (*n != 0xff)
		++*n;
}

static sw_inline __u32 sw_us(__u64 ns)
{
	ns /= SW_NS_PER_US;
	return ns >= SW_UNSEEN ? SW_UNSEEN - 1 : ns;
}

/* Both endpoints take the event. */
static sw_inline void sw_step(struct sw_flow *f, __u32 s, enum sw_event ev, __u64 now,
			      struct sw_change *ch)
{
	__u32 r = s ^ 1;
	__u8 ns = sw_next(SW_SENDER, ev, f->ctl.state[s]);
	__u8 nr = sw_next(SW_RECEIVER, ev, f->ctl.state[r]);

	if (ns == f->ctl.state[s] && nr == f->ctl.state[r])
		return;
	f->ctl.state[s] = ns;
	f->ctl.state[r] = nr;
	f->changed = now;
	ch->what |= SW_CH_STATE;
}

/* The half-open flow gives its +1 back, whichever gauge holds it. */
static sw_inline void sw_settle(struct sw_flow *f, struct sw_gauge_ref *ref)
{
	ref->listener = f->listener;
	ref->birth_s = f->birth_s;
	ref->flags = f->flags & SW_F_HALF    ? SW_G_HALF_SUB :
		     f->flags & SW_F_PENDING ? SW_G_PENDING_SUB :
					       0;
	f->flags &= ~(SW_F_HALF | SW_F_PENDING);
}

static sw_inline void sw_take_options(struct sw_dir *S, const struct sw_pkt *p)
{
	S->mss = p->mss;
	S->wscale = p->opts & SW_OPT_WSCALE ? p->wscale : 0;
	S->opts = p->opts;
	S->ts = p->tsval;
	S->win = p->win; /* the window of a SYN is never scaled */
}

static sw_inline void sw_take_syn(struct sw_flow *f, __u32 s, const struct sw_pkt *p)
{
	struct sw_dir *S = &f->dir[s], *R = &f->dir[s ^ 1];

	S->iss = p->seq;
	S->nxt = p->seq + 1;
	S->max = p->seq + 1 + p->len; /* data on a SYN counts when acknowledged */
	if (p->flags & SW_TH_ACK) /* else the other end's SYN has told it, if there was one */
		S->ack = p->ack;
	R->ack = p->seq + 1; /* what it will acknowledge first */
	f->flags |= (SW_F_SYN_SEEN | SW_F_SEQ) << s;
	sw_take_options(S, p);
}

/* A window in bytes: scaled only if both ends offered it (RFC 7323 section 2.2). */
static sw_inline __u32 sw_window(const struct sw_dir *S, const struct sw_dir *R, __u16 win)
{
	return S->opts & R->opts & SW_OPT_WSCALE ? (__u32)win << (S->wscale & 15) : win;
}

/* Is the segment's timestamp older than one that s has sent? An imported end's is not known. */
static sw_inline bool sw_older(const struct sw_flow *f, __u32 s, const struct sw_pkt *p)
{
	return f->flags & (SW_F_SYN_SEEN | SW_F_FIN) << s &&
	       p->opts & f->dir[s].opts & SW_OPT_TS && sw_before(p->tsval, f->dir[s].ts);
}

/* SYN without ACK. */
static sw_inline void sw_on_syn(struct sw_flow *f, __u32 s, const struct sw_pkt *p, __u64 now,
				struct sw_change *ch)
{
	struct sw_dir *S = &f->dir[s];
	__u8 state = f->ctl.state[s];

	if (state == SW_CLOSED && f->ctl.state[s ^ 1] == SW_CLOSED) {
		sw_take_syn(f, s, p);
		f->flags |= s ? 0 : SW_F_SERVER;
		ch->what |= SW_CH_SYN;
	} else if (state == SW_LISTEN) {
		/* the other end's SYN crosses: simultaneous open */
		sw_take_syn(f, s, p);
		f->flags |= SW_F_SIMULTANEOUS;
	} else if (state == SW_SYN_SENT || state == SW_SYN_RCVD) {
		if (!(f->flags & SW_F_SYN_SEEN << s)) /* imported */
			sw_take_syn(f, s, p);
		if (p->seq == S->iss) {
			sw_inc8(&f->syn_rtx);
			ch->what |= SW_CH_SYN_RTX;
		} else if (f->ctl.state[s ^ 1] == SW_LISTEN) {
			sw_take_syn(f, s, p); /* a new attempt; the old one's time goes on */
		} else {
			return sw_ignore(ch, SW_R_SYN_IGNORED);
		}
	} else {
		/* RFC 5961 section 4: a challenge ACK, nothing else */
		return sw_ignore(ch, SW_R_SYN_IGNORED);
	}
	f->last = now;
	sw_step(f, s, SW_EV_SYN, now, ch);
}

/*
 * Is there proof that both ends talk to each other? An off-path sender can
 * spoof either end, and both. It cannot make this host send (egress of the own
 * stack), nor a segment come out of another device or hook than the one it
 * reaches. A replay (path 0) believes its capture.
 */
static sw_inline bool sw_two_way(const struct sw_flow *f, const struct sw_pkt *p)
{
	return p->sender_local || f->flags & SW_F_BOTH(SW_F_LOCAL) || !p->path ||
	       p->path != f->path;
}

/* The handshake is complete, for the counters once. */
static sw_inline void sw_complete(struct sw_flow *f, const struct sw_pkt *p, __u64 now,
				  struct sw_change *ch)
{
	if (f->flags & SW_F_COMPLETED)
		return;
	f->flags |= SW_F_COMPLETED;
	f->client_us = f->mark ? sw_us(sw_age(now, f->mark)) : SW_UNSEEN; /* imported: not seen */
	f->mark = 0;
	ch->client_us = f->client_us;
	ch->server_us = f->server_us;
	ch->what |= SW_CH_COMPLETED;
	sw_settle(f, &ch->sub);
	if (sw_two_way(f, p)) {
		f->flags |= SW_F_PROVEN;
		ch->what |= SW_CH_PROVEN;
	}
}

/* What a SYN-ACK tells of the SYN that it answers, when that was not seen. */
static sw_inline void sw_infer_syn(struct sw_flow *f, __u32 r, const struct sw_pkt *p)
{
	struct sw_dir *R = &f->dir[r];

	R->nxt = R->max = p->ack;
	R->iss = p->ack - 1;
	f->flags |= SW_F_SEQ << r;
}

static sw_inline void sw_on_synack(struct sw_flow *f, __u32 s, const struct sw_pkt *p, __u64 now,
				   struct sw_change *ch)
{
	__u32 r = s ^ 1;
	struct sw_dir *S = &f->dir[s], *R = &f->dir[r];
	__u8 state = f->ctl.state[s];

	if (state == SW_CLOSED && f->ctl.state[r] == SW_CLOSED) {
		/* its SYN was not seen: inferred */
		sw_infer_syn(f, r, p);
		f->flags |= SW_F_MIDSTREAM | (s ? SW_F_SERVER : 0);
		f->ctl.state[r] = SW_SYN_SENT;
		f->ctl.state[s] = state = SW_LISTEN;
	} else if (state == SW_CLOSED) {
		return sw_ignore(ch, SW_R_SYNACK_IGNORED); /* an old duplicate */
	} else if (state == SW_SYN_SENT && !(f->flags & SW_F_SYN_SEEN << r) && p->seq == S->iss) {
		/* to a SYN that was not believed here: a simultaneous open all the same (row 28) */
		sw_infer_syn(f, r, p);
		f->flags |= SW_F_SIMULTANEOUS | SW_F_AMBIGUOUS;
		sw_step(f, r, SW_EV_SYN, now, ch);
	} else if (!(f->flags & SW_F_SEQ << r)) {
		/* imported: the host's own retransmission tells both ISNs */
		if (!p->sender_local || state != SW_SYN_RCVD)
			return sw_ignore(ch, SW_R_UNVERIFIED);
		sw_infer_syn(f, r, p);
	} else if (state == SW_SYN_SENT || !sw_after(p->ack, R->iss) || sw_after(p->ack, R->max)) {
		/* the own stack knows which of several SYNs it has taken; the last may be forged */
		if (!p->sender_local || state == SW_SYN_SENT || state >= SW_ESTABLISHED)
			return sw_ignore(ch, SW_R_SYNACK_IGNORED);
		sw_infer_syn(f, r, p);
	}

	if (state >= SW_ESTABLISHED && f->flags & SW_F_SIMULTANEOUS) {
		/* the other SYN-ACK of figure 7: an acknowledgment like any */
		if (p->seq != S->iss)
			return sw_ignore(ch, SW_R_SYNACK_IGNORED);
		f->last = now;
		S->ack = p->ack;
		sw_complete(f, p, now, ch);
		return sw_step(f, s, SW_EV_ACKSYN, now, ch);
	}
	if (state >= SW_ESTABLISHED) {
		/* Again, after the final ACK: that one was lost, or the accept queue is full. */
		if (state != SW_ESTABLISHED || p->seq != S->iss || S->max != S->iss + 1 ||
		    s != sw_server(f))
			return sw_ignore(ch, SW_R_SYNACK_IGNORED);
		sw_inc8(&f->synack_rtx);
		ch->what |= SW_CH_SYNACK_RTX;
		f->last = now;
		return sw_step(f, s, SW_EV_SYNACK, now, ch);
	}
	if (f->flags & SW_F_SYNACK && f->flags & SW_F_SYN_SEEN << s && s == sw_server(f)) {
		sw_inc8(&f->synack_rtx);
		ch->what |= SW_CH_SYNACK_RTX;
		if (p->seq != S->iss) {
			/* Another ISN (a cookie's clock ticked): the final ACK decides. */
			S->fin = S->iss;
			f->flags |= SW_F_ALT_ISS;
			sw_take_syn(f, s, p);
		}
	} else {
		sw_take_syn(f, s, p);
		R->nxt = p->ack; /* what of a SYN's data was not taken will come again */
		if (!(f->flags & SW_F_SYNACK)) {
			f->flags |= SW_F_SYNACK;
			f->path = p->path;
			f->mark = now;
			if (!(f->flags & (SW_F_MIDSTREAM | SW_F_IMPORTED)))
				f->server_us = sw_us(sw_age(now, f->born));
			ch->server_us = f->server_us;
			ch->what |= SW_CH_SYNACK;
		} else if (f->flags & SW_F_IMPORTED) {
			sw_inc8(&f->synack_rtx);
			ch->what |= SW_CH_SYNACK_RTX;
		}
	}
	if (p->sender_local) /* an end that waits for the final ACK has taken no FIN */
		f->flags &= ~(SW_F_FIN_MAYBE << r);
	f->last = now;
	ch->offered = f->flags & SW_F_SYN_SEEN << r ? R->opts : 0;
	sw_step(f, s, SW_EV_SYNACK, now, ch);
}

/* First acknowledgment of a SYN by a segment that carries none. False: not acceptable. */
static sw_inline bool sw_on_ack_of_syn(struct sw_flow *f, __u32 s, const struct sw_pkt *p,
				       __u64 now, struct sw_change *ch)
{
	__u32 r = s ^ 1;
	struct sw_dir *S = &f->dir[s], *R = &f->dir[r];

	if (!sw_after(p->ack, R->iss) || sw_after(p->ack, R->max)) {
		if (!(f->flags & SW_F_ALT_ISS) || p->ack != R->fin + 1)
			return false;
		R->iss = R->fin; /* it took the other SYN-ACK */
		R->nxt = R->max = R->iss + 1;
	}
	/* tcp_check_req: in the window that the SYN-ACK advertised */
	if (sw_before(p->seq + p->len + !!(p->flags & SW_TH_FIN), R->ack) ||
	    sw_after(p->seq, R->ack + R->win))
		return false;
	f->flags &= ~SW_F_ALT_ISS;
	S->ack = p->ack; /* its first */
	sw_complete(f, p, now, ch);
	sw_step(f, s, SW_EV_ACKSYN, now, ch);
	return true;
}

/* The first segment of the host's own end tells an imported flow's sequence numbers. */
static sw_inline void sw_adopt(struct sw_flow *f, __u32 s, const struct sw_pkt *p, __u64 now,
			       struct sw_change *ch)
{
	__u32 r = s ^ 1;
	struct sw_dir *S = &f->dir[s], *R = &f->dir[r];
	__u32 fin = !!(p->flags & SW_TH_FIN);

	S->nxt = S->max = p->seq;
	S->ack = R->nxt = R->max = p->ack;
	R->ack = p->seq;
	R->win = S->win = 0xffffff;
	if (f->flags & SW_F_FIN << s)
		S->fin = S->nxt = S->max = p->seq + p->len + fin;
	if (f->flags & SW_F_FIN << r)
		R->fin = p->ack;
	f->flags |= SW_F_BOTH(SW_F_SEQ);
	if (f->ctl.state[s] == SW_SYN_SENT || f->ctl.state[s] == SW_SYN_RCVD ||
	    f->ctl.state[r] == SW_SYN_RCVD) {
		/* it was opening at the import, and has opened since */
		f->ctl.state[s] = f->ctl.state[r] = SW_ESTABLISHED;
		f->changed = now;
		f->flags |= SW_F_COMPLETED | SW_F_PROVEN;
		ch->what |= SW_CH_STATE | SW_CH_PROVEN;
		sw_settle(f, &ch->sub);
	}
	if (f->flags & SW_F_FIN_MAYBE << r && R->fin != p->ack)
		f->flags &= ~(SW_F_FIN_MAYBE << r);
}

/* The FIN of endpoint s is true: both ends take it. */
static sw_inline void sw_believe_fin(struct sw_flow *f, __u32 s, bool in_order, __u64 now,
				     struct sw_change *ch)
{
	__u32 r = s ^ 1;
	bool crossing = f->flags & SW_F_FIN << r && !(f->flags & SW_F_FIN_ACKED << r);

	f->flags &= ~(SW_F_FIN_MAYBE << s);
	f->flags |= SW_F_FIN << s | (crossing ? SW_F_CROSSED : 0);
	if (!(f->flags & SW_F_FIN << r)) {
		f->mark = now;
		if (s == sw_server(f))
			f->flags |= SW_F_FIRST_SERVER;
	} else if (!(f->flags & SW_F_HALF_CLOSED) && f->mark) {
		f->closed_ms = sw_age(now, f->mark) / SW_NS_PER_MS;
		f->flags |= SW_F_HALF_CLOSED;
	}
	if (in_order) {
		sw_step(f, s, crossing ? SW_EV_FINX : SW_EV_FIN, now, ch);
	} else {
		/* after a gap: the receiver has not got it yet (row 69) */
		__u8 keep = f->ctl.state[r];

		sw_step(f, s, SW_EV_FIN, now, ch);
		f->ctl.state[r] = keep;
	}
}

/* Segments without SYN and RST: acknowledgment, data, FIN, in the order of RFC 9293 3.10.7.4. */
static sw_inline void sw_on_ack(struct sw_flow *f, __u32 s, const struct sw_pkt *p, __u64 now,
				struct sw_change *ch)
{
	__u32 r = s ^ 1;
	struct sw_dir *S = &f->dir[s], *R = &f->dir[r];
	__u32 fin = !!(p->flags & SW_TH_FIN), end = p->seq + p->len + fin;
	__u32 win = sw_window(S, R, p->win);
	bool old = false, opening;

	if (f->ctl.state[s] == SW_CLOSED && f->ctl.state[r] == SW_CLOSED &&
	    !(f->flags & SW_F_RST)) {
		/* picked up midstream: who opened it is not known; the lower port serves */
		f->flags |= SW_F_MIDSTREAM | SW_F_SEQ << s;
		f->flags |= sw_ntohs(f->key.port[1]) < sw_ntohs(f->key.port[0]) ? SW_F_SERVER : 0;
		f->ctl.state[s] = f->ctl.state[r] = SW_ESTABLISHED;
		ch->what |= SW_CH_STATE;
		S->nxt = p->seq;
		S->max = p->seq;
		S->ack = p->ack;
		R->nxt = R->max = p->ack;
		R->ack = p->seq;
		R->win = S->win = 0xffffff;
		f->path = p->path;
	}
	if (!(f->flags & SW_F_SEQ << s) || !(f->flags & SW_F_SEQ << r)) {
		if (f->flags & SW_F_MIDSTREAM) {
			f->flags |= SW_F_SEQ << s;
		} else if (p->sender_local && f->flags & SW_F_IMPORTED) {
			sw_adopt(f, s, p, now, ch);
		} else if (f->flags & SW_F_IMPORTED) {
			if (fin) {
				S->fin = end;
				f->flags |= SW_F_FIN_MAYBE << s;
			}
			f->last = now;
			return sw_ignore(ch, SW_R_UNVERIFIED);
		}
	}

	/* ... or the server has sent its FIN before (RFC 7413) */
	opening = f->flags & SW_F_SYNACK && !(f->flags & SW_F_COMPLETED) && s != sw_server(f) &&
		  f->flags & SW_F_SYN_SEEN << r;
	if ((f->ctl.state[r] == SW_SYN_RCVD || opening) && f->ctl.state[s] != SW_LISTEN) {
		if (!(f->flags & SW_F_COMPLETED) || f->flags & SW_F_SYN_SEEN << r) {
			if (!sw_on_ack_of_syn(f, s, p, now, ch))
				return sw_ignore(ch, SW_R_ACK_IGNORED);
		} else {
			sw_step(f, s, SW_EV_ACKSYN, now, ch);
		}
	} else if (f->ctl.state[s] == SW_LISTEN) {
		/* an ACK in answer to a SYN: a challenge from a stale connection */
		return sw_ignore(ch, SW_R_ACK_IGNORED);
	} else if (f->ctl.state[s] == SW_SYN_SENT && f->ctl.state[r] == SW_LISTEN) {
		/* Only one direction passes here: inferred (row 35). */
		if (p->seq != S->nxt)
			return sw_ignore(ch, SW_R_SEQ_IGNORED);
		f->flags |= SW_F_MIDSTREAM | SW_F_AMBIGUOUS;
		sw_settle(f, &ch->sub);
		f->ctl.state[s] = f->ctl.state[r] = SW_ESTABLISHED;
		f->changed = now;
		ch->what |= SW_CH_STATE;
		S->ack = R->nxt = R->max = p->ack;
		R->ack = p->seq;
		R->win = 0xffffff;
		f->path = p->path;
	} else {
		/* RFC 5961 section 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT */
		if (sw_after(p->ack, R->max)) {
			if (!p->sender_local && f->flags & SW_F_SEQ << r)
				return sw_ignore(ch, SW_R_ACK_IGNORED);
			/* our own end has received what we did not see; or r never passes here */
			R->max = p->ack;
		} else if (!p->sender_local &&
			   (f->ctl.state[r] == SW_SYN_SENT ?
				    !sw_after(p->ack, R->iss) :
				    f->flags & SW_F_SYN_SEEN << r &&
					    sw_before(p->ack, S->ack - S->win))) {
			return sw_ignore(ch, SW_R_ACK_IGNORED);
		}
		/* tcp_sequence: not before what r has acknowledged, nor beyond its window */
		if (!p->sender_local) {
			if (sw_after(p->seq, R->ack + R->win))
				return sw_ignore(ch, SW_R_SEQ_IGNORED);
			if (sw_before(end, R->ack)) {
				/* an old duplicate: its acknowledgment still counts */
				if (sw_before(end, R->ack - R->win - 1))
					return sw_ignore(ch, SW_R_SEQ_IGNORED);
				old = true;
			}
		}
	}
	/* PAWS (RFC 7323 section 5), where it would change a state */
	if (fin && sw_older(f, s, p) && !p->sender_local)
		return sw_ignore(ch, SW_R_SEQ_IGNORED);
	f->last = now;

	if (sw_after(p->ack, S->ack))
		S->ack = p->ack;
	if (sw_after(p->ack, R->nxt))
		R->nxt = p->ack;
	if (win > S->win)
		S->win = win;

	/* Acknowledges a FIN that we took with reserve: now it is true. */
	if (f->flags & SW_F_FIN_MAYBE << r && p->ack == R->fin)
		sw_believe_fin(f, r, true, now, ch);
	if (f->flags & SW_F_FIN << r && !sw_before(p->ack, R->fin)) {
		f->flags |= SW_F_FIN_ACKED << r;
		sw_step(f, s, SW_EV_ACKFIN, now, ch);
	}

	/* Midstream: each end has acknowledged bytes that the other was seen to send. */
	if (f->flags & SW_F_MIDSTREAM && !(f->flags & SW_F_PROVEN)) {
		if (f->flags & SW_F_SEQ << r && !sw_after(p->ack, R->max) &&
		    !sw_before(p->ack, R->max - 0xffffff))
			f->flags |= SW_F_HEARD << s;
		if ((f->flags & SW_F_BOTH(SW_F_HEARD)) == SW_F_BOTH(SW_F_HEARD) &&
		    sw_two_way(f, p)) {
			f->flags |= SW_F_PROVEN;
			ch->what |= SW_CH_PROVEN;
		}
	}
	if (old)
		return sw_ignore(ch, SW_R_SEQ_IGNORED);

	if (fin) {
		bool in_order = !sw_after(p->seq, S->nxt);

		if (f->flags & SW_F_FIN << s) {
			if (end != S->fin)
				return sw_ignore(ch, SW_R_FIN_IGNORED);
			sw_inc8(&f->fin_rtx);
			if (f->ctl.state[s] == SW_CLOSED && f->ctl.state[r] == SW_TIME_WAIT) {
				/* the last ACK was lost behind us: it is not over there */
				f->ctl.state[s] = SW_LAST_ACK;
				f->flags &= ~(SW_F_FIN_ACKED << s);
				ch->what |= SW_CH_STATE;
			}
			if (f->ctl.state[r] == SW_TIME_WAIT) {
				f->changed = now; /* RFC 9293 3.10.7.8: restart 2 MSL */
				ch->what |= SW_CH_RESTAMP;
			}
		} else if (sw_before(end - 1, S->nxt)) {
			return sw_ignore(ch, SW_R_FIN_IGNORED);
		} else {
			S->fin = end;
			if (p->opts & SW_OPT_TS)
				S->ts = p->tsval;
			/* after a gap, a remote end's FIN waits for its acknowledgment */
			if (in_order || p->sender_local || !(f->flags & SW_F_LOCAL << r))
				sw_believe_fin(f, s, in_order, now, ch);
			else
				f->flags |= SW_F_FIN_MAYBE << s;
		}
	}
	if (!sw_after(p->seq, S->nxt) && sw_after(end, S->nxt))
		S->nxt = end;
	if (sw_after(end, S->max))
		S->max = end;
}

/*
 * An RST with the number of its sender's FIN, which r has acknowledged: others
 * answer with a challenge ACK, Linux believes it (tcp_reset_check).
 */
static sw_inline bool sw_rst_at_fin(const struct sw_flow *f, __u32 s, const struct sw_pkt *p)
{
	__u8 state = f->ctl.state[s ^ 1];

	return f->flags & SW_F_FIN << s && p->seq == f->dir[s].fin - 1 &&
	       (state == SW_CLOSE_WAIT || state == SW_CLOSING || state == SW_LAST_ACK);
}

/* Does r believe this RST (RFC 9293 3.10.7, RFC 5961 section 3.2)? */
static sw_inline bool sw_rst_acceptable(const struct sw_flow *f, __u32 s, const struct sw_pkt *p)
{
	__u32 r = s ^ 1;
	const struct sw_dir *S = &f->dir[s], *R = &f->dir[r];

	if (f->flags & SW_F_IMPORTED && !(f->flags & SW_F_SEQ << s) &&
	    !(f->ctl.state[r] == SW_SYN_SENT && f->flags & SW_F_SYN_SEEN << r))
		return p->sender_local;
	if (f->ctl.state[r] == SW_SYN_SENT && f->ctl.state[s] != SW_ESTABLISHED) {
		/* the own stack: another SYN in its window ended the handshake (tcp_check_req) */
		if (p->sender_local && f->ctl.state[s] == SW_SYN_RCVD && p->flags & SW_TH_ACK &&
		    !p->seq)
			return true;
		/* SYN-SENT: only an RST whose ACK acknowledges the SYN */
		if (p->flags & SW_TH_ACK)
			return sw_after(p->ack, R->iss) && !sw_after(p->ack, R->max) &&
			       (p->seq == 0 || f->ctl.state[s] == SW_LISTEN ||
				p->seq == S->nxt || p->sender_local);
		/* no ACK bit: it answers an ACK of ours; exact, from an end that has answered */
		return f->ctl.state[s] != SW_LISTEN && p->seq == S->nxt;
	}
	if (f->ctl.state[r] == SW_LISTEN)
		return p->seq == S->nxt || p->seq == S->iss;
	/*
	 * Exact: RCV.NXT, or the end of a train whose data is on its way. What the
	 * own stack sends is true if it is not an answer to a wrong ACK.
	 */
	if (p->seq == R->ack || p->seq == S->nxt || sw_rst_at_fin(f, s, p))
		return true;
	return p->sender_local && !sw_before(p->seq, R->ack) && !sw_after(p->seq, S->max);
}

static sw_inline void sw_on_rst(struct sw_flow *f, __u32 s, const struct sw_pkt *p, __u64 now,
				struct sw_change *ch)
{
	__u32 r = s ^ 1;

	if (p->opts & SW_OPT_AUTH) { /* nobody here has the key (row 46) */
		f->flags |= SW_F_AMBIGUOUS;
		return sw_ignore(ch, SW_R_RST_IGNORED);
	}
	if (!sw_rst_acceptable(f, s, p)) {
		/* in the window: stacks differ (row 14, 76); Linux sends a challenge ACK */
		if (f->flags & SW_F_SEQ << s && p->seq - f->dir[r].ack < f->dir[r].win)
			f->flags |= SW_F_AMBIGUOUS;
		return sw_ignore(ch, SW_R_RST_IGNORED);
	}
	/* RFC 1337 keeps a TIME_WAIT, Linux does not */
	if (f->ctl.state[r] == SW_TIME_WAIT || sw_rst_at_fin(f, s, p))
		f->flags |= SW_F_AMBIGUOUS;
	ch->what |= f->flags & SW_F_COMPLETED || f->ctl.state[r] >= SW_ESTABLISHED ? SW_CH_RESET :
		    f->flags & SW_F_SYNACK					   ? SW_CH_ABORTED :
		    s == sw_server(f)						   ? SW_CH_REFUSED :
										     SW_CH_ABORTED;
	sw_settle(f, &ch->sub);
	f->ctl.prev[0] = f->ctl.state[0];
	f->ctl.prev[1] = f->ctl.state[1];
	f->flags |= SW_F_RST;
	if (s == sw_server(f))
		f->flags |= SW_F_RST_SERVER;
	f->last = now;
	sw_step(f, s, SW_EV_RST, now, ch);
}

/*
 * A segment on a flow that was reset. Who received the RST and still talks did
 * not believe it: evidence of life beats it (row 47). But not what was
 * in flight, and not against the own stack, which knows what it closed.
 */
static sw_inline bool sw_after_rst(struct sw_flow *f, __u32 s, const struct sw_pkt *p, __u64 now,
				   struct sw_change *ch)
{
	__u32 resetter = f->flags & SW_F_RST_SERVER ? sw_server(f) : sw_server(f) ^ 1;
	__u64 wait = p->sender_local ? SW_REVERT_LOCAL_MS : SW_REVERT_REMOTE_MS;

	if (s == resetter || f->flags & SW_F_LOCAL << resetter ||
	    p->flags & (SW_TH_SYN | SW_TH_RST) ||
	    sw_age(now, f->changed) < wait * SW_NS_PER_MS)
		return false;
	f->ctl.state[0] = f->ctl.prev[0];
	f->ctl.state[1] = f->ctl.prev[1];
	f->flags &= ~(SW_F_RST | SW_F_RST_SERVER);
	f->flags |= SW_F_AMBIGUOUS;
	f->changed = now;
	ch->what |= SW_CH_STATE;
	return true;
}

/* One segment. A new flow is all zero but for key, born, listener, ifindex. */
static sw_inline void sw_observe(struct sw_flow *f, const struct sw_pkt *p, __u64 now,
				 struct sw_change *ch)
{
	__u32 s = p->from & 1;

	ch->reason = SW_R_OBSERVED;
	if (p->sender_local)
		f->flags |= SW_F_LOCAL << s;
	if (f->flags & SW_F_UNJUDGED && p->sender_local && s == sw_server(f)) {
		f->flags &= ~SW_F_UNJUDGED;
		/* a socket's own RST has an ACK, one for want of a socket has none (RFC 9293 section 3.5.2);
		 * and after the client's RST there is none to be had */
		if ((p->flags & (SW_TH_RST | SW_TH_ACK)) != SW_TH_RST)
			ch->what |= SW_CH_COOKIE_OK;
		else if (!(f->flags & SW_F_RST))
			ch->what |= SW_CH_COOKIE_BAD;
	}
	if (!f->ifindex) /* imported */
		f->ifindex = p->path >> 1;
	if (f->flags & SW_F_RST && !sw_after_rst(f, s, p, now, ch))
		return sw_ignore(ch, SW_R_AFTER_RST);
	if (p->flags & SW_TH_RST)
		sw_on_rst(f, s, p, now, ch);
	else if ((p->flags & (SW_TH_SYN | SW_TH_ACK)) == SW_TH_SYN)
		sw_on_syn(f, s, p, now, ch);
	else if (p->flags & SW_TH_SYN)
		sw_on_synack(f, s, p, now, ch);
	else
		sw_on_ack(f, s, p, now, ch);
}

/*
 * A number that more than one CPU may raise. False when it is not what it was:
 * another CPU was faster, or the slot has got another flow.
 */
static sw_inline bool sw_raise(__u32 *at, __u32 old, __u32 new)
{
	return old == new || __sync_val_compare_and_swap(at, old, new) == old;
}

/*
 * The short way, for nearly every packet: data or an ACK in order, between two
 * ESTABLISHED ends, nothing unusual about the flow. It takes no lock: it only
 * moves on numbers from what it has judged them by. False: take the long way.
 */
static sw_inline bool sw_observe_data(struct sw_flow *f, const struct sw_pkt *p, __u64 now)
{
	__u32 s = p->from & 1, r = s ^ 1;
	struct sw_dir *S = &f->dir[s], *R = &f->dir[r];
	const volatile struct sw_dir *seen = S;
	__u32 ack = seen->ack, nxt = seen->nxt, max = seen->max, old_win = seen->win;
	__u32 r_nxt = ((const volatile struct sw_dir *)R)->nxt;
	__u32 end = p->seq + p->len, win = sw_window(S, R, p->win);

	if (p->flags & (SW_TH_SYN | SW_TH_FIN | SW_TH_RST))
		return false;
	if (f->ctl.state[0] != SW_ESTABLISHED || f->ctl.state[1] != SW_ESTABLISHED ||
	    f->flags & (SW_F_BOTH(SW_F_FIN_MAYBE | SW_F_FIN) | SW_F_UNJUDGED) ||
	    (f->flags & SW_F_BOTH(SW_F_SEQ)) != SW_F_BOTH(SW_F_SEQ))
		return false;
	if (sw_after(p->ack, R->max) || sw_before(p->ack, ack) || sw_after(p->seq, nxt) ||
	    sw_before(end, R->ack) || sw_after(p->seq, R->ack + R->win))
		return false;
	if (p->sender_local && !(f->flags & SW_F_LOCAL << s))
		return false;
	if (!sw_raise(&S->ack, ack, p->ack) ||
	    (sw_after(p->ack, r_nxt) && !sw_raise(&R->nxt, r_nxt, p->ack)) ||
	    (win > old_win && !sw_raise(&S->win, old_win, win)) ||
	    (sw_after(end, nxt) && !sw_raise(&S->nxt, nxt, end)) ||
	    (sw_after(end, max) && !sw_raise(&S->max, max, end)))
		return false;
	f->last = now;
	return true;
}

#endif
