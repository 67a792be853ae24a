// SPDX-License-Identifier: GPL-2.0
/*
 * Entry points. Each parses, asks the guard (on ingress), observes, and passes
 * what the guard does not take.
 */
#include "admit.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* tc: the next program, or what the stack would do (TCX_NEXT, TC_ACT_UNSPEC). */
#define SW_NEXT (-1)
#define SW_SHOT 2 /* TC_ACT_SHOT */

/* Longest run of headers that is parsed; more than this lies in the linear part already. */
#define SW_PULL 192

/* Is all that is parsed of a plain packet where it can be read? l3: where its IP header starts. */
static sw_inline bool sw_headers_here(const void *data, const void *end, __u32 l3)
{
	const __u8 *ip = data + l3, *th;
	const __be16 *type = data + 2 * 6;

	if ((const void *)(ip + sizeof(struct iphdr)) > end)
		return false;
	if (l3 && *type != sw_htons(SW_ETH_P_IP) && *type != sw_htons(SW_ETH_P_IPV6))
		return false;
	if (ip[0] >> 4 == 4) {
		if (ip[9] != SW_IPPROTO_TCP)
			return true;
		th = ip + (ip[0] & 0xf) * 4;
	} else {
		if (ip[0] >> 4 != 6 || ip[6] != SW_IPPROTO_TCP)
			return false;
		th = ip + sizeof(struct ipv6hdr);
	}
	return (const void *)(th + sizeof(struct tcphdr)) <= end &&
	       (const void *)(th + (th[12] >> 4) * 4) <= end;
}

/*
 * A driver may leave headers in page fragments: bring them where they can be
 * read. Only then: what of the payload comes with them keeps TCP from merging
 * what it receives (skb_try_coalesce), and halves the speed of a stream.
 */
static sw_inline void sw_pull(struct __sk_buff *skb, __u32 l3)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + SW_PULL > end && (__u64)(end - data) < skb->len &&
	    sw_unlikely(!sw_headers_here(data, end, l3)))
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
	if (sw_unlikely(w->judged.spent) && sw_drop_at_a_glance(ctx, len)) {
		sw_count(SW_R_BUDGET);
		return XDP_DROP;
	}
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
		return sw_no_segment(ctx, true, false, w, reason) == SW_V_DROP ? XDP_DROP : XDP_PASS;
	switch (sw_segment(ctx, true, false, w)) {
	case SW_V_DROP:
		return XDP_DROP;
	case SW_V_TX:
		return XDP_TX;
	default:
		return XDP_PASS;
	}
}

static sw_inline int sw_tc(struct __sk_buff *skb, bool egress, __u8 sender_local)
{
	struct sw_work *w = sw_begin(SW_WORK_PACKET, skb->ifindex << 1 | egress, sender_local);
	int reason;

	if (!w)
		return SW_NEXT;
	sw_pull(skb, sw_device_raw ? 0 : SW_ETH_HLEN);
	if (sw_device_raw)
		reason = sw_parse_raw((void *)(long)skb->data, (void *)(long)skb->data_end,
				      skb->len, &w->pkt);
	else
		reason = sw_parse_frame((void *)(long)skb->data, (void *)(long)skb->data_end,
					skb->len, &w->pkt);
	if (reason != SW_R_OBSERVED)
		return sw_no_segment(skb, false, egress, w, reason) == SW_V_DROP ? SW_SHOT : SW_NEXT;
	return sw_segment(skb, false, egress, w) == SW_V_DROP ? SW_SHOT : SW_NEXT;
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

/*
 * A packet that generic XDP let pass may be a copy whose mac_len is 0
 * (skb_pp_cow_data does not copy it, 6.9 to 6.18): tcx then shows it from the IP
 * header on. It is a frame if it begins with our address.
 */
static sw_inline int sw_parse_passed(struct __sk_buff *skb, struct sw_pkt *p)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 6 > end)
		return SW_R_TRUNCATED;
	return sw_is_our_mac(data) ? sw_parse_frame(data, end, skb->len, p) :
				     sw_parse_raw(data, end, skb->len, p);
}

/*
 * tc ingress, behind sw_xdp: gives the kernel the connections whose cookies came
 * back. Nothing to do while none is waiting.
 */
SEC("tc")
int sw_admit(struct __sk_buff *skb)
{
	struct sw_control *control = sw_control_of();
	__u32 which = SW_WORK_PACKET;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);

	if (!control || !w ||
	    sw_since(sw_now_coarse(w) / SW_NS_PER_SEC, control->armed_s) > SW_CAME_BACK_S)
		return SW_NEXT;
	w = sw_begin(SW_WORK_PACKET, skb->ifindex << 1, 0);
	if (!w)
		return SW_NEXT;
	sw_pull(skb, SW_ETH_HLEN);
	if (sw_parse_passed(skb, &w->pkt) != SW_R_OBSERVED)
		return SW_NEXT;
	if (!sw_hand_over(skb, w))
		return SW_NEXT;
	sw_recount(SW_R_OBSERVED, SW_R_NOT_ADMITTED);
	return SW_SHOT;
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
