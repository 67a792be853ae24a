// SPDX-License-Identifier: GPL-2.0
/*
 * Drops what no other can tell from a client: the flood of tests/flood by its
 * addresses, 198.18.0.0/15. What any guard is measured against, and on the
 * client's side the sink for answers to it.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

static __always_inline bool spoofed(__u64 data, __u64 end, bool source)
{
	struct ethhdr *eth = (void *)(long)data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)end || eth->h_proto != bpf_htons(0x0800))
		return false;
	return ((source ? ip->saddr : ip->daddr) & bpf_htonl(0xfffe0000)) == bpf_htonl(0xc6120000);
}

SEC("xdp")
int oracle_xdp(struct xdp_md *ctx)
{
	return spoofed(ctx->data, ctx->data_end, true) ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int oracle_tc(struct __sk_buff *skb)
{
	return spoofed(skb->data, skb->data_end, true) ? 2 : -1;
}

SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
	return spoofed(ctx->data, ctx->data_end, false) ? XDP_DROP : XDP_PASS;
}

/* Changes nothing: that a program runs at all has a price as well. */
SEC("xdp")
int pass_xdp(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}
