/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SERVED_BPF_H
#define SW_SERVED_BPF_H

#include "conntrack.bpf.h"
#include "guard.bpf.h"

/* The parts of its IP header that a socket option or a sysctl may have set. */
static sw_inline void sw_learn_header(struct sw_served *s, const void *data, const void *end,
				      const struct sw_pkt *p)
{
	const __be16 *word = data + sw_bounded(p->l3_off, 0x1f);

	if ((const void *)(word + 10) > end)
		return;
	if (p->key.family == SW_AF_INET) {
		s->tos = sw_ntohs(word[0]);
		s->ttl = sw_ntohs(word[4]) >> 8;
	} else {
		s->tos = sw_ntohs(word[0]) >> 4;
		s->ttl = sw_ntohs(word[3]);
	}
	s->tos &= ~3; /* ECN: not on a SYN-ACK (RFC 3168 section 6.1.1) */
}

/* A slot for an address that has none: one that is free, or else was not seen the longest. */
static sw_inline struct sw_served *sw_served_take(const struct sw_pkt *p, __u32 side, __u32 now_s)
{
	__u32 first = sw_served_first(p, side), best = first, age = 0;

	for (__u32 n = 0; n < SW_SERVED_WAYS; n++) {
		__u32 i = first + n;
		struct sw_served *s = bpf_map_lookup_elem(&served, &i);
		__u32 old = !s ? 0 : !s->port ? ~0u : sw_since(now_s, s->seen_s);

		if (old > age) {
			age = old;
			best = i;
		}
	}
	return bpf_map_lookup_elem(&served, &best);
}

/*
 * The kernel's own SYN-ACK tells what it serves on an address, and with which
 * options. Its socket must have this very port: a redirected one (nft redirect)
 * answers in another's name. skb->sk is the request (tcp_make_synack); a
 * syncookie has none, and proves nothing but where all are syncookies. An
 * option that the client offered and the SYN-ACK lacks is not agreed to; of
 * others nothing is learned.
 */
static sw_inline void sw_learn_served(struct __sk_buff *skb, const struct sw_pkt *p, __u8 offered,
				      __u64 now)
{
	__u32 side = p->from & 1, now_s = now / SW_NS_PER_SEC;
	struct sw_control *c = sw_control_of();
	__u16 port = side ? p->key.port[1] : p->key.port[0];
	struct bpf_sock *sk = skb->sk;
	struct sw_served *s;

	if (!c || (sk ? sk->src_port != sw_ntohs(port) : sw_backend != SW_BACKEND_HELPER))
		return;
	s = sw_served_at(side);
	if (!s) {
		s = sw_served_take(p, side, now_s);
		if (!s)
			return;
		s->port = 0;
		__builtin_memcpy(s->addr, side ? p->key.addr[1] : p->key.addr[0], sizeof(s->addr));
		s->family = p->key.family;
		s->opts = c->offers;
		s->ecn = c->ecn;
		s->seen_s = 0;
	}
	if (sw_backend != SW_BACKEND_HELPER)
		s->opts = (s->opts & ~offered) | p->opts;
	else if (offered & SW_OPT_TS) /* without, a syncookie agrees to nothing */
		s->opts = sw_kernel_agrees((s->opts & ~offered) | p->opts, p->tsval, now);
	s->vlan = skb->vlan_present ?
			  skb->vlan_tci & 0xfff :
			  sw_vlan((void *)(long)skb->data, (void *)(long)skb->data_end, p);
	sw_learn_header(s, (void *)(long)skb->data, (void *)(long)skb->data_end, p);
	s->mss = p->mss;
	s->win = p->win;
	if (p->opts & SW_OPT_WSCALE)
		s->wscale = p->wscale;
	if (p->flags & SW_TH_ECE)
		s->ecn = 1;
	if (s->seen_s != now_s) {
		__u32 status = sw_tracked(skb, p);

		s->conntrack = !!status;
		s->nat = !!(status & SW_IPS_NAT_DONE);
	}
	s->seen_s = now_s;
	s->port = port;
}

#endif
