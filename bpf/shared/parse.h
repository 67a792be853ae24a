/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PARSE_H
#define SW_PARSE_H

#include "flow.h"

/*
 * Bytes to struct sw_pkt. Pure: reads between data and end only. frame_len is
 * the frame's real length, which may be more than end - data when the rest
 * lies in page fragments. Each function returns enum sw_reason: OBSERVED when
 * it is a TCP segment, otherwise why it is not.
 *
 * Every length is checked before it is believed: version, ihl >= 5, doff >= 5,
 * option lengths >= 2, header within packet. A cursor is an offset; it is
 * added to data anew each time, because the verifier loses the range of a
 * packet pointer that went through memory.
 */

#define SW_ETH_HLEN 14
#define SW_ETH_P_IP 0x0800
#define SW_ETH_P_IPV6 0x86dd
#define SW_ETH_P_8021Q 0x8100
#define SW_ETH_P_8021AD 0x88a8
#define SW_ETH_P_QINQ1 0x9100
#define SW_ETH_P_PPPOE 0x8864
#define SW_ETH_P_MPLS 0x8847

#define SW_IPPROTO_TCP 6
#define SW_IPPROTO_HOPOPTS 0
#define SW_IPPROTO_IPIP 4
#define SW_IPPROTO_IPV6 41
#define SW_IPPROTO_ROUTING 43
#define SW_IPPROTO_FRAGMENT 44
#define SW_IPPROTO_GRE 47
#define SW_IPPROTO_ESP 50
#define SW_IPPROTO_AH 51
#define SW_IPPROTO_DSTOPTS 60

#define SW_IP_MF 0x2000
#define SW_IP_OFFSET 0x1fff

/*
 * Flag combinations that a TCP sends, PSH, ECE, CWR and AE apart (the table
 * of nf_conntrack_proto_tcp.c, tcp_valid_flags): bit n is set when the six
 * classic bits n, PSH taken out, are valid.
 */
static sw_inline bool sw_valid_flags(__u16 flags)
{
	switch (flags & (SW_TH_FIN | SW_TH_SYN | SW_TH_RST | SW_TH_ACK | SW_TH_URG)) {
	case SW_TH_SYN:
	case SW_TH_SYN | SW_TH_URG:
	case SW_TH_SYN | SW_TH_ACK:
	case SW_TH_RST:
	case SW_TH_RST | SW_TH_ACK:
	case SW_TH_FIN | SW_TH_ACK:
	case SW_TH_FIN | SW_TH_ACK | SW_TH_URG:
	case SW_TH_ACK:
	case SW_TH_ACK | SW_TH_URG:
		return true;
	}
	return false;
}

static sw_inline bool sw_is_mss(__be32 option)
{
	return (option & sw_htonl(0xffff0000)) == sw_htonl(0x02040000);
}

/* Options of a SYN of Linux, five words: MSS, SACK permitted, timestamps, NOP, window scale. */
static sw_inline bool sw_is_usual_syn(const __be32 *word)
{
	return sw_is_mss(word[0]) && word[1] == sw_htonl(0x0402080a) &&
	       (word[4] & sw_htonl(0xffffff00)) == sw_htonl(0x01030300);
}

/*
 * What Linux sends (tcp_options_write), told by whole words: the above, and NOP,
 * NOP, timestamps later on. False, and nothing taken, when it is anything else.
 * What is learned here of off and len is forgotten: or all that follows would be
 * verified twice (6.18).
 */
static sw_inline bool sw_parse_usual_options(const void *data, const void *end, __u32 off,
					     __u32 len, struct sw_pkt *p)
{
	const __be32 *word = data + (sw_opaque(&p->scratch, off) & 0x1ff);
	__u8 shift;

	len = sw_opaque(&p->scratch, len);
	if (len == 12 && (const void *)(word + 3) <= end && word[0] == sw_htonl(0x0101080a)) {
		p->tsval = sw_ntohl(word[1]);
		p->tsecr = sw_ntohl(word[2]);
		p->opts |= SW_OPT_TS;
		return true;
	}
	if (len != 20 || (const void *)(word + 5) > end || !sw_is_usual_syn(word))
		return false;
	shift = sw_ntohl(word[4]);
	p->mss = sw_ntohl(word[0]);
	p->tsval = sw_ntohl(word[2]);
	p->tsecr = sw_ntohl(word[3]);
	p->wscale = shift > 14 ? 14 : shift;
	p->opts |= SW_OPT_MSS | SW_OPT_SACK | SW_OPT_TS | SW_OPT_WSCALE;
	return true;
}

/* Options, where they count: on SYN, FIN and RST (RFC 9293 section 3.2, RFC 7323). */
static sw_inline int sw_parse_options(const void *data, const void *end, __u32 off, __u32 len,
				      struct sw_pkt *p)
{
	__u32 at = sw_parse_usual_options(data, end, off, len, p) ? len : 0;

	for (int i = 0; i < SW_MAX_TCP_OPTIONS; i++) {
		const __u8 *o;
		__u8 size;

		at = sw_opaque(&p->scratch, at) & 0x3f;
		if (at >= len)
			return SW_R_OBSERVED;
		o = data + (off & 0x1ff) + at;
		if ((const void *)(o + 1) > end)
			return SW_R_TRUNCATED;
		if (o[0] == 0) /* end of options */
			return SW_R_OBSERVED;
		if (o[0] == 1) { /* no operation */
			at++;
			continue;
		}
		if ((const void *)(o + 2) > end)
			return SW_R_TRUNCATED;
		size = o[1];
		if (size < 2 || size > len - at)
			return SW_R_BAD_TCP;
		if (o[0] == 2 && size == 4 && (const void *)(o + 4) <= end) {
			p->mss = (__u16)o[2] << 8 | o[3];
			p->opts |= SW_OPT_MSS;
		} else if (o[0] == 3 && size == 3 && (const void *)(o + 3) <= end) {
			p->wscale = o[2] > 14 ? 14 : o[2];
			p->opts |= SW_OPT_WSCALE;
		} else if (o[0] == 4 && size == 2) {
			p->opts |= SW_OPT_SACK;
		} else if (o[0] == 8 && size == 10 && (const void *)(o + 10) <= end) {
			p->tsval = (__u32)o[2] << 24 | (__u32)o[3] << 16 | (__u32)o[4] << 8 | o[5];
			p->tsecr = (__u32)o[6] << 24 | (__u32)o[7] << 16 | (__u32)o[8] << 8 | o[9];
			p->opts |= SW_OPT_TS;
		} else if (o[0] == 19 || o[0] == 29) {
			p->opts |= SW_OPT_AUTH;
		}
		at += size;
	}
	return SW_R_OBSERVED;
}

/* TCP at p->l4_off; p->len is what IP says that header and payload have together. */
static sw_inline int sw_parse_tcp(const void *data, const void *end, struct sw_pkt *p)
{
	__u32 off = sw_opaque(&p->scratch, p->l4_off), seg_len = *(volatile __u32 *)&p->len;
	const struct tcphdr *th = data + (off & 0x1ff);
	const __be16 *word = (const __be16 *)th;
	__u32 hlen;
	__u16 bits;

	if ((const void *)(th + 1) > end || seg_len < sizeof(*th))
		return SW_R_TRUNCATED;
	bits = sw_ntohs(word[6]); /* doff:4 reserved:3 AE CWR ECE URG ACK PSH RST SYN FIN */
	hlen = (bits >> 12) * 4;
	if (hlen < sizeof(*th) || hlen > seg_len)
		return SW_R_BAD_TCP;

	p->key.port[0] = th->source;
	p->key.port[1] = th->dest;
	p->seq = sw_ntohl(th->seq);
	p->flags = bits & 0x1ff;
	p->ack = p->flags & SW_TH_ACK ? sw_ntohl(th->ack_seq) : 0;
	p->win = sw_ntohs(th->window);
	p->len = seg_len - hlen;
	p->l4_len = seg_len > 0xffff ? 0 : seg_len;
	if (!p->key.port[0] || !p->key.port[1])
		return SW_R_BAD_ADDRESS;
	if (!sw_valid_flags(p->flags))
		return SW_R_BAD_FLAGS;
	if (p->flags & (SW_TH_SYN | SW_TH_FIN | SW_TH_RST))
		return sw_parse_options(data, end, off + sizeof(*th), hlen - sizeof(*th), p);
	return SW_R_OBSERVED;
}

/* Multicast, class E and broadcast: TCP has no such peers (RFC 9293 section 3.9.2.3). */
static sw_inline bool sw_is_group_ipv4(__be32 addr)
{
	return (addr & sw_htonl(0xe0000000)) == sw_htonl(0xe0000000);
}

static sw_inline bool sw_is_group_ipv6(const void *addr)
{
	return *(const __u8 *)addr == 0xff;
}

static sw_inline int sw_parse_ipv4(const void *data, const void *end, __u32 off, __u32 frame_len,
				   struct sw_pkt *p)
{
	const struct iphdr *ip = data + (off & 0xff);
	__u32 hlen, total, frag;
	__u8 first;

	if ((const void *)(ip + 1) > end)
		return SW_R_TRUNCATED;
	first = *(const __u8 *)ip;
	hlen = (first & 0xf) * 4;
	total = sw_ntohs(ip->tot_len);
	if (!total) /* BIG TCP: the frame knows (ip_rcv_core, 6.3 and later) */
		total = frame_len - off;
	if (first >> 4 != 4 || hlen < sizeof(*ip) || total < hlen)
		return SW_R_BAD_IP;
	if (total > frame_len - off)
		return SW_R_TRUNCATED;
	if (ip->protocol != SW_IPPROTO_TCP)
		return ip->protocol == SW_IPPROTO_IPIP || ip->protocol == SW_IPPROTO_IPV6 ||
				       ip->protocol == SW_IPPROTO_GRE ||
				       ip->protocol == SW_IPPROTO_ESP || ip->protocol == SW_IPPROTO_AH ?
			       SW_R_UNPARSED :
			       SW_R_NOT_TCP;
	frag = sw_ntohs(ip->frag_off);
	if (frag & SW_IP_OFFSET)
		return SW_R_FRAGMENT;
	if (sw_is_group_ipv4(ip->daddr) || sw_is_group_ipv4(ip->saddr) || !ip->saddr)
		return SW_R_BAD_ADDRESS;
	p->key.family = SW_AF_INET;
	p->key.addr[0][0] = ip->saddr;
	p->key.addr[1][0] = ip->daddr;
	p->l3_off = off;
	p->l4_off = off + hlen;
	p->len = total - hlen;
	p->fragment = !!(frag & SW_IP_MF);
	return SW_R_OBSERVED;
}

/* What the kernel may find a SYN in, and this parser does not. */
static sw_inline int sw_obscured(struct sw_pkt *p, int reason)
{
	p->obscured = 1;
	return reason;
}

static sw_inline int sw_parse_ipv6(const void *data, const void *end, __u32 off, __u32 frame_len,
				   struct sw_pkt *p)
{
	const struct ipv6hdr *ip = data + (off & 0xff);
	__u32 total, at;
	__u8 next;

	if ((const void *)(ip + 1) > end)
		return SW_R_TRUNCATED;
	if (*(const __u8 *)ip >> 4 != 6)
		return SW_R_BAD_IP;
	total = sw_ntohs(ip->payload_len);
	if (!total) /* jumbo or BIG TCP: the frame knows (RFC 2675) */
		total = frame_len - off - sizeof(*ip);
	if (total + sizeof(*ip) > frame_len - off)
		return SW_R_TRUNCATED;
	total += sizeof(*ip);
	if (sw_is_group_ipv6(&ip->daddr) || sw_is_group_ipv6(&ip->saddr))
		return SW_R_BAD_ADDRESS;
	p->key.family = SW_AF_INET6;
	__builtin_memcpy(p->key.addr[0], &ip->saddr, 16);
	__builtin_memcpy(p->key.addr[1], &ip->daddr, 16);
	p->l3_off = off;

	next = ip->nexthdr;
	at = sizeof(*ip);
	for (int i = 0; i <= SW_MAX_EXT_HEADERS; i++) {
		const __u8 *h;
		__u32 size;

		at = sw_opaque(&p->scratch, at) & 0x1ff;
		if (next == SW_IPPROTO_TCP) {
			p->l4_off = off + at;
			p->len = total - at;
			return SW_R_OBSERVED;
		}
		if (next != SW_IPPROTO_HOPOPTS && next != SW_IPPROTO_ROUTING &&
		    next != SW_IPPROTO_FRAGMENT && next != SW_IPPROTO_DSTOPTS &&
		    next != SW_IPPROTO_AH)
			return next == SW_IPPROTO_ESP || next == SW_IPPROTO_IPIP ||
					       next == SW_IPPROTO_IPV6 || next == SW_IPPROTO_GRE ?
				       SW_R_UNPARSED :
				       SW_R_NOT_TCP;
		/* Headers up to here end below 400 bytes: a TCP header still fits in 512. */
		if (i == SW_MAX_EXT_HEADERS || at > 300)
			return sw_obscured(p, SW_R_UNPARSED);
		h = data + ((off + at) & 0x1ff);
		if ((const void *)(h + 8) > end || at + 8 > total)
			return p->fragment ? sw_obscured(p, SW_R_FRAGMENT) : SW_R_TRUNCATED;
		if (next == SW_IPPROTO_FRAGMENT) {
			__u16 frag = (__u16)h[2] << 8 | h[3];

			if (frag & 0xfff8)
				return SW_R_FRAGMENT;
			p->fragment = frag & 1; /* else atomic (RFC 6946) */
			size = 8;
		} else if (next == SW_IPPROTO_AH) {
			size = (h[1] + 2) * 4;
		} else {
			size = (h[1] + 1) * 8;
		}
		next = h[0];
		at += size;
		if (at > total)
			return SW_R_TRUNCATED;
		if (at > 400)
			return sw_obscured(p, SW_R_UNPARSED);
	}
	return SW_R_UNPARSED;
}

/* Order both ends, so that either direction gives the same key. */
static sw_inline int sw_sort_key(struct sw_pkt *p)
{
	struct sw_key *k = &p->key;
	__u32 tmp;
	__u16 port;
	int order = 0;

	/* with break: gcc 12.2 vectorizes the loop that keeps the last difference, wrongly */
	for (int i = 0; i < 4; i++) {
		if (k->addr[0][i] != k->addr[1][i]) {
			order = k->addr[0][i] < k->addr[1][i] ? -1 : 1;
			break;
		}
	}
	if (!order && k->port[0] == k->port[1])
		return SW_R_BAD_ADDRESS; /* LAND: which end sent it cannot be told */
	if (!order)
		order = k->port[0] < k->port[1] ? -1 : 1;
	p->from = order > 0;
	if (order < 0)
		return SW_R_OBSERVED;
	for (int i = 0; i < 4; i++) {
		tmp = k->addr[0][i];
		k->addr[0][i] = k->addr[1][i];
		k->addr[1][i] = tmp;
	}
	port = k->port[0];
	k->port[0] = k->port[1];
	k->port[1] = port;
	return SW_R_OBSERVED;
}

/* An IP packet at off; ethertype in host order. *p must be zero. */
static sw_inline int sw_parse_ip(const void *data, const void *end, __u32 off, __u32 frame_len,
				 __u16 ethertype, struct sw_pkt *p)
{
	int ret;

	if (ethertype == SW_ETH_P_IP)
		ret = sw_parse_ipv4(data, end, off, frame_len, p);
	else if (ethertype == SW_ETH_P_IPV6)
		ret = sw_parse_ipv6(data, end, off, frame_len, p);
	else if (ethertype == SW_ETH_P_PPPOE || ethertype == SW_ETH_P_MPLS ||
		 ethertype == SW_ETH_P_8021Q || ethertype == SW_ETH_P_8021AD ||
		 ethertype == SW_ETH_P_QINQ1)
		return SW_R_UNPARSED;
	else
		return SW_R_NOT_IP;
	if (ret != SW_R_OBSERVED)
		return ret;
	ret = sw_parse_tcp(data, end, p);
	/* A first fragment counts only with its whole TCP header (RFC 3128). */
	if (p->fragment && (ret == SW_R_TRUNCATED || ret == SW_R_BAD_TCP))
		return sw_obscured(p, SW_R_FRAGMENT);
	p->obscured = p->fragment;
	return ret == SW_R_OBSERVED ? sw_sort_key(p) : ret;
}

/* An Ethernet frame with up to two VLAN tags. *p must be zero. */
static sw_inline int sw_parse_frame(const void *data, const void *end, __u32 frame_len,
				    struct sw_pkt *p)
{
	const struct ethhdr *eth = data;
	__u32 off = SW_ETH_HLEN;
	__u16 type;

	if ((const void *)(eth + 1) > end)
		return SW_R_TRUNCATED;
	type = sw_ntohs(eth->h_proto);
	for (int i = 0; i < SW_MAX_VLAN_TAGS; i++) {
		const __be16 *tag = data + off; /* tci, then the next ethertype */

		if (type != SW_ETH_P_8021Q && type != SW_ETH_P_8021AD && type != SW_ETH_P_QINQ1)
			break;
		if ((const void *)(tag + 2) > end)
			return SW_R_TRUNCATED;
		type = sw_ntohs(tag[1]);
		off += 4;
	}
	off = sw_opaque(&p->scratch, off);
	return sw_parse_ip(data, end, off, frame_len, type, p);
}

/* A packet of a device without link layer (tun, wireguard). *p must be zero. */
static sw_inline int sw_parse_raw(const void *data, const void *end, __u32 frame_len,
				  struct sw_pkt *p)
{
	const __u8 *first = data;

	if ((const void *)(first + 1) > end)
		return SW_R_TRUNCATED;
	return sw_parse_ip(data, end, sw_opaque(&p->scratch, 0), frame_len,
			   *first >> 4 == 4 ? SW_ETH_P_IP :
			   *first >> 4 == 6 ? SW_ETH_P_IPV6 :
					      0,
			   p);
}

#endif
