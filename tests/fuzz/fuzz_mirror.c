// SPDX-License-Identifier: GPL-2.0
/*
 * Coverage-guided: a sequence of frames (record.h) through parser, tables and
 * observer, with tables that are far too small, and after each of them all that
 * must be true whatever comes.
 */
#include <stdio.h>

#include "../unit/hostmirror.h"
#include "record.h"

#define TABLE_MAX 64
#define BUCKETS_MAX ((TABLE_MAX * SW_FILL_NUM / SW_FILL_DEN + SW_WAYS - 1) / SW_WAYS)

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size);

static struct host host;
static struct sw_bucket before[2][BUCKETS_MAX]; /* proven, half: before this packet */
static struct sw_listener listeners_before[HOST_LISTENERS];
static __u64 evicted_before;
static __u64 sums[HOST_LISTENERS][2]; /* of the half-open and the pending gauge, at ... */
static __u32 second;
static __u8 frame[FRAME_MAX + 2048];

/* The checks are not what is to be covered. */
#define NO_COVERAGE __attribute__((no_sanitize("coverage")))

#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth)) {                                                                    \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth);        \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/*
 * States that the two ends can have at one time (either of them either one).
 * CLOSED stands beside another state only where a close is over on one side.
 */
/* clang-format off */
static const char *const pairs[SW_STATE_COUNT] = {
	/*		    CL LI SS SR ES F1 F2 CW CI LA TW */
	[SW_CLOSED] =	   "x                             x ",
	[SW_LISTEN] =	   "      x                         ",
	[SW_SYN_SENT] =	   "   x     x     x                ", /* F1: Fast Open, row 25 */
	[SW_SYN_RCVD] =	   "      x  x  x  x                ", /* F1: and its SYN-ACK again, row 8 */
	[SW_ESTABLISHED] = "         x  x  x                ",
	[SW_FIN_WAIT_1] =  "      x  x  x  x                ", /* F1: both after a gap, row 69 */
	[SW_FIN_WAIT_2] =  "                     x  x  x    ", /* CI, LA: the other's FIN after a gap */
	[SW_CLOSE_WAIT] =  "                  x             ",
	[SW_CLOSING] =	   "                  x     x     x ",
	[SW_LAST_ACK] =	   "                  x           x ",
	[SW_TIME_WAIT] =   "x                       x  x  x ",
};
/* clang-format on */

static bool pair_exists(const struct sw_flow *f)
{
	return pairs[f->ctl.state[0]][3 * f->ctl.state[1]] == 'x';
}

struct table {
	enum sw_table kind;
	struct sw_bucket *now, *before;
	__u32 buckets;
};

/* A flow that is in the table must be in its place, with its tag, and be possible. */
NO_COVERAGE static void check_slot(const struct table *t, __u32 b, __u32 i)
{
	const struct sw_bucket *bucket = &t->now[b];
	const struct sw_flow *f = &bucket->slot[i];
	struct sw_hash h = sw_hash_key(&f->key, &host.cfg);
	__u32 home[2] = { sw_bucket_index(h.index[0], t->buckets),
			  sw_bucket_index(h.index[1], t->buckets) };
	struct sw_bucket *const both[2] = { t->now + home[0], t->now + home[1] };
	struct sw_place at = sw_find(both, h.tag, &f->key);
	const struct sw_dir *d = f->dir;

	must(f->ctl.lock == SW_LIVE);
	must(bucket->tag[i] == h.tag);
	must(b == home[0] || b == home[1]);
	must(at.bucket == bucket && at.slot == i); /* and no other of this key before it */
	must(f->key.family == SW_AF_INET || f->key.family == SW_AF_INET6);
	must(f->ctl.state[0] < SW_STATE_COUNT && f->ctl.state[1] < SW_STATE_COUNT);
	must(d[0].wscale <= 14 && d[1].wscale <= 14);
	must(f->listener <= host.n_listeners);
	must(!(f->flags & SW_F_HALF) || !(f->flags & SW_F_PENDING));
	must(bucket->stamp[i] >> 30 ==
	     (t->kind == SW_HALF ? sw_half_class(f) : sw_proven_class(f)));
	must(!(f->flags & SW_F_PROVEN) == (t->kind == SW_HALF));
	if (t->kind == SW_PROVEN)
		must(!(f->flags & (SW_F_HALF | SW_F_PENDING)));
	must(pair_exists(f));
}

/* A slot that is not what it was: by the packet's own flow, or for it. */
NO_COVERAGE static void check_change(const struct table *t, __u32 b, __u32 i,
				     const struct sw_pkt *p, __u32 now_s)
{
	const struct sw_bucket *was = &t->before[b], *is = &t->now[b];
	bool own_before = was->tag[i] && sw_key_equal(&was->slot[i].key, &p->key);
	bool own_after = is->tag[i] && sw_key_equal(&is->slot[i].key, &p->key);

	must(own_before || own_after);
	if (!was->tag[i] || own_before || sw_expired(t->kind, was->stamp[i], now_s, &host.cfg))
		return;
	/* replaced: in the proven table only by what is proven, and that is told */
	if (t->kind == SW_PROVEN)
		must(host.evicted == evicted_before + 1);
	else
		must(p->flags & SW_TH_SYN || was->stamp[i] >> 30 == SW_CLASS_PICKUP);
}

/* Gauges against a recount of the table. A gauge is summed up again when it, or the time, changed.
 */
NO_COVERAGE static void check_gauges(__u32 now_s)
{
	__u32 half[HOST_LISTENERS] = { 0 }, pending[HOST_LISTENERS] = { 0 };

	for (__u32 b = 0; b < host.cfg.half_buckets; b++)
		for (int i = 0; i < SW_WAYS; i++) {
			const struct sw_bucket *bucket = &host.half[b];
			const struct sw_flow *f = &bucket->slot[i];

			if (!bucket->tag[i] ||
			    sw_expired(SW_HALF, bucket->stamp[i], now_s, &host.cfg))
				continue;
			half[f->listener] += !!(f->flags & SW_F_HALF);
			pending[f->listener] += !!(f->flags & SW_F_PENDING);
		}
	must(!half[0] && !pending[0]);
	for (__u32 i = 1; i <= host.n_listeners; i++) {
		const struct sw_listener *l = &host.listeners[i];

		if (now_s != second || memcmp(l, &listeners_before[i], sizeof(*l))) {
			sums[i][0] = sw_gauge_read(&l->half, now_s, host.cfg.syn_timeout_s);
			sums[i][1] = sw_gauge_read(&l->pending, now_s, host.cfg.syn_timeout_s);
		}
		must(sums[i][0] == half[i]);
		must(sums[i][1] == pending[i]);
	}
	second = now_s;
}

static size_t listeners_size(void)
{
	return (host.n_listeners + 1) * sizeof(host.listeners[0]);
}

static void remember(void)
{
	memcpy(before[SW_PROVEN], host.proven, host.cfg.proven_buckets * sizeof(*host.proven));
	memcpy(before[SW_HALF], host.half, host.cfg.half_buckets * sizeof(*host.half));
	memcpy(listeners_before, host.listeners, listeners_size());
	evicted_before = host.evicted;
}

NO_COVERAGE static void check(int reason, __u64 now)
{
	struct table tables[] = {
		{ SW_PROVEN, host.proven, before[SW_PROVEN], host.cfg.proven_buckets },
		{ SW_HALF, host.half, before[SW_HALF], host.cfg.half_buckets },
	};
	bool touches = reason == SW_R_OBSERVED || reason >= SW_R_NO_FLOW;
	__u32 now_s = now / SW_NS_PER_SEC;

	must(reason >= 0 && reason < SW_R_COUNT);
	must(host.change.listener <= host.n_listeners);
	for (int n = 0; n < 2; n++) {
		const struct table *t = &tables[n];
		size_t bytes = t->buckets * sizeof(*t->now);

		if (!memcmp(t->now, t->before, bytes))
			continue;
		must(touches);
		for (__u32 b = 0; b < t->buckets; b++)
			for (int i = 0; i < SW_WAYS; i++) {
				const struct sw_bucket *was = &t->before[b], *is = &t->now[b];

				must(!is->tag[i] == !(is->slot[i].ctl.lock & SW_LIVE));
				must(!(is->slot[i].ctl.lock & SW_BUSY));
				if (was->tag[i] == is->tag[i] && was->stamp[i] == is->stamp[i] &&
				    !memcmp(&was->slot[i], &is->slot[i], sizeof(is->slot[i])))
					continue;
				check_change(t, b, i, &host.pkt, now_s);
				if (is->tag[i])
					check_slot(t, b, i);
			}
	}
	must(touches || !memcmp(listeners_before, host.listeners, listeners_size()));
	check_gauges(now_s);
}

/* With FUZZ_TRACE in the environment: what came, and what became of the flow. */
static void trace(int reason, __u64 now)
{
	const struct sw_pkt *p = &host.pkt;
	char table;
	const struct sw_flow *f = host_find(&host, &p->key, now, &table);

	fprintf(stderr, "%10.3f port %u > %u path %u%s flags %03x seq %u ack %u len %u: %s",
		now / 1e9, ntohs(p->key.port[p->from & 1]), ntohs(p->key.port[(p->from ^ 1) & 1]),
		p->path, p->sender_local ? " own" : "", p->flags, p->seq, p->ack, p->len,
		reason_text(reason));
	if (f)
		fprintf(stderr, ", %c %s/%s flags %07x", table,
			state_text(f->ctl.state[p->from & 1]),
			state_text(f->ctl.state[(p->from ^ 1) & 1]), f->flags);
	fprintf(stderr, "\n");
}

static __u64 time_of(__u8 n)
{
	return (n < 32 ? fuzz_ms[n] : n) * SW_NS_PER_MS;
}

/* The connection of a record: its variant, its key, and the flow if there is one. */
struct conn {
	struct variant v;
	struct sw_key key;
	__u32 client;
	__u16 port;
	const struct sw_flow *f;
};

static struct conn conn_of(unsigned int n, __u64 now)
{
	struct conn c = { .v = variants[n % n_variants], .port = CLIENT_PORT + n };
	char table;

	if (host.raw)
		c.v.tags = 0;
	c.key = variant_key(&c.v, &c.client);
	c.key.port[c.client] = htons(c.port);
	c.f = host_find(&host, &c.key, now, &table);
	return c;
}

/* A sequence number that end `from` sends, or that the other end acknowledges. */
static __s32 number(const struct conn *c, int from, unsigned int base, __s32 by)
{
	__u32 isn = c->v.isn[from == S], side = from == S ? c->client ^ 1 : c->client;
	const struct sw_dir *d = c->f ? &c->f->dir[side] : NULL,
			    *o = c->f ? &c->f->dir[side ^ 1] : NULL;

	if (!c->f || base == BASE_ISN || base == BASE_ZERO)
		return by;
	return by - isn +
	       (base == BASE_NXT ? d->nxt :
		base == BASE_MAX ? d->max :
		base == BASE_ACK ? o->ack :
		base == BASE_ISS ? d->iss :
		base == BASE_FIN ? d->fin :
				   o->ack + o->win);
}

static size_t mutate(__u8 *buf, size_t len, size_t ip, const struct fuzz_record *r)
{
	__u8 chain[512] = { 0 };
	unsigned int where = r->opt & 63, n;

	switch (r->opt >> 6) {
	case MUT_BYTE:
		if (ip - 2 + where < len)
			buf[ip - 2 + where] = r->value;
		return len;
	case MUT_CUT:
		n = where << 8 | r->value;
		return n < len ? n : len;
	case MUT_EXTEND:
		if (buf[ip] >> 4 == 4) {
			n = (r->value % 10 + 1) * 4;
			memset(chain, where, n);
			return frame_extend(buf, len, ip, 0, chain, n);
		}
		n = 0;
		for (unsigned int i = where & 15; n < 400; i--) {
			static const __u8 types[] = { 0, 60, 43, 44, 51, 60, 60, 135 };
			unsigned int units = r->value & 7;

			chain[n] = i ? types[(r->value + i) & 7] : SW_IPPROTO_TCP;
			chain[n + 1] = units;
			n += (units + 1) * 8;
			if (!i)
				break;
		}
		return frame_extend(buf, len, ip, where & 48 ? 60 : 0, chain, n);
	default:
		if (buf[ip] >> 4 == 4) {
			buf[ip + 6] = where;
			buf[ip + 7] = r->value;
			return len;
		}
		memcpy(chain, (__u8[]){ 6, 0, where, r->value, 0, 0, 0, 1 }, 8);
		return frame_extend(buf, len, ip, SW_IPPROTO_FRAGMENT, chain, 8);
	}
}

/* Mostly small, up to a packet; some of those that offloads make. */
static __u32 payload(__u8 n)
{
	return n < 200 ? n : n < 250 ? (n - 200) * 30 : (n - 249) * 11000;
}

static size_t segment(const struct fuzz_record *r, unsigned int n, __u64 now)
{
	int from = r->how >> 2 & 1 ? S : C;
	struct conn c = conn_of(n, now);
	unsigned int seq = r->base >> 1 & 7, ack = r->base >> 4 & 7;
	bool mutated = (r->how & 3) == FUZZ_MUTATED;
	struct step st = {
		.from = from,
		.flags = r->flags | (r->base & 1) << 8,
		.seq = number(&c, from, seq, r->seq),
		.ack = number(&c, from == C ? S : C, ack, r->ack),
		.len = payload(r->len),
		.opt = mutated ? 0 : r->opt & (O_BARE | O_TS | O_FO | O_MD5 | O_PAD | O_NOSCALE),
		.ts = r->value * 20,
		.win = mutated ? 0 : r->value * 256,
	};
	size_t ip = SW_ETH_HLEN + 4 * c.v.tags, tcp = ip + (c.v.family == SW_AF_INET ? 20 : 40),
	       len;

	if (st.opt & O_TS && st.opt & O_FO)
		st.opt &= ~O_MD5; /* 40 bytes of options are all */
	st.opt |= (seq == BASE_ZERO ? O_SEQ0 : 0) | (ack == BASE_ZERO ? O_ACK0 : 0);
	len = frame_build(frame, &c.v, &st);
	frame[tcp + (from == C ? 0 : 2)] = c.port >> 8;
	frame[tcp + (from == C ? 1 : 3)] = c.port;
	frame_sums(frame, len, ip);
	if (mutated) {
		len = mutate(frame, len, ip, r);
		if (r->opt >> 6 == MUT_BYTE && (frame[ip] == 0x45 || frame[ip] == 0x60))
			frame_sums(frame, len, ip);
	}
	if (r->how >> 7 && tcp + 17 < len)
		frame[tcp + 17] ^= 1;
	return len;
}

static size_t bytes(const struct fuzz_record **r, const struct fuzz_record *end)
{
	size_t n = (*r)->len & 15, cut = (*r)->value & 15;

	if (n > (size_t)(end - *r - 1))
		n = end - *r - 1;
	memset(frame, 2, 12);
	memcpy(frame + 12, *r + 1, n * sizeof(**r));
	*r += n;
	return 12 + n * sizeof(**r) - (n ? cut : 0);
}

static void import(const struct fuzz_record *r, __u64 now)
{
	struct conn c = conn_of(r->conn, now);
	struct sw_import in = {
		.key = c.key,
		/* one end is this host: two imported ones could contradict each other */
		.side = c.port & 1 ? c.client ^ 1 : c.client,
		.server = r->base & 1 ? c.client : c.client ^ 1,
		.state = r->flags % SW_STATE_COUNT,
		.ago_ms = time_of(r->len) / SW_NS_PER_MS % 60000, /* of TIME_WAIT, SYN_RCVD */
		.ifindex = r->value & 3,
		.opts = r->opt & 31,
		.wscale = { r->seq & 15 ? 7 : 0, r->ack & 15 ? 14 : 0 },
	};

	/* what sock_diag has: no socket of a connection is in these states */
	if (in.state == SW_CLOSED || in.state == SW_LISTEN)
		in.state = SW_ESTABLISHED;
	if (in.state == SW_SYN_SENT || in.state == SW_SYN_RCVD)
		in.server = in.state == SW_SYN_SENT ? in.side ^ 1 : in.side;
	in.listener = host_listener_find(&host, in.key.family, in.key.addr[in.server],
					 in.key.port[in.server]);
	memset(&host.pkt, 0, sizeof(host.pkt));
	host.pkt.key = in.key;
	host.pkt.flags = SW_TH_SYN; /* it may replace what a SYN may */
	must(host_import(&host, &in, now) <= SW_IMPORT_FULL);
}

/* One packet of a record, and what must be true after it; *r moves on to the last one it took. */
static void packet(const struct fuzz_record **r, unsigned int conn, const struct fuzz_record *end,
		   __u64 now)
{
	__u8 how = (*r)->how, kind = how & 3;
	struct vantage at =
		vantage_of((how >> 3 & 7) % V_COUNT, how >> 2 & 1 ? S : C, 2 + (how >> 6 & 1));
	size_t len, skip = host.raw ? SW_ETH_HLEN : 0;
	int reason = SW_R_OBSERVED;

	remember();
	if (kind == FUZZ_IMPORT) {
		import(*r, now);
	} else {
		len = kind == FUZZ_BYTES ? bytes(r, end) : segment(*r, (*r)->conn + conn, now);
		reason = host_frame(&host, frame + skip, len < skip ? 0 : len - skip, at, now);
	}
	if (getenv("FUZZ_TRACE"))
		trace(reason, now);
	check(reason, now);
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size)
{
	static const struct {
		__u32 flows, half_open, syn_timeout_s, msl_s;
	} sizes[] = { { 64, 64, 63, 30 }, { 8, 8, 63, 30 }, { 8, 64, 3, 1 }, { 64, 8, 240, 120 } };
	static const __u32 any[4];
	const struct fuzz_head *head = (const void *)data;
	const struct fuzz_record *r = (const void *)(head + 1), *end;
	__u64 now = 1000 * SW_NS_PER_SEC + 123456789;

	if (size < sizeof(*head))
		return 0;
	end = r + (size - sizeof(*head)) / sizeof(*r);
	host_init(&host, sizes[head->tables & 3].flows, sizes[head->tables & 3].half_open,
		  sizes[head->tables & 3].syn_timeout_s, sizes[head->tables & 3].msl_s);
	memset(listeners_before, 0, sizeof(listeners_before));
	second = 0;
	host.raw = head->raw & 1;
	if (head->listeners & 1)
		host_listener_add(&host, SW_AF_INET, any, htons(SERVER_PORT), 0);
	for (; r < end; r++)
		for (unsigned int n = 0; n < (r->base >> 7 ? FUZZ_BURST : 1); n++) {
			now += time_of(r->time);
			packet(&r, n * n_variants, end, now);
		}
	host_free(&host);
	return 0;
}
