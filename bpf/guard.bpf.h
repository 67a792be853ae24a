/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_GUARD_BPF_H
#define SW_GUARD_BPF_H

#include "listener.bpf.h"
#include "settings.bpf.h"
#include "tuple.bpf.h"

/*
 * The guard on ingress: what becomes of a SYN, and of a segment that no flow
 * explains, before the mirror sees it. A verdict other than SW_V_PASS ends the
 * packet's way; its reason stands in the work area.
 */
enum sw_verdict {
	SW_V_PASS,
	SW_V_DROP,
	SW_V_TX,
	SW_V_UNSEEN, /* to no listener, or none that is seen: see sw_judge_unseen() */
	SW_V_BEYOND, /* to one, and not for a cookie: see sw_judge_beyond() */
	SW_V_STRAY,  /* to a listener: see sw_drop_stray() */
};

#define SW_TCP_LISTEN 10 /* enum of net/tcp_states.h, as in bpf_sock.state */

static sw_inline struct sw_control *sw_control_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static sw_inline struct sw_guard *sw_guard_of(__u32 listener)
{
	return bpf_map_lookup_elem(&guards, &listener);
}

/* lookup3's final mix of a few words, secret as in sw_hash_key(). */
static sw_inline __u32 sw_hash3(__u32 a, __u32 b, __u32 c)
{
	a += sw_settings.seed[1];
	b += sw_settings.seed[2];
	c += sw_settings.seed[0];
	SW_FINAL(a, b, c);
	return c;
}

/* An address cut to a prefix, as a hash. */
static sw_inline __u32 sw_hash_prefix(const struct sw_pkt *p, __u32 side, const __u8 bits[2])
{
	const __u32 *addr = side & 1 ? p->key.addr[1] : p->key.addr[0];
	__u32 n, low, high;

	if (p->key.family == SW_AF_INET) {
		n = bits[0] & 63;
		high = sw_ntohl(addr[0]);
		high &= n ? n < 32 ? ~0u << (32 - n) : ~0u : 0;
		return sw_hash3(high, n, 4);
	}
	/* the upper half of an IPv6 address: hosts are told apart by no more than a /64 */
	n = bits[1] & 127;
	high = sw_ntohl(addr[0]);
	low = sw_ntohl(addr[1]);
	high &= n >= 32 ? ~0u : n ? ~0u << (32 - n) : 0;
	low &= n >= 64 ? ~0u : n > 32 ? ~0u << (64 - n) : 0;
	return sw_hash3(high, low, n);
}

/* Who is answerable for an address. */
static sw_inline __u32 sw_hash_site(const struct sw_pkt *p, __u32 side)
{
	static const __u8 bits[2] = { 24, 48 };

	return sw_hash_prefix(p, side, bits);
}

/* Count one more in this second; how many there were. */
static sw_inline __u32 sw_per_second(void *map, __u32 hash, __u32 size, __u32 now_s)
{
	__u32 i = hash & (size - 1);
	__u64 *slot = bpf_map_lookup_elem(map, &i), old;

	if (!slot)
		return 0;
	old = *(volatile __u64 *)slot;
	if (old >> 32 != now_s) {
		*(volatile __u64 *)slot = (__u64)now_s << 32 | 1;
		return 0;
	}
	__sync_fetch_and_add(slot, 1);
	return (__u32)old;
}

#define SW_LISTED_ALLOW 1
#define SW_LISTED_DENY 2

/* Allow and deny: one of the above, 0 not listed. Packet: work area. */
__noinline int sw_listed(void)
{
	struct sw_list_key key = { .bits = 128 };
	struct sw_list_entry *e;
	struct sw_work *w;
	const __u32 *addr;
	__u32 zero = 0;
	bool v4;

	w = bpf_map_lookup_elem(&work, &zero);
	if (!w)
		return 0;
	addr = w->pkt.from & 1 ? w->pkt.key.addr[1] : w->pkt.key.addr[0];
	v4 = w->pkt.key.family == SW_AF_INET;
	if (v4) {
		key.addr[2] = sw_htonl(0xffff);
		key.addr[3] = addr[0];
	} else {
		__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	}
	for (int i = 0; i < SW_LIST_TRIES; i++) {
		e = bpf_map_lookup_elem(&lists, &key);
		if (!e || (v4 && e->bits < SW_V4_BITS)) /* ::/0 is not about IPv4 */
			return 0;
		if (!e->until_ns || w->now < e->until_ns)
			return e->deny ? SW_LISTED_DENY : SW_LISTED_ALLOW;
		if (!e->bits)
			return 0;
		key.bits = e->bits - 1;
	}
	return 0;
}

/* A completed handshake: its client is known for a while. */
static sw_inline void sw_remember(const struct sw_pkt *p, __u32 side, __u32 now_s)
{
	static const __u8 whole[2] = { 32, 64 };
	__u32 hash = sw_hash_prefix(p, side, whole), i = hash & (SW_KNOWN - 1);
	__u64 *slot = bpf_map_lookup_elem(&known, &i);

	if (slot)
		*(volatile __u64 *)slot = (__u64)now_s << 32 | hash;
}

static sw_inline bool sw_is_known(const struct sw_pkt *p, __u32 side, __u32 now_s)
{
	static const __u8 whole[2] = { 32, 64 };
	__u32 hash = sw_hash_prefix(p, side, whole), i = hash & (SW_KNOWN - 1);
	__u64 *slot = bpf_map_lookup_elem(&known, &i);

	return slot && (__u32)*slot == hash && sw_since(now_s, *slot >> 32) < SW_KNOWN_S;
}

/*
 * Method first-syn: is this the retransmission of a SYN that was dropped? What
 * was asked then is done, once: the lowest bit of the tag says that it is still to be.
 */
static sw_inline bool sw_came_again(const struct sw_pkt *p, struct sw_hash h, struct sw_guard *g,
				    __u64 now)
{
	__u32 tag = sw_hash3(h.tag, h.index[0], p->seq) | 1, i = tag >> 8 & (SW_FIRSTS - 1);
	__u64 *slot = bpf_map_lookup_elem(&firsts, &i);
	__u32 now_ms = now / SW_NS_PER_MS, age;

	if (!slot)
		return true;
	age = now_ms - (__u32)*slot;
	if ((*slot >> 32 | 1) == tag && age <= SW_FIRST_MAX_MS) {
		if (age < SW_FIRST_MIN_MS)
			return false;
		if (*slot >> 32 & 1) {
			*(volatile __u64 *)slot = *slot & ~(1ull << 32);
			sw_rate_add(g->done, now / SW_NS_PER_SEC);
		}
		return true;
	}
	*(volatile __u64 *)slot = (__u64)tag << 32 | now_ms;
	return false;
}

/* Method drop: more than its share. */
static sw_inline bool sw_too_many(const struct sw_pkt *p, const struct sw_control *c, __u32 now_s)
{
	__u32 source = sw_hash_prefix(p, p->from, c->source_bits);
	__u32 prefix = sw_hash_prefix(p, p->from, c->prefix_bits);

	__u32 of_source = sw_per_second(&sources, source, SW_SOURCES, now_s);
	__u32 of_prefix = sw_per_second(&sources, prefix, SW_SOURCES, now_s);

	return of_source >= c->source_rate || of_prefix >= c->prefix_rate;
}

/* The first of the SW_SERVED_WAYS slots that the address and port of an endpoint may have. */
static sw_inline __u32 sw_served_first(const struct sw_pkt *p, __u32 side)
{
	const __u32 *addr = side & 1 ? p->key.addr[1] : p->key.addr[0];
	__u16 port = side & 1 ? p->key.port[1] : p->key.port[0];

	return sw_hash3(addr[0] ^ addr[2], addr[1] ^ addr[3], port) & (SW_SERVED - SW_SERVED_WAYS);
}

static sw_inline bool sw_serves(const struct sw_served *s, const struct sw_pkt *p, __u32 side)
{
	const __u32 *addr = side & 1 ? p->key.addr[1] : p->key.addr[0];

	return s->port == (side & 1 ? p->key.port[1] : p->key.port[0]) &&
	       s->family == p->key.family && s->addr[0] == addr[0] && s->addr[1] == addr[1] &&
	       s->addr[2] == addr[2] && s->addr[3] == addr[3];
}

/*
 * Index of what the kernel answers on the address and port of an endpoint of the
 * packet at hand; SW_SERVED: nothing was seen. Not inlined: one way for the verifier.
 */
__noinline int sw_served_find(__u32 side)
{
	__u32 zero = 0, first;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);

	if (!w)
		return SW_SERVED;
	first = sw_served_first(&w->pkt, side);
	for (__u32 n = 0; n < SW_SERVED_WAYS; n++) {
		__u32 i = first + n;
		struct sw_served *s = bpf_map_lookup_elem(&served, &i);

		if (s && sw_serves(s, &w->pkt, side))
			return i;
	}
	return SW_SERVED;
}

/* The same; NULL: nothing was seen. */
static sw_inline struct sw_served *sw_served_at(__u32 side)
{
	__u32 i = sw_served_find(side);

	return bpf_map_lookup_elem(&served, &i);
}

/* VLAN of a frame, 0 without or with a priority tag; more than one tag is nobody's. */
#define SW_VLAN_NESTED 0xffff

static sw_inline __u16 sw_vlan(const void *data, const void *end, const struct sw_pkt *p)
{
	const __be16 *tci = data + SW_ETH_HLEN;

	if (p->l3_off <= SW_ETH_HLEN)
		return 0;
	if (p->l3_off > SW_ETH_HLEN + 4 || (const void *)(tci + 1) > end)
		return SW_VLAN_NESTED;
	return sw_ntohs(*tci) & 0xfff;
}

/* The kernel's socket for a segment that comes in; to be released. */
static sw_inline struct bpf_sock *sw_socket_of(void *ctx, const struct sw_pkt *p)
{
	struct bpf_sock_tuple t = { 0 };

	sw_tuple(&t, p, p->from);
	return p->key.family == SW_AF_INET ?
		       bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0) :
		       bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Its state; 0 none. */
static sw_inline __u32 sw_socket_state(void *ctx, const struct sw_pkt *p)
{
	struct bpf_sock *sk = sw_socket_of(ctx, p);
	__u32 state = 0;

	if (sk) {
		state = sk->state;
		bpf_sk_release(sk);
	}
	return state;
}

/*
 * Sources of the SYNs that are kept off: of those that are counted here, one in
 * SW_SAMPLE, the heaviest stay (Misra, Gries; but who empties a place takes it,
 * so that of sources that are all alike some are told). The packet is in the
 * work area.
 */
__noinline int sw_sample_source(__u32 episode)
{
	__u32 i = episode & (SW_EPISODES - 1), a0, a1, free = SW_TOP, zero = 0;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_episode *e = bpf_map_lookup_elem(&episodes, &i);
	const struct sw_pkt *p;
	const __u32 *addr;

	if (!w || !e || e->number != episode)
		return 0;
	p = &w->pkt;
	addr = p->from & 1 ? p->key.addr[1] : p->key.addr[0];
	if (p->key.family == SW_AF_INET) {
		a0 = sw_htonl(0xffff);
		a1 = addr[0] & sw_htonl(0xffffff00);
	} else {
		a0 = addr[0];
		a1 = addr[1];
	}
	for (int n = 0; n < SW_TOP; n++) {
		bool v4 = p->key.family == SW_AF_INET;
		__u32 x0 = v4 ? e->top[n].addr[2] : e->top[n].addr[0];
		__u32 x1 = v4 ? e->top[n].addr[3] : e->top[n].addr[1];

		if (e->top[n].syn && x0 == a0 && x1 == a1) {
			e->top[n].syn++;
			return 0;
		}
		if (!e->top[n].syn)
			free = n;
	}
	if (free == SW_TOP)
		for (int n = 0; n < SW_TOP; n++) {
			/* read once: another CPU may be counting down as well */
			__u32 syn = *(volatile __u32 *)&e->top[n].syn;

			if (syn)
				e->top[n].syn = syn - 1;
			if (syn <= 1)
				free = n;
		}
	if (free == SW_TOP)
		return 0;
	__builtin_memset(e->top[free].addr, 0, sizeof(e->top[free].addr));
	if (p->key.family == SW_AF_INET) {
		e->top[free].addr[2] = a0;
		e->top[free].addr[3] = a1;
	} else {
		e->top[free].addr[0] = a0;
		e->top[free].addr[1] = a1;
	}
	e->top[free].syn = 1;
	return 0;
}

/* auto: arm; on: an attack began. One CPU wins. */
static sw_inline void sw_arm(__u32 listener, struct sw_listener *l, struct sw_guard *g, __u64 now)
{
	struct sw_episode *e;
	__u32 zero = 0, i;
	struct sw_shared *own = bpf_map_lookup_elem(&shared, &zero);

	if (!own)
		return;
	/* before it is armed: another CPU judges at once */
	g->judged_s = now / SW_NS_PER_SEC - 1;
	g->calm_s = 0;
	g->owed = 0;
	if (!sw_cas(&g->armed_ns, 0, now))
		return;
	g->episode = __sync_fetch_and_add(&own->episodes, 1) + 1;
	i = g->episode & (SW_EPISODES - 1);
	e = bpf_map_lookup_elem(&episodes, &i);
	if (!e)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	e->listener = listener;
	e->start_ns = now;
	sw_episode_count(e, l, g);
	e->number = g->episode;
}

static sw_inline void sw_disarm(struct sw_listener *l, struct sw_guard *g, __u64 since, __u64 end)
{
	__u32 i = g->episode & (SW_EPISODES - 1);
	struct sw_episode *e;

	if (!since || !sw_cas(&g->armed_ns, since, 0))
		return;
	e = bpf_map_lookup_elem(&episodes, &i);
	if (!e || e->number != g->episode || e->end_ns)
		return;
	sw_episode_count(e, l, g);
	e->end_ns = end;
}

/* Judge the seconds that are over. Is the listener armed? Not inlined: see sw_verify_xdp(). */
__noinline int sw_tick(__u32 listener, __u64 now)
{
	struct sw_listener *l = bpf_map_lookup_elem(&listeners, &listener);
	struct sw_guard *g = sw_guard_of(listener), *all = sw_guard_of(0);
	__u32 now_s = now / SW_NS_PER_SEC, i;
	const struct sw_policy *p;
	struct sw_episode *e;
	struct sw_calm *calm;
	struct sw_work *w;
	__u32 zero = 0;
	__u64 since;
	bool armed;

	w = bpf_map_lookup_elem(&work, &zero);
	if (!l || !g || !all || !w)
		return false;
	calm = &w->calm;
	p = sw_policy_of(g, all, now);
	since = g->armed_ns;
	armed = sw_armed(g, p, sw_settings.syn_timeout_s, now, calm);
	if (armed)
		g->last_armed_s = now_s;
	if (!since) {
		if (armed)
			w->attacked = listener; /* perhaps: see sw_attacked() */
		return armed;
	}
	i = g->episode & (SW_EPISODES - 1);
	e = bpf_map_lookup_elem(&episodes, &i);
	if (e && e->number == g->episode && calm->judged_s != g->judged_s) {
		if (calm->peak > e->peak_syn)
			e->peak_syn = calm->peak;
		e->attack += calm->attack;
	}
	g->judged_s = calm->judged_s;
	g->calm_s = calm->calm_s;
	g->owed = calm->owed;
	if (sw_over(p, armed, calm))
		sw_disarm(l, g, since, sw_disarmed_ns(g, all, now, calm));
	return armed;
}

/*
 * A listener in mode on, once a second: did a flood begin? As many unanswered as
 * would arm it. In a function of its own, called beside sw_tick(): see sw_answer().
 */
__noinline int sw_attacked(void)
{
	__u32 zero = 0, i;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_guard *g, *all = sw_guard_of(0);
	struct sw_listener *l;

	if (!w || !all)
		return 0;
	i = w->attacked;
	w->attacked = 0;
	l = bpf_map_lookup_elem(&listeners, &i);
	g = sw_guard_of(i);
	if (l && g && sw_unanswered(g, w->now / SW_NS_PER_SEC) >=
			      sw_high(g, sw_policy_of(g, all, w->now)))
		sw_arm(i, l, g, w->now);
	return 0;
}

/*
 * The exact count, but for what was half-open before it disarmed: that is no
 * reason to arm again. Not inlined: see sw_verify_xdp().
 */
__noinline __u32 sw_half_open(__u32 listener, __u32 now_s)
{
	struct sw_listener *l = bpf_map_lookup_elem(&listeners, &listener);
	struct sw_guard *g = sw_guard_of(listener);
	__u32 timeout = sw_settings.syn_timeout_s;

	if (g && sw_since(now_s, g->last_armed_s) < timeout)
		timeout = sw_since(now_s, g->last_armed_s);
	return l ? sw_gauge_read(&l->half, now_s, timeout) +
			   sw_gauge_read(&l->untracked, now_s, timeout) :
		   0;
}

/* The same, quickly: once a second is enough. */
static sw_inline bool sw_is_armed(__u32 listener, const struct sw_guard *g,
				  const struct sw_policy *p, __u64 now)
{
	__u32 now_s = now / SW_NS_PER_SEC;

	if (p->mode == SW_MODE_OFF || (p->mode == SW_MODE_AUTO && !g->armed_ns))
		return false;
	return g->last_armed_s == now_s && !sw_backing_off(g, now_s) ? true : sw_tick(listener, now);
}

/* After a handshake's segment: what the guard wants to know. Work area: packet and change. */
__noinline int sw_guard_account(void)
{
	__u32 zero = 0, i, now_s, half;
	struct sw_work *w = bpf_map_lookup_elem(&work, &zero);
	struct sw_control *c = sw_control_of();
	const struct sw_policy *policy;
	struct sw_guard *g, *all;
	struct sw_listener *l;
	__u64 now;

	if (!w)
		return 0;
	now = w->now;
	now_s = now / SW_NS_PER_SEC;
	i = w->change.listener;
	if (!i)
		return 0;
	g = sw_guard_of(i);
	all = sw_guard_of(0);
	l = bpf_map_lookup_elem(&listeners, &i);
	if (!g || !all || !l)
		return 0;
	if (w->change.what & SW_CH_COMPLETED) {
		sw_rate_add(g->done, now_s);
		if (w->change.what & SW_CH_PROVEN)
			sw_remember(&w->pkt, w->pkt.from, now_s);
	}
	if (w->change.what & (SW_CH_COOKIE_OK | SW_CH_COOKIE_BAD)) {
		bool bad = w->change.what & SW_CH_COOKIE_BAD;

		__sync_fetch_and_add(bad ? &g->cookies_bad : &g->cookies_ok, 1);
		sw_breaker(g, bad, bad ? sw_hash_site(&w->pkt, w->pkt.from ^ 1) : 0, now_s);
	}
	if (!(w->change.what & SW_CH_SYNACK))
		return 0;
	sw_rate_add(g->asked, now_s);
	policy = sw_policy_of(g, all, now);
	/* of SYNs that are obscured this is all there is to see */
	if (c && (g->armed_ns || policy->mode == SW_MODE_ON) && !sw_backing_off(g, now_s))
		sw_note_armed(c, now_s, policy->dry_run);
	if (policy->mode != SW_MODE_AUTO || g->armed_ns || sw_backing_off(g, now_s))
		return 0;
	/* every SYN-ACK since the last exact look: no fewer are half-open */
	if (__sync_fetch_and_add(&g->open, 1) + 1 < sw_high(g, policy))
		return 0;
	half = sw_half_open(i, now_s);
	g->open = half;
	if (half >= sw_high(g, policy))
		sw_arm(i, l, g, now);
	return 0;
}

#endif
