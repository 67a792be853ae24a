/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_IMPORT_H
#define SW_IMPORT_H

#include "mirror.h"

/*
 * A socket of the kernel, on its way into the mirror: what attach found by
 * sock_diag. Attach first, dump second, insert only what is not there yet.
 * Imported flows have no sequence numbers: no RST or FIN is believed for them
 * until the host's own stack has sent a segment (sw_adopt()).
 */
struct sw_import {
	struct sw_key key;
	__u32 side;	  /* endpoint of key that the socket is: 0 or 1 */
	__u32 server;	  /* endpoint of key that accepted the connection */
	__u32 state;	  /* enum sw_state of the socket */
	__u32 ago_ms;	  /* how long it has been in that state, 0 if not known */
	__u32 listener;   /* index of the listener it belongs to; found out by sw_import */
	__u32 ifindex;    /* device it is bound to, 0 if not */
	__u8 opts;	  /* SW_OPT_*, both ends */
	__u8 wscale[2];	  /* by endpoint of key */
	__u8 pad[5];
};

enum sw_import_result { SW_IMPORTED, SW_IMPORT_KNOWN, SW_IMPORT_FULL };

/* The other end's state, as far as the socket's own tells. */
static sw_inline __u8 sw_peer_state(__u32 state)
{
	switch (state) {
	case SW_SYN_SENT:
		return SW_LISTEN;
	case SW_SYN_RCVD:
		return SW_SYN_SENT;
	case SW_FIN_WAIT_2:
		return SW_CLOSE_WAIT;
	case SW_CLOSE_WAIT:
		return SW_FIN_WAIT_2;
	case SW_CLOSING:
		return SW_CLOSING;
	case SW_LAST_ACK:
		return SW_TIME_WAIT;
	case SW_TIME_WAIT:
		return SW_CLOSED;
	default:
		return SW_ESTABLISHED;
	}
}

/* Which FINs a state implies: those of the socket, those of its peer (all acknowledged). */
static sw_inline __u32 sw_fin_flags(__u32 state, __u32 side)
{
	__u32 own = SW_F_FIN << side, own_acked = own | SW_F_FIN_ACKED << side;
	__u32 peer = (SW_F_FIN | SW_F_FIN_ACKED) << (side ^ 1);

	switch (state) {
	case SW_FIN_WAIT_1:
		return own;
	case SW_FIN_WAIT_2:
		return own_acked;
	case SW_CLOSE_WAIT:
		return peer;
	case SW_CLOSING:
	case SW_LAST_ACK:
		return own | peer;
	case SW_TIME_WAIT:
		return own_acked | peer;
	default:
		return 0;
	}
}

static sw_inline enum sw_import_result sw_import_flow(struct sw_tables *t, const struct sw_import *in,
						      struct sw_hash h, __u64 now,
						      const struct sw_config *cfg,
						      struct sw_change *ch)
{
	bool opening = in->state == SW_SYN_SENT || in->state == SW_SYN_RCVD, live, proven;
	__u32 now_s = now / SW_NS_PER_SEC, side = in->side & 1;
	__u64 ago = in->ago_ms * SW_NS_PER_MS;
	struct sw_place at = sw_find(t->proven, h.tag, &in->key);
	__u32 birth_s = (now - ago) / SW_NS_PER_SEC;
	struct sw_flow *f;

	proven = at.bucket;
	if (!proven)
		at = sw_find(t->half, h.tag, &in->key);
	if (at.bucket) {
		/* both ends are this host's: the second socket tells its own state */
		f = sw_flow_of(at);
		if (!(f->flags & SW_F_IMPORTED) || f->flags & SW_F_LOCAL << side ||
		    f->flags & SW_F_BOTH(SW_F_SEQ) || !sw_claim(f, &in->key))
			return SW_IMPORT_KNOWN;
		f->flags |= SW_F_LOCAL << side;
		f->ctl.state[side] = in->state;
		if (proven)
			at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)] =
				sw_stamp(sw_proven_class(f), now_s);
		sw_release(f, SW_LIVE);
		return SW_IMPORTED;
	}
	/* two calls: with the table a constant, the verifier has half as far to go */
	if (opening)
		at = sw_take(t->half, SW_HALF, SW_RANK_ANY, now_s, cfg, &live, &ch->scratch);
	else
		at = sw_take(t->proven, SW_PROVEN, SW_RANK_ANY, now_s, cfg, &live, &ch->scratch);
	if (!at.bucket)
		return SW_IMPORT_FULL;
	f = sw_flow_of(at);
	if (live && opening)
		sw_displace(f, ch);
	else if (live)
		ch->what |= SW_CH_EVICTED;
	f->key = in->key;
	f->ctl.state[side] = in->state;
	f->ctl.state[side ^ 1] = sw_peer_state(in->state);
	f->ctl.prev[0] = f->ctl.prev[1] = 0;
	f->born = f->last = now;
	f->changed = now - ago;
	f->mark = 0;
	__builtin_memset(f->dir, 0, sizeof(f->dir));
	f->dir[0].opts = f->dir[1].opts = in->opts;
	f->dir[0].wscale = in->wscale[0];
	f->dir[1].wscale = in->wscale[1];
	f->flags = SW_F_IMPORTED | SW_F_LOCAL << side | sw_fin_flags(in->state, side) |
		   (in->server ? SW_F_SERVER : 0) |
		   (opening ? 0 : SW_F_PROVEN | SW_F_COMPLETED | SW_F_SYNACK);
	f->birth_s = birth_s;
	f->ifindex = in->ifindex;
	f->path = 0;
	f->server_us = f->client_us = SW_UNSEEN;
	f->closed_ms = 0;
	f->listener = in->listener;
	f->syn_rtx = f->synack_rtx = f->fin_rtx = 0;
	if (in->state == SW_SYN_RCVD) {
		f->flags |= SW_F_SYNACK;
		if (in->listener) {
			f->flags |= SW_F_HALF;
			ch->add = (struct sw_gauge_ref){ in->listener, SW_G_HALF_ADD, birth_s };
		}
	}
	sw_publish(at, h.tag,
		   opening ? sw_stamp(sw_half_class(f), birth_s) :
			     sw_stamp(sw_proven_class(f), now_s));
	return SW_IMPORTED;
}

#endif
