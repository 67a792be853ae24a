/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ADMIT_H
#define SW_ADMIT_H

#include "guard.h"
#include "mirror.h"

/*
 * A flow that opened through a cookie: nobody has seen its handshake, but the
 * cookie proves it. Straight into the proven table, as a full handshake would
 * have left it. *p is the client's first segment, *c what its SYN offered,
 * *served what the answer said. False: another CPU is at its slot.
 */
static sw_inline bool sw_admit_flow(struct sw_tables *t, const struct sw_pkt *p, struct sw_hash h,
				    __u64 now, const struct sw_config *cfg,
				    const struct sw_cookie *c, const struct sw_served *served,
				    __u16 listener, struct sw_change *ch)
{
	struct sw_place at = sw_find(t->proven, h.tag, &p->key);
	__u32 s = p->from & 1, r = s ^ 1;
	struct sw_dir *S, *R;
	struct sw_flow *f;
	bool live = false;

	if (!at.bucket || !sw_claim(sw_flow_of(at), &p->key))
		at = sw_take(t->proven, SW_PROVEN, SW_RANK_ANY, now / SW_NS_PER_SEC, cfg, &live,
			     &ch->scratch);
	if (!at.bucket)
		return false;
	f = sw_flow_of(at);
	if (live)
		ch->what |= SW_CH_EVICTED;
	S = &f->dir[s];
	R = &f->dir[r];
	f->key = p->key;
	f->ctl.state[0] = f->ctl.state[1] = SW_ESTABLISHED;
	f->ctl.prev[0] = f->ctl.prev[1] = 0;
	f->born = f->last = f->changed = now;
	f->mark = 0;
	__builtin_memset(f->dir, 0, sizeof(f->dir));
	S->iss = p->seq - 1;
	S->nxt = S->max = p->seq;
	S->ack = p->ack;
	S->win = p->win;
	S->ts = p->tsval;
	S->mss = c->mss;
	S->opts = (c->mss ? SW_OPT_MSS : 0) | (c->sack ? SW_OPT_SACK : 0) | (c->ts ? SW_OPT_TS : 0);
	if (c->wscale != SW_NO_WSCALE) {
		S->wscale = c->wscale;
		S->opts |= SW_OPT_WSCALE;
	}
	R->iss = p->ack - 1;
	R->nxt = R->max = p->ack;
	R->ack = p->seq;
	R->win = served->win;
	R->mss = served->mss;
	R->opts = S->opts;
	R->wscale = S->opts & SW_OPT_WSCALE ? served->wscale : 0;
	f->flags = SW_F_BOTH(SW_F_SYN_SEEN | SW_F_SEQ) | (r ? SW_F_SERVER : 0) | SW_F_SYNACK |
		   SW_F_PROVEN | SW_F_COMPLETED | SW_F_COOKIE | SW_F_UNJUDGED;
	f->birth_s = 0;
	f->ifindex = p->path >> 1;
	f->path = 0;
	f->server_us = f->client_us = SW_UNSEEN;
	f->closed_ms = 0;
	f->listener = listener;
	f->syn_rtx = f->synack_rtx = f->fin_rtx = 0;
	f->admitted = c->ecn ? SW_ADMIT_ECN : 0;
	sw_publish(at, h.tag, sw_stamp(SW_CLASS_OPEN, now / SW_NS_PER_SEC));
	ch->listener = listener;
	ch->what |= SW_CH_STORED | SW_CH_COMPLETED | SW_CH_PROVEN | SW_CH_STATE | SW_CH_ADMITTED;
	ch->server_us = ch->client_us = SW_UNSEEN;
	sw_note_ends(f, ch);
	return true;
}

#endif
