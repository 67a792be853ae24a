/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ADMIT_BPF_H
#define SW_ADMIT_BPF_H

#include "flow.bpf.h"

/*
 * Handing a connection over: the kernel makes a socket of the client's first
 * segment, with exactly the options that the cookie kept
 * (bpf_sk_assign_tcp_reqsk, cookie_bpf_check). A stateful ruleset is told
 * first: it never saw the SYN.
 */

/* An admission that came to nothing, or that the kernel refuses. */
static sw_inline void sw_admission_failed(const struct sw_flow *f, const struct sw_pkt *p,
					  bool refused, __u64 now)
{
	struct sw_guard *g = sw_guard_of(f->listener);
	__u32 now_s = now / SW_NS_PER_SEC;

	if (!g)
		return;
	__sync_fetch_and_add(&g->cookies_bad, 1);
	if (refused) {
		g->why = SW_WHY_REFUSED;
		g->backoff_s = now_s;
	} else {
		sw_breaker(g, true, sw_hash_site(p, p->from), now_s);
	}
}

/*
 * tc sees a batch of packets before TCP sees the first of them
 * (__netif_receive_skb_list_core): a socket that is not there so soon after it
 * was asked for tells nothing. On the same CPU it will be there in time.
 */
#define SW_SETTLE_NS (20 * SW_NS_PER_MS)

/* tcp_v4_syn_recv_sock: it would come to nothing now; the client sends again, as without guard. */
static sw_inline bool sw_accept_queue_full(const struct sock___sw *sk)
{
	return sk->sk_ack_backlog > sk->sk_max_ack_backlog;
}

/* The client's segment *w->pkt of flow f, which a cookie opened. True: it must not go on. */
static sw_inline bool sw_hand_flow(struct __sk_buff *skb, struct sw_work *w, struct sw_flow *f)
{
	struct bpf_tcp_req_attrs___sw attrs = { 0 };
	struct bpf_sock_tuple t = { 0 };
	const struct sw_pkt *p = &w->pkt;
	bool v6 = p->key.family == SW_AF_INET6, stop = false;
	struct bpf_sock *skc;
	struct tcp_sock *sk;
	struct sw_served *s;
	__u32 side = p->from & 1;
	const struct sw_dir *S = side ? &f->dir[1] : &f->dir[0];
	const struct sw_dir *R = side ? &f->dir[0] : &f->dir[1];
	__u32 iss = S->iss, their_iss = R->iss;
	__u64 now = bpf_ktime_get_ns();
	bool settled = sw_age(now, f->born) > SW_SETTLE_NS;
	__u16 cpu = bpf_get_smp_processor_id();

	sw_tuple(&t, p, p->from);
	skc = v6 ? bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0) :
		   bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!skc)
		return false;
	if (skc->state != SW_TCP_LISTEN)
		goto release; /* the kernel has it */
	if (f->admitted & SW_ADMIT_DONE && !settled && f->admit_cpu == cpu)
		goto release;
	if (f->admitted & SW_ADMIT_DONE && !(f->admitted & SW_ADMIT_BAD) && settled &&
	    !(f->flags & SW_F_RST)) { /* else it is the client who let go */
		f->admitted |= SW_ADMIT_BAD;
		sw_admission_failed(f, p, false, now);
	}
	/* the kernel takes the ISNs from the segment: it must be the first one */
	stop = p->seq != iss + 1 || p->ack != their_iss + 1;
	if (stop)
		goto release;
	sk = bpf_skc_to_tcp_sock(skc);
	if (!sk)
		goto release;
	stop = sw_accept_queue_full((struct sock___sw *)sk);
	if (stop)
		goto release;
	s = sw_served_at(side ^ 1);
	if (s && s->conntrack && sw_can_conntrack)
		sw_tell_conntrack(skb, &t, v6);
	if (sw_backend == SW_BACKEND_HELPER)
		goto done; /* the listener knows its own cookie */
	attrs.mss = S->mss;
	attrs.rcv_tsval = p->tsval;
	attrs.rcv_tsecr = p->tsecr;
	attrs.tstamp_ok = !!(S->opts & SW_OPT_TS);
	attrs.sack_ok = !!(S->opts & SW_OPT_SACK);
	attrs.wscale_ok = !!(S->opts & SW_OPT_WSCALE);
	attrs.snd_wscale = S->wscale;
	attrs.rcv_wscale = R->wscale;
	attrs.ecn_ok = f->admitted & SW_ADMIT_ECN;
	stop = bpf_sk_assign_tcp_reqsk(skb, (struct sock___sw *)sk, &attrs, sizeof(attrs));
	if (stop) { /* else the listener would reset the client */
		sw_admission_failed(f, p, true, now);
		goto release;
	}
done:
	f->admitted |= SW_ADMIT_DONE;
	f->admit_cpu = cpu;
release:
	bpf_sk_release(skc);
	return stop;
}

/* True: the segment must not go on. */
static sw_inline bool sw_hand_over(struct __sk_buff *skb, struct sw_work *w)
{
	const struct sw_config *c = sw_cfg();
	struct sw_hash h = sw_hash_key(&w->pkt.key, c);
	struct sw_place at;
	struct sw_tables t;
	struct sw_flow *f;

	if (sw_backend == SW_BACKEND_NONE || w->pkt.flags & (SW_TH_SYN | SW_TH_RST) || !(w->pkt.flags & SW_TH_ACK) ||
	    !sw_buckets(&t, h, c))
		return false;
	at = sw_find(t.proven, h.tag, &w->pkt.key);
	if (!at.bucket)
		return false;
	f = sw_flow_of(at);
	if (!(f->flags & SW_F_UNJUDGED) || (w->pkt.from & 1) == sw_server(f))
		return false;
	sw_parse_again((void *)(long)skb->data, (void *)(long)skb->data_end, &w->pkt);
	return sw_hand_flow(skb, w, f);
}

#endif
