/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_CONNTRACK_BPF_H
#define SW_CONNTRACK_BPF_H

#include "kfunc.bpf.h"
#include "settings.bpf.h"
#include "tuple.bpf.h"

/* nf_conntrack: is it in use for a connection, and telling it of one (6.1 and later). */
#define SW_IPS_SEEN_REPLY 0x2 /* enum ip_conntrack_status */
#define SW_IPS_ASSURED 0x4
#define SW_IPS_NAT_DONE 0x180 /* the hooks of NAT have looked at it, in both directions */
#define SW_CT_ESTABLISHED_MS (5 * 86400 * 1000) /* nf_conntrack_tcp_timeout_established */

/*
 * What it knows of the connection of an own SYN-ACK: enum ip_conntrack_status, 0
 * nothing. Found as the client began it: a redirected answer is in neither
 * direction's tuple.
 */
static sw_inline __u32 sw_tracked(struct __sk_buff *skb, const struct sw_pkt *p)
{
	struct bpf_ct_opts___sw opts = { .netns_id = -1, .l4proto = SW_IPPROTO_TCP };
	struct bpf_sock_tuple t = { 0 };
	struct nf_conn___sw *ct;
	__u32 status;

	if (!sw_can_conntrack)
		return 0;
	sw_tuple(&t, p, p->from ^ 1);
	ct = p->key.family == SW_AF_INET6 ?
		     bpf_skb_ct_lookup(skb, &t, sizeof(t.ipv6), &opts, sizeof(opts)) :
		     bpf_skb_ct_lookup(skb, &t, sizeof(t.ipv4), &opts, sizeof(opts));
	if (!ct)
		return 0;
	status = ct->status;
	bpf_ct_release(ct);
	return status;
}

/* A client's segment that no SYN came before: an open connection, not a stray. */
static sw_inline void sw_tell_conntrack(struct __sk_buff *skb, struct bpf_sock_tuple *t, bool v6)
{
	struct bpf_ct_opts___sw opts = { .netns_id = -1, .l4proto = SW_IPPROTO_TCP };
	struct nf_conn___init___sw *fresh;
	struct nf_conn___sw *ct;

	ct = v6 ? bpf_skb_ct_lookup(skb, t, sizeof(t->ipv6), &opts, sizeof(opts)) :
		  bpf_skb_ct_lookup(skb, t, sizeof(t->ipv4), &opts, sizeof(opts));
	if (ct) {
		bpf_ct_release(ct);
		return;
	}
	fresh = v6 ? bpf_skb_ct_alloc(skb, t, sizeof(t->ipv6), &opts, sizeof(opts)) :
		     bpf_skb_ct_alloc(skb, t, sizeof(t->ipv4), &opts, sizeof(opts));
	if (!fresh)
		return;
	bpf_ct_set_timeout(fresh, SW_CT_ESTABLISHED_MS);
	bpf_ct_set_status(fresh, SW_IPS_SEEN_REPLY | SW_IPS_ASSURED);
	ct = bpf_ct_insert_entry(fresh);
	if (ct)
		bpf_ct_release(ct);
}

#endif
