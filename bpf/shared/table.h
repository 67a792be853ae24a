/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TABLE_H
#define SW_TABLE_H

#include "flow.h"

/*
 * A table of flows: buckets of eight slots, and for each key two buckets to
 * choose from, so that a table filled to its nominal size (it has half as
 * many slots again) loses nothing. Nothing is evicted behind our back: who writes
 * names the slot that goes.
 *
 * A bucket's head is one cache line: a tag per slot (part of the hash, never
 * 0, 0 = free) and a stamp, class << 30 | second. The class says who may be
 * replaced by whom; the second is that of birth (half-open table), of the last
 * segment to within SW_RESTAMP_S, or of the close (proven table).
 *
 * Reading takes no lock; a reader may see a slot half written and must check
 * ctl before and after (snapshot.c does). Writing: see union sw_ctl.
 */
struct sw_bucket {
	__u32 tag[SW_WAYS];
	__u32 stamp[SW_WAYS];
	struct sw_flow slot[SW_WAYS];
};

enum sw_table { SW_PROVEN, SW_HALF };

/* Classes of the proven table: what goes first when there is no room. */
#define SW_CLASS_CLOSED 0u /* both ends CLOSED, lingering */
#define SW_CLASS_TIME_WAIT 1u
#define SW_CLASS_OPEN 2u
/* Classes of the half-open table. */
#define SW_CLASS_PICKUP 0u  /* midstream, or a SYN-ACK without its SYN */
#define SW_CLASS_PENDING 1u /* SYN seen, not answered */
#define SW_CLASS_HALF 2u    /* answered: half-open */
#define SW_CLASS_ACTIVE 3u  /* this host's own SYN */

#define SW_RANK_ANY 5u

#define SW_FOREVER 0x3fffffffu

/* How long each class lives. A proven flow knows its end to the nanosecond; here a second more. */
static sw_inline void sw_config_lives(struct sw_config *cfg)
{
	cfg->life_s[SW_PROVEN][SW_CLASS_CLOSED] = SW_LINGER_S + 1;
	cfg->life_s[SW_PROVEN][SW_CLASS_TIME_WAIT] = cfg->two_msl_s + 1;
	cfg->life_s[SW_PROVEN][SW_CLASS_OPEN] = SW_FOREVER;
	cfg->life_s[SW_PROVEN][3] = SW_FOREVER;
	cfg->life_s[SW_HALF][SW_CLASS_PICKUP] = SW_PICKUP_S;
	cfg->life_s[SW_HALF][SW_CLASS_PENDING] = cfg->syn_timeout_s;
	cfg->life_s[SW_HALF][SW_CLASS_HALF] = cfg->syn_timeout_s;
	cfg->life_s[SW_HALF][SW_CLASS_ACTIVE] = SW_ACTIVE_OPEN_S;
}

static sw_inline __u32 sw_stamp(__u32 class, __u32 second)
{
	return class << 30 | (second & 0x3fffffff);
}

/* Seconds since a stamp, modulo 2^30; 0 when another CPU's clock was ahead. No branch. */
static sw_inline __u32 sw_stamp_age(__u32 stamp, __u32 now_s)
{
	__s32 age = (__s32)((now_s - stamp) << 2) >> 2, negative = age >> 31;

	sw_hide(negative);
	return age & ~negative;
}

/* 1 when the entry has reached the end of its class's life. No branch. */
static sw_inline __u32 sw_expired(enum sw_table table, __u32 stamp, __u32 now_s,
				  const struct sw_config *cfg)
{
	__u64 life = cfg->life_s[table][stamp >> 30 & 3];

	return (life - 1 - sw_stamp_age(stamp, now_s)) >> 63;
}

struct sw_hash {
	__u32 tag;
	__u32 index[2]; /* to be scaled to a table's size by sw_bucket_index() */
};

static sw_inline __u32 sw_rol(__u32 word, int n)
{
	return word << n | word >> (32 - n);
}

/* The end of lookup3, see below: c is mixed best, then b. */
#define SW_FINAL1(x, y, n) (x ^= y, x -= sw_rol(y, n))
#define SW_FINAL(a, b, c)                                                                          \
	(SW_FINAL1(c, b, 14), SW_FINAL1(a, c, 11), SW_FINAL1(b, a, 25), SW_FINAL1(c, b, 16),       \
	 SW_FINAL1(a, c, 4), SW_FINAL1(b, a, 14), SW_FINAL1(c, b, 24))

/*
 * Bob Jenkins' lookup3 (public domain), as include/linux/jhash.h, with a
 * secret for each of the three words: who does not know them cannot aim at
 * a bucket. IPv4 takes one round, IPv6 three.
 */
static sw_inline struct sw_hash sw_hash_key(const struct sw_key *k, const struct sw_config *cfg)
{
	__u32 ports = (__u32)k->port[0] << 16 | k->port[1];
	__u32 a = cfg->seed[0] + k->family, b = cfg->seed[1], c = cfg->seed[2];
	struct sw_hash h;

#define SW_MIX1(x, y, z, n) (x -= z, x ^= sw_rol(z, n), z += y)
#define SW_MIX()                                                                                   \
	(SW_MIX1(a, b, c, 4), SW_MIX1(b, c, a, 6), SW_MIX1(c, a, b, 8), SW_MIX1(a, b, c, 16),      \
	 SW_MIX1(b, c, a, 19), SW_MIX1(c, a, b, 4))
	if (k->family == SW_AF_INET6) {
		a += k->addr[0][1];
		b += k->addr[0][2];
		c += k->addr[0][3];
		SW_MIX();
		a += k->addr[1][1];
		b += k->addr[1][2];
		c += k->addr[1][3];
		SW_MIX();
	}
#undef SW_MIX1
#undef SW_MIX
	a += k->addr[0][0];
	b += k->addr[1][0];
	c += ports;
	SW_FINAL(a, b, c);
	h.index[0] = c;
	h.index[1] = b;
	h.tag = (c ^ sw_rol(b, 16)) | 1;
	return h;
}

/* Buckets of a table that is to hold so many entries. */
static sw_inline __u32 sw_buckets_for(__u32 entries)
{
	return ((__u64)entries * SW_FILL_NUM / SW_FILL_DEN + SW_WAYS - 1) / SW_WAYS;
}

static sw_inline __u32 sw_bucket_index(__u32 hash, __u32 buckets)
{
	return (__u64)hash * buckets >> 32;
}

/* Bit i set when tag[i] equals tag; without a branch, so that the verifier sees one path. */
static sw_inline __u32 sw_match(const struct sw_bucket *b, __u32 tag)
{
	__u32 mask = 0;

	for (int i = 0; i < SW_WAYS; i++)
		mask |= (__u32)(((__u64)(b->tag[i] ^ tag) - 1) >> 63) << i;
	return mask;
}

/* Index of the lowest of eight bits (0 when there is none). No branch. */
static sw_inline __u32 sw_lowest(__u32 mask)
{
	mask &= -mask;
	return (((mask & 0xaa) + 0xff) >> 8) + (((mask & 0xcc) + 0xff) >> 8 << 1) +
	       (((mask & 0xf0) + 0xff) >> 8 << 2);
}

/* How many of the lower eight bits are set. */
static sw_inline __u32 sw_count8(__u32 mask)
{
	mask = (mask & 0x55) + (mask >> 1 & 0x55);
	mask = (mask & 0x33) + (mask >> 2 & 0x33);
	return (mask & 0x0f) + (mask >> 4 & 0x0f);
}

static sw_inline bool sw_key_equal(const struct sw_key *a, const struct sw_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* Where a flow is: a bucket and a slot in it. bucket is NULL when there is none. */
struct sw_place {
	struct sw_bucket *bucket;
	__u32 slot;
};

static sw_inline struct sw_flow *sw_flow_of(struct sw_place at)
{
	return &at.bucket->slot[sw_bounded(at.slot, SW_WAYS - 1)];
}

static sw_inline struct sw_place sw_find_in(struct sw_bucket *b, __u32 tag,
					    const struct sw_key *key)
{
	struct sw_place at = { 0 };
	__u32 mask = sw_match(b, tag);

	/* Two slots with one tag: 2^-31 for each pair. A third is not looked for. */
	for (int n = 0; n < 2 && mask; n++) {
		__u32 i = sw_bounded(sw_lowest(mask), SW_WAYS - 1);

		if (b->slot[i].ctl.lock & SW_LIVE && sw_key_equal(&b->slot[i].key, key)) {
			at.bucket = b;
			at.slot = i;
			return at;
		}
		mask &= mask - 1;
	}
	return at;
}

/* The live slot of a key in either of its buckets. */
static sw_inline struct sw_place sw_find(struct sw_bucket *const b[2], __u32 tag,
					 const struct sw_key *key)
{
	struct sw_place at = sw_find_in(b[0], tag, key);

	return at.bucket ? at : sw_find_in(b[1], tag, key);
}

static sw_inline bool sw_cas(__u64 *word, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(word, old, new) == old;
}

/* The claim word as it is now; what is read afterwards is not older (a full barrier). */
static sw_inline union sw_ctl sw_ctl_now(struct sw_flow *f)
{
	return (union sw_ctl){ .word = __sync_val_compare_and_swap(&f->ctl.word, 0, 0) };
}

/*
 * Take the flow that was found under a key for writing. False when another CPU
 * is replacing it, or has: then the key has no entry any more. Another flow is
 * not claimed even for a moment, as its own CPU would miss it: the key is
 * looked at after the word was, and a replacement would have changed gen.
 */
static sw_inline bool sw_claim(struct sw_flow *f, const struct sw_key *key)
{
	union sw_ctl old = sw_ctl_now(f), new = old;

	new.lock = SW_LIVE | SW_BUSY;
	return old.lock == SW_LIVE && sw_likely(sw_key_equal(&f->key, key)) &&
	       sw_cas(&f->ctl.word, old.word, new.word);
}

/* Everything written becomes visible with this word (an exchange is a full barrier). */
static sw_inline void sw_release(struct sw_flow *f, __u16 lock)
{
	union sw_ctl new = f->ctl;

	new.lock = lock;
	(void)__sync_lock_test_and_set(&f->ctl.word, new.word);
}

/* Empty a claimed slot. */
static sw_inline void sw_drop(struct sw_place at)
{
	at.bucket->tag[sw_bounded(at.slot, SW_WAYS - 1)] = 0;
	sw_release(sw_flow_of(at), 0);
}

/* Claim a slot for another flow, if it still is as its word said. */
static sw_inline bool sw_take_slot(struct sw_place at, union sw_ctl old)
{
	union sw_ctl new = old;

	new.lock = SW_BUSY;
	new.gen++;
	if (!sw_cas(&sw_flow_of(at)->ctl.word, old.word, new.word))
		return false;
	at.bucket->tag[sw_bounded(at.slot, SW_WAYS - 1)] = 0;
	return true;
}

/*
 * Who goes first has the lowest: expired; else by rank (class + 1), then the
 * oldest; the slot's number i is in the low bits. A SYN whose answer may be on
 * its way ranks above the answered: the SYN-ACK must find it. No branch.
 */
static sw_inline __u64 sw_score(enum sw_table table, __u32 stamp, __u32 i, __u32 now_s,
				const struct sw_config *cfg)
{
	__u64 age = sw_stamp_age(stamp, now_s), rank = (stamp >> 30) + 1;
	__u64 alive = (__u64)sw_expired(table, stamp, now_s, cfg) - 1;

	if (table == SW_HALF) /* 2, pending, becomes 4 while age < 2; 4, active, 5 */
		rank += ((age - 2) >> 63 << 1 & ((rank ^ 2) - 1) >> 63 << 1) + (rank >> 2);
	return ((rank << 40 | (0x3fffffff - age) << 8) & alive) | i;
}

/*
 * A slot for a new flow, claimed: a free one of the emptier bucket, an expired
 * one, or the one of the lowest rank, oldest first, if that is at most max_rank.
 * On return *was_live says that a flow that had not expired is being replaced;
 * its fields can be read until the caller overwrites them. bucket is NULL when
 * no slot may be taken.
 *
 * Other CPUs fill and empty slots of the same buckets meanwhile: one is taken
 * only if, after its word was read, it is what it was chosen for.
 */
static sw_inline struct sw_place sw_take(struct sw_bucket *const b[2], enum sw_table table,
					 __u32 max_rank, __u32 now_s,
					 const struct sw_config *cfg, bool *was_live,
					 volatile __u16 *scratch)
{
	struct sw_place at = { 0 }, none = { 0 };
	__u32 mask = sw_match(b[0], 0) | sw_match(b[1], 0) << SW_WAYS;
	union sw_ctl old;
	__u32 stamp, lock, fits, tried = 0;

	*was_live = false;
	for (int n = 0; n < 4 && mask; n++) {
		__u32 free0 = sw_count8(mask), free1 = sw_count8(mask >> SW_WAYS);
		bool first = free0 >= free1;

		at.bucket = first ? b[0] : b[1];
		at.slot = sw_lowest(first ? mask & ((1 << SW_WAYS) - 1) : mask >> SW_WAYS);
		old.word = *(volatile __u64 *)&sw_flow_of(at)->ctl.word;
		if (!old.lock && sw_take_slot(at, old))
			return at;
		mask &= ~(1u << sw_bounded(at.slot, SW_WAYS - 1) << (first ? 0 : SW_WAYS));
	}
	for (int n = 0; n < SW_TAKE_TRIES; n++) {
		__u64 best = ~0ull >> 1;

		for (int i = 0; i < 2 * SW_WAYS; i++) {
			__u64 score, less;

			stamp = (i < SW_WAYS ? b[0] : b[1])->stamp[i & (SW_WAYS - 1)];
			score = sw_score(table, stamp, i, now_s, cfg);
			score |= (__u64)(tried >> i & 1) << 62;
			less = (__s64)(score - best) >> 63; /* the lesser, without a branch */
			sw_hide(less);
			best += (score - best) & less;
		}
		*was_live = best >> 40;
		if (best >> 40 > max_rank)
			break;
		tried |= 1u << (best & 0xf);
		at.slot = sw_bounded(sw_opaque(scratch, best & 0xf), 0xf);
		at.bucket = at.slot < SW_WAYS ? b[0] : b[1];
		old = sw_ctl_now(sw_flow_of(at));
		stamp = *(volatile __u32 *)&at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)];
		lock = old.lock;
		*was_live = sw_opaque(scratch, best >> 40 && lock); /* it may have ended just now */
		fits = (lock == 0) |
		       ((lock == SW_LIVE) &
			(sw_score(table, stamp, best & 0xf, now_s, cfg) == best));
		sw_hide(fits);
		if (fits && sw_take_slot(at, old))
			return at;
	}
	return none;
}

/* Make a filled, claimed slot visible under its tag. */
static sw_inline void sw_publish(struct sw_place at, __u32 tag, __u32 stamp)
{
	at.bucket->stamp[sw_bounded(at.slot, SW_WAYS - 1)] = stamp;
	at.bucket->tag[sw_bounded(at.slot, SW_WAYS - 1)] = tag;
	sw_release(sw_flow_of(at), SW_LIVE);
}

_Static_assert(sizeof(struct sw_bucket) == 192 * SW_WAYS, "192 bytes per slot");

#endif
