/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_COOKIE_BPF_H
#define SW_COOKIE_BPF_H

#include "kcookie.bpf.h"

/*
 * The answer to a SYN, written over it: the SYN-ACK that the kernel would send
 * (tcp_make_synack), with a cookie for its sequence number. Sent once, never
 * longer than the SYN in IP bytes: what does not fit of the options is left
 * out, and that can only be the MSS, which a client may do without.
 */
/* What the server agrees to of what the client offers. */
static sw_inline void sw_agree(const struct sw_pkt *p, const struct sw_served *s,
			       struct sw_cookie *c, struct sw_answer *a)
{
	__u8 opts = p->opts & s->opts;

	if (sw_backend == SW_BACKEND_HELPER && !(opts & SW_OPT_TS))
		opts &= SW_OPT_MSS; /* see sw_kernel_tsval() */
	c->wscale = opts & SW_OPT_WSCALE ? p->wscale : SW_NO_WSCALE;
	c->sack = !!(opts & SW_OPT_SACK);
	c->ts = !!(opts & SW_OPT_TS);
	/* AccECN's SYN is a classic one to who does not know it (RFC 9768 section 3.1.2) */
	c->ecn = s->ecn && (p->flags & (SW_TH_ECE | SW_TH_CWR)) == (SW_TH_ECE | SW_TH_CWR) &&
		 (sw_backend == SW_BACKEND_ASSIGN || c->ts);
	a->opts = opts;
	a->wscale = s->wscale;
	a->win = s->win;
	a->mss = s->mss;
	a->ecn = c->ecn;
	a->ttl = s->ttl;
	a->tos = s->tos;
	a->tsecr = p->tsval;
}

static sw_inline __u16 sw_fold_down(__u64 sum)
{
	return ~sw_fold(sum);
}

/* One word of options. */
#define SW_PUT(word)                                                                               \
	do {                                                                                       \
		__be32 be = sw_htonl(word);                                                        \
		if ((const void *)(at + 1) > end)                                                  \
			return false;                                                              \
		*at++ = be;                                                                        \
		sum += be;                                                                         \
	} while (0)

/* Overwrites the frame; false when it is too short. *wire: its new length. */
static sw_inline bool sw_write_synack(void *data, void *end, const struct sw_pkt *p,
				      const struct sw_answer *a, __u32 *wire)
{
	__u32 l3 = sw_bounded(p->l3_off, 0x1f), hlen, c = p->from & 1, words, room;
	const __u32 *client = c ? p->key.addr[1] : p->key.addr[0];
	const __u32 *server = c ? p->key.addr[0] : p->key.addr[1];
	bool v6 = p->key.family == SW_AF_INET6, mss;
	struct ethhdr *eth = data;
	struct tcphdr *th;
	__u8 mac[6];
	__be32 *at;
	__u64 sum;

	hlen = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	words = (a->opts & SW_OPT_TS ? 3 : a->opts & SW_OPT_SACK ? 1 : 0) +
		(a->opts & SW_OPT_WSCALE ? 1 : 0);
	room = p->l4_off - p->l3_off + p->l4_len - hlen - sizeof(*th);
	mss = words * 4 + 4 <= room;
	words += mss;
	if (p->l4_off + p->l4_len < l3 + hlen + sizeof(*th) || words * 4 > room)
		return false;
	*wire = l3 + hlen + sizeof(*th) + words * 4;

	if ((void *)(eth + 1) > end)
		return false;
	__builtin_memcpy(mac, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, mac, 6);
	if (v6) {
		struct ipv6hdr *ip = data + l3;

		if ((void *)(ip + 1) > end)
			return false;
		*(__be32 *)ip = sw_htonl(0x60000000 | (__u32)a->tos << 20);
		ip->payload_len = sw_htons(sizeof(*th) + words * 4);
		ip->nexthdr = SW_IPPROTO_TCP;
		ip->hop_limit = a->ttl;
		__builtin_memcpy(&ip->saddr, server, 16);
		__builtin_memcpy(&ip->daddr, client, 16);
		th = (void *)(ip + 1);
	} else {
		struct iphdr *ip = data + l3;
		__be32 *word = (__be32 *)ip;

		if ((void *)(ip + 1) > end)
			return false;
		word[0] = sw_htonl(0x45000000 | (__u32)a->tos << 16 | (hlen + sizeof(*th) + words * 4));
		word[1] = sw_htonl(0x00004000); /* DF, and so no identification needed */
		word[2] = sw_htonl((__u32)a->ttl << 24 | SW_IPPROTO_TCP << 16);
		word[3] = server[0];
		word[4] = client[0];
		ip->check = sw_fold_down((__u64)word[0] + word[1] + word[2] + word[3] + word[4]);
		th = (void *)(ip + 1);
	}
	if ((void *)(th + 1) > end)
		return false;
	at = (__be32 *)th;
	th->source = c ? p->key.port[0] : p->key.port[1];
	th->dest = c ? p->key.port[1] : p->key.port[0];
	at[1] = sw_htonl(a->seq);
	at[2] = sw_htonl(p->seq + 1);
	at[3] = sw_htonl((5 + words) << 28 | (SW_TH_SYN | SW_TH_ACK | (a->ecn ? SW_TH_ECE : 0)) << 16 |
			 a->win);
	at[4] = 0;
	sum = sw_htonl(SW_IPPROTO_TCP) + (__u64)sw_htonl(sizeof(*th) + words * 4);
	for (int i = 0; i < 4; i++)
		sum += (__u64)client[i] + server[i] + at[i];
	at += 5;
	if (mss)
		SW_PUT(0x02040000 | a->mss);
	if (a->opts & SW_OPT_TS) {
		SW_PUT(a->opts & SW_OPT_SACK ? 0x0402080a : 0x0101080a);
		SW_PUT(a->tsval);
		SW_PUT(a->tsecr);
	} else if (a->opts & SW_OPT_SACK) {
		SW_PUT(0x01010402);
	}
	if (a->opts & SW_OPT_WSCALE)
		SW_PUT(0x01030300 | a->wscale);
	th->check = sw_fold_down(sum);
	return true;
}

/* What the kernel answers where a SYN goes; NULL: it is not ours, and left to the kernel. */
static sw_inline const struct sw_served *sw_ours(struct xdp_md *ctx, struct sw_work *w)
{
	const void *end = (void *)(long)ctx->data_end;
	const struct sw_pkt *p = &w->pkt;
	const __u8 *eth = (void *)(long)ctx->data;
	struct sw_served *s;
	__u16 vlan;

	if (p->opts & SW_OPT_AUTH)
		return NULL;
	s = sw_served_at((p->from & 1) ^ 1);
	/* nf_nat_inet_port_was_mangled compares a port that the request has not yet */
	if (!s || s->nat)
		return NULL;
	/* without a tag it may have had one, which the driver took off and generic XDP_TX puts back */
	vlan = sw_vlan(eth, end, p);
	if (vlan && (vlan != s->vlan || vlan == SW_VLAN_NESTED))
		return NULL;
	return (const void *)(eth + 6) <= end && sw_is_our_mac(eth) ? s : NULL;
}

/* The answer to the SYN at hand; 0: none. Not inlined: see sw_answer(). */
__noinline int sw_make_answer(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_secret *key = bpf_map_lookup_elem(&secret, &zero);
	struct sw_cookie c = { 0 };
	__u32 index;

	if (!w || !key)
		return 0;
	sw_agree(&w->pkt, &w->judged.served, &c, &w->answer);
	if (sw_backend == SW_BACKEND_HELPER) {
		w->answer.tsval = sw_kernel_tsval(&c, w->now);
		return sw_kernel_cookie(ctx, w, &w->answer.seq) == SW_KC_MADE;
	}
	index = sw_opaque(&w->pkt.scratch, sw_mss_index(w->pkt.key.family == SW_AF_INET6, c.ts,
							w->pkt.mss));
	w->answer.seq = sw_cookie_make(key, &w->pkt, &c, index, w->now, &w->answer.tsval);
	return 1;
}

/* SW_V_TX, or SW_V_PASS when that is not possible. */
static sw_inline int sw_answer_syn(struct xdp_md *ctx, struct sw_work *w)
{
	__u32 frame = bpf_xdp_get_buff_len(ctx), wire = 0;

	if (!sw_write_synack((void *)(long)ctx->data, (void *)(long)ctx->data_end, &w->pkt,
			     &w->answer, &wire))
		return SW_V_PASS;
	if (wire != frame && bpf_xdp_adjust_tail(ctx, (int)(wire - frame)))
		return SW_V_DROP; /* overwritten: nothing can be passed any more */
	return SW_V_TX;
}

#endif
