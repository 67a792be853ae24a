/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_HOSTMIRROR_H
#define SW_TEST_HOSTMIRROR_H

/*
 * The mirror on the host: the same steps as sw_segment() of bpf/flow.bpf.h,
 * with tables from malloc and listeners in a plain array.
 */
#include <stdlib.h>
#include <string.h>

#include "packets.h"

#define HOST_LISTENERS 16

struct host {
	struct sw_config cfg;
	struct sw_bucket *proven, *half;
	struct sw_listener listeners[HOST_LISTENERS]; /* from 1 on */
	__u32 n_listeners;
	__u64 reasons[SW_R_COUNT];
	__u64 evicted; /* live flows that a full proven table gave up */
	bool raw;      /* frames begin with their IP header */
	/* the last one, and what it did; aligned as in a map: sw_key_equal() reads 64 bits at a
	 * time */
	struct sw_pkt pkt __attribute__((aligned(8)));
	struct sw_change change;
};

static inline __u32 host_buckets(__u32 entries)
{
	return ((__u64)entries * SW_FILL_NUM / SW_FILL_DEN + SW_WAYS - 1) / SW_WAYS;
}

static inline void host_clear(struct host *h)
{
	memset(h->proven, 0, h->cfg.proven_buckets * sizeof(*h->proven));
	memset(h->half, 0, h->cfg.half_buckets * sizeof(*h->half));
	memset(h->listeners, 0, sizeof(h->listeners));
	memset(h->reasons, 0, sizeof(h->reasons));
	h->n_listeners = 0;
	h->evicted = 0;
}

static inline void host_init(struct host *h, __u32 flows, __u32 half_open, __u32 syn_timeout_s,
			     __u32 msl_s)
{
	memset(h, 0, sizeof(*h));
	h->cfg.proven_buckets = host_buckets(flows);
	h->cfg.half_buckets = host_buckets(half_open);
	h->cfg.seed[0] = 0x12345678;
	h->cfg.seed[1] = 0x9abcdef0;
	h->cfg.seed[2] = 0x0f1e2d3c;
	h->cfg.syn_timeout_s = syn_timeout_s;
	h->cfg.two_msl_s = 2 * msl_s;
	sw_config_lives(&h->cfg);
	h->proven = aligned_alloc(64, h->cfg.proven_buckets * sizeof(*h->proven));
	h->half = aligned_alloc(64, h->cfg.half_buckets * sizeof(*h->half));
	if (!h->proven || !h->half)
		abort();
	host_clear(h);
}

static inline void host_free(struct host *h)
{
	free(h->proven);
	free(h->half);
}

static inline struct sw_tables host_tables(struct host *h, struct sw_hash hash)
{
	return (struct sw_tables){
		.proven = { h->proven + sw_bucket_index(hash.index[0], h->cfg.proven_buckets),
			    h->proven + sw_bucket_index(hash.index[1], h->cfg.proven_buckets) },
		.half = { h->half + sw_bucket_index(hash.index[0], h->cfg.half_buckets),
			  h->half + sw_bucket_index(hash.index[1], h->cfg.half_buckets) },
	};
}

/* sw_listener_find(): the best of the port, the newest first. */
static inline __u32 host_listener_find(const struct host *h, __u32 family, const __u32 addr[4],
				       __be16 port)
{
	int best = 0, found = 0;

	for (__u32 i = h->n_listeners; i; i--) {
		int fits = sw_listener_fits(&h->listeners[i], family, addr);

		if (h->listeners[i].port == port && fits > best) {
			best = fits;
			found = i;
		}
	}
	return found;
}

static inline __u32 host_listener_add(struct host *h, __u32 family, const __u32 addr[4],
				      __be16 port, __u8 flags)
{
	struct sw_listener *l = &h->listeners[h->n_listeners + 1];

	if (h->n_listeners + 1 >= HOST_LISTENERS)
		return 0;
	memcpy(l->addr, addr, sizeof(l->addr));
	l->port = port;
	l->family = family;
	l->flags = flags | SW_L_USED;
	return ++h->n_listeners;
}

/* sw_resolve(), with no socket for an unknown listener. */
static inline void host_resolve(struct host *h, bool egress, __u32 now_s)
{
	struct sw_pkt *p = &h->pkt;
	bool synack = p->flags & SW_TH_ACK;
	__u32 side = synack ? p->from & 1 : (p->from & 1) ^ 1, i;

	if (synack && !egress)
		return;
	i = host_listener_find(h, p->key.family, p->key.addr[side], p->key.port[side]);
	if (!i && synack)
		i = host_listener_add(h, p->key.family, p->key.addr[side], p->key.port[side],
				      SW_L_LEARNED);
	p->listener = i;
	p->overflowed = i && h->listeners[i].lost_s &&
			now_s - h->listeners[i].lost_s < h->cfg.syn_timeout_s;
}

/* sw_account() */
static inline void host_account(struct host *h, __u32 now_s)
{
	const struct sw_change *ch = &h->change;
	const struct sw_gauge_ref *refs[] = { &ch->victim, &ch->sub, &ch->add };
	struct sw_listener *l = &h->listeners[ch->listener];

	h->evicted += !!(ch->what & SW_CH_EVICTED);
	for (int i = 0; i < 3; i++)
		if (refs[i]->flags && refs[i]->listener)
			sw_gauge_apply(&h->listeners[refs[i]->listener], refs[i], now_s);
	if (!ch->listener)
		return;
	l->syn += !!(ch->what & SW_CH_SYN);
	l->syn_rtx += !!(ch->what & SW_CH_SYN_RTX);
	l->answered += !!(ch->what & SW_CH_SYNACK);
	l->synack_rtx += !!(ch->what & SW_CH_SYNACK_RTX);
	l->completed += !!(ch->what & SW_CH_COMPLETED);
	l->refused += !!(ch->what & SW_CH_REFUSED);
	l->aborted += !!(ch->what & SW_CH_ABORTED);
}

/* sw_segment() with h->pkt; returns the reason. */
static inline int host_segment(struct host *h, bool egress, bool sums_right, __u64 now)
{
	struct sw_pkt *p = &h->pkt;
	struct sw_hash hash = sw_hash_key(&p->key, &h->cfg);
	struct sw_tables t = host_tables(h, hash);

	memset(&h->change, 0, sizeof(h->change));
	if (!(p->flags & (SW_TH_SYN | SW_TH_FIN | SW_TH_RST)) && sw_mirror_data(&t, p, hash, now))
		return SW_R_OBSERVED;
	if (!egress && !sums_right)
		return SW_R_BAD_CHECKSUM;
	if (p->flags & SW_TH_SYN)
		host_resolve(h, egress, now / SW_NS_PER_SEC);
	sw_mirror(&t, p, hash, now, &h->cfg, &h->change);
	host_account(h, now / SW_NS_PER_SEC);
	return h->change.reason;
}

/*
 * A frame through parser and mirror; returns the reason and counts it. The
 * bytes are copied to memory that ends where they end, so that the address
 * sanitizer sees any byte too far; the IP header is aligned, as in the kernel.
 */
static inline int host_frame(struct host *h, const void *frame, size_t len, struct vantage at,
			     __u64 now)
{
	size_t align = h->raw ? 0 : 2;
	__u8 *copy = malloc(len + align), *data = copy + align;
	int reason;

	if (!copy)
		abort();
	memcpy(data, frame, len);
	memset(&h->pkt, 0, sizeof(h->pkt));
	memset(&h->change, 0, sizeof(h->change));
	h->pkt.path = at.path;
	h->pkt.sender_local = at.local;
	reason = h->raw ? sw_parse_raw(data, data + len, len, &h->pkt) :
			  sw_parse_frame(data, data + len, len, &h->pkt);
	if (reason == SW_R_OBSERVED)
		reason = host_segment(h, at.egress, frame_sums_right(data, &h->pkt), now);
	h->reasons[reason]++;
	free(copy);
	return reason;
}

/* The entry that views show for a key: the newest one. Sets *table to 'h' or 'p'. */
static inline struct sw_flow *host_find(struct host *h, const struct sw_key *key, __u64 now,
					char *table)
{
	struct sw_hash hash = sw_hash_key(key, &h->cfg);
	struct sw_tables t = host_tables(h, hash);
	struct sw_place at = sw_find(t.half, hash.tag, key);

	*table = 'h';
	if (at.bucket &&
	    !sw_expired(SW_HALF, at.bucket->stamp[at.slot], now / SW_NS_PER_SEC, &h->cfg))
		return sw_flow_of(at);
	*table = 'p';
	at = sw_find(t.proven, hash.tag, key);
	if (at.bucket && !sw_ended(sw_flow_of(at), now, &h->cfg))
		return sw_flow_of(at);
	*table = 0;
	return NULL;
}

static inline __u8 host_state(const struct host *h, const struct sw_flow *f, __u32 side, __u64 now)
{
	return f ? sw_state_at(f, side, now, &h->cfg) : NO;
}

/* The socket that a script starts with, as attach imports it. */
static inline struct sw_import host_import_of(const struct script *sc, const struct variant *v)
{
	__u32 client;
	struct sw_key key = variant_key(v, &client);

	return (struct sw_import){
		.key = key,
		.side = sc->import.side == C ? client : client ^ 1,
		.server = client ^ 1,
		.state = sc->import.state,
	};
}

static inline int host_import(struct host *h, const struct sw_import *in, __u64 now)
{
	struct sw_hash hash = sw_hash_key(&in->key, &h->cfg);
	struct sw_tables t = host_tables(h, hash);
	int ret;

	memset(&h->change, 0, sizeof(h->change));
	ret = sw_import_flow(&t, in, hash, now, &h->cfg, &h->change);
	host_account(h, now / SW_NS_PER_SEC);
	return ret;
}

#endif
