// SPDX-License-Identifier: GPL-2.0
/* The parser: every length it must not believe, and what it makes of the rest. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

static __u8 frame[FRAME_MAX];
static struct sw_pkt pkt;

/* Parse bytes that end where their memory ends; frame_len may claim more. */
static int parse_of(const __u8 *bytes, size_t len, size_t frame_len)
{
	__u8 *copy = malloc(len + 2), *data = copy + 2;
	int reason;

	assert_non_null(copy);
	memcpy(data, bytes, len);
	memset(&pkt, 0, sizeof(pkt));
	reason = sw_parse_frame(data, data + len, frame_len, &pkt);
	free(copy);
	return reason;
}

static int parse(size_t len)
{
	return parse_of(frame, len, len);
}

static const struct step syn = { C, SYN, 100, 0, 0, .opt = O_TS, .ts = 0x01020304, .win = 4321 };
static const struct step data = { S, ACK | PSH, 7, 9, 50 };

#define ETH 14
#define IP4 (frame + ETH)
#define TCP4 (frame + ETH + 20)

static const struct variant v4 = { "", SW_AF_INET, 0, 0, { 0, 0 } };
static const struct variant v6 = { "", SW_AF_INET6, 0, 0, { 0, 0 } };

static void fields(void **state)
{
	size_t len = frame_simple(frame, &syn);

	(void)state;
	assert_reason(parse(len), SW_R_OBSERVED);
	assert_int_equal(pkt.seq, 100);
	assert_int_equal(pkt.ack, 0);
	assert_int_equal(pkt.len, 0);
	assert_int_equal(pkt.flags, SYN);
	assert_int_equal(pkt.win, 4321);
	assert_int_equal(pkt.mss, 1460);
	assert_int_equal(pkt.wscale, 7);
	assert_int_equal(pkt.tsval, 0x01020304);
	assert_int_equal(pkt.opts, SW_OPT_MSS | SW_OPT_WSCALE | SW_OPT_SACK | SW_OPT_TS);
	assert_int_equal(pkt.l3_off, ETH);
	assert_int_equal(pkt.l4_off, ETH + 20);
	assert_int_equal(pkt.l4_len, len - ETH - 20);

	len = frame_simple(frame, &data);
	assert_reason(parse(len), SW_R_OBSERVED);
	assert_int_equal(pkt.seq, 7);
	assert_int_equal(pkt.ack, 9);
	assert_int_equal(pkt.len, 50);
	assert_int_equal(pkt.flags, ACK | PSH);
	TCP4[13] = RST; /* without the ACK bit the field means nothing */
	assert_reason(parse(len), SW_R_OBSERVED);
	assert_int_equal(pkt.ack, 0);
}

/* One key for both directions, whichever end is the greater; two families, two keys. */
static void key_of_both_directions(void **state)
{
	struct sw_key a;
	__u8 from;

	(void)state;
	for (unsigned int i = 0; i < n_variants; i++) {
		assert_reason(parse(frame_build(frame, &variants[i], &syn)), SW_R_OBSERVED);
		a = pkt.key;
		from = pkt.from;
		assert_reason(parse(frame_build(frame, &variants[i], &data)), SW_R_OBSERVED);
		assert_memory_equal(&pkt.key, &a, sizeof(a));
		assert_int_equal(pkt.from, from ^ 1);
		assert_int_equal(ntohs(a.port[from]), CLIENT_PORT);
	}
	/* differing in one byte only, of each of the 16: the same key from both ends */
	for (int at = 0; at < 16; at++) {
		for (int dir = 0; dir < 2; dir++) {
			size_t len = frame_build(frame, &v6, dir ? &data : &syn);
			__u8 *ip = frame + ETH;

			memset(ip + 8, 0x20, 32);
			ip[(dir ? 24 : 8) + at] = 0x21; /* the client's is the greater */
			assert_reason(parse(len), SW_R_OBSERVED);
			if (!dir) {
				a = pkt.key;
				from = pkt.from;
			}
		}
		assert_memory_equal(&pkt.key, &a, sizeof(a));
		assert_int_equal(pkt.from, from ^ 1);
	}
	/* the same addresses, other ports */
	for (int dir = 0; dir < 2; dir++) {
		size_t len = frame_simple(frame, dir ? &data : &syn);

		memcpy(IP4 + 12, "\x0a\1\2\3\x0a\1\2\3", 8);
		assert_reason(parse(len), SW_R_OBSERVED);
		if (!dir) {
			a = pkt.key;
			from = pkt.from;
		}
	}
	assert_memory_equal(&pkt.key, &a, sizeof(a));
	assert_int_equal(pkt.from, from ^ 1);
}

static void families_do_not_collide(void **state)
{
	struct sw_config cfg = { .seed = { 1, 2, 3 } };
	struct sw_key a;
	size_t len;

	(void)state;
	assert_reason(parse(frame_simple(frame, &syn)), SW_R_OBSERVED);
	a = pkt.key;
	len = frame_build(frame, &v6, &syn);
	memset(frame + ETH + 8, 0, 32);
	memcpy(frame + ETH + 8, a.addr[pkt.from], 4);
	memcpy(frame + ETH + 24, a.addr[pkt.from ^ 1], 4);
	assert_reason(parse(len), SW_R_OBSERVED);
	assert_memory_equal(pkt.key.addr, a.addr, sizeof(a.addr));
	assert_false(sw_key_equal(&pkt.key, &a));
	assert_int_not_equal(sw_hash_key(&pkt.key, &cfg).tag, sw_hash_key(&a, &cfg).tag);
}

static void data_offset(void **state)
{
	(void)state;
	for (int opts = 0; opts < 2; opts++)
		for (unsigned int doff = 0; doff < 16; doff++) {
			/* 12 or 20 bytes of options, 30 of payload: 60 bytes are there */
			struct step st = { C, SYN, 0, 0, 30, .opt = opts ? O_TS : 0 };
			size_t len = frame_simple(frame, &st), seg = len - ETH - 20;

			memset(TCP4 + 20, 1, len - ETH - 40);
			TCP4[12] = doff << 4;
			assert_reason(parse(len),
				      doff < 5 || doff * 4 > seg ? SW_R_BAD_TCP : SW_R_OBSERVED);
			if (doff >= 5 && doff * 4 <= seg)
				assert_int_equal(pkt.len, seg - doff * 4);
		}
}

static void header_length(void **state)
{
	(void)state;
	for (unsigned int version = 0; version < 16; version++)
		for (unsigned int ihl = 0; ihl < 16; ihl++) {
			static __u8 with[FRAME_MAX];
			size_t len = frame_simple(with, &syn), gap = ihl > 5 ? ihl * 4 - 20 : 0;

			memcpy(frame, with, ETH + 20);
			memset(IP4 + 20, 1, gap); /* IP options */
			memcpy(IP4 + 20 + gap, with + ETH + 20, len - ETH - 20);
			len += gap;
			IP4[0] = version << 4 | ihl;
			IP4[2] = (len - ETH) >> 8;
			IP4[3] = len - ETH;
			assert_reason(parse(len),
				      version != 4 || ihl < 5 ? SW_R_BAD_IP : SW_R_OBSERVED);
			if (version == 4 && ihl >= 5) {
				assert_int_equal(pkt.l4_off, ETH + ihl * 4);
				assert_int_equal(pkt.seq, 100);
			}
		}
}

static void total_length(void **state)
{
	static const struct {
		int by; /* more than is right */
		int reason;
	} cases[] = {
		{ 1, SW_R_TRUNCATED },	{ 5000, SW_R_TRUNCATED },      { -1, SW_R_OBSERVED },
		{ -50, SW_R_OBSERVED }, { -51, SW_R_BAD_TCP | 0x100 }, { -70, SW_R_TRUNCATED },
		{ -71, SW_R_BAD_IP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = frame_simple(frame, &data), total = len - ETH + cases[i].by;
		int reason;

		IP4[2] = total >> 8;
		IP4[3] = total;
		reason = parse(len);
		if (cases[i].reason & 0x100) /* either says that the header is cut */
			assert_true(reason == SW_R_TRUNCATED || reason == SW_R_BAD_TCP);
		else
			assert_reason(reason, cases[i].reason);
		if (reason == SW_R_OBSERVED)
			assert_int_equal(pkt.len, 50 + cases[i].by);
	}
	/* BIG TCP: 0, the frame knows; it may be longer than what can be read of it */
	for (int family = 0; family < 2; family++) {
		size_t len = frame_build(frame, family ? &v6 : &v4, &data), hlen = family ? 40 : 20;

		memset(frame + ETH + (family ? 4 : 2), 0, 2);
		assert_reason(parse(len), SW_R_OBSERVED);
		assert_int_equal(pkt.len, 50);
		assert_reason(parse_of(frame, len, 150000), SW_R_OBSERVED);
		assert_int_equal(pkt.len, 150000 - ETH - hlen - 20);
		assert_int_equal(pkt.l4_len, 0);
	}
}

/* Jumbo hop-by-hop option, as BIG TCP over IPv6 had it before 6.x. */
static void jumbo(void **state)
{
	static __u8 with[FRAME_MAX];
	size_t len = frame_build(with, &v6, &data);

	(void)state;
	memcpy(frame, with, ETH + 40);
	memcpy(frame + ETH + 40, "\x06\x00\xc2\x04\x00\x01\x11\x70", 8); /* 70000 */
	memcpy(frame + ETH + 48, with + ETH + 40, len - ETH - 40);
	memset(frame + ETH + 4, 0, 2);
	frame[ETH + 6] = 0;
	assert_reason(parse_of(frame, len + 8, ETH + 40 + 70000), SW_R_OBSERVED);
	assert_int_equal(pkt.len, 70000 - 8 - 20);
	assert_int_equal(pkt.seq, 7);
}

static void padding(void **state)
{
	const struct step st = { C, ACK, 1, 1, 0, .opt = O_PAD };

	(void)state;
	for (unsigned int i = 0; i < n_variants; i++) {
		assert_reason(parse(frame_build(frame, &variants[i], &st)), SW_R_OBSERVED);
		assert_int_equal(pkt.len, 0);
	}
}

/* Options of a SYN: bytes, and what must come of them. */
static void options(void **state)
{
	static const struct {
		const char *bytes;
		unsigned int n, opts, mss, wscale;
		int reason;
	} cases[] = {
		{ "\x02\x04\x05\xb4", 4, SW_OPT_MSS, 1460, 0, SW_R_OBSERVED },
		{ "\x01\x01\x01\x01", 4, 0, 0, 0, SW_R_OBSERVED },
		{ "\x00\x02\x04\x05\xb4\xff\xff\xff", 8, 0, 0, 0,
		  SW_R_OBSERVED }, /* after the end */
		{ "\x03\x03\x0e\x00", 4, SW_OPT_WSCALE, 0, 14, SW_R_OBSERVED },
		{ "\x03\x03\x0f\x00", 4, SW_OPT_WSCALE, 0, 14, SW_R_OBSERVED }, /* row 56 */
		{ "\x03\x03\xff\x00", 4, SW_OPT_WSCALE, 0, 14, SW_R_OBSERVED },
		{ "\x03\x03\x00\x00", 4, SW_OPT_WSCALE, 0, 0, SW_R_OBSERVED },
		{ "\x1e\x00\x00\x00", 4, 0, 0, 0, SW_R_BAD_TCP }, /* length 0 */
		{ "\x02\x00\x00\x00", 4, 0, 0, 0, SW_R_BAD_TCP },
		{ "\x02\x01\x00\x00", 4, 0, 0, 0, SW_R_BAD_TCP }, /* length 1 */
		{ "\x02\x05\x05\xb4", 4, 0, 0, 0, SW_R_BAD_TCP }, /* past the end */
		{ "\x01\x01\x02\x04", 4, 0, 0, 0, SW_R_BAD_TCP },
		{ "\x01\x01\x01\x03", 4, 0, 0, 0, SW_R_BAD_TCP }, /* no room for a length */
		{ "\x01\x01\x01\x02", 4, 0, 0, 0, SW_R_BAD_TCP },
		{ "\x02\xff\x05\xb4", 4, 0, 0, 0, SW_R_BAD_TCP },
		{ "\x02\x03\x05\x00", 4, 0, 0, 0, SW_R_OBSERVED }, /* wrong size: not believed */
		{ "\x04\x02\x04\x02", 4, SW_OPT_SACK, 0, 0, SW_R_OBSERVED },
		{ "\x1e\x04\x00\x01\x02\x04\x05\xb4", 8, SW_OPT_MSS, 1460, 0, SW_R_OBSERVED },
		{ "\x08\x0a\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00", 12, SW_OPT_TS, 0, 0,
		  SW_R_OBSERVED },
		{ "\x08\x0a\x01\x02\x03\x04\x00\x00", 8, 0, 0, 0, SW_R_BAD_TCP },
	};
	char nops[40];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct step st = { C, SYN, 0, 0, 60, .opt = O_BARE };
		size_t len = frame_simple(frame, &st);

		memcpy(TCP4 + 20, cases[i].bytes, cases[i].n);
		TCP4[12] = (20 + cases[i].n) / 4 << 4;
		for (int rest = 0; rest < 2; rest++) { /* with payload behind, and without */
			int reason;

			if (rest) {
				len = ETH + 40 + cases[i].n;
				IP4[3] = 40 + cases[i].n;
			}
			reason = parse(len);
			if (reason == SW_R_TRUNCATED && rest) /* says as much */
				reason = SW_R_BAD_TCP;
			if (reason != cases[i].reason)
				fail_msg("case %zu: reason %s", i, reason_text(reason));
			if (reason != SW_R_OBSERVED)
				continue;
			assert_int_equal(pkt.opts, cases[i].opts);
			assert_int_equal(pkt.mss, cases[i].mss);
			assert_int_equal(pkt.wscale, cases[i].wscale);
		}
	}
	/* 40 bytes of the smallest options; the last one must still be seen */
	memset(nops, 1, sizeof(nops));
	memcpy(nops + 36, "\x02\x04\x02\x18", 4);
	frame_simple(frame, &(struct step){ C, SYN, 0, 0, 40, .opt = O_BARE });
	memcpy(TCP4 + 20, nops, 40);
	TCP4[12] = 0xf0;
	assert_reason(parse(ETH + 80), SW_R_OBSERVED);
	assert_int_equal(pkt.mss, 536);
	memset(nops, 1, sizeof(nops));
	memcpy(nops + 38, "\x04\x02", 2);
	memcpy(TCP4 + 20, nops, 40);
	assert_reason(parse(ETH + 80), SW_R_OBSERVED);
	assert_int_equal(pkt.opts, SW_OPT_SACK);
}

/* A segment with these options, behind so many NOPs. */
static int parse_options(unsigned int flags, const __u8 *options, size_t n, size_t nops)
{
	frame_simple(frame, &(struct step){ C, flags, 0, 0, 0, .opt = O_BARE });
	memset(TCP4 + 20, 1, nops);
	memcpy(TCP4 + 20 + nops, options, n);
	TCP4[12] = (20 + nops + n) / 4 << 4;
	IP4[3] = 40 + nops + n;
	return parse(ETH + 40 + nops + n);
}

/* Layouts that are told at a glance: whatever byte of them differs, one by one says the same. */
static void options_usual(void **state)
{
	static const struct {
		unsigned int flags;
		size_t n;
		__u8 bytes[20];
	} usual[] = {
		{ SYN, 20, { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7 } },
		{ SYN | ACK, 20, { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7 } },
		{ FIN | ACK, 12, { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 } },
		{ RST, 12, { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		for (size_t at = 0; at < usual[i].n; at++)
			for (int value = 0; value < 256; value++) {
				__u8 bytes[20];
				struct sw_pkt one_by_one;
				int reason;

				memcpy(bytes, usual[i].bytes, usual[i].n);
				bytes[at] = value;
				reason = parse_options(usual[i].flags, bytes, usual[i].n, 4);
				one_by_one = pkt;
				assert_reason(parse_options(usual[i].flags, bytes, usual[i].n, 0),
					      reason);
				assert_int_equal(pkt.opts, one_by_one.opts);
				assert_int_equal(pkt.mss, one_by_one.mss);
				assert_int_equal(pkt.wscale, one_by_one.wscale);
				assert_int_equal(pkt.tsval, one_by_one.tsval);
				assert_int_equal(pkt.tsecr, one_by_one.tsecr);
			}
	assert_reason(parse_options(SYN, usual[0].bytes, 20, 0), SW_R_OBSERVED);
	assert_int_equal(pkt.opts, SW_OPT_MSS | SW_OPT_SACK | SW_OPT_TS | SW_OPT_WSCALE);
	assert_int_equal(pkt.mss, 1460);
	assert_int_equal(pkt.wscale, 7);
	assert_int_equal(pkt.tsval, 0x01020304);
	assert_int_equal(pkt.tsecr, 0x05060708);
}

/* Every kind with every length, at every place: nothing read too far, no loop. */
static void options_exhaustive(void **state)
{
	(void)state;
	frame_simple(frame, &(struct step){ C, SYN, 0, 0, 40, .opt = O_BARE });
	TCP4[12] = 0xf0;
	for (int kind = 0; kind < 16; kind++)
		for (int size = 0; size < 256; size++)
			for (int at = 0; at < 40; at += size < 44 ? 1 : 13) {
				int reason, room = 40 - at;

				memset(TCP4 + 20, 1, 40);
				TCP4[20 + at] = kind;
				if (at < 39)
					TCP4[20 + at + 1] = size;
				reason = parse(ETH + 80);
				if (kind < 2)
					continue;
				assert_reason(reason, room < 2		      ? SW_R_TRUNCATED :
						      size < 2 || size > room ? SW_R_BAD_TCP :
										SW_R_OBSERVED);
			}
}

static bool conntrack_takes(unsigned int flags)
{
	/* tcp_valid_flags[] of nf_conntrack_proto_tcp.c; PSH, ECE, CWR (and AE) are always valid */
	static const unsigned int valid[] = {
		SYN,	   SYN | URG,	    SYN | ACK, RST,	  RST | ACK,
		FIN | ACK, FIN | ACK | URG, ACK,       ACK | URG,
	};

	flags &= ~(PSH | SW_TH_ECE | SW_TH_CWR | SW_TH_AE);
	for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
		if (flags == valid[i])
			return true;
	return false;
}

static void flags(void **state)
{
	(void)state;
	for (unsigned int f = 0; f < 512; f++) {
		struct step st = { C, f, 1, 1, 4 };

		assert_reason(parse(frame_simple(frame, &st)),
			      conntrack_takes(f) ? SW_R_OBSERVED : SW_R_BAD_FLAGS);
		assert_int_equal(pkt.flags, f);
	}
}

static void fragments_v4(void **state)
{
	static const struct {
		unsigned int field, len; /* 0: all */
		int reason;
		bool first;
	} cases[] = {
		{ 0x4000, 0, SW_R_OBSERVED, 0 },
		{ 0x8000, 0, SW_R_OBSERVED, 0 },
		{ 0x2000, 0, SW_R_OBSERVED, 1 },
		{ 0x2000, ETH + 20 + 19, SW_R_FRAGMENT, 0 },
		{ 0x2000, ETH + 20 + 8, SW_R_FRAGMENT, 0 },
		{ 0x2000, ETH + 20 + 24, SW_R_FRAGMENT, 0 },
		{ 0x2001, 0, SW_R_FRAGMENT, 0 },
		{ 0x0001, 0, SW_R_FRAGMENT, 0 },
		{ 0x1fff, 0, SW_R_FRAGMENT, 0 },
		{ 0x00b9, ETH + 20 + 4, SW_R_FRAGMENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = frame_simple(frame, &syn); /* its header has 44 bytes */

		if (cases[i].len)
			len = cases[i].len;
		IP4[2] = 0;
		IP4[3] = len - ETH;
		IP4[6] = cases[i].field >> 8;
		IP4[7] = cases[i].field;
		assert_reason(parse(len), cases[i].reason);
		if (cases[i].reason == SW_R_OBSERVED)
			assert_int_equal(pkt.fragment, cases[i].first);
	}
}

struct ext {
	__u8 type;
	unsigned int size; /* 0: 8 bytes */
	const char *bytes; /* two, from the third on */
};

static size_t with_ext(const struct ext *e, int n, const struct step *st, __u8 last)
{
	static __u8 plain[FRAME_MAX];
	size_t len = frame_build(plain, &v6, st), at = ETH + 40, total;
	__u8 *next = frame + ETH + 6;

	memcpy(frame, plain, ETH + 40);
	for (int i = 0; i < n; i++) {
		unsigned int size = e[i].size ? e[i].size : 8;

		*next = e[i].type;
		next = frame + at;
		memset(frame + at, 0, size);
		frame[at + 1] = e[i].type == SW_IPPROTO_FRAGMENT ? 0 :
				e[i].type == SW_IPPROTO_AH	 ? size / 4 - 2 :
								   size / 8 - 1;
		if (e[i].bytes)
			memcpy(frame + at + 2, e[i].bytes, 2);
		at += size;
	}
	*next = last;
	memcpy(frame + at, plain + ETH + 40, len - ETH - 40);
	at += len - ETH - 40;
	total = at - ETH - 40;
	frame[ETH + 4] = total >> 8;
	frame[ETH + 5] = total;
	return at;
}

static void extension_headers(void **state)
{
	static const struct {
		const char *what;
		struct ext e[10];
		int n;
		__u8 last;
		int reason;
	} cases[] = {
		{ "hop-by-hop", { { 0 } }, 1, 6, SW_R_OBSERVED },
		{ "a long one", { { 60, 64 } }, 1, 6, SW_R_OBSERVED },
		{ "each once",
		  { { 0 }, { 60 }, { 43, 24 }, { 44 }, { 51, 24 }, { 60, 16 } },
		  6,
		  6,
		  SW_R_OBSERVED },
		{ "AH of 12 bytes", { { 51, 12 } }, 1, 6, SW_R_OBSERVED },
		{ "eight",
		  { { 0 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 } },
		  8,
		  6,
		  SW_R_OBSERVED },
		{ "nine",
		  { { 0 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 }, { 60 } },
		  9,
		  6,
		  SW_R_UNPARSED },
		{ "too long", { { 60, 256 }, { 60, 256 } }, 2, 6, SW_R_UNPARSED },
		{ "much too long", { { 60, 2048 } }, 1, 6, SW_R_UNPARSED },
		{ "atomic fragment", { { 44, 8, "\0\0" } }, 1, 6, SW_R_OBSERVED },
		{ "atomic fragment, reserved bits", { { 44, 8, "\0\6" } }, 1, 6, SW_R_OBSERVED },
		{ "first fragment", { { 44, 8, "\0\1" } }, 1, 6, SW_R_OBSERVED },
		{ "later fragment", { { 44, 8, "\0\x08" } }, 1, 6, SW_R_FRAGMENT },
		{ "last fragment", { { 44, 8, "\xff\xf8" } }, 1, 6, SW_R_FRAGMENT },
		{ "later fragment of UDP", { { 44, 8, "\0\x08" } }, 1, 17, SW_R_FRAGMENT },
		{ "UDP", { { 0 } }, 0, 17, SW_R_NOT_TCP },
		{ "UDP behind", { { 60 } }, 1, 17, SW_R_NOT_TCP },
		{ "ICMPv6", { { 0 } }, 1, 58, SW_R_NOT_TCP },
		{ "no next header", { { 0 } }, 1, 59, SW_R_NOT_TCP },
		{ "ESP", { { 0 } }, 1, 50, SW_R_UNPARSED },
		{ "IPv6 in IPv6", { { 0 } }, 0, 41, SW_R_UNPARSED },
		{ "IPv4 in IPv6", { { 0 } }, 0, 4, SW_R_UNPARSED },
		{ "GRE", { { 0 } }, 0, 47, SW_R_UNPARSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = with_ext(cases[i].e, cases[i].n, &data, cases[i].last), cut;
		int reason = parse(len);

		if (reason != cases[i].reason)
			fail_msg("%s: reason %s, expected %s", cases[i].what, reason_text(reason),
				 reason_text(cases[i].reason));
		/* where the kernel may find a SYN all the same */
		if (pkt.obscured != (strstr("nine, too long, much too long, first fragment",
					    cases[i].what) != NULL))
			fail_msg("%s: obscured %d", cases[i].what, pkt.obscured);
		if (reason == SW_R_OBSERVED) {
			assert_int_equal(pkt.seq, 7);
			assert_int_equal(pkt.len, 50);
			assert_int_equal(pkt.fragment, !strcmp(cases[i].what, "first fragment"));
		}
		for (cut = 0; cut < len && len < 1000; cut++) { /* no byte too far */
			assert_true(parse(cut) != SW_R_OBSERVED);
			if (cut < len - 50)
				assert_true(parse_of(frame, cut, len) != SW_R_OBSERVED);
		}
	}
	/* the TCP header cut in the first fragment */
	for (size_t n = 0; n < 20; n++) {
		struct ext e = { 44, 8, "\0\1" };

		with_ext(&e, 1, &data, 6);
		frame[ETH + 4] = 0;
		frame[ETH + 5] = 8 + n;
		assert_reason(parse(ETH + 48 + n), SW_R_FRAGMENT);
		assert_true(pkt.obscured);
	}
}

static void tags(void **state)
{
	static const __u16 types[] = { 0x8100, 0x88a8, 0x9100 };
	static __u8 plain[FRAME_MAX];
	size_t len = frame_simple(plain, &data);

	(void)state;
	for (unsigned int n = 0; n <= 4; n++)
		for (unsigned int kind = 0; kind < 3; kind++) {
			__u8 *at = frame + 12;

			memcpy(frame, plain, 12);
			for (unsigned int i = 0; i < n; i++, at += 4) {
				__u16 type = types[(kind + i) % 3];

				at[0] = type >> 8;
				at[1] = type;
				at[2] = 0x20;
				at[3] = i;
			}
			memcpy(at, plain + 12, len - 12);
			assert_reason(parse(len + 4 * n), n > 2 ? SW_R_UNPARSED : SW_R_OBSERVED);
			if (n <= 2)
				assert_int_equal(pkt.len, 50);
			for (size_t cut = 0; cut < len + 4 * n; cut++)
				assert_true(parse(cut) != SW_R_OBSERVED);
		}
}

static void other_protocols(void **state)
{
	static const struct {
		__u16 type;
		int reason;
	} types[] = { { 0x0806, SW_R_NOT_IP }, { 0x8864, SW_R_UNPARSED }, { 0x8847, SW_R_UNPARSED },
		      { 0x88cc, SW_R_NOT_IP }, { 0x0026, SW_R_NOT_IP },	  { 0xffff, SW_R_NOT_IP } };
	static const struct {
		__u8 protocol;
		int reason;
	} protocols[] = { { 17, SW_R_NOT_TCP },	 { 1, SW_R_NOT_TCP },	{ 4, SW_R_UNPARSED },
			  { 41, SW_R_UNPARSED }, { 47, SW_R_UNPARSED }, { 50, SW_R_UNPARSED },
			  { 51, SW_R_UNPARSED }, { 132, SW_R_NOT_TCP } };
	size_t len = frame_simple(frame, &data);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		frame[12] = types[i].type >> 8;
		frame[13] = types[i].type;
		assert_reason(parse(len), types[i].reason);
	}
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		frame_simple(frame, &data);
		IP4[9] = protocols[i].protocol;
		assert_reason(parse(len), protocols[i].reason);
	}
	/* the ethertype says one version, the header another */
	len = frame_build(frame, &v6, &data);
	frame[ETH] = 0x45;
	assert_reason(parse(len), SW_R_BAD_IP);
}

static void truncation(void **state)
{
	static __u8 whole[FRAME_MAX];

	(void)state;
	for (unsigned int i = 0; i < n_variants; i++)
		for (int which = 0; which < 2; which++) {
			size_t len = frame_build(frame, &variants[i], which ? &data : &syn);
			size_t headers;
			struct sw_pkt all;

			memcpy(whole, frame, len);
			assert_reason(parse(len), SW_R_OBSERVED);
			all = pkt;
			headers = len - all.len;
			for (size_t cut = 0; cut < len; cut++) {
				int reason;

				/* the packet ends here: IP says that there was more */
				assert_reason(parse(cut), SW_R_TRUNCATED);
				/* the rest lies where it cannot be read */
				reason = parse_of(frame, cut, len);
				if (cut >= headers) {
					assert_reason(reason, SW_R_OBSERVED);
					assert_memory_equal(&pkt, &all,
							    offsetof(struct sw_pkt, scratch));
				} else if (cut < all.l4_off + 20u) {
					/* (a SYN whose options cannot all be read may pass) */
					assert_reason(reason, SW_R_TRUNCATED);
				}
			}
			assert_memory_equal(frame, whole, len); /* nothing is written */
		}
}

/* Without a link layer the same comes of it. */
static void raw(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < n_variants; i++) {
		size_t len = frame_build(frame, &variants[i], &data) - ETH;
		__u8 *copy;

		if (variants[i].tags)
			continue;
		assert_reason(parse(len + ETH), SW_R_OBSERVED);
		for (size_t cut = 0; cut <= len; cut++) {
			struct sw_pkt p = { 0 };

			copy = malloc(cut ? cut : 1);
			memcpy(copy, frame + ETH, cut);
			assert_reason(sw_parse_raw(copy, copy + cut, cut, &p),
				      cut == len ? SW_R_OBSERVED : SW_R_TRUNCATED);
			free(copy);
			if (cut < len)
				continue;
			assert_memory_equal(&p.key, &pkt.key, sizeof(p.key));
			assert_int_equal(p.from, pkt.from);
			assert_int_equal(p.l4_off + ETH, pkt.l4_off);
			assert_int_equal(p.len, pkt.len);
		}
	}
	for (int version = 0; version < 16; version++) {
		__u8 bytes[64] __attribute__((aligned(4))) = { version << 4 };
		struct sw_pkt p = { 0 };

		if (version != 4 && version != 6)
			assert_reason(sw_parse_raw(bytes, bytes + 64, 64, &p), SW_R_NOT_IP);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *what, *addr;
		bool dst;
		int reason;
	} v4_cases[] = {
		{ "multicast", "\xe0\0\0\1", 1, SW_R_BAD_ADDRESS },
		{ "multicast, the last", "\xef\xff\xff\xff", 1, SW_R_BAD_ADDRESS },
		{ "broadcast", "\xff\xff\xff\xff", 1, SW_R_BAD_ADDRESS },
		{ "class E", "\xf0\0\0\1", 1, SW_R_BAD_ADDRESS },
		{ "from multicast", "\xe0\0\0\1", 0, SW_R_BAD_ADDRESS },
		{ "from broadcast", "\xff\xff\xff\xff", 0, SW_R_BAD_ADDRESS },
		{ "from nobody", "\0\0\0\0", 0, SW_R_BAD_ADDRESS },
		{ "just below multicast", "\xdf\xff\xff\xff", 1, SW_R_OBSERVED },
		{ "loopback", "\x7f\0\0\1", 1, SW_R_OBSERVED },
	};
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(v4_cases) / sizeof(*v4_cases); i++) {
		int reason;

		len = frame_simple(frame, &syn);
		memcpy(IP4 + (v4_cases[i].dst ? 16 : 12), v4_cases[i].addr, 4);
		reason = parse(len);
		if (reason != v4_cases[i].reason)
			fail_msg("%s: %s", v4_cases[i].what, reason_text(reason));
	}
	for (int dst = 0; dst < 2; dst++) {
		len = frame_build(frame, &v6, &syn);
		frame[ETH + (dst ? 24 : 8)] = 0xff;
		assert_reason(parse(len), SW_R_BAD_ADDRESS);
		/* row 36: port 0 */
		frame_build(frame, &v6, &syn);
		memset(frame + ETH + 40 + 2 * dst, 0, 2);
		assert_reason(parse(len), SW_R_BAD_ADDRESS);
		len = frame_simple(frame, &syn);
		memset(TCP4 + 2 * dst, 0, 2);
		assert_reason(parse(len), SW_R_BAD_ADDRESS);
		TCP4[2 * dst] = 1; /* port 256 is one */
		assert_reason(parse(len), SW_R_OBSERVED);
	}
	/* row 23, LAND */
	for (int family = 0; family < 2; family++) {
		size_t n = family ? 16 : 4, src = ETH + (family ? 8 : 12),
		       tcp = ETH + (family ? 40 : 20);

		len = frame_build(frame, family ? &v6 : &v4, &syn);
		memcpy(frame + src, frame + src + n, n);
		assert_reason(parse(len), SW_R_OBSERVED);
		memcpy(frame + tcp, frame + tcp + 2, 2);
		assert_reason(parse(len), SW_R_BAD_ADDRESS);
	}
}

/* Random bytes behind a right ethertype, random lengths: ASan and UBSan look on. */
static void garbage(void **state)
{
	__u32 seen[SW_R_COUNT] = { 0 };

	(void)state;
	srandom(7);
	for (int i = 0; i < 300000; i++) {
		size_t len, edits = random() % 6;

		len = frame_build(frame, &variants[random() % n_variants],
				  random() & 1 ? &syn : &data);
		if (!(random() & 3)) /* all of it behind the ethertype */
			for (size_t at = ETH; at < len; at++)
				frame[at] = random();
		while (edits--)
			frame[12 + random() % (len - 12)] = random();
		if (random() & 1)
			len = random() % (len + 1);
		seen[parse_of(frame, len, len + (random() & 1 ? random() % 70000 : 0))]++;
		assert_true(pkt.from < 2 && pkt.wscale <= 14);
	}
	for (int r = 0; r < SW_R_COUNT; r++)
		if (seen[r])
			print_message("  %u %s\n", seen[r], reason_text(r));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(key_of_both_directions),
		cmocka_unit_test(families_do_not_collide),
		cmocka_unit_test(data_offset),
		cmocka_unit_test(header_length),
		cmocka_unit_test(total_length),
		cmocka_unit_test(jumbo),
		cmocka_unit_test(padding),
		cmocka_unit_test(options),
		cmocka_unit_test(options_usual),
		cmocka_unit_test(options_exhaustive),
		cmocka_unit_test(flags),
		cmocka_unit_test(fragments_v4),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(tags),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(truncation),
		cmocka_unit_test(raw),
		cmocka_unit_test(addresses),
		cmocka_unit_test(garbage),
	};

	return !!cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
