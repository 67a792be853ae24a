/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_COOKIE_H
#define SW_COOKIE_H

#include "flow.h"

/*
 * SYN cookies (RFC 4987 section 3.6): the SYN-ACK's sequence number says all
 * that a half-open entry would, so that an unproven client costs no memory.
 *
 *	 31                              8 7                0
 *	+---------------------------------+------------------+
 *	|          MAC, 24 bits           |     options      |	the server's ISN
 *	+---------------------------------+------------------+
 *	options, client without timestamps:	 mss:2 wscale:4 sack:1 ecn:1
 *	options, client with timestamps:	 mss:4 0:4
 *
 *	 31                                      6 5        0
 *	+-----------------------------------------+----------+
 *	|           a clock, milliseconds         | options  |	TSval, echoed as TSecr
 *	+-----------------------------------------+----------+
 *	options:				 wscale:4 sack:1 ecn:1
 *
 * wscale 15: not offered. The MAC is SipHash-1-3 over both addresses in full,
 * both ports, the client's ISN, all options and the epoch. A cookie is made
 * with the present epoch and taken with this one or the one before, so a
 * random ACK passes with probability 2 * 2^-24.
 *
 * The clock's lower bits give way to the options; nobody minds, as the
 * server's timestamps go on from the echoed value (bpf_sk_assign_tcp_reqsk).
 */
#define SW_COOKIE_EPOCH_S 32
#define SW_NO_WSCALE 15

/* Whose cookies these are, and who takes a connection whose cookie came back. */
enum sw_backend {
	SW_BACKEND_NONE,   /* no cookies */
	SW_BACKEND_ASSIGN, /* ours; the kernel is given the connection (bpf_sk_assign_tcp_reqsk, 6.9) */
	SW_BACKEND_HELPER, /* the kernel's, made by its helpers; its listener takes the ACK */
};

struct sw_secret {
	__u64 key[2];	/* of SipHash */
	__u64 clock_ns; /* what to add to the clock for epochs that other hosts share; else 0 */
};

/* What a cookie remembers of a client's SYN. */
struct sw_cookie {
	__u16 mss;    /* table value, not above the client's (but see sw_mss); 0: not known */
	__u8 wscale;  /* SW_NO_WSCALE: not offered */
	__u8 sack;
	__u8 ecn;
	__u8 ts;
};

/*
 * MSS values, rising. The first of each is the least that Linux takes; a client
 * with a smaller one gets it all the same, as from tcp_syncookies. Column 0 to
 * 3 of the short ones are for clients without timestamps.
 */
static const __u16 sw_mss[2][2][16] = {
	{ { 536, 1300, 1440, 1460 },
	  { 536, 700, 900, 1100, 1200, 1260, 1300, 1340, 1360, 1380, 1400, 1420, 1440, 1452, 1460,
	    8960 } },
	{ { 1220, 1320, 1420, 1440 },
	  { 1220, 1240, 1260, 1280, 1300, 1320, 1340, 1360, 1380, 1390, 1400, 1410, 1420, 1432,
	    1440, 8940 } },
};

/* Greatest index whose value is not above mss; 0 when all are. Most clients' is near the top. */
static sw_inline __u32 sw_mss_index(bool v6, bool ts, __u16 mss)
{
	const __u16 *table = sw_mss[v6][ts];
	__u32 n = ts ? 15 : 3;

	for (int i = 0; i < 15 && n && table[n & 15] > mss; i++)
		n--;
	return n;
}

/* The SYN-ACK that goes out with it. Host byte order. */
struct sw_answer {
	__u32 seq, tsval, tsecr;
	__u16 win, mss;
	__u8 wscale;
	__u8 opts; /* SW_OPT_* */
	__u8 ecn;
	__u8 ttl, tos;
	__u8 pad[3];
};

#define SW_ROL64(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define SW_SIP(a, b, c, d)                                                                         \
	(a += b, b = SW_ROL64(b, 13), b ^= a, a = SW_ROL64(a, 32), c += d, d = SW_ROL64(d, 16),    \
	 d ^= c, a += d, d = SW_ROL64(d, 21), d ^= a, c += b, b = SW_ROL64(b, 17), b ^= c,         \
	 c = SW_ROL64(c, 32))
#define SW_SIP_WORD(word) (v3 ^= (word), SW_SIP(v0, v1, v2, v3), v0 ^= (word))

/* SipHash-1-3 (Aumasson, Bernstein) of whole words: the length is part of the last one. */
static sw_inline __u64 sw_cookie_mac(const struct sw_secret *secret, const struct sw_pkt *p,
				     __u32 client, __u32 isn, __u32 epoch, __u32 options)
{
	__u64 v0 = secret->key[0] ^ 0x736f6d6570736575ull;
	__u64 v1 = secret->key[1] ^ 0x646f72616e646f6dull;
	__u64 v2 = secret->key[0] ^ 0x6c7967656e657261ull;
	__u64 v3 = secret->key[1] ^ 0x7465646279746573ull;
	const struct sw_key *k = &p->key;

	/* the key is sorted: which end is the client is a word of its own */
	SW_SIP_WORD((__u64)k->addr[0][0] << 32 | k->addr[1][0]);
	if (k->family == SW_AF_INET6) {
		SW_SIP_WORD((__u64)k->addr[0][1] << 32 | k->addr[1][1]);
		SW_SIP_WORD((__u64)k->addr[0][2] << 32 | k->addr[1][2]);
		SW_SIP_WORD((__u64)k->addr[0][3] << 32 | k->addr[1][3]);
	}
	SW_SIP_WORD((__u64)isn << 32 | (__u32)k->port[0] << 16 | k->port[1]);
	SW_SIP_WORD((__u64)epoch << 32 | options << 8 | client << 4 | (k->family & 0xf));
	SW_SIP_WORD(32ull << 56);
	v2 ^= 0xff;
	SW_SIP(v0, v1, v2, v3);
	SW_SIP(v0, v1, v2, v3);
	SW_SIP(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

static sw_inline __u32 sw_cookie_epoch(const struct sw_secret *secret, __u64 now)
{
	return (now + secret->clock_ns) / (SW_COOKIE_EPOCH_S * SW_NS_PER_SEC);
}

/* Option bits of a timestamp: wscale:4 sack:1 ecn:1. */
static sw_inline __u32 sw_cookie_ts_bits(const struct sw_cookie *c)
{
	return (__u32)c->wscale << 2 | (__u32)!!c->sack << 1 | !!c->ecn;
}

/*
 * The ISN that answers the SYN *p, whose options are reduced to *c; *tsval is
 * the timestamp to send with it, when c->ts.
 */
static sw_inline __u32 sw_cookie_make(const struct sw_secret *secret, const struct sw_pkt *p,
				      const struct sw_cookie *c, __u32 mss_index, __u64 now,
				      __u32 *tsval)
{
	__u32 low, bits = sw_cookie_ts_bits(c), options;
	__u64 mac;

	low = c->ts ? mss_index << 4 : mss_index << 6 | bits;
	options = low << 8 | (c->ts ? bits << 1 | 1 : 0);
	mac = sw_cookie_mac(secret, p, p->from & 1, p->seq, sw_cookie_epoch(secret, now), options);
	*tsval = ((__u32)(now / SW_NS_PER_MS) & ~0x3fu) | bits;
	return (__u32)(mac << 8) | low;
}

/*
 * Does the segment *p, the client's first after our SYN-ACK, acknowledge a
 * cookie of ours? Then *c is what the SYN offered. tsecr: the echoed timestamp,
 * with ts; the client that was offered timestamps must send them (RFC 7323).
 */
static sw_inline bool sw_cookie_check(const struct sw_secret *secret, const struct sw_pkt *p,
				      bool ts, __u32 tsecr, __u64 now, struct sw_cookie *c)
{
	__u32 isn = p->ack - 1, low = isn & 0xff, bits, options, mss_index, epoch;
	bool v6 = p->key.family == SW_AF_INET6;

	bits = (ts ? tsecr : low) & 0x3f;
	mss_index = ts ? low >> 4 : low >> 6;
	if (ts && low & 0xf)
		return false;
	options = low << 8 | (ts ? bits << 1 | 1 : 0);
	epoch = sw_cookie_epoch(secret, now);
	for (int i = 0; i < 2; i++) {
		__u64 mac = sw_cookie_mac(secret, p, p->from & 1, p->seq - 1, epoch - i, options);

		if (((__u32)(mac << 8) ^ isn) >> 8)
			continue;
		c->mss = sw_mss[v6][ts][mss_index & 15];
		c->wscale = bits >> 2;
		c->sack = bits >> 1 & 1;
		c->ecn = bits & 1;
		c->ts = ts;
		return true;
	}
	return false;
}

/*
 * What goes with a cookie of the kernel's: its ISN says the MSS alone, the rest
 * stands in the timestamp (cookie_init_timestamp, cookie_timestamp_decode).
 *
 *	 31                                      6   5   4 3      0
 *	+-----------------------------------------+---+---+--------+
 *	|           a clock, milliseconds         |ecn|sack| wscale|	TSval
 *	+-----------------------------------------+---+---+--------+
 *
 * Without timestamps a client gets none of them. The kernel's own clock goes
 * on from there (net.ipv4.tcp_timestamps=2), so it must not be ahead of it.
 */
static sw_inline __u32 sw_kernel_tsval(const struct sw_cookie *c, __u64 now)
{
	__u32 ms = now / SW_NS_PER_MS;
	__u32 ts = (ms & ~0x3fu) | (__u32)!!c->ecn << 5 | (__u32)!!c->sack << 4 | c->wscale;

	return (__s32)(ts - ms) > 0 ? ts - 0x40 : ts;
}

/* The same, backwards; the MSS is the kernel's secret. */
static sw_inline void sw_kernel_cookie_read(bool ts, __u32 tsecr, struct sw_cookie *c)
{
	c->mss = 0;
	c->wscale = ts ? tsecr & 0xf : SW_NO_WSCALE;
	c->sack = ts && tsecr & 0x10;
	c->ecn = ts && tsecr & 0x20;
	c->ts = ts;
}

/* Options of a SYN-ACK of the kernel's: timestamps with a secret offset are none that it takes back. */
static sw_inline __u8 sw_kernel_agrees(__u8 opts, __u32 tsval, __u64 now)
{
	__u32 ahead = tsval - (__u32)(now / SW_NS_PER_MS) + 1000;

	return ahead < 2000 ? opts : opts & ~SW_OPT_TS;
}

#endif
