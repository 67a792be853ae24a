/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_HOSTMIRROR_H
#define SW_TEST_HOSTMIRROR_H

/*
 * What the tests add to the product's mirror in this process (user/hostmirror.h):
 * scripted frames, the entry of a key, imports.
 */
#include <stdlib.h>
#include <string.h>

#include "packets.h"

/*
 * A frame through parser and mirror; returns the reason and counts it. The
 * bytes are copied to memory that ends where they end, so that the address
 * sanitizer sees any byte too far; the IP header is aligned, as in the kernel.
 */
static inline int host_frame(struct host *h, const void *frame, size_t len, struct vantage at,
			     __u64 now)
{
	size_t align = h->raw ? 0 : 2;
	__u8 *copy = malloc(len + align);
	int reason;

	if (!copy)
		abort();
	memcpy(copy + align, frame, len);
	reason = host_packet(h, copy + align, len, len, at, now);
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
