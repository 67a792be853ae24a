// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"

const struct variant variants[] = {
	{ "v4", SW_AF_INET, 0, 0, { 1000000000, 3000000000u } },
	{ "v4 wrap", SW_AF_INET, 0, 0, { 0xffffffff, 0xfffffffe } },
	{ "v4 wrap later, swapped", SW_AF_INET, 0, 1, { 0xffffff9c, 0xffffffd0 } },
	{ "v4 sign", SW_AF_INET, 0, 0, { 0x7fffffff, 0x7ffffffe } },
	{ "v4 zero", SW_AF_INET, 0, 0, { 0, 0 } },
	{ "v6", SW_AF_INET6, 0, 0, { 1000, 2000000000 } },
	{ "v6 wrap, swapped", SW_AF_INET6, 0, 1, { 0xffffffff, 0xffffffff } },
	{ "VLAN", SW_AF_INET, 1, 0, { 5, 3000000000u } },
	{ "QinQ swapped", SW_AF_INET, 2, 1, { 1, 2 } },
	{ "v6 QinQ", SW_AF_INET6, 2, 0, { 0xfffffff0, 77 } },
};
const unsigned int n_variants = sizeof(variants) / sizeof(*variants);

/* Addresses: endpoint 0 of the key is the lesser one. */
static void address(const struct variant *v, int from, __u8 addr[16])
{
	int n = (from == S) ^ v->swap;

	memset(addr, 0, 16);
	if (v->family == SW_AF_INET)
		memcpy(addr, n ? (__u8[]){ 198, 51, 100, 9 } : (__u8[]){ 10, 1, 2, 3 }, 4);
	else
		memcpy(addr, n ? "\x20\x01\x0d\xb8\0\0\0\x09" : "\x20\x01\x0d\xb8\0\0\0\x08", 8),
			addr[15] = 1;
}

static __u16 port(int from)
{
	return from == C ? CLIENT_PORT : SERVER_PORT;
}

struct sw_key variant_key(const struct variant *v, __u32 *client)
{
	struct sw_pkt p = { .key.family = v->family };

	address(v, C, (__u8 *)p.key.addr[0]);
	address(v, S, (__u8 *)p.key.addr[1]);
	p.key.port[0] = htons(port(C));
	p.key.port[1] = htons(port(S));
	sw_sort_key(&p);
	*client = p.from;
	return p.key;
}

static __u8 *put16(__u8 *at, unsigned int n)
{
	at[0] = n >> 8;
	at[1] = n;
	return at + 2;
}

static __u8 *put32(__u8 *at, __u32 n)
{
	return put16(put16(at, n >> 16), n & 0xffff);
}

static __u8 *put(__u8 *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

static __u32 add_up(__u32 sum, const __u8 *at, size_t n)
{
	for (; n > 1; n -= 2, at += 2) {
		sum += at[0] << 8 | at[1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return n ? sum + (at[0] << 8) : sum;
}

static __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Sum of the pseudo header; n: bytes of TCP header and payload. */
static __u32 pseudo(const __u8 *ip, size_t n)
{
	__u32 sum = 6 + (n >> 16) + (n & 0xffff);

	return ip[0] >> 4 == 4 ? add_up(sum, ip + 12, 8) : add_up(sum, ip + 8, 32);
}

void frame_sums(__u8 *buf, size_t len, size_t ip)
{
	__u8 *at = buf + ip, *tcp = at + (at[0] >> 4 == 4 ? (at[0] & 0xf) * 4 : 40);
	size_t n = buf + len - tcp, said;

	said = at[0] >> 4 == 4 ? (size_t)(at[2] << 8 | at[3]) - (tcp - at) :
				 (size_t)(at[4] << 8 | at[5]);
	if (said < n && said >= 20)
		n = said; /* padding is not part of it */
	if (at[0] >> 4 == 4) {
		put16(at + 10, 0);
		put16(at + 10, ~fold(add_up(0, at, tcp - at)) & 0xffff);
	}
	put16(tcp + 16, 0);
	put16(tcp + 16, ~fold(add_up(pseudo(at, n), tcp, n)) & 0xffff);
}

size_t frame_extend(__u8 *buf, size_t len, size_t ip, __u8 type, const void *bytes, size_t n)
{
	__u8 *at = buf + ip;
	bool v4 = at[0] >> 4 == 4;
	size_t hlen = v4 ? 20 : 40, total = len - ip + n;

	memmove(at + hlen + n, at + hlen, len - ip - hlen);
	memcpy(at + hlen, bytes, n);
	if (v4) {
		at[0] += n / 4;
		put16(at + 2, total);
		put16(at + 10, 0);
		put16(at + 10, ~fold(add_up(0, at, (at[0] & 0xf) * 4)) & 0xffff);
	} else {
		at[6] = type;
		put16(at + 4, total - 40);
	}
	return len + n;
}

static __u8 *put_options(__u8 *at, const struct step *st)
{
	__u8 *begin = at;

	if (st->flags & SYN && !(st->opt & O_BARE)) {
		at = put(at, "\x02\x04\x05\xb4\x04\x02\x01\x01", 8); /* MSS 1460, SACK, NOP, NOP */
		if (!(st->opt & O_NOSCALE))
			at = put(at, "\x03\x03\x07\x01", 4);
	}
	if (st->opt & O_TS)
		at = put32(put32(put(at, "\x01\x01\x08\x0a", 4), st->ts), 0);
	if (st->opt & O_FO)
		at = put(at, "\x22\x0a\x01\x02\x03\x04\x05\x06\x07\x08\x01\x01", 12);
	if (st->opt & O_MD5)
		at = put(at, "\x01\x01\x13\x12sixteen bytes...", 20);
	while ((at - begin) & 3)
		*at++ = 0;
	return at;
}

size_t frame_build(__u8 *buf, const struct variant *v, const struct step *st)
{
	bool client = st->from == C;
	__u32 seq = st->opt & O_SEQ0 ? 0 : v->isn[!client] + st->seq;
	__u32 ack = !(st->flags & ACK) || st->opt & O_ACK0 ? 0 : v->isn[client] + st->ack;
	__u8 *at = buf, *ip, *tcp;
	__u8 src[16], dst[16];
	size_t total;

	address(v, st->from, src);
	address(v, client ? S : C, dst);
	at = put(at,
		 client ? "\x02\0\0\0\0\x02\x02\0\0\0\0\x01" : "\x02\0\0\0\0\x01\x02\0\0\0\0\x02",
		 12);
	if (v->tags > 1)
		at = put(at, "\x88\xa8\x00\x64", 4);
	if (v->tags)
		at = put(at, "\x81\x00\x00\x0a", 4);
	ip = put16(at, v->family == SW_AF_INET ? SW_ETH_P_IP : SW_ETH_P_IPV6);
	if (v->family == SW_AF_INET) {
		at = put(ip, "\x45\0\0\0\x12\x34\x40\0\x40\x06\0\0", 12);
		at = put(put(at, src, 4), dst, 4);
	} else {
		at = put(ip, "\x60\0\0\0\0\0\x06\x40", 8);
		at = put(put(at, src, 16), dst, 16);
	}
	tcp = at;
	at = put16(put16(at, port(st->from)), port(client ? S : C));
	at = put32(put32(at, seq), ack);
	at = put16(at, st->flags);
	at = put16(at, st->win ? st->win : st->flags & SYN ? 64240 : 502);
	at = put_options(put32(at, 0), st);
	tcp[12] |= (at - tcp) / 4 << 4;
	for (__u32 i = 0; i < st->len; i++)
		*at++ = 'a' + i % 26;
	total = at - ip;
	if (v->family == SW_AF_INET)
		put16(ip + 2, total > 0xffff ? 0 : total);
	else
		put16(ip + 4, total - 40 > 0xffff ? 0 : total - 40);
	if (st->opt & O_PAD)
		at = put(at, "\0\0\0\0\0\0", 6);
	frame_sums(buf, at - buf, ip - buf);
	return at - buf;
}

size_t frame_simple(__u8 *buf, const struct step *st)
{
	static const struct variant v = { "", SW_AF_INET, 0, 0, { 0, 0 } };

	return frame_build(buf, &v, st);
}

struct vantage vantage_of(enum view view, int from, __u32 ifindex)
{
	struct vantage in = { ifindex << 1, 0, 0 }, own = { ifindex << 1 | 1, 1, 1 };
	struct vantage through = { ifindex << 1 | 1, 0, 1 };

	switch (view) {
	case V_SERVER:
		return from == S ? own : in;
	case V_CLIENT:
		return from == C ? own : in;
	case V_ROUTER:
		return from == S ? through : in;
	case V_TAP:
		return in;
	default:
		return (struct vantage){ 0 };
	}
}

const char *view_name(enum view view)
{
	static const char *const names[] = { "replay", "at the server", "at the client", "router",
					     "tap" };

	return names[view];
}

const char *state_text(unsigned int state)
{
	static const char *const names[] = {
#define SW_X(name) #name,
		SW_STATES(SW_X)
#undef SW_X
	};

	return state < SW_STATE_COUNT ? names[state] : state == NO ? "none" : "?";
}

const char *reason_text(unsigned int reason)
{
	static const char *const names[] = {
#define SW_X(name, text, meaning) text,
		SW_REASONS(SW_X)
#undef SW_X
	};

	return reason < SW_R_COUNT ? names[reason] : "?";
}

const char *step_text(const struct step *st)
{
	static const char *const bits[] = { "FIN", "SYN", "RST", "PSH", "ACK",
					    "URG", "ECE", "CWR", "AE" };
	static char ring[4][128];
	static unsigned int next;
	char *buf = ring[next++ & 3], *at = buf;
	size_t left = sizeof(ring[0]);

	if (st->from == WAIT)
		return "(time passes)";
	at += snprintf(at, left, "%c", st->from == C ? '>' : '<');
	for (int i = 0; i < 9; i++)
		if (st->flags >> i & 1)
			at += snprintf(at, left - (at - buf), " %s", bits[i]);
	snprintf(at, left - (at - buf), " seq %d ack %d len %u", st->seq, st->ack, st->len);
	return buf;
}
