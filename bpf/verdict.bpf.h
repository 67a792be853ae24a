/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_VERDICT_BPF_H
#define SW_VERDICT_BPF_H

#include "cookie.bpf.h"

/*
 * What becomes of a segment on ingress, before the mirror sees it. All of these
 * leave the reason in w->reason (0: the mirror's). Dry run: the same decisions
 * and counts, but the verdict is always to pass.
 */

static sw_inline int sw_drop_segment(struct sw_work *w, struct sw_guard *g, bool dry, __u16 live,
				     __u16 would)
{
	w->reason = dry ? would : live;
	if (dry)
		return SW_V_PASS;
	__sync_fetch_and_add(&g->dropped, 1);
	return SW_V_DROP;
}

/* One of each SW_SAMPLE, but not always the same one: a flood comes in batches, too. */
static sw_inline bool sw_is_sample(__u64 count)
{
	__u32 random = ((__u32)(count / SW_SAMPLE) ^ sw_settings.seed[0]) * 0x9e3779b1u;

	return (count & (SW_SAMPLE - 1)) == random / (~0u / SW_SAMPLE + 1);
}

static sw_inline void sw_kept_off(struct sw_guard *g, bool dry)
{
	__u64 count = __sync_fetch_and_add(dry ? &g->would_keep_off : &g->kept_off, 1);

	if (g->armed_ns && sw_is_sample(count))
		sw_sample_source(g->episode);
}

/*
 * Have all sources had their answers? Counted by SW_SAMPLE at a time, so that CPUs
 * do not fight for one counter.
 */
static sw_inline bool sw_all_answered(struct sw_work *w, struct sw_control *c, __u32 now_s)
{
	__u64 spent = *(volatile __u64 *)&c->spent;

	if (spent >> 32 != now_s)
		*(volatile __u64 *)&c->spent = (__u64)now_s << 32;
	else if ((__u32)spent >= c->total_rate)
		return true;
	if (!(++w->answers & (SW_SAMPLE - 1)))
		__sync_fetch_and_add(&c->spent, SW_SAMPLE);
	return false;
}

static sw_inline struct sw_budget *sw_budget_of(struct sw_work *w, bool dry)
{
	return dry ? &w->budget[1] : &w->budget[0];
}

/*
 * May this CPU not answer one more? A bucket that is filled by core_rate a second,
 * and emptied by NS_PER_SEC for each. To drop what is beyond takes time too, and
 * less of it is filled in then; but for the last of it, so that new clients have a
 * chance in any flood.
 */
static sw_inline bool sw_cpu_spent(struct sw_work *w, const struct sw_control *c, bool dry)
{
	__u64 full = (__u64)c->core_rate * SW_CORE_BURST_NS, ns, gain, least, credit;
	struct sw_budget *b = sw_budget_of(w, dry);

	if (!full)
		return false;
	ns = w->now - b->credit_ns;
	gain = ns < SW_CORE_BURST_NS ? ns * c->core_rate : full;
	least = gain / 8;
	if (ns) {
		gain -= b->drops * (SW_NS_PER_SEC / SW_CORE_DROPS);
		gain = (__s64)gain < (__s64)least ? least : gain;
		b->drops = 0;
		b->credit_ns = w->now;
	}
	credit = b->credit + gain;
	if (credit > full)
		credit = full;
	b->credit = credit < SW_NS_PER_SEC ? credit : credit - SW_NS_PER_SEC;
	return credit < SW_NS_PER_SEC;
}

/* Have the source's prefix, or all together, had their answers? */
static sw_inline bool sw_replies_spent(struct sw_work *w, struct sw_control *c, __u32 now_s)
{
	static const __u8 bits[2] = { 24, 64 };
	__u32 hash = sw_hash_prefix(&w->pkt, w->pkt.from, bits);

	return sw_per_second(&replies, hash, SW_REPLIES, now_s) >= c->reply_rate ||
	       sw_all_answered(w, c, now_s);
}

/* There is no answer left for it. */
static sw_inline int sw_over_budget(struct sw_work *w, struct sw_guard *g, bool dry, __u32 now_s)
{
	sw_kept_off(g, dry);
	if (!dry) /* else the kernel answers, and is counted */
		sw_rate_add(g->asked, now_s);
	return sw_drop_segment(w, g, dry, SW_R_BUDGET, SW_R_WOULD_BUDGET);
}

/* A SYN that a cookie may answer, judged live: the next ones to there go the same way. */
static sw_inline void sw_note_judged(struct sw_work *w, const struct sw_served *s)
{
	w->judged.tick = w->tick;
	w->judged.spent = false;
	w->judged.served = *s;
	w->judged.listener = w->pkt.listener;
}

/*
 * Does a SYN go to where this CPU judged one in the same tick? A flood is judged
 * once in a tick: nothing that led there has changed but the source, unless the
 * breaker has opened, which is to hurt no more clients than it must.
 */
static sw_inline bool sw_again(struct xdp_md *ctx, struct sw_work *w)
{
	const void *end = (void *)(long)ctx->data_end;
	const __u8 *eth = (void *)(long)ctx->data;
	__u32 now_s = w->now / SW_NS_PER_SEC;
	struct sw_pkt *p = &w->pkt;
	struct sw_guard *g;

	if (sw_replaying || w->judged.tick != w->tick || w->listed || p->obscured ||
	    p->opts & SW_OPT_AUTH || p->l3_off != SW_ETH_HLEN)
		return false;
	g = sw_guard_of(w->judged.listener);
	if (!g || sw_backing_off(g, now_s) ||
	    !sw_serves(&w->judged.served, p, (p->from & 1) ^ 1) ||
	    (const void *)(eth + 6) > end || !sw_is_our_mac(eth))
		return false;
	p->listener = w->judged.listener;
	return true;
}

/*
 * A SYN to what this host serves, by method cookie: SW_V_TX when it is to be
 * answered. The socket lookup costs more than all that comes before.
 */
static sw_inline int sw_judge_cookie(struct xdp_md *ctx, struct sw_work *w, struct sw_control *c,
				     struct sw_guard *g, bool dry, __u32 now_s)
{
	bool spent = sw_cpu_spent(w, c, dry);

	if (spent && !sw_is_known(&w->pkt, w->pkt.from, now_s)) {
		w->judged.spent |= !dry;
		sw_budget_of(w, dry)->drops++;
		return sw_over_budget(w, g, dry, now_s);
	}
	/* in TIME_WAIT, or opening: the kernel knows what to do */
	if (sw_socket_state(ctx, &w->pkt) != SW_TCP_LISTEN) {
		if (!spent)
			sw_budget_of(w, dry)->credit += SW_NS_PER_SEC; /* not used */
		return SW_V_BEYOND;
	}
	if (sw_replies_spent(w, c, now_s))
		return sw_over_budget(w, g, dry, now_s);
	if (!dry)
		return SW_V_TX;
	sw_kept_off(g, dry);
	w->reason = SW_R_WOULD_COOKIE;
	return SW_V_PASS;
}

/* One that cannot be answered is left to the kernel. */
static sw_inline int sw_leave_syn(const struct sw_work *w)
{
	struct sw_guard *g = sw_guard_of(w->pkt.listener);

	if (g)
		__sync_fetch_and_add(&g->passed, 1);
	return SW_V_PASS;
}

/* Answers it. In a function of its own, called beside the others: a stack has 512 bytes. */
__noinline int sw_answer(struct xdp_md *ctx)
{
	__u32 zero = 0, i, now_s;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_guard *g;
	int verdict;

	if (!w)
		return SW_V_PASS;
	i = w->pkt.listener;
	g = sw_guard_of(i);
	if (!g)
		return SW_V_PASS;
	verdict = sw_answer_syn(ctx, w);
	if (verdict == SW_V_PASS) {
		__sync_fetch_and_add(&g->passed, 1);
		return SW_V_PASS;
	}
	now_s = w->now / SW_NS_PER_SEC;
	sw_kept_off(g, false);
	__sync_fetch_and_add(&g->cookies_sent, 1);
	sw_rate_add(g->sent, now_s);
	w->reason = verdict == SW_V_TX ? SW_R_COOKIE : SW_R_INTERNAL;
	return verdict;
}

/*
 * A SYN to no listener, while some listener is under attack: the kernel answers
 * with a reset, so many a second. Or what may be a SYN to any of them, in
 * fragments or behind more IPv6 headers than are parsed: few of these are
 * honest. What is not addressed to this host is neither counted
 * (bpf_ipv4_fib_lookup: forwarded, or else FWD_DISABLED on a host that is no
 * router).
 */
static sw_inline int sw_judge_unseen(void *ctx, __u32 ifindex, struct sw_work *w,
				     struct sw_control *c)
{
	bool obscured = w->pkt.obscured & 1, dry;
	__u32 side = (w->pkt.from & 1) ^ 1, now_s = w->now / SW_NS_PER_SEC;
	struct bpf_fib_lookup fib = { .ifindex = ifindex };
	long ret;

	if (sw_since(now_s, c->armed_s) > 1 ||
	    sw_per_second(&sources, sw_settings.seed[0] + obscured, SW_SOURCES, now_s) <
		    (obscured ? SW_OBSCURED_RATE : c->reset_rate))
		return SW_V_PASS;
	if (w->pkt.key.family == SW_AF_INET) {
		fib.family = SW_AF_INET;
		fib.ipv4_src = side ? w->pkt.key.addr[0][0] : w->pkt.key.addr[1][0];
		fib.ipv4_dst = side ? w->pkt.key.addr[1][0] : w->pkt.key.addr[0][0];
	} else {
		fib.family = SW_AF_INET6;
		__builtin_memcpy(fib.ipv6_src, side ? w->pkt.key.addr[0] : w->pkt.key.addr[1], 16);
		__builtin_memcpy(fib.ipv6_dst, side ? w->pkt.key.addr[1] : w->pkt.key.addr[0], 16);
	}
	ret = bpf_fib_lookup(ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_DIRECT);
	if (ret != BPF_FIB_LKUP_RET_NOT_FWDED && ret != BPF_FIB_LKUP_RET_FWD_DISABLED)
		return SW_V_PASS;
	if (!obscured && sw_socket_state(ctx, &w->pkt))
		return SW_V_PASS;
	dry = sw_since(now_s, c->live_s) > 1;
	if (obscured)
		w->reason = dry ? SW_R_WOULD_OBSCURED : SW_R_OBSCURED;
	else
		w->reason = dry ? SW_R_WOULD_CLOSED_PORT : SW_R_CLOSED_PORT;
	return dry ? SW_V_PASS : SW_V_DROP;
}

/* A SYN, by a method without answers. */
static sw_inline int sw_judge_source(struct sw_work *w, struct sw_control *c, struct sw_guard *g,
				     bool first_syn, bool dry, __u32 now_s)
{
	bool keep;

	if (sw_is_known(&w->pkt, w->pkt.from, now_s))
		keep = false;
	else if (first_syn)
		keep = !sw_came_again(&w->pkt, w->hash, g, w->now);
	else
		keep = sw_too_many(&w->pkt, c, now_s);
	if (!keep) {
		__sync_fetch_and_add(&g->passed, 1);
		return SW_V_PASS;
	}
	sw_kept_off(g, dry);
	if (!dry) /* else the kernel answers, and is counted */
		sw_rate_add(g->asked, now_s);
	return first_syn ? sw_drop_segment(w, g, dry, SW_R_FIRST_SYN, SW_R_WOULD_FIRST_SYN) :
			   sw_drop_segment(w, g, dry, SW_R_LIMITED, SW_R_WOULD_LIMITED);
}

/*
 * A SYN to an armed listener that is not for a cookie. Its socket is elsewhere, or
 * behind NAT: first-syn serves it (guard.c tells the user the same). Else it passes.
 */
__noinline int sw_judge_beyond(void)
{
	__u32 zero = 0, i;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_control *c = sw_control_of();
	struct sw_guard *g, *all;
	struct sw_listener *l;
	struct sw_served *s;

	if (!w || !c)
		return SW_V_PASS;
	i = w->pkt.listener;
	g = sw_guard_of(i);
	all = sw_guard_of(0);
	l = bpf_map_lookup_elem(&listeners, &i);
	s = sw_served_at((w->pkt.from & 1) ^ 1);
	if (!g || !all || !l)
		return SW_V_PASS;
	if (l->flags & SW_L_LEARNED || (s && s->nat))
		return sw_judge_source(w, c, g, true, sw_policy_of(g, all, w->now)->dry_run,
				       w->now / SW_NS_PER_SEC);
	__sync_fetch_and_add(&g->passed, 1);
	return SW_V_PASS;
}

/* A SYN. ctx of XDP, or of tc: which cannot answer, and does without cookies. */
static sw_inline int sw_judge_syn(void *ctx, bool xdp, struct sw_work *w)
{
	struct sw_control *c = sw_control_of();
	__u32 i = w->pkt.listener, now_s;
	const struct sw_policy *policy;
	const struct sw_served *s;
	struct sw_guard *g, *all;
	__u64 now = w->now;
	bool dry;

	if (!c)
		return SW_V_PASS;
	now_s = now / SW_NS_PER_SEC;
	if (!i)
		return SW_V_UNSEEN;
	g = sw_guard_of(i);
	all = sw_guard_of(0);
	if (!g || !all)
		return SW_V_PASS;
	if (xdp && w->again) /* by a cookie, live: see sw_note_judged() */
		return sw_judge_cookie(ctx, w, c, g, false, now_s);
	policy = sw_policy_of(g, all, now);
	if (!sw_is_armed(i, g, policy, now))
		return SW_V_PASS;
	dry = policy->dry_run;
	sw_note_armed(c, now_s, dry);
	if (w->pkt.obscured)
		return SW_V_UNSEEN;
	if (policy->method != SW_METHOD_COOKIE || !xdp || sw_backend == SW_BACKEND_NONE || g->mptcp)
		return sw_judge_source(w, c, g, policy->method != SW_METHOD_DROP, dry, now_s);
	s = sw_ours(ctx, w);
	if (!s)
		return SW_V_BEYOND;
	if (!dry)
		sw_note_judged(w, s);
	return sw_judge_cookie(ctx, w, c, g, dry, now_s);
}

/* The listener that a segment goes to, into the work area. Not inlined: see sw_verify_xdp(). */
__noinline int sw_find_target(void)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_pkt *p;
	__u32 side;

	if (!w)
		return 0;
	p = &w->pkt;
	side = sw_bounded(p->from ^ 1, 1);
	sw_listener_find(p->key.family, p->key.addr[side], p->key.port[side], &w->first, &w->target,
			 &p->scratch);
	return 0;
}

/* The parser looks at a SYN's options only; here the timestamp of an ACK counts. */
static sw_inline void sw_parse_again(const void *data, const void *end, struct sw_pkt *p)
{
	__u32 off = sw_opaque(&p->scratch, p->l4_off) & 0x1ff, hlen;
	const __u8 *th = data + off;

	if ((const void *)(th + sizeof(struct tcphdr)) > end)
		return;
	hlen = (th[12] >> 4) * 4;
	if (hlen > sizeof(struct tcphdr))
		sw_parse_options(data, end, off + sizeof(struct tcphdr),
				 hlen - sizeof(struct tcphdr), p);
}

/* Its second half, when the cookies are the kernel's. */
static sw_inline int sw_judge_kernel_stray(void *ctx, struct sw_work *w, struct sw_guard *g)
{
	switch (sw_kernel_cookie(ctx, w, NULL)) {
	case SW_KC_CAME_BACK:
		sw_kernel_cookie_read(w->pkt.opts & SW_OPT_TS, w->pkt.tsecr, &w->cookie);
		sw_rate_add(g->proved, w->now / SW_NS_PER_SEC);
		w->proved = 1;
		return SW_V_PASS;
	case SW_KC_NOT:
		return SW_V_STRAY;
	default:
		return SW_V_PASS;
	}
}

/*
 * A segment without SYN (or a SYN-ACK) that belongs to no flow: while a
 * listener is armed, or was lately, a cookie that comes back, or an old
 * connection that only the kernel knows, or part of a flood.
 */
static sw_inline int sw_judge_stray(void *ctx, const void *data, const void *end, struct sw_work *w)
{
	struct sw_control *c = sw_control_of();
	struct sw_pkt *p = &w->pkt;
	__u32 i, now_s, zero = 0;
	struct sw_secret *key;
	__u64 now = w->now;
	struct sw_guard *g;

	now_s = now / SW_NS_PER_SEC;
	if (!c || sw_since(now_s, c->armed_s) > SW_CAME_BACK_S)
		return SW_V_PASS;
	i = w->target;
	g = sw_guard_of(i);
	if (!i || !g || sw_since(now_s, g->last_armed_s) > SW_CAME_BACK_S)
		return SW_V_PASS;
	if (p->flags & SW_TH_ACK && !(p->flags & (SW_TH_SYN | SW_TH_RST)))
		sw_parse_again(data, end, p);
	if (sw_backend == SW_BACKEND_HELPER)
		return sw_judge_kernel_stray(ctx, w, g);
	key = bpf_map_lookup_elem(&secret, &zero);
	if (key && (g->cookies_sent || key->clock_ns) && p->flags & SW_TH_ACK &&
	    !(p->flags & (SW_TH_SYN | SW_TH_RST)) &&
	    sw_cookie_check(key, p, p->opts & SW_OPT_TS, p->tsecr, now, &w->cookie)) {
		sw_rate_add(g->proved, now_s);
		w->proved = 1;
		return SW_V_PASS;
	}
	return sw_socket_state(ctx, p) == SW_TCP_LISTEN ? SW_V_STRAY : SW_V_PASS;
}

/*
 * One that the kernel would answer with a reset, as far as its socket lookup
 * tells: which finds a wildcard listener for what is forwarded and for what DNAT
 * takes elsewhere, too. So only where the kernel itself was seen to answer. In a
 * function of its own, as sw_answer().
 */
__noinline int sw_drop_stray(void)
{
	__u32 zero = 0, i, now_s;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_control *c = sw_control_of();
	const struct sw_policy *policy;
	struct sw_guard *g, *all;
	struct sw_served *s;

	if (!w || !c)
		return SW_V_PASS;
	s = sw_served_at((w->pkt.from & 1) ^ 1);
	if (!s || s->nat)
		return SW_V_PASS;
	i = w->target;
	g = sw_guard_of(i);
	all = sw_guard_of(0);
	if (!g || !all)
		return SW_V_PASS;
	now_s = w->now / SW_NS_PER_SEC;
	policy = sw_policy_of(g, all, w->now);
	if (!sw_is_armed(i, g, policy, w->now)) /* not any more: the kernel answers as ever */
		return SW_V_PASS;
	sw_note_armed(c, now_s, policy->dry_run);
	if (w->pkt.flags & SW_TH_ACK && !policy->dry_run && g->cookies_sent)
		__sync_fetch_and_add(&g->cookies_bad, 1);
	return sw_drop_segment(w, g, policy->dry_run, SW_R_STRAY, SW_R_WOULD_STRAY);
}

/* Not inlined: see sw_verify_xdp(). */
__noinline int sw_judge_syn_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);

	return w ? sw_judge_syn(ctx, true, w) : SW_V_PASS;
}

__noinline int sw_judge_syn_tc(struct __sk_buff *ctx)
{
	struct sw_work *w;
	__u32 zero = 0;

	/*
	 * Not used: clang 19 would not pass it; the verifier asks for it
	 * (btf_check_func_arg_match, 6.18).
	 */
	sw_hide(ctx);
	w = bpf_map_lookup_elem(&work, &zero);
	return w ? sw_judge_syn(ctx, false, w) : SW_V_PASS;
}

__noinline int sw_judge_unseen_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_control *c = sw_control_of();

	return w && c ? sw_judge_unseen(ctx, ctx->ingress_ifindex, w, c) : SW_V_PASS;
}

__noinline int sw_judge_unseen_tc(struct __sk_buff *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_control *c = sw_control_of();

	return w && c ? sw_judge_unseen(ctx, ctx->ifindex, w, c) : SW_V_PASS;
}

__noinline int sw_judge_stray_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);

	return w ? sw_judge_stray(ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, w) : SW_V_PASS;
}

__noinline int sw_judge_stray_tc(struct __sk_buff *ctx)
{
	__u32 zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);

	return w ? sw_judge_stray(ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, w) : SW_V_PASS;
}

#endif
