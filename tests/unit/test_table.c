// SPDX-License-Identifier: GPL-2.0
/* Buckets, replacement, gauges, and the count of half-open handshakes that must not drift. */
#include "check.h"
#include "hostmirror.h"

static struct sw_key random_key(void)
{
	struct sw_pkt p = { .key.family = rnd() & 1 ? SW_AF_INET : SW_AF_INET6 };

	p.key.addr[0][0] = rnd();
	p.key.addr[1][0] = rnd();
	if (p.key.family == SW_AF_INET6)
		for (int i = 1; i < 4; i++)
			p.key.addr[0][i] = rnd();
	p.key.port[0] = rnd();
	p.key.port[1] = htons(443);
	sw_sort_key(&p);
	return p.key;
}

/* Each bit of a key that can be set tells in the hash, and each of the seeds. */
static void hash_looks_at_every_bit(void **state)
{
	struct sw_config cfg = { .seed = { 1, 2, 3 } };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned int bit = 0; bit < (offsetof(struct sw_key, family) + 12) * 8;
		     bit++) {
			struct sw_key key = { .family = v6 ? SW_AF_INET6 : SW_AF_INET };
			unsigned int at = bit / 8;
			struct sw_hash a, b;

			if (at >= sizeof(key) - 4) { /* behind the ports: the seeds */
				struct sw_config other = cfg;

				((__u8 *)other.seed)[at - sizeof(key) + 4] ^= 1 << bit % 8;
				a = sw_hash_key(&key, &cfg);
				b = sw_hash_key(&key, &other);
			} else {
				if (!v6 && at < 32 && at % 16 >= 4)
					continue; /* 0 in IPv4 */
				a = sw_hash_key(&key, &cfg);
				((__u8 *)&key)[at] ^= 1 << bit % 8;
				b = sw_hash_key(&key, &cfg);
			}
			if (a.tag == b.tag || a.index[0] == b.index[0] || a.index[1] == b.index[1])
				fail_msg("bit %u of an IPv%d key", bit, v6 ? 6 : 4);
		}
}

/* Put n flows of random keys into a table for `nominal`: how many went lost. */
static __u32 fill(__u32 nominal, __u32 n)
{
	__u32 lost = 0;
	struct host h;

	host_init(&h, nominal, 64, 63, 30);
	for (int i = 0; i < 3; i++)
		h.cfg.seed[i] = rnd();
	for (__u32 i = 0; i < n; i++) {
		struct sw_key key = random_key();
		struct sw_hash hash = sw_hash_key(&key, &h.cfg);
		struct sw_tables t = host_tables(&h, hash);
		struct sw_place at;
		__u16 scratch;
		bool live;

		at = sw_take(t.proven, SW_PROVEN, SW_RANK_ANY, 100, &h.cfg, &live, &scratch);
		assert_non_null(at.bucket);
		lost += live;
		sw_flow_of(at)->key = key;
		sw_publish(at, hash.tag, sw_stamp(SW_CLASS_OPEN, 100));
		assert_ptr_equal(sw_find(t.proven, hash.tag, &key).bucket, at.bucket);
	}
	host_free(&h);
	return lost;
}

static void full_to_nominal_size_loses_nothing(void **state)
{
	static const __u32 sizes[] = { 64, 100, 1000, 4096, 20000, 65536 };
	unsigned int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int rounds = sizes[i] < 5000 ? 20 : 2;
		__u32 lost = 0;

		for (int r = 0; r < rounds; r++)
			lost += fill(sizes[i], sizes[i]);
		if (lost)
			print_message("%u of %u flows lost in tables for %u\n", lost,
				      rounds * sizes[i], sizes[i]);
		bad += lost;
	}
	assert_int_equal(bad, 0);
}

/* A key fits into two buckets, and is found in either. */
static void two_choices(void **state)
{
	struct sw_bucket b[2] = { 0 }, *both[2] = { &b[0], &b[1] };
	struct sw_config cfg = { .syn_timeout_s = 63, .two_msl_s = 60 };
	int used[2] = { 0 };
	__u16 scratch;
	bool live;

	(void)state;
	sw_config_lives(&cfg);
	for (__u32 i = 0; i < 2 * SW_WAYS; i++) {
		struct sw_place at =
			sw_take(both, SW_PROVEN, SW_RANK_ANY, 50, &cfg, &live, &scratch);
		struct sw_key key = { .family = SW_AF_INET, .addr[0][0] = i };

		assert_non_null(at.bucket);
		assert_false(live);
		used[at.bucket == &b[1]]++;
		sw_flow_of(at)->key = key;
		sw_publish(at, 1001 + 2 * i, sw_stamp(SW_CLASS_OPEN, 50));
	}
	assert_int_equal(used[0], SW_WAYS);
	for (__u32 i = 0; i < 2 * SW_WAYS; i++) {
		struct sw_key key = { .family = SW_AF_INET, .addr[0][0] = i }, other = key;

		other.port[0] = 1;
		assert_non_null(sw_find(both, 1001 + 2 * i, &key).bucket);
		assert_null(sw_find(both, 1001 + 2 * i, &other).bucket);
		assert_null(sw_find(both, 1003 + 2 * i, &key).bucket);
	}
	/* two with one tag */
	b[0].tag[5] = b[0].tag[3];
	assert_int_equal(sw_find(both, b[0].tag[3], &b[0].slot[5].key).slot, 5);
	assert_int_equal(sw_find(both, b[0].tag[3], &b[0].slot[3].key).slot, 3);
}

struct entry {
	__u32 class, second;
};

/* Sixteen entries; which one goes at second 1000, with this rank allowed? -1: none. */
static int victim(enum sw_table table, const struct entry *e, __u32 max_rank, bool *live)
{
	struct sw_bucket b[2] = { 0 }, *both[2] = { &b[0], &b[1] };
	struct sw_config cfg = { .syn_timeout_s = 63, .two_msl_s = 60 };
	struct sw_place at;
	__u16 scratch;

	sw_config_lives(&cfg);
	for (__u32 i = 0; i < 2 * SW_WAYS; i++) {
		at = (struct sw_place){ &b[i / SW_WAYS], i % SW_WAYS };
		assert_true(sw_take_slot(at, sw_ctl_now(sw_flow_of(at))));
		sw_publish(at, 2 * i + 1, sw_stamp(e[i].class, e[i].second));
	}
	at = sw_take(both, table, max_rank, 1000, &cfg, live, &scratch);
	return at.bucket ? (int)(at.slot % SW_WAYS + (at.bucket == &b[1] ? SW_WAYS : 0)) : -1;
}

static void replacement_order(void **state)
{
	enum { PICKUP, PENDING, HALF, ACTIVE, CLOSED = 0, TIMEWAIT, OPEN };
	static const struct {
		enum sw_table table;
		struct entry rest; /* all sixteen, but for */
		struct {
			int at;
			struct entry e;
		} odd[2];
		__u32 max_rank; /* 0: any */
		int goes;
		bool live;
		const char *what;
	} cases[] = {
		/* clang-format off */
		{ SW_HALF, { HALF, 990 }, { { 11, { HALF, 980 } }, { 2, { HALF, 985 } } }, 0, 11, 1, "the oldest" },
		{ SW_HALF, { HALF, 960 }, { { 4, { PICKUP, 999 } } }, 0, 4, 1, "a lower class, though younger" },
		{ SW_HALF, { PENDING, 960 }, { { 9, { PICKUP, 999 } } }, 0, 9, 1, "picked up before pending" },
		{ SW_HALF, { HALF, 960 }, { { 15, { PENDING, 997 } } }, 0, 15, 1, "pending before half-open" },
		{ SW_HALF, { HALF, 960 }, { { 15, { PENDING, 1000 } }, { 3, { HALF, 959 } } }, 0, 3, 1, "not one just asked" },
		{ SW_HALF, { ACTIVE, 900 }, { { 7, { HALF, 999 } } }, 0, 7, 1, "half-open before own" },
		{ SW_HALF, { PICKUP, 990 }, { { 8, { ACTIVE, 872 } } }, 0, 8, 0, "expired first" },
		{ SW_HALF, { PICKUP, 990 }, { { 8, { HALF, 937 } } }, 0, 8, 0, "expired half-open" },
		{ SW_HALF, { PICKUP, 990 }, { { 8, { HALF, 938 } } }, 0, 0, 1, "not yet expired" },
		{ SW_HALF, { PENDING, 960 }, { { 0, { HALF, 950 } } }, PICKUP + 1, -1, 1, "nothing of a higher class" },
		{ SW_HALF, { PENDING, 960 }, { { 13, { HALF, 900 } } }, PICKUP + 1, 13, 0, "but what has expired" },
		{ SW_HALF, { HALF, 1001 }, { { 10, { HALF, 999 } } }, 0, 10, 1, "a stamp from the future is young" },
		{ SW_PROVEN, { OPEN, 10 }, { { 6, { CLOSED, 999 } }, { 5, { TIMEWAIT, 950 } } }, 0, 6, 1, "closed first" },
		{ SW_PROVEN, { OPEN, 10 }, { { 5, { TIMEWAIT, 999 } } }, 0, 5, 1, "then TIME_WAIT" },
		{ SW_PROVEN, { OPEN, 10 }, { { 12, { OPEN, 9 } } }, 0, 12, 1, "then the longest silent" },
		{ SW_PROVEN, { CLOSED, 995 }, { { 12, { TIMEWAIT, 939 } } }, 0, 12, 0, "TIME_WAIT that is over" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct entry e[2 * SW_WAYS];
		bool live;
		int goes;

		for (int n = 0; n < 2 * SW_WAYS; n++)
			e[n] = cases[i].rest;
		for (int n = 0; n < 2; n++)
			if (cases[i].odd[n].e.second)
				e[cases[i].odd[n].at] = cases[i].odd[n].e;
		goes = victim(cases[i].table, e,
			      cases[i].max_rank ? cases[i].max_rank : SW_RANK_ANY, &live);
		if (goes != cases[i].goes || live != cases[i].live)
			fail_msg("%s: %d goes, expected %d; live %d", cases[i].what, goes,
				 cases[i].goes, live);
	}
}

/* The host's own SYN outlives any number of SYNs that nobody answers. */
static void own_syn_stays(void **state)
{
	struct entry e[2 * SW_WAYS];
	bool live;

	(void)state;
	for (int n = 0; n < 2 * SW_WAYS; n++)
		e[n] = (struct entry){ SW_CLASS_PENDING, 1000 };
	e[5] = (struct entry){ SW_CLASS_ACTIVE, 990 };
	assert_int_not_equal(victim(SW_HALF, e, SW_RANK_ANY, &live), 5);
}

/* The arithmetic without branches, against the plain one. */
static void bit_tricks(void **state)
{
	(void)state;
	for (__u32 mask = 0; mask < 256; mask++)
		assert_int_equal(sw_lowest(mask), mask ? __builtin_ctz(mask) : 0);
	for (int i = 0; i < 100000; i++) {
		__u32 now_s = rnd(), age = rnd() % 300, class = rnd() & 3;
		struct sw_config cfg = { .syn_timeout_s = 1 + rnd() % 240,
					 .two_msl_s = 2 + rnd() % 200 };
		enum sw_table table = rnd() & 1;
		struct sw_bucket b = { 0 };
		__u32 stamp = sw_stamp(class, now_s - age), tag = rnd() & 3, want = 0;

		sw_config_lives(&cfg);
		assert_int_equal(stamp >> 30, class);
		assert_int_equal(sw_stamp_age(stamp, now_s), age);
		assert_int_equal(sw_stamp_age(sw_stamp(class, now_s + 1 + age), now_s), 0);
		assert_int_equal(sw_expired(table, stamp, now_s, &cfg),
				 age >= cfg.life_s[table][class]);
		for (int n = 0; n < SW_WAYS; n++) {
			b.tag[n] = rnd() & 3;
			want |= (b.tag[n] == tag) << n;
		}
		assert_int_equal(sw_match(&b, tag), want);
		assert_true(sw_bucket_index(rnd(), 1 + age) <= age);
	}
}

/* A gauge against a list of who holds a +1. */
static void gauge_ring(void **state)
{
	static struct sw_gauge g;
	static __u32 born[4000];
	static const __u32 timeouts[] = { 1, 2, 63, 240 };

	(void)state;
	for (int round = 0; round < 4; round++) {
		__u32 timeout = timeouts[round], n = 0, now_s = round & 1 ? 0xffffff00u : 500;

		memset(&g, 0, sizeof(g));
		for (int i = 0; i < 60000; i++) {
			__u32 alive = 0;

			if (rnd() % 3 && n < 4000) {
				born[n++] = now_s;
				sw_gauge_move(&g, now_s, 1);
			} else if (n) { /* some of them expired long ago */
				__u32 k = rnd() % n;

				sw_gauge_move(&g, born[k], -1);
				born[k] = born[--n];
			}
			if (rnd() % 20)
				continue;
			now_s += rnd() % 40 ? rnd() % 2 : rnd() % 300;
			for (__u32 k = 0; k < n; k++) /* forget what nobody can hold */
				if (now_s - born[k] >= SW_RING)
					born[k--] = born[--n];
			for (__u32 k = 0; k < n; k++)
				alive += now_s - born[k] < timeout;
			assert_int_equal(sw_gauge_read(&g, now_s, timeout), alive);
		}
	}
}

static void listener_fits_order(void **state)
{
	static const __u32 any[4], a4[4] = { 0x0100000a }, b4[4] = { 0x0200000a },
				   a6[4] = { 1, 2, 3, 4 }, b6[4] = { 1, 2, 3, 5 };
	struct sw_listener exact4 = { .addr = { 0x0100000a },
				      .family = SW_AF_INET,
				      .flags = SW_L_USED };
	struct sw_listener any4 = { .family = SW_AF_INET, .flags = SW_L_USED };
	struct sw_listener any6 = { .family = SW_AF_INET6, .flags = SW_L_USED };
	struct sw_listener only6 = { .family = SW_AF_INET6, .flags = SW_L_USED | SW_L_V6ONLY };
	struct sw_listener exact6 = { .addr = { 1, 2, 3, 4 },
				      .family = SW_AF_INET6,
				      .flags = SW_L_USED };
	struct sw_listener mapped = { .addr = { 0x0100000a },
				      .family = SW_AF_INET6,
				      .flags = SW_L_USED };
	struct sw_listener unused = { .family = SW_AF_INET };

	(void)state;
	(void)any;
#define fits(l, family, addr) sw_listener_fits(&(l), family, addr)
	assert_true(fits(exact4, SW_AF_INET, a4) > fits(any4, SW_AF_INET, a4));
	assert_true(fits(any4, SW_AF_INET, a4) > fits(any6, SW_AF_INET, a4));
	assert_true(fits(any6, SW_AF_INET, a4) > 0);
	assert_true(fits(exact6, SW_AF_INET6, a6) > fits(any6, SW_AF_INET6, a6));
	assert_true(fits(any6, SW_AF_INET6, b6) > 0 && fits(only6, SW_AF_INET6, b6) > 0);
	assert_int_equal(fits(exact4, SW_AF_INET, b4), 0);
	assert_int_equal(fits(exact6, SW_AF_INET6, b6), 0);
	assert_int_equal(fits(only6, SW_AF_INET, a4), 0);
	assert_int_equal(fits(any4, SW_AF_INET6, a6), 0);
	assert_int_equal(fits(exact6, SW_AF_INET, a4), 0);
	assert_int_equal(fits(mapped, SW_AF_INET, a4), 0); /* attach keys ::ffff:a.b.c.d as IPv4 */
	assert_int_equal(fits(unused, SW_AF_INET, a4), 0);
#undef fits
}

/*
 * A host under load: handshakes that complete, are reset, time out; tables far
 * too small. Beside it the truth: a list of the handshakes that were answered.
 */
#define MAX_TRUE 60000

struct handshake {
	__u32 id, iss, answered_s;
	__u8 phase; /* 0 free, 1 SYN, 2 answered, 3 open */
	__u8 lost;  /* it came to an end that only time can tell the gauges */
};

struct world {
	struct host h;
	__u64 now;
	__u32 next_id, n;
	struct handshake hs[MAX_TRUE];
	__u32 truth[4096]; /* answered and not ended, by second modulo */
	__u32 syn_timeout_s;
};

static struct world w;

static int send_segment(__u32 id, bool client, __u16 flags, __u32 seq, __u32 ack, __u32 len)
{
	struct sw_pkt *p = &w.h.pkt;

	memset(p, 0, sizeof(*p));
	p->key.family = SW_AF_INET;
	p->key.addr[!client][0] = id * 2654435761u | 1; /* of the client; odd, all differ */
	p->key.addr[client][0] = 0x0202000a;
	p->key.port[!client] = htons(1024 + id % 60000);
	p->key.port[client] = htons(80);
	p->seq = seq;
	p->ack = ack;
	p->flags = flags;
	p->len = len;
	p->win = 502;
	p->path = client ? 4 : 5;
	p->sender_local = !client;
	assert_int_equal(sw_sort_key(p), SW_R_OBSERVED);
	return host_segment(&w.h, NULL, 0, !client, w.now);
}

static struct sw_flow *tracked(__u32 id)
{
	struct sw_pkt p = { .key.family = SW_AF_INET };
	struct sw_flow *f;
	char table;

	p.key.addr[0][0] = id * 2654435761u | 1;
	p.key.addr[1][0] = 0x0202000a;
	p.key.port[0] = htons(1024 + id % 60000);
	p.key.port[1] = htons(80);
	sw_sort_key(&p);
	f = host_find(&w.h, &p.key, w.now, &table);
	return table == 'h' && f->flags & SW_F_HALF ? f : NULL;
}

/* What the table holds, by flag, and what the gauges say; both at this second. */
static void recount(const char *when)
{
	const struct sw_listener *l = &w.h.listeners[1];
	__u32 now_s = w.now / SW_NS_PER_SEC, half = 0, pending = 0, truth = 0;
	__u64 tracked_n, untracked, pending_n;

	for (__u32 b = 0; b < w.h.cfg.half_buckets; b++)
		for (int i = 0; i < SW_WAYS; i++) {
			const struct sw_bucket *bucket = &w.h.half[b];
			const struct sw_flow *f = &bucket->slot[i];

			assert_true(!bucket->tag[i] == !(f->ctl.lock & SW_LIVE));
			assert_false(f->ctl.lock & SW_BUSY);
			if (!bucket->tag[i] ||
			    sw_expired(SW_HALF, bucket->stamp[i], now_s, &w.h.cfg))
				continue;
			assert_true(f->ctl.state[0] < SW_STATE_COUNT &&
				    f->ctl.state[1] < SW_STATE_COUNT);
			assert_false(f->flags & SW_F_PROVEN);
			half += !!(f->flags & SW_F_HALF);
			pending += !!(f->flags & SW_F_PENDING);
		}
	for (__u32 i = 0; i < w.syn_timeout_s; i++)
		truth += w.truth[(now_s - i) % 4096];
	tracked_n = sw_gauge_read(&l->half, now_s, w.syn_timeout_s);
	untracked = sw_gauge_read(&l->untracked, now_s, w.syn_timeout_s);
	pending_n = sw_gauge_read(&l->pending, now_s, w.syn_timeout_s);
	if (tracked_n != half || pending_n != pending || tracked_n + untracked != truth)
		fail_msg("%s, second %u: tracked %llu, recount %u; pending %llu, recount %u; "
			 "tracked + untracked %llu, truth %u",
			 when, now_s, (unsigned long long)tracked_n, half,
			 (unsigned long long)pending_n, pending,
			 (unsigned long long)(tracked_n + untracked), truth);
}

static void pass(__u64 ns, const char *when)
{
	__u32 before = w.now / SW_NS_PER_SEC, after = (w.now + ns) / SW_NS_PER_SEC;

	w.now += ns;
	for (__u32 s = before + 1; s <= after && s - before < 4096; s++)
		w.truth[s % 4096] = 0;
	if (after != before)
		recount(when);
}

static void world_init(__u32 half_open, __u32 flows, __u32 timeout)
{
	static const __u32 any[4];

	host_init(&w.h, flows, half_open, timeout, 5);
	w.syn_timeout_s = timeout;
	w.now = 100000 * SW_NS_PER_SEC;
	w.n = 0;
	w.next_id = 1;
	memset(w.truth, 0, sizeof(w.truth));
	host_listener_add(&w.h, SW_AF_INET, any, htons(80), 0);
}

/* A handshake's end: the truth forgets it when an entry still speaks for it. */
static void ended(struct handshake *hs, bool was_tracked)
{
	if (was_tracked)
		w.truth[hs->answered_s % 4096]--;
	*hs = w.hs[--w.n];
}

static void one_event(const char *when)
{
	__u32 now_s = w.now / SW_NS_PER_SEC, what = rnd() % 100;
	struct handshake *hs;
	bool was;

	if (what < 40 || !w.n) {
		if (w.n == MAX_TRUE)
			return;
		hs = &w.hs[w.n++];
		*hs = (struct handshake){ w.next_id++, rnd(), now_s, 1, 0 };
		send_segment(hs->id, true, SYN, hs->iss, 0, 0);
		if (rnd() % 8) {
			pass(rnd() % 2000000, when);
			hs->answered_s = w.now / SW_NS_PER_SEC;
			w.truth[hs->answered_s % 4096]++;
			hs->phase = 2;
			send_segment(hs->id, false, SA, ~hs->iss, hs->iss + 1, 0);
		}
		return;
	}
	hs = &w.hs[rnd() % w.n];
	if (now_s - hs->answered_s >= w.syn_timeout_s) {
		*hs = w.hs[--w.n];
		return;
	}
	was = tracked(hs->id);
	if (what < 50) { /* a retransmission; of a SYN only while its entry is there */
		if (hs->phase == 1)
			return;
		send_segment(hs->id, false, SA, ~hs->iss, hs->iss + 1, 0);
	} else if (what < 60) {
		if (hs->phase == 2 && was)
			send_segment(hs->id, true, SYN, hs->iss, 0, 0);
	} else if (what < 80) {
		if (hs->phase == 2) {
			send_segment(hs->id, true, rnd() & 1 ? ACK : ACK | PSH, hs->iss + 1,
				     ~hs->iss + 1, rnd() % 100);
			ended(hs, was);
		}
	} else if (what < 86) { /* acknowledges something else */
		if (hs->phase == 2)
			send_segment(hs->id, true, ACK, hs->iss + 1, rnd(), 0);
	} else if (what < 92) { /* blind resets */
		send_segment(hs->id, true, RST, rnd(), 0, 0);
	} else if (hs->phase == 2) {
		send_segment(hs->id, true, RST, hs->iss + 1, 0, 0);
		ended(hs, was);
	} else {
		send_segment(hs->id, false, RA, 0, hs->iss + 1, 0);
		*hs = w.hs[--w.n];
	}
}

static void workload(__u32 half_open, __u32 flows, __u32 timeout, int events, __u32 pause_ns,
		     const char *when)
{
	world_init(half_open, flows, timeout);
	for (int i = 0; i < events; i++) {
		one_event(when);
		pass(rnd() % pause_ns, when);
	}
	/* silence: everything returns to nothing */
	for (__u32 s = 0; s <= timeout; s++)
		pass(SW_NS_PER_SEC, "silence");
	assert_int_equal(sw_gauge_read(&w.h.listeners[1].half, w.now / SW_NS_PER_SEC, timeout), 0);
	assert_int_equal(sw_gauge_read(&w.h.listeners[1].untracked, w.now / SW_NS_PER_SEC, timeout),
			 0);
	assert_int_equal(sw_gauge_read(&w.h.listeners[1].pending, w.now / SW_NS_PER_SEC, timeout),
			 0);
	host_free(&w.h);
}

static void half_open_never_drifts(void **state)
{
	(void)state;
	workload(4096, 4096, 63, 60000, 4000000, "a table large enough");
	workload(64, 64, 63, 60000, 4000000, "a table far too small");
	workload(64, 64, 3, 60000, 2000000, "a table far too small, 3 s");
	workload(64, 64, 1, 20000, 9000000, "1 s");
	workload(64, 64, 240, 20000, 90000000, "240 s");
	workload(64, 64, 63, 3000, 4000000000u, "slowly");
}

/* SYNs in batches, as a driver delivers them: their SYN-ACKs follow behind. */
static void batches_do_not_drift(void **state)
{
	(void)state;
	world_init(1000, 64, 63);
	for (int round = 0; round < 400; round++) {
		__u32 first = w.next_id, n = 1 + rnd() % 64;

		for (__u32 i = 0; i < n; i++)
			send_segment(w.next_id++, true, SYN, first, 0, 0);
		for (__u32 i = 0; i < n; i++) {
			w.truth[w.now / SW_NS_PER_SEC % 4096]++;
			send_segment(first + i, false, SA, 7, first + 1, 0);
		}
		recount("after a batch");
		pass(rnd() % SW_NS_PER_SEC, "batches");
	}
	host_free(&w.h);
}

/* A flood must not reach what is proven, nor what this host opens itself. */
static void flood_evicts_nothing_proven(void **state)
{
	__u32 alive = 0;

	(void)state;
	world_init(64, 64, 63);
	for (__u32 id = 1; id <= 40; id++) {
		send_segment(id, true, SYN, 1, 0, 0);
		send_segment(id, false, SA, 1, 2, 0);
		send_segment(id, true, ACK, 2, 2, 0);
	}
	for (int i = 0; i < 50000; i++) {
		__u32 id = 1000 + i, old = 1 + rnd() % 40;

		w.now += 100000;
		send_segment(id, true, SYN, rnd(), 0, 0);
		if (i & 1)
			send_segment(id, true, rnd() & 1 ? ACK : FA, rnd(), rnd(), 0);
		send_segment(old, true, rnd() & 1 ? SYN : rnd() & 1 ? RST : FA, rnd(), rnd(), 0);
	}
	for (__u32 id = 1; id <= 40; id++) {
		int reason = send_segment(id, true, ACK, 2, 2, 9);

		if (reason == SW_R_OBSERVED && !w.h.change.what)
			alive++;
	}
	assert_int_equal(alive, 40);
	host_free(&w.h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bit_tricks),
		cmocka_unit_test(hash_looks_at_every_bit),
		cmocka_unit_test(two_choices),
		cmocka_unit_test(full_to_nominal_size_loses_nothing),
		cmocka_unit_test(replacement_order),
		cmocka_unit_test(own_syn_stays),
		cmocka_unit_test(gauge_ring),
		cmocka_unit_test(listener_fits_order),
		cmocka_unit_test(half_open_never_drifts),
		cmocka_unit_test(batches_do_not_drift),
		cmocka_unit_test(flood_evicts_nothing_proven),
	};

	return !!cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
