// SPDX-License-Identifier: GPL-2.0
/*
 * Makes each round of a test run a new random ACK and gives it to sw_xdp: in
 * the kernel a guess costs half a microsecond, from user space ten.
 */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME 96 /* all of the same length: what is behind the packet is padding */

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* Set by cookies.c: an ACK with all that is random 0. */
__u8 frame[FRAME];
__u32 ip_sum, tcp_sum; /* of it, not folded */
bool v6, ts;

static inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Four random bytes at an offset; what they add to a sum. */
static inline __u32 put(__u8 *at)
{
	__u32 random = bpf_get_prandom_u32();

	*(__u32 *)at = random;
	return (random & 0xffff) + (random >> 16);
}

/* Source (the host part), source port, sequence and acknowledgment number, and what it echoes. */
static __always_inline void randomize(__u8 *p, int src, int tcp)
{
	__u64 sum = tcp_sum;
	__u32 host = bpf_htonl(bpf_get_prandom_u32() & 0xffffff), all;
	__u16 sport = bpf_htons(bpf_get_prandom_u32() | 1);

	*(__u32 *)(p + src) |= host;
	host = (host & 0xffff) + (host >> 16);
	all = ip_sum + host;
	sum += host;
	*(__u16 *)(p + tcp) = sport;
	sum += sport + put(p + tcp + 4) + put(p + tcp + 8);
	if (ts)
		sum += put(p + tcp + 28);
	*(__u16 *)(p + tcp + 16) = fold(sum);
	if (tcp == 34)
		*(__u16 *)(p + 24) = fold(all);
}

SEC("xdp.frags")
int guess(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data;

	if (p + FRAME > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(p, frame, FRAME);
	if (v6)
		randomize(p, 34, 54);
	else
		randomize(p, 26, 34);
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}
