// SPDX-License-Identifier: GPL-2.0
/*
 * A flood that costs its sender next to nothing, and the programs that it is
 * measured with. All of them know its sources: 198.18.0.0/15.
 */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SPOOFED bpf_htonl(0xc6120000)
#define SPOOFED_MASK bpf_htonl(0xfffe0000)
#define IP_SUM 24 /* offsets in a frame of IPv4 without options */
#define IP_SRC 26
#define IP_DST 30
#define TCP_SPORT 34
#define TCP_SEQ 38
#define TCP_SUM 50
#define FRAME 74 /* bytes of a SYN as Linux sends it */

char LICENSE[] SEC("license") = "GPL";

/* Set by storm.c. */
__u8 frame[FRAME];
__u32 ip_sum, tcp_sum; /* of all that stays the same; not folded */
__u64 next_ns, interval_ns;
__u32 device;

__u64 sent;

static inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static inline __u32 words(__u32 pair)
{
	return (pair & 0xffff) + (pair >> 16);
}

/*
 * Run on live frames (BPF_F_TEST_XDP_LIVE_FRAMES): one SYN, if one is due.
 * Frames come back with what became of them: all bytes are written anew.
 */
SEC("xdp")
int storm(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data;
	__u32 random = bpf_get_prandom_u32(), seq = bpf_get_prandom_u32();
	__u32 src = SPOOFED | bpf_htonl(random & 0x1ffff);
	__u16 sport = bpf_htons(1024 + (random >> 17));

	if (bpf_ktime_get_ns() < next_ns || p + FRAME > (__u8 *)(long)ctx->data_end)
		return XDP_DROP;
	next_ns += interval_ns;
	__builtin_memcpy(p, frame, FRAME);
	*(__u16 *)(p + IP_SUM) = fold((__u64)ip_sum + words(src));
	*(__u32 *)(p + IP_SRC) = src;
	*(__u16 *)(p + TCP_SPORT) = sport;
	*(__u32 *)(p + TCP_SEQ) = seq;
	*(__u16 *)(p + TCP_SUM) = fold((__u64)tcp_sum + words(src) + sport + words(seq));
	sent++;
	return bpf_redirect(device, 0);
}

static inline int drop_spoofed(const struct xdp_md *ctx, __u32 at)
{
	const __u32 *addr = (void *)(long)ctx->data + at;

	return (const void *)(addr + 1) <= (void *)(long)ctx->data_end &&
			       (*addr & SPOOFED_MASK) == SPOOFED ?
		       XDP_DROP :
		       XDP_PASS;
}

/* No guard can do better: one compare tells. */
SEC("xdp")
int oracle(struct xdp_md *ctx)
{
	return drop_spoofed(ctx, IP_SRC);
}

/* Where the answers end, before they cost more than a frame on a wire. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	return drop_spoofed(ctx, IP_DST);
}

/* Nobody between the device and the kernel, which then has its packets the same way. */
SEC("xdp")
int nothing(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
