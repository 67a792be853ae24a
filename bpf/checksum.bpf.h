/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_CHECKSUM_BPF_H
#define SW_CHECKSUM_BPF_H

#include "maps.bpf.h"
#include "shared/parse.h"

/*
 * What the kernel would check before it believes a packet: the sums of the
 * IPv4 header and of the TCP segment (RFC 9293 section 3.1). For ingress only:
 * on egress they are not filled in yet. A segment from a local peer (veth,
 * virtio) or merged by GRO carries only the sum of its pseudo header
 * (CHECKSUM_PARTIAL), and counts as good.
 */
#define SW_SUM_WORDS 15 /* of the quick way: the longest header */
#define SW_SUM_CHUNK 64
#define SW_SUM_CHUNKS 24 /* 1,536 bytes */

enum sw_csum { SW_CSUM_UNKNOWN, SW_CSUM_GOOD, SW_CSUM_BAD };

static sw_inline __u32 sw_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Sum of the pseudo header, not folded to 16 bits. */
static sw_inline __u32 sw_pseudo(const struct sw_pkt *p)
{
	__u64 sum = sw_htons(SW_IPPROTO_TCP) + (__u64)sw_htonl(p->l4_len);

	for (int i = 0; i < 4; i++)
		sum += (__u64)p->key.addr[0][i] + p->key.addr[1][i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/* Adds whole words where they lie; false when they do not all lie there, or are too many. */
static sw_inline bool sw_add_words(const void *data, const void *end, __u32 off, __u32 len,
				   __u64 *sum)
{
	const __be32 *at = data + (off & 0x1ff);

	if (len & 3)
		return false;
	for (__u32 i = 0; i < SW_SUM_WORDS; i++) {
		if (i * 4 >= len)
			return true;
		if ((const void *)(at + i + 1) > end)
			return false;
		*sum += at[i];
	}
	return SW_SUM_WORDS * 4 >= len;
}

/* The quick way, for a segment without data or with little: a fourth of what the helpers take. */
static sw_inline enum sw_csum sw_verify_short(const void *data, const void *end,
					      const struct sw_pkt *p)
{
	__u32 pseudo = sw_pseudo(p);
	__u64 ip = 0, sum = pseudo;
	const struct tcphdr *th = data + (p->l4_off & 0x1ff);

	if (!p->l4_len || p->fragment || (const void *)(th + 1) > end)
		return SW_CSUM_UNKNOWN;
	if (p->key.family == SW_AF_INET) {
		if (!sw_add_words(data, end, p->l3_off, p->l4_off - p->l3_off, &ip))
			return SW_CSUM_UNKNOWN;
		if (sw_fold(ip) != 0xffff)
			return SW_CSUM_BAD;
	}
	if (!sw_add_words(data, end, p->l4_off, p->l4_len, &sum))
		return SW_CSUM_UNKNOWN;
	return sw_fold(sum) == 0xffff || sw_fold(pseudo) == th->check ? SW_CSUM_GOOD : SW_CSUM_BAD;
}

static sw_inline long sw_load_bytes(void *ctx, bool xdp, __u32 off, void *to, __u32 len)
{
	return xdp ? bpf_xdp_load_bytes(ctx, off, to, len) : bpf_skb_load_bytes(ctx, off, to, len);
}

static sw_inline enum sw_csum sw_verify(void *ctx, bool xdp, const struct sw_pkt *p)
{
	__u8 buf[SW_SUM_CHUNK] __attribute__((aligned(8))) = { 0 };
	__u32 hlen = p->l4_off - p->l3_off, off = p->l4_off;
	__u32 chunks = p->l4_len / SW_SUM_CHUNK, rest = p->l4_len % SW_SUM_CHUNK;
	__u32 pseudo = sw_pseudo(p), sum = pseudo, check = 0;

	if (chunks > SW_SUM_CHUNKS || !p->l4_len)
		return SW_CSUM_UNKNOWN; /* merged by GRO, and so verified */
	/* lengths as (n - 1) % 64 + 1: what the verifier must know is in the expression */
	if (p->key.family == SW_AF_INET) {
		if (sw_load_bytes(ctx, xdp, p->l3_off, buf, sw_bounded(hlen - 1, 63) + 1))
			return SW_CSUM_UNKNOWN;
		if (sw_fold((__u32)bpf_csum_diff(0, 0, (__be32 *)buf, sizeof(buf), 0)) != 0xffff)
			return SW_CSUM_BAD;
	}
	if (p->fragment) /* its sum covers the other fragments as well */
		return SW_CSUM_UNKNOWN;
	for (__u32 i = 0; i < SW_SUM_CHUNKS && i < chunks; i++) {
		if (sw_load_bytes(ctx, xdp, off, buf, sizeof(buf)))
			return SW_CSUM_UNKNOWN;
		if (!i)
			check = *(__u16 *)(buf + 16);
		sum = bpf_csum_diff(0, 0, (__be32 *)buf, sizeof(buf), sum);
		off += SW_SUM_CHUNK;
	}
	if (rest) {
		__builtin_memset(buf, 0, sizeof(buf));
		if (sw_load_bytes(ctx, xdp, off, buf, sw_bounded(rest - 1, 63) + 1))
			return SW_CSUM_UNKNOWN;
		if (!chunks)
			check = *(__u16 *)(buf + 16);
		sum = bpf_csum_diff(0, 0, (__be32 *)buf, sizeof(buf), sum);
	}
	return sw_fold(sum) == 0xffff || sw_fold(pseudo) == check ? SW_CSUM_GOOD : SW_CSUM_BAD;
}

/*
 * Functions of their own, not inlined: the verifier looks at a global function
 * once, whatever came before the call. Inlined, their loops were walked again
 * for each way into them, and 6.1 ran into its limit. The packet is in the work area.
 */
__noinline int sw_verify_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);

	enum sw_csum known;

	if (!w)
		return SW_CSUM_UNKNOWN;
	known = sw_verify_short((void *)(long)ctx->data, (void *)(long)ctx->data_end, &w->pkt);
	return known != SW_CSUM_UNKNOWN ? known : sw_verify(ctx, true, &w->pkt);
}

__noinline int sw_verify_skb(struct __sk_buff *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);

	enum sw_csum known;

	if (!w)
		return SW_CSUM_UNKNOWN;
	known = sw_verify_short((void *)(long)ctx->data, (void *)(long)ctx->data_end, &w->pkt);
	return known != SW_CSUM_UNKNOWN ? known : sw_verify(ctx, false, &w->pkt);
}

#endif
