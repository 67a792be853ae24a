// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that are malformed, or that nobody expects: what may come of them. And whether
 * each row of the table of cases has a test, here or among the scripts.
 */
#include "talks.h"

static int arrive(size_t len)
{
	now += SW_NS_PER_MS;
	return host_frame(&host, frame, len, vantage_of(V_SERVER, C, IFINDEX), now);
}

/* An open connection; what comes next must leave it alone, or reset it. */
static void opened(const struct variant *v)
{
	begin(&talks[0], 3, v, false, V_SERVER);
}

static const struct step exact_rst = { C, RST, 1 };

/* Row 90: an RST that would reset, with each data offset in packets of each length. */
static void data_offset_and_length(void **state)
{
	(void)state;
	for (int family = 0; family < 2; family++)
		for (unsigned int doff = 0; doff < 16; doff++)
			for (unsigned int n = 0; n <= 80; n++) {
				const struct variant *v = family ? &v6 : &v4;
				unsigned int ip = family ? 40 : 20;
				struct step st = exact_rst;
				int want = n < 20		    ? SW_R_TRUNCATED :
					   doff < 5 || doff * 4 > n ? SW_R_BAD_TCP :
								      SW_R_OBSERVED;

				opened(v);
				st.len = 60;
				frame_build(frame, v, &st);
				memset(frame + ETH + ip + 20, 1, 60); /* options that are none */
				frame[ETH + ip + 12] = doff << 4;
				frame[ETH + (family ? 5 : 3)] = n + (family ? 0 : 20);
				if (family && !n) /* a payload length of 0 is a jumbogram */
					continue;
				frame_sums(frame, ETH + ip + n, ETH);
				assert_reason(arrive(ETH + ip + n), want);
				still(v, want ? ES : CL, want ? ES : CL);
			}
}

/* Row 90: option lengths that lead nowhere, on the segments whose options are looked at. */
static void option_lengths(void **state)
{
	static const struct step kinds[] = {
		{ C, RST, 1, 0, 12 },
		{ C, RA, 1, 1, 12 },
		{ C, FA, 1, 1, 12 },
		{ C, SYN, 9000, 0, 12 },
	};
	static const __u8 lengths[] = { 0, 1, 13, 40, 255 };

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		for (size_t i = 0; i < sizeof(lengths); i++)
			for (__u8 kind = 2; kind < 40; kind++) {
				struct step st = kinds[k];
				size_t len;

				opened(&v4);
				now += 70 * SW_NS_PER_SEC;
				save();
				st.opt = O_BARE;
				len = frame_build(frame, &v4, &st);
				frame[ETH + 32] = 8 << 4;
				memset(frame + ETH + 40, 1, 12);
				frame[ETH + 40] = kind;
				frame[ETH + 41] = lengths[i];
				frame_sums(frame, len, ETH);
				assert_reason(arrive(len), SW_R_BAD_TCP);
				assert_true(unchanged());
			}
}

/* A handshake and a close, each frame with something between IP and TCP. */
static int dressed(const struct variant *v, __u8 type, const void *bytes, size_t n)
{
	const struct talk *t = &talks[1];
	int reason = SW_R_OBSERVED;

	host_clear(&host);
	now = 1000 * SW_NS_PER_SEC;
	for (const struct step *st = t->steps; st->from; st++) {
		size_t len = frame_build(frame, v, st);
		__u8 is[2];

		len = frame_extend(frame, len, ETH, type, bytes, n);
		now += SW_NS_PER_MS;
		reason =
			host_frame(&host, frame, len, vantage_of(V_SERVER, st->from, IFINDEX), now);
		states(v, is);
		if (reason != SW_R_OBSERVED) {
			assert_int_equal(is[0], CL);
			assert_int_equal(is[1], CL);
		} else if (!state_fits(st->c, is[0]) || !state_fits(st->s, is[1])) {
			fail_msg("%s: %s/%s", step_text(st), state_text(is[0]), state_text(is[1]));
		}
	}
	return reason;
}

/* ihl 5 to 15, with options that there are (RFC 791, RFC 2113). */
static void ipv4_options(void **state)
{
	static const struct {
		char bytes[40];
		size_t n;
	} options[] = {
		{ "", 0 },
		{ "\x94\x04\0\0", 4 },					/* router alert */
		{ "\x88\x04\x12\x34\x82\x0b\0\0\0\0\0\0\0\0\0\0", 16 }, /* stream, security */
		{ "\x07\x27\x04", 40 },					/* record route */
		{ "\x44\x28\x05", 40 },					/* timestamps */
		{ "\x83\x0b\x0c\x0a\x01\x01\x01\x0a\x01\x01\x02",
		  12 },				       /* loose source route, done */
		{ "\x89\x07\x08\x0a\x01\x01\x01", 8 }, /* strict source route, done */
	};
	__u8 nops[40];

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		assert_reason(dressed(&v4, 0, options[i].bytes, options[i].n), SW_R_OBSERVED);
	memset(nops, 1, sizeof(nops));
	for (size_t words = 0; words <= 10; words++)
		assert_reason(dressed(&v4, 0, nops, words * 4), SW_R_OBSERVED);
}

struct ext {
	__u8 type, units; /* units: of 8 bytes behind the first 8; AH: of 4 behind 8 */
};

static size_t chain(__u8 *at, const struct ext *e, int n)
{
	__u8 *begin = at;

	for (int i = 0; i < n; i++) {
		size_t size = e[i].type == SW_IPPROTO_AH ? e[i].units * 4 + 8 : e[i].units * 8 + 8;

		memset(at, 0, size);
		at[0] = i + 1 < n ? e[i + 1].type : SW_IPPROTO_TCP;
		at[1] = e[i].type == SW_IPPROTO_FRAGMENT ? 0 : e[i].units;
		at += size;
	}
	return at - begin;
}

/* Rows 91 and THREATS' evasion by extension headers: the same TCP truth, or it is counted. */
static void extension_chains(void **state)
{
	enum { HBH = 0, RT = 43, FR = 44, AH = 51, DST = 60 };
	static const struct {
		struct ext e[10];
		int n, reason;
	} cases[] = {
		{ { { HBH } }, 1 },
		{ { { DST } }, 1 },
		{ { { RT, 2 } }, 1 },
		{ { { FR } }, 1 }, /* atomic (RFC 6946) */
		{ { { AH, 4 } }, 1 },
		{ { { HBH }, { DST }, { RT }, { FR }, { AH, 1 }, { DST } }, 6 },
		{ { { HBH, 24 } }, 1 },			      /* 200 bytes in one */
		{ { { HBH, 7 }, { RT, 8 }, { DST, 7 } }, 3 }, /* and in three */
		{ { { DST }, { DST }, { DST }, { DST }, { DST }, { DST }, { DST }, { DST } }, 8 },
		{ { { HBH },
		    { DST },
		    { DST },
		    { DST },
		    { DST },
		    { DST },
		    { DST },
		    { DST },
		    { DST } },
		  9,
		  SW_R_UNPARSED },
		{ { { DST, 60 } }, 1, SW_R_UNPARSED },
	};
	__u8 bytes[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t n = chain(bytes, cases[i].e, cases[i].n);

		assert_reason(dressed(&v6, cases[i].e[0].type, bytes, n), cases[i].reason);
	}
}

/* Row 88 and RFC 1858, 3128: a fragment without the whole TCP header does nothing. */
static void fragments(void **state)
{
	static const struct {
		unsigned int offset, more, n; /* bytes behind IP */
		int reason;
	} cases[] = {
		{ 0, 1, 8, SW_R_FRAGMENT },    { 0, 1, 16, SW_R_FRAGMENT },
		{ 0, 1, 20, SW_R_OBSERVED },   { 1, 1, 20, SW_R_FRAGMENT },
		{ 1, 0, 12, SW_R_FRAGMENT },   { 2, 0, 20, SW_R_FRAGMENT },
		{ 185, 0, 20, SW_R_FRAGMENT }, { 0, 0, 20, SW_R_OBSERVED }, /* no fragment */
	};

	(void)state;
	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			const struct variant *v = family ? &v6 : &v4;
			unsigned int field = cases[i].offset << (family ? 3 : 0);
			__u8 header[8] = { SW_IPPROTO_TCP };
			size_t len;

			opened(v);
			save();
			len = frame_build(frame, v, &exact_rst) - 20 + cases[i].n;
			if (family) {
				field |= cases[i].more;
				header[2] = field >> 8;
				header[3] = field;
				len = frame_extend(frame, len, ETH, SW_IPPROTO_FRAGMENT, header, 8);
			} else {
				field |= cases[i].more << 13;
				frame[ETH + 6] = field >> 8;
				frame[ETH + 7] = field;
				len = frame_extend(frame, len, ETH, 0, header, 0);
			}
			assert_reason(arrive(len), cases[i].reason);
			if (cases[i].reason)
				assert_true(unchanged());
			else
				still(v, CL, CL);
		}
	/* overlapping: the first says SYN, the second would make an RST of it */
	opened(&v4);
	frame_build(frame, &v4, &(struct step){ C, ACK, 1, 1 });
	frame[ETH + 6] = 0x20;
	assert_reason(arrive(frame_extend(frame, ETH + 40, ETH, 0, "", 0)), SW_R_OBSERVED);
	frame[ETH + 6] = 0;
	frame[ETH + 7] = 1;
	frame[ETH + 20 + 13 - 8] = RST;
	assert_reason(arrive(frame_extend(frame, ETH + 40, ETH, 0, "", 0)), SW_R_FRAGMENT);
	still(&v4, ES, ES);
}

/* Row 89: what the kernel would drop on ingress; on egress sums are not finished yet. */
static void bad_checksums(void **state)
{
	static const struct step kinds[] = {
		{ C, SYN, 0, 0, 0 }, { C, RST, 1, 0, 0 },    { C, RA, 1, 1, 0 },
		{ C, FA, 1, 1, 10 }, { C, ACK, 60, 1, 100 },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		for (int way = 0; way < 3; way++) { /* TCP's over IPv4 and IPv6; IPv4's own */
			const struct variant *v = way == 1 ? &v6 : &v4;
			size_t len, sum = way == 2 ? ETH + 10 : ETH + (way ? 40 : 20) + 16;

			if (kinds[k].flags == SYN)
				host_clear(&host);
			else
				opened(v);
			save();
			len = frame_build(frame, v, &kinds[k]);
			frame[sum] ^= 0x55;
			assert_reason(arrive(len), SW_R_BAD_CHECKSUM);
			assert_true(unchanged());
			frame[sum] ^= 0x55;
			assert_true(arrive(len) != SW_R_BAD_CHECKSUM);
		}
	/* leaving: believed all the same */
	opened(&v4);
	frame_build(frame, &v4, &(struct step){ S, FA, 1, 1 });
	frame[ETH + 20 + 16] ^= 0x55;
	assert_reason(host_frame(&host, frame, ETH + 40, vantage_of(V_SERVER, S, IFINDEX), ++now),
		      SW_R_OBSERVED);
	still(&v4, ES, F1);
}

static void nothing_comes_of(const char *what, size_t len)
{
	host_clear(&host);
	save();
	frame_sums(frame, len, ETH);
	if (arrive(len) != SW_R_BAD_ADDRESS || !unchanged())
		fail_msg("%s: it is believed", what);
}

/* Row 23: source and destination are one; on lo it is legal, and not shown. */
static void land(void **state)
{
	static const __u16 kinds[] = { SYN, SA, ACK, FA, RST };

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		for (int family = 0; family < 2; family++) {
			size_t len = frame_build(frame, family ? &v6 : &v4,
						 &(struct step){ C, kinds[k] });
			__u8 *src = frame + ETH + (family ? 8 : 12);

			memcpy(src, src + (family ? 16 : 4), family ? 16 : 4);
			memcpy(src + (family ? 32 : 8), src + (family ? 34 : 10), 2);
			nothing_comes_of("LAND", len);
		}
}

/* Row 36 */
static void no_such_peer(void **state)
{
	static const __u8 bad[][4] = {
		{ 224, 0, 0, 1 }, { 239, 255, 255, 250 }, { 255, 255, 255, 255 }, { 240, 0, 0, 1 }
	};
	static const __u16 kinds[] = { SYN, SA, ACK, FA, RST };

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		struct step st = { C, kinds[k] };

		for (int dst = 0; dst < 2; dst++) {
			size_t len;

			for (int i = 0; i < 4; i++) {
				len = frame_build(frame, &v4, &st);
				memcpy(frame + ETH + 12 + 4 * dst, bad[i], 4);
				nothing_comes_of("an address of many", len);
			}
			len = frame_build(frame, &v4, &st);
			memset(frame + ETH + 20 + 2 * dst, 0, 2);
			nothing_comes_of("port 0", len);
			len = frame_build(frame, &v6, &st);
			frame[ETH + 8 + 16 * dst] = 0xff;
			nothing_comes_of("IPv6 multicast", len);
			len = frame_build(frame, &v6, &st);
			memset(frame + ETH + 40 + 2 * dst, 0, 2);
			nothing_comes_of("port 0, IPv6", len);
		}
	}
}

/* Row 55: more than 4 GiB in either direction, through the wrap, then closed. */
static void more_than_4_gib(void **state)
{
	struct sw_pkt p[2];
	__s32 nxt[2] = { 1, 1 };
	struct step st;

	(void)state;
	opened(&v4);
	for (int i = 0; i < 2; i++) {
		st = (struct step){ i ? S : C, ACK, 1, 1 };
		p[i] = packet_of(&v4, &st, vantage_of(V_SERVER, st.from, IFINDEX));
	}
	for (__u64 sent = 0; sent < 5ull << 30; sent += 50000)
		for (int i = 0; i < 2; i++) {
			host.pkt = p[i];
			host.pkt.seq = v4.isn[i] + nxt[i];
			host.pkt.ack = v4.isn[!i] + nxt[!i];
			host.pkt.len = 50000;
			nxt[i] = (__u32)nxt[i] + 50000;
			now += 1000;
			assert_reason(host_segment(&host, NULL, 0, i, now), SW_R_OBSERVED);
		}
	st = (struct step){ C, FA, nxt[0], nxt[1] };
	say(&v4, &st, vantage_of(V_SERVER, C, IFINDEX));
	still(&v4, F1, ES);
	st = (struct step){ S, FA, nxt[1], (__u32)nxt[0] + 1 };
	say(&v4, &st, vantage_of(V_SERVER, S, IFINDEX));
	still(&v4, TW, LA);
}

/* Row 86: ICMP is not read; the connection stays, and TCP's own timers end it. */
static void icmp_passes(void **state)
{
	(void)state;
	for (int cut = 1; cut <= 3; cut += 2)
		for (__u8 code = 0; code < 16; code++) {
			__u8 inner[40];

			begin(&talks[0], cut, &v4, false, V_CLIENT);
			save();
			frame_build(frame, &v4, &(struct step){ C, SYN });
			memcpy(inner, frame + ETH, 28); /* its IP header, and 8 bytes */
			frame[ETH + 9] = 1;
			memcpy(frame + ETH + 20, (__u8[]){ 3, code, 0, 0, 0, 0, 5, 0xdc }, 8);
			memcpy(frame + ETH + 28, inner, 28);
			assert_reason(arrive(frame_extend(frame, ETH + 56, ETH, 0, "", 0)),
				      SW_R_NOT_TCP);
			assert_true(unchanged());
		}
}

/* Row 91: what is in a tunnel passes and is counted; a tag more or less is the same flow. */
static void encapsulated_passes(void **state)
{
	static const struct {
		__u16 type;
		__u8 protocol;
		size_t gap; /* bytes between Ethernet and IP, or between the IP headers */
		int reason;
	} cases[] = {
		{ SW_ETH_P_PPPOE, 0, 8, SW_R_UNPARSED },
		{ SW_ETH_P_MPLS, 0, 4, SW_R_UNPARSED },
		{ 0x8848, 0, 4, SW_R_NOT_IP },
		{ 0x88e7, 0, 18, SW_R_NOT_IP }, /* PBB */
		{ 0, 4, 20, SW_R_UNPARSED },
		{ 0, 41, 20, SW_R_UNPARSED },
		{ 0, 47, 24, SW_R_UNPARSED },
		{ 0, 50, 28, SW_R_UNPARSED },
		{ 0, 17, 36, SW_R_NOT_TCP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len;

		opened(&v4);
		save();
		len = frame_build(frame, &v4, &exact_rst);
		memmove(frame + ETH + cases[i].gap, frame + ETH, len - ETH);
		if (cases[i].type) {
			memset(frame + ETH, 1, cases[i].gap);
			frame[12] = cases[i].type >> 8;
			frame[13] = cases[i].type;
		} else {
			memset(frame + ETH + 20, 0, cases[i].gap - 20);
			frame[ETH + 9] = cases[i].protocol;
			frame[ETH + 3] += cases[i].gap;
		}
		assert_reason(arrive(len + cases[i].gap), cases[i].reason);
		assert_true(unchanged());
	}
}

/* Row 92: an IPv6 address whose words are an IPv4 one's is another host. */
static void families_do_not_collide(void **state)
{
	struct sw_key key4, key6;
	char table;
	size_t len;

	(void)state;
	opened(&v4);
	key4 = host.pkt.key;
	len = frame_build(frame, &v6, &(struct step){ C, SYN });
	memset(frame + ETH + 8, 0, 32);
	memcpy(frame + ETH + 8, key4.addr[host.pkt.from], 4);
	memcpy(frame + ETH + 24, key4.addr[host.pkt.from ^ 1], 4);
	frame_sums(frame, len, ETH);
	assert_reason(arrive(len), SW_R_OBSERVED);
	key6 = host.pkt.key;
	assert_memory_equal(key4.addr, key6.addr, sizeof(key4.addr));
	assert_int_equal(host_find(&host, &key4, now, &table)->ctl.state[0], ES);
	assert_int_equal(host_find(&host, &key6, now, &table)->ctl.state[host.pkt.from], SS);
}

/* Row 93: the same 5-tuple on two VLANs is one flow (README, Limits). */
static void vlans_share_a_flow(void **state)
{
	struct variant tagged = v4;

	(void)state;
	opened(&v4);
	tagged.tags = 1;
	say(&tagged, &exact_rst, vantage_of(V_SERVER, C, IFINDEX));
	still(&v4, CL, CL);
}

/* Cases that a script cannot show, and the test that does. */
static const struct {
	int row;
	void (*test)(void **state);
} elsewhere[] = {
	{ 23, land },
	{ 36, no_such_peer },
	{ 55, more_than_4_gib },
	{ 86, icmp_passes }, /* out of scope: they pass, and the flow stays */
	{ 88, fragments },
	{ 89, bad_checksums },
	{ 90, data_offset_and_length },
	{ 91, encapsulated_passes }, /* out of scope but for tags and extension headers */
	{ 92, families_do_not_collide },
	{ 93, vlans_share_a_flow },
};

#define ROWS 93

static void every_row_has_a_test(void **state)
{
	static const int differ[] = { 14, 28, 76, 77 }; /* marked I: stacks differ */
	bool shown[ROWS + 1] = { 0 }, ambiguous[ROWS + 1] = { 0 };

	(void)state;
	for (const struct script *sc = scripts; sc->row; sc++) {
		int row = atoi(sc->row);

		assert_true(row <= ROWS);
		shown[row] = true;
		for (const struct step *st = sc->steps; st->from; st++)
			ambiguous[row] |= st->amb;
	}
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
		if (shown[elsewhere[i].row])
			fail_msg("row %d has a script", elsewhere[i].row);
		shown[elsewhere[i].row] = true;
	}
	for (int row = 1; row <= ROWS; row++)
		if (!shown[row])
			fail_msg("no test for row %d", row);
	for (size_t i = 0; i < sizeof(differ) / sizeof(*differ); i++)
		if (!ambiguous[differ[i]])
			fail_msg("row %d marks nothing ambiguous", differ[i]);
}

/* Scripts run in every variant: these must be among them. */
static void variants_cover(void **state)
{
	bool wraps[2] = { 0 }, family[2] = { 0 }, tags[3] = { 0 }, swap[2] = { 0 }, wrap6 = false;

	(void)state;
	for (unsigned int i = 0; i < n_variants; i++) {
		const struct variant *v = &variants[i];

		for (int side = 0; side < 2; side++)
			wraps[side] |= v->isn[side] == 0xffffffff;
		wrap6 |= v->family == SW_AF_INET6 && v->isn[0] == 0xffffffff;
		family[v->family == SW_AF_INET6] = tags[v->tags] = swap[v->swap] = true;
	}
	assert_true(wraps[0] && wraps[1] && wrap6);
	assert_true(family[0] && family[1] && tags[0] && tags[1] && tags[2] && swap[0] && swap[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_offset_and_length),
		cmocka_unit_test(option_lengths),
		cmocka_unit_test(ipv4_options),
		cmocka_unit_test(extension_chains),
		cmocka_unit_test(fragments),
		cmocka_unit_test(bad_checksums),
		cmocka_unit_test(land),
		cmocka_unit_test(no_such_peer),
		cmocka_unit_test(more_than_4_gib),
		cmocka_unit_test(icmp_passes),
		cmocka_unit_test(encapsulated_passes),
		cmocka_unit_test(families_do_not_collide),
		cmocka_unit_test(vlans_share_a_flow),
		cmocka_unit_test(every_row_has_a_test),
		cmocka_unit_test(variants_cover),
	};

	return cmocka_run_group_tests_name("frames", tests, talks_setup, talks_teardown);
}
