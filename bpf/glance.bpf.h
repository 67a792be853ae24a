/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_GLANCE_BPF_H
#define SW_GLANCE_BPF_H

#include "verdict.bpf.h"

/*
 * What a flood costs when this CPU has no answer left for it: its SYNs are told by
 * their bytes, before they are parsed. These have neither VLAN tags, IP options,
 * extension headers nor fragments, and the TCP options that Linux sends, an MSS
 * alone, or none. All others take the long way to the same verdict; and so does
 * whatever is not quite right.
 */

/* A SYN and no other flag but ECN's? Its ports into the work area's packet. */
static sw_inline bool sw_glance_tcp(const void *th, const void *end, __u32 len, struct sw_pkt *p)
{
	const __be16 *half = th;
	const __be32 *word = th;
	__u32 bits, hlen;

	if (th + sizeof(struct tcphdr) > end)
		return false;
	bits = sw_ntohs(half[6]);
	hlen = (bits >> 12) * 4;
	/* equal ports: the parser knows what a LAND attack is */
	if ((bits & 0x1ff & ~(SW_TH_ECE | SW_TH_CWR)) != SW_TH_SYN || hlen > len || !half[0] ||
	    half[0] == half[1])
		return false;
	p->key.port[0] = half[0];
	p->key.port[1] = half[1];
	if (hlen == 40)
		return (const void *)(word + 10) <= end && sw_is_usual_syn(word + 5);
	if (hlen == 24)
		return (const void *)(word + 6) <= end && sw_is_mss(word[5]);
	return hlen == 20;
}

/* Such a SYN over plain IPv4 or IPv6? The packet's source is endpoint 0. */
static sw_inline bool sw_glance(const void *data, const void *end, __u32 frame_len,
				struct sw_pkt *p)
{
	const __be16 *type = data + 2 * 6;
	const struct ipv6hdr *ip6 = data + SW_ETH_HLEN;
	const struct iphdr *ip = data + SW_ETH_HLEN;
	__u32 len;

	if ((const void *)(ip6 + 1) > end) /* more than IPv4 without options and ports */
		return false;
	if (*type == sw_htons(SW_ETH_P_IP)) {
		len = sw_ntohs(ip->tot_len);
		if (*(const __u8 *)ip != 0x45 || ip->protocol != SW_IPPROTO_TCP ||
		    ip->frag_off & sw_htons(SW_IP_MF | SW_IP_OFFSET) || len < sizeof(*ip) ||
		    len > frame_len - SW_ETH_HLEN || sw_is_group_ipv4(ip->saddr) || !ip->saddr)
			return false;
		p->key.family = SW_AF_INET;
		p->key.addr[0][0] = ip->saddr;
		p->key.addr[1][0] = ip->daddr;
		return sw_glance_tcp(ip + 1, end, len - sizeof(*ip), p);
	}
	len = sw_ntohs(ip6->payload_len);
	if (*type != sw_htons(SW_ETH_P_IPV6) || *(const __u8 *)ip6 >> 4 != 6 ||
	    ip6->nexthdr != SW_IPPROTO_TCP || len > frame_len - SW_ETH_HLEN - sizeof(*ip6) ||
	    sw_is_group_ipv6(&ip6->saddr))
		return false;
	p->key.family = SW_AF_INET6;
	__builtin_memcpy(p->key.addr[0], &ip6->saddr, 16);
	__builtin_memcpy(p->key.addr[1], &ip6->daddr, 16);
	return sw_glance_tcp(ip6 + 1, end, len, p);
}

/*
 * Is it a stranger's SYN to where a flood has used up this CPU's answers, in the same
 * tick? Noted, then.
 */
__noinline int sw_drop_at_a_glance(struct xdp_md *ctx, __u32 frame_len)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *data = (void *)(long)ctx->data;
	struct sw_control *c = sw_control_of();
	struct sw_guard *g;
	struct sw_work *w;
	__u32 zero = 0, now_s;

	w = bpf_map_lookup_elem(&work, &zero);
	if (!w || !c)
		return false;
	w->now = sw_now_coarse(w);
	if (w->judged.tick != w->tick) {
		w->judged.spent = false;
		return false;
	}
	g = sw_guard_of(w->judged.listener);
	now_s = w->now / SW_NS_PER_SEC;
	if (!g || sw_backing_off(g, now_s) || data + SW_ETH_HLEN > end ||
	    !sw_is_our_mac(data) || !sw_glance(data, end, frame_len, &w->pkt) ||
	    !sw_serves(&w->judged.served, &w->pkt, 1) || sw_is_known(&w->pkt, 0, now_s) ||
	    (c->lists && sw_listed()))
		return false;
	sw_kept_off(g, false);
	sw_rate_add(g->asked, now_s);
	__sync_fetch_and_add(&g->dropped, 1);
	sw_budget_of(w, false)->drops++;
	return true;
}

#endif
