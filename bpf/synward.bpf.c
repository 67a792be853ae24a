// SPDX-License-Identifier: GPL-2.0
/*
 * Entry points. Each parses, observes and passes: no packet is changed.
 */
#include "flow.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* tc: the next program, or what the stack would do (TCX_NEXT, TC_ACT_UNSPEC). */
#define SW_NEXT (-1)

/* Longest run of headers that is parsed; more than this lies in the linear part already. */
#define SW_PULL 192

/* A driver may leave headers in page fragments: bring them where they can be read. */
static sw_inline void sw_pull(struct __sk_buff *skb)
{
	__u32 linear = skb->data_end - skb->data;

	if (sw_unlikely(linear < SW_PULL && linear < skb->len))
		bpf_skb_pull_data(skb, skb->len < SW_PULL ? skb->len : SW_PULL);
}

/* What the capture knows of a frame; false when user space did not say. */
static sw_inline bool sw_replay_head(struct xdp_md *ctx, struct sw_work *w)
{
	const struct sw_replay *head = (void *)(long)ctx->data_meta;

	if ((void *)(head + 1) > (void *)(long)ctx->data)
		return false;
	w->replay = *head;
	return true;
}

SEC("xdp.frags")
int sw_xdp(struct xdp_md *ctx)
{
	struct sw_work *w = sw_begin(SW_WORK_PACKET, sw_replaying ? 0 : ctx->ingress_ifindex << 1, 0);
	__u32 len = bpf_xdp_get_buff_len(ctx);
	int reason;

	if (!w)
		return XDP_PASS;
	if (sw_replaying) {
		if (!sw_replay_head(ctx, w)) {
			sw_count(SW_R_INTERNAL);
			return XDP_PASS;
		}
		len = w->replay.wire_len;
	}
	reason = sw_parse_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end, len,
				&w->pkt);
	if (reason != SW_R_OBSERVED)
		sw_count(reason);
	else
		sw_segment(ctx, true, false, w);
	return XDP_PASS;
}

static sw_inline int sw_tc(struct __sk_buff *skb, bool egress, __u8 sender_local)
{
	struct sw_work *w = sw_begin(SW_WORK_PACKET, skb->ifindex << 1 | egress, sender_local);
	int reason;

	if (!w)
		return SW_NEXT;
	sw_pull(skb);
	if (sw_device_raw)
		reason = sw_parse_raw((void *)(long)skb->data, (void *)(long)skb->data_end,
				      skb->len, &w->pkt);
	else
		reason = sw_parse_frame((void *)(long)skb->data, (void *)(long)skb->data_end,
					skb->len, &w->pkt);
	if (reason != SW_R_OBSERVED)
		sw_count(reason);
	else
		sw_segment(skb, false, egress, w);
	return SW_NEXT;
}

SEC("tc")
int sw_ingress(struct __sk_buff *skb)
{
	return sw_tc(skb, false, 0);
}

SEC("tc")
int sw_egress(struct __sk_buff *skb)
{
	__u32 in = skb->ingress_ifindex; /* 0: made by this host's own stack */

	if (in && bpf_map_lookup_elem(&devices, &in)) {
		sw_count(SW_R_FORWARDED);
		return SW_NEXT;
	}
	return sw_tc(skb, true, !in);
}

/* The index of a listener that user space found, new or known. */
static sw_inline int sw_import_listener(const struct sw_request *req, struct sw_work *w)
{
	struct sw_listener *l;
	__u32 i = 0;

	w->pkt.key.family = req->listener.family;
	__builtin_memcpy(w->pkt.key.addr[0], req->listener.addr, sizeof(req->listener.addr));
	w->pkt.key.port[0] = req->listener.port;
	w->pkt.from = 1; /* a SYN to endpoint 0 */
	for (int n = 0; n < SW_LEARN_TRIES && !i; n++) {
		sw_resolve(SW_WORK_IMPORT);
		i = w->pkt.listener;
		l = bpf_map_lookup_elem(&listeners, &i);
		if (i && l && l->family == req->listener.family &&
		    l->addr[0] == req->listener.addr[0] && l->addr[1] == req->listener.addr[1] &&
		    l->addr[2] == req->listener.addr[2] && l->addr[3] == req->listener.addr[3])
			return i;
		i = sw_listener_add(req->listener.family, req->listener.addr, req->listener.port,
				    req->listener.flags, w->first);
	}
	return i;
}

/*
 * Not attached anywhere: user space runs it by BPF_PROG_TEST_RUN with a struct
 * sw_request behind an Ethernet header. A tc program, because SYSCALL programs
 * may not hold a spin lock (check_map_prog_compatibility, 6.1).
 */
SEC("tc")
int sw_import(struct __sk_buff *skb)
{
	const struct sw_config *c = sw_cfg();
	struct sw_work *w = sw_begin(SW_WORK_IMPORT, 0, 0);
	struct sw_request *req;
	struct sw_change *ch;
	struct sw_tables t;
	struct sw_stripe *stripe;
	struct sw_hash h;
	__u64 now = bpf_ktime_get_ns();
	int result;

	if (!w)
		return -1;
	req = &w->request;
	ch = &w->change;
	__builtin_memset(ch, 0, sizeof(*ch));
	if (bpf_skb_load_bytes(skb, SW_ETH_HLEN, req, sizeof(*req)))
		return -1;
	if (req->kind == SW_REQ_LISTENER)
		return sw_import_listener(req, w);

	h = sw_hash_key(&req->flow.key, c);
	stripe = sw_stripe_of(h);
	if (!sw_buckets(&t, h, c) || !stripe)
		return -1;
	w->pkt.key = req->flow.key;
	w->pkt.from = (req->flow.server & 1) ^ 1; /* a SYN to the server */
	sw_resolve(SW_WORK_IMPORT);
	req->flow.listener = w->pkt.listener;
	bpf_spin_lock(&stripe->lock);
	result = sw_import_flow(&t, &req->flow, h, now, c, ch);
	bpf_spin_unlock(&stripe->lock);
	sw_account(ch, now / SW_NS_PER_SEC);
	return result;
}
