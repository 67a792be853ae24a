// SPDX-License-Identifier: GPL-2.0
/* Cookies and what arms and disarms a listener, as functions of their arguments alone. */
#include "check.h"
#include "hostmirror.h"

#ifdef __SANITIZE_ADDRESS__
#define GUESSES (1u << 20) /* the build without sanitizers does all 2^24 */
#else
#define GUESSES (1u << 24)
#endif
#define EPOCH ((__u64)SW_COOKIE_EPOCH_S * SW_NS_PER_SEC)

static const struct sw_secret secret = { .key = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull } };
static const __u64 start = 1000 * EPOCH + 5 * SW_NS_PER_SEC;

/* A SYN; swap: the client has the greater address. */
static struct sw_pkt syn_of(bool v6, bool swap)
{
	struct sw_pkt p = { .flags = SYN, .seq = rnd() };

	p.key.family = v6 ? SW_AF_INET6 : SW_AF_INET;
	for (int i = 0; i < (v6 ? 4 : 1); i++) {
		p.key.addr[0][i] = rnd();
		p.key.addr[1][i] = rnd();
	}
	p.key.port[0] = htons(40000);
	p.key.port[1] = htons(443);
	sw_sort_key(&p);
	p.from = swap;
	return p;
}

/* The client's answer to the cookie. */
static struct sw_pkt ack_of(const struct sw_pkt *syn, __u32 isn)
{
	struct sw_pkt p = *syn;

	p.flags = ACK;
	p.seq = syn->seq + 1;
	p.ack = isn + 1;
	return p;
}

static bool taken(const struct sw_pkt *ack, bool ts, __u32 tsecr, __u64 now)
{
	struct sw_cookie c;

	return sw_cookie_check(&secret, ack, ts, tsecr, now, &c);
}

/* What a client offers survives: every wscale, SACK, ECN, MSS value, family, side, with timestamps or not. */
static void options_survive(void **state)
{
	__u32 n = 0;

	(void)state;
	for (__u32 i = 0; i < 1u << 14; i++) {
		struct sw_cookie in = { .wscale = i & 15, .sack = i >> 4 & 1, .ecn = i >> 5 & 1,
					.ts = i >> 6 & 1 };
		bool v6 = i >> 7 & 1, swap = i >> 8 & 1;
		__u32 index = i >> 9 & 15, isn, tsval;
		struct sw_pkt syn = syn_of(v6, swap), ack;
		struct sw_cookie out = { .mss = 1 };

		if (!sw_mss[v6][in.ts][index])
			continue;
		isn = sw_cookie_make(&secret, &syn, &in, index, start, &tsval);
		ack = ack_of(&syn, isn);
		assert_true(sw_cookie_check(&secret, &ack, in.ts, tsval, start, &out));
		assert_int_equal(out.mss, sw_mss[v6][in.ts][index]);
		assert_int_equal(out.wscale, in.wscale);
		assert_int_equal(out.sack, in.sack);
		assert_int_equal(out.ecn, in.ecn);
		assert_int_equal(out.ts, in.ts);
		n++;
	}
	assert_int_equal(n, 64 * 4 * (16 + 4) * 2); /* the top bit of i: other addresses */
}

/* One rotation, at any moment of the epoch; never three. */
static void lives_one_rotation(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++)
		for (__u64 at = 0; at < EPOCH; at += EPOCH / 16) {
			struct sw_cookie c = { .wscale = 7, .sack = 1, .ts = ts };
			struct sw_pkt syn = syn_of(at & 1, 0), ack;
			__u64 made = 1000 * EPOCH + at;
			__u32 tsval, isn = sw_cookie_make(&secret, &syn, &c, 2, made, &tsval);

			ack = ack_of(&syn, isn);
			assert_true(taken(&ack, ts, tsval, made));
			assert_true(taken(&ack, ts, tsval, made + EPOCH));
			assert_true(taken(&ack, ts, tsval, 1001 * EPOCH - 1));
			assert_true(taken(&ack, ts, tsval, 1002 * EPOCH - 1));
			assert_false(taken(&ack, ts, tsval, 1002 * EPOCH));
			for (__u64 n = 3; n < 64; n++)
				assert_false(taken(&ack, ts, tsval, made + n * EPOCH));
			assert_false(taken(&ack, ts, tsval, made - EPOCH)); /* nor before it was made */
		}
}

/* Hosts that share secret and wall clock take each other's cookies, whatever their uptimes. */
static void hosts_agree(void **state)
{
	struct sw_secret a = secret, b = secret, other = secret;
	struct sw_cookie c = { .wscale = 7 }, out;
	struct sw_pkt syn = syn_of(0, 0), ack;
	__u64 wall = 1790000000ull * SW_NS_PER_SEC, up_a = 77 * SW_NS_PER_SEC, up_b = 9 * EPOCH + 1;
	__u32 tsval;

	(void)state;
	a.clock_ns = wall - up_a;
	b.clock_ns = wall - up_b;
	other.clock_ns = b.clock_ns;
	other.key[1] ^= 1;
	ack = ack_of(&syn, sw_cookie_make(&a, &syn, &c, 3, up_a, &tsval));
	assert_true(sw_cookie_check(&b, &ack, false, 0, up_b, &out));
	assert_false(sw_cookie_check(&other, &ack, false, 0, up_b, &out));
	b.clock_ns = 0;
	assert_false(sw_cookie_check(&b, &ack, false, 0, up_b, &out));
}

/* Every bit of addresses, ports, sequence numbers, options and secret tells. */
static void depends_on_every_bit(void **state)
{
	(void)state;
	for (int way = 0; way < 8; way++) {
		bool v6 = way & 1, ts = way & 2;
		struct sw_cookie c = { .wscale = 7, .sack = 1, .ts = ts }, out;
		struct sw_pkt syn = syn_of(v6, way & 4), ack, bad;
		__u32 tsval, isn = sw_cookie_make(&secret, &syn, &c, 1, start, &tsval);

		ack = ack_of(&syn, isn);
		assert_true(taken(&ack, ts, tsval, start));
		for (unsigned int bit = 0; bit < (offsetof(struct sw_key, family)) * 8; bit++) {
			if (!v6 && bit / 8 < 32 && bit / 8 % 16 >= 4)
				continue; /* 0 in IPv4 */
			bad = ack;
			((__u8 *)&bad.key)[bit / 8] ^= 1 << bit % 8;
			if (taken(&bad, ts, tsval, start))
				fail_msg("bit %u of the key", bit);
		}
		for (int bit = 0; bit < 32; bit++) {
			bad = ack;
			bad.seq ^= 1u << bit;
			assert_false(taken(&bad, ts, tsval, start));
			/* of the number itself, options and MAC: ack - 1, so no carry hides one */
			bad = ack_of(&syn, isn ^ 1u << bit);
			if (taken(&bad, ts, tsval, start))
				fail_msg("bit %d of the cookie", bit);
		}
		for (int bit = 0; ts && bit < 6; bit++)
			assert_false(taken(&ack, ts, tsval ^ 1u << bit, start));
		assert_false(taken(&ack, !ts, tsval, start)); /* timestamps are all or nothing */
		bad = ack;
		bad.from ^= 1; /* what the server sends is no answer of the client */
		assert_false(taken(&bad, ts, tsval, start));
		bad = ack;
		bad.key.family = v6 ? SW_AF_INET : SW_AF_INET6;
		assert_false(taken(&bad, ts, tsval, start));
		for (int bit = 0; bit < 128; bit++) {
			struct sw_secret other = secret;

			other.key[bit / 64] ^= 1ull << bit % 64;
			assert_false(sw_cookie_check(&other, &ack, ts, tsval, start, &out));
		}
	}
}

/* The server's clock does not run backwards, and is near the real one. */
static void timestamps_rise(void **state)
{
	struct sw_cookie c = { .wscale = 14, .sack = 1, .ecn = 1, .ts = 1 };
	__u32 last = 0, tsval;

	(void)state;
	for (__u64 ms = 64; ms < 4096; ms++) {
		struct sw_pkt syn = syn_of(0, 0);

		sw_cookie_make(&secret, &syn, &c, 0, ms * SW_NS_PER_MS, &tsval);
		assert_true(tsval >= last && tsval < ms + 64 && tsval + 64 > ms);
		last = tsval;
	}
}

/* The kernel's format: never ahead of its clock, at most 128 ms behind, and it comes back whole. */
static void kernel_timestamps(void **state)
{
	(void)state;
	for (__u32 start = 64; start; start = start == 64 ? 0xfffff000 : 0)
		for (__u32 i = 0; i < 4096; i++) {
			struct sw_cookie c = { .wscale = i & 15, .sack = i >> 4 & 1, .ecn = i >> 5 & 1, .ts = 1 }, out;
			__u32 ms = start + i * 3, tsval = sw_kernel_tsval(&c, ms * SW_NS_PER_MS);

			assert_true(ms - tsval < 128);
			sw_kernel_cookie_read(true, tsval, &out);
			assert_memory_equal(&out, &c, sizeof(c));
			assert_int_equal(sw_kernel_agrees(0xff, tsval, ms * SW_NS_PER_MS), 0xff);
			sw_kernel_cookie_read(false, tsval, &out);
			assert_true(out.wscale == SW_NO_WSCALE && !out.sack && !out.ecn && !out.ts);
		}
	assert_int_equal(sw_kernel_agrees(0xff, 0x12345678, SW_NS_PER_SEC), 0xff & ~SW_OPT_TS);
}

/* The table is sorted, starts with what Linux takes, and is never above what a client asked for. */
static void mss_is_the_clients(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (int ts = 0; ts < 2; ts++) {
			const __u16 *table = sw_mss[v6][ts];
			int n = ts ? 16 : 4;

			assert_int_equal(table[0], v6 ? 1220 : 536);
			for (int i = 1; i < 16; i++)
				assert_true(i < n ? table[i] > table[i - 1] : !table[i]);
			for (__u32 mss = 0; mss < 65536; mss++) {
				__u32 i = sw_mss_index(v6, ts, mss);

				assert_true((int)i < n);
				if (i)
					assert_true(table[i] <= mss);
				/* the nearest one */
				assert_true((int)i == n - 1 || table[i + 1] > mss);
			}
		}
	/* what real clients send goes through unchanged */
	assert_int_equal(sw_mss[0][0][sw_mss_index(0, 0, 1460)], 1460);
	assert_int_equal(sw_mss[0][1][sw_mss_index(0, 1, 1460)], 1460);
	assert_int_equal(sw_mss[1][0][sw_mss_index(1, 0, 1440)], 1440);
	assert_int_equal(sw_mss[1][1][sw_mss_index(1, 1, 1440)], 1440);
}

/* All numbers that could acknowledge one SYN: two are right, of this epoch and the one before. */
static void two_of_all_numbers(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++) {
		struct sw_cookie c = { .wscale = 7, .sack = 1, .ts = ts };
		struct sw_pkt syn = syn_of(ts, 0), ack;
		__u32 found = 0, tsval, now, before, step = (1u << 24) / GUESSES;

		now = sw_cookie_make(&secret, &syn, &c, 1, start, &tsval);
		before = sw_cookie_make(&secret, &syn, &c, 1, start - EPOCH, &tsval);
		assert_int_equal(now & 0xff, before & 0xff);
		for (__u32 i = 0; i < GUESSES; i++) {
			__u32 isn = i * step << 8 | (now & 0xff);

			ack = ack_of(&syn, isn);
			if (!taken(&ack, ts, tsval, start))
				continue;
			assert_true(isn == now || isn == before);
			found++;
		}
		assert_int_equal(found, (now >> 8) % step == 0 ? 2 - ((before >> 8) % step != 0) :
						(before >> 8) % step == 0);
	}
}

/*
 * Random ACKs: each is taken with probability 2^-23 at most, so of 2^24 more
 * than 13 only once in ten million times; none of the timestamps' kind is
 * taken more often.
 */
static void random_acks(void **state)
{
	__u32 found[2] = { 0 };

	(void)state;
	for (__u32 i = 0; i < GUESSES; i++) {
		struct sw_pkt ack = { .flags = ACK, .seq = rnd(), .ack = rnd() };

		ack.key.family = SW_AF_INET;
		ack.key.addr[0][0] = rnd();
		ack.key.addr[1][0] = ~ack.key.addr[0][0];
		ack.key.port[0] = rnd();
		ack.key.port[1] = htons(80);
		found[i & 1] += taken(&ack, i & 1, ack.seq ^ i, start);
	}
	print_message("%u of %u random ACKs accepted, %u of %u with timestamps\n", found[0],
		      GUESSES / 2, found[1], GUESSES / 2);
	assert_true(found[0] <= 10); /* 1 is expected */
	assert_true(found[1] <= 4);  /* 1/16 */
}

/* Rates by second: the ring forgets, another second takes the slot over. */
static void rates(void **state)
{
	struct sw_guard g = { 0 };

	(void)state;
	for (__u32 s = 100; s < 200; s++)
		for (__u32 i = 0; i < s - 99; i++)
			sw_rate_add(g.asked, s);
	for (__u32 s = 0; s < 200; s++)
		assert_int_equal(sw_rate_of(g.asked, s), s >= 200 - SW_RATE_RING ? s - 99 : 0);
	assert_int_equal(sw_rate_of(g.asked, 200), 0);

	for (__u32 s = 96; s <= 100; s++)
		for (int i = 0; i < 10; i++)
			sw_rate_add(g.sent, s);
	for (int i = 0; i < 15; i++)
		sw_rate_add(g.proved, 100);
	assert_int_equal(sw_challenged(&g, 100), 4 * 10 - 15);
	assert_int_equal(sw_challenged(&g, 102), 2 * 10 - 15);
	assert_int_equal(sw_challenged(&g, 103), 0); /* proved more than sent: none */
	assert_int_equal(sw_challenged(&g, 200), 0);
}

static void thresholds(void **state)
{
	static const struct {
		__u32 backlog, high, low, want_high, want_low;
	} cases[] = {
		{ 4096, 0, 0, 2048, 512 }, { 0, 0, 0, 64, 16 },	{ 1, 0, 0, 1, 1 },
		{ 2, 0, 0, 1, 1 },	   { 7, 0, 0, 3, 1 },	{ 4096, 100, 0, 100, 25 },
		{ 4096, 100, 3, 100, 3 },  { 1, 50, 0, 50, 12 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sw_guard g = { .backlog = cases[i].backlog };
		struct sw_policy p = { .high = cases[i].high, .low = cases[i].low };

		assert_int_equal(sw_high(&g, &p), cases[i].want_high);
		assert_int_equal(sw_low(&g, &p), cases[i].want_low);
	}
}

/* The policy of a listener or of all, now or after the deadline. */
static void deadline(void **state)
{
	struct sw_guard all = { .now.mode = SW_MODE_AUTO, .then.mode = SW_MODE_OFF };
	struct sw_guard own = { .now.mode = SW_MODE_ON, .then.mode = SW_MODE_AUTO, .until_ns = 500, .own = 1 };
	struct sw_guard none = { .now.mode = SW_MODE_ON, .until_ns = 1 };

	(void)state;
	assert_ptr_equal(sw_policy_of(&own, &all, 499), &own.now);
	assert_ptr_equal(sw_policy_of(&own, &all, 500), &own.then);
	assert_ptr_equal(sw_policy_of(&none, &all, 1000), &all.now);
	all.until_ns = 600;
	assert_ptr_equal(sw_policy_of(&none, &all, 599), &all.now);
	assert_ptr_equal(sw_policy_of(&none, &all, 600), &all.then);
	assert_ptr_equal(sw_policy_of(&own, &all, 600), &own.then);
}

static void count(__u64 *ring, __u32 second, __u32 n)
{
	while (n--)
		sw_rate_add(ring, second);
}

static bool armed_at(struct sw_guard *g, const struct sw_policy *p, __u32 second)
{
	struct sw_calm c;
	bool armed = sw_armed(g, p, 63, second * SW_NS_PER_SEC + 1, &c);

	g->judged_s = c.judged_s; /* as the programs do */
	g->calm_s = c.calm_s;
	g->owed = c.owed;
	return armed;
}

/* auto: armed until hold seconds in a row were calm, each judged when what was asked in it had a second to come. */
static void disarms(void **state)
{
	struct sw_policy p = { .mode = SW_MODE_AUTO, .high = 2048, .low = 630, .hold_s = 5 };
	struct sw_guard fresh = { .armed_ns = 1000 * SW_NS_PER_SEC, .judged_s = 999 }, g = fresh;
	__u32 s;

	(void)state;
	/* a flood of 20 s; all the time someone looks */
	for (s = 1000; s < 1020; s++) {
		count(g.asked, s, 500);
		count(g.done, s, 50);
		assert_true(armed_at(&g, &p, s));
		assert_int_equal(g.calm_s, 0);
	}
	/* all over: calm from 1020 on; 1020 to 1024 are judged by 1026 */
	for (; s < 1026; s++)
		assert_true(armed_at(&g, &p, s));
	assert_false(armed_at(&g, &p, s));

	/* the same when nobody looked meanwhile: the first one sees it */
	g = fresh;
	count(g.asked, 1019, 500);
	assert_true(armed_at(&g, &p, 1021));
	assert_true(armed_at(&g, &p, 1025));
	assert_false(armed_at(&g, &p, 1026));
	g = fresh;
	count(g.asked, 1019, 500);
	assert_false(armed_at(&g, &p, 1000000));

	/* a flood that ended with its last SYN counts to its end, however late that is looked at */
	for (s = 1003; s < 1100; s += 7) {
		struct sw_calm c;

		g = fresh;
		count(g.asked, 1000, 300);
		count(g.asked, 1001, 500);
		assert_int_equal(sw_armed(&g, &p, 63, s * SW_NS_PER_SEC, &c), s < 1008);
		assert_int_equal(c.attack, 2);
		assert_int_equal(c.peak, 500);
		assert_int_equal(c.calm_s, s - 2 - 1001);
	}

	/* 10 per second more than completed ones are too many (630 / 63), and a little that may be under way; 9 are calm */
	g = fresh;
	for (s = 1000; s < 1030; s++) {
		count(g.asked, s, 31);
		count(g.done, s, 20);
		assert_true(armed_at(&g, &p, s));
	}
	for (; s < 1037; s++) {
		count(g.asked, s, 29);
		count(g.done, s, 20);
		assert_int_equal(armed_at(&g, &p, s), s < 1036);
	}
	/* one bad second begins it anew */
	g = fresh;
	for (s = 1000; s < 1030; s++) {
		count(g.asked, s, s % 4 ? 0 : 10);
		assert_true(armed_at(&g, &p, s));
	}
	/* a CPU whose clock is behind judges nothing again */
	assert_true(armed_at(&g, &p, 1027));
	assert_int_equal(g.judged_s, 1027);
}

/* Handshakes under way: asked in one second, done in the next. They neither keep a listener armed nor hide a flood. */
static void disarms_under_load(void **state)
{
	static const struct {
		__u32 rate, flood;
	} loads[] = { { 0, 0 }, { 3, 0 }, { 20, 0 }, { 200, 0 }, { 5000, 0 }, { 0, 30 }, { 20, 30 }, { 200, 30 }, { 5000, 500 } };
	struct sw_policy p = { .mode = SW_MODE_AUTO, .high = 256, .low = 64, .hold_s = 10 };

	(void)state;
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		struct sw_guard g = { .armed_ns = 1000 * SW_NS_PER_SEC, .judged_s = 999 };
		__u32 s = 1000;
		bool armed = true;

		for (; armed && s < 1600; s++) {
			__u32 n = loads[i].rate - loads[i].rate / 10 + rnd() % (loads[i].rate / 5 + 1);

			while (n--) { /* 100 ms to answer */
				count(g.asked, s, 1);
				count(g.done, s + (rnd() % 1000 >= 900), 1);
			}
			count(g.asked, s, loads[i].flood);
			armed = armed_at(&g, &p, s);
		}
		if (loads[i].flood)
			assert_true(armed);
		else
			assert_in_range(s, 1011, 1100);
	}
}

static void modes(void **state)
{
	struct sw_policy p = { .mode = SW_MODE_ON, .hold_s = 5 };
	struct sw_guard g = { .judged_s = 1000 };

	(void)state;
	assert_true(armed_at(&g, &p, 1000));
	p.mode = SW_MODE_AUTO;
	assert_false(armed_at(&g, &p, 1000));
	g.armed_ns = 1;
	assert_true(armed_at(&g, &p, 1000));
	p.mode = SW_MODE_OFF;
	assert_false(armed_at(&g, &p, 1000));
}

/* Half of the last sixteen, each from elsewhere: a minute without the guard; a clean slate after it. */
static void breaker(void **state)
{
	struct sw_policy p = { .mode = SW_MODE_ON };
	struct sw_guard g = { 0 };
	__u32 prefix = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) /* 7 of any 16 are not half */
		assert_false(sw_breaker(&g, i % 16 < 7, ++prefix, 1000));
	memset(&g, 0, sizeof(g));
	for (int i = 0; i < 7; i++)
		assert_false(sw_breaker(&g, true, ++prefix, 1000));
	for (int i = 0; i < 8; i++)
		assert_false(sw_breaker(&g, false, 0, 1000));
	assert_true(armed_at(&g, &p, 1000));
	assert_true(sw_breaker(&g, true, ++prefix, 1000)); /* the eighth of sixteen */
	assert_int_equal(g.why, SW_WHY_ADMISSION);
	for (__u32 s = 1000; s < 1000 + SW_BACKOFF_S; s++)
		assert_false(armed_at(&g, &p, s));
	assert_true(armed_at(&g, &p, 1000 + SW_BACKOFF_S));
	for (int i = 0; i < 7; i++) /* the same as before are heard again */
		assert_false(sw_breaker(&g, true, prefix - i, 1100));
	assert_true(sw_breaker(&g, true, prefix - 7, 1100));
	/* failures that good ones have pushed out are forgotten */
	memset(&g, 0, sizeof(g));
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 7; i++)
			assert_false(sw_breaker(&g, true, ++prefix, 1000));
		for (int i = 0; i < 16; i++)
			assert_false(sw_breaker(&g, false, 0, 1000));
	}
}

/* Whom a ruleset drops fails as often as he likes, and the guard stays; but not if nobody succeeds. */
static void breaker_of_one(void **state)
{
	struct sw_guard g = { 0 };
	__u32 s;

	(void)state;
	g.heard_s = 1000;
	for (int i = 0; i < 1000; i++)
		assert_false(sw_breaker(&g, true, i % 7, 1000));
	memset(&g, 0, sizeof(g));
	for (s = 1000; s < 2000; s += SW_AGAIN_S - 1) {
		assert_false(sw_breaker(&g, false, 0, s));
		for (int i = 0; i < 100; i++)
			assert_false(sw_breaker(&g, true, i % 7, s + 1));
	}
	memset(&g, 0, sizeof(g));
	for (int i = 0; i < 1000; i++) /* many such, and more clients */
		assert_false(sw_breaker(&g, !(i % 3), i % 61, 1000));
	memset(&g, 0, sizeof(g));
	for (s = 1000; !sw_breaker(&g, true, 1, s); s++)
		assert_true(s < 1050);
	assert_in_range(s, 1025, 1040); /* a proxy with all clients behind it */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_survive),
		cmocka_unit_test(lives_one_rotation),
		cmocka_unit_test(hosts_agree),
		cmocka_unit_test(depends_on_every_bit),
		cmocka_unit_test(timestamps_rise),
		cmocka_unit_test(kernel_timestamps),
		cmocka_unit_test(mss_is_the_clients),
		cmocka_unit_test(two_of_all_numbers),
		cmocka_unit_test(random_acks),
		cmocka_unit_test(rates),
		cmocka_unit_test(thresholds),
		cmocka_unit_test(deadline),
		cmocka_unit_test(disarms),
		cmocka_unit_test(disarms_under_load),
		cmocka_unit_test(modes),
		cmocka_unit_test(breaker),
		cmocka_unit_test(breaker_of_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
