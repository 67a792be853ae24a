// SPDX-License-Identifier: GPL-2.0
/*
 * Cookies through the BPF object by BPF_PROG_TEST_RUN: no answer is larger than
 * its SYN whatever that looks like, what comes back is taken for one rotation
 * and not for three, and 2^24 random ACKs are taken as rarely as arithmetic
 * says; an address that takes another's place in a table inherits nothing; and
 * without answers left, what is dropped at a glance is what the parser says is
 * such a SYN. Root; nothing is attached. Exit status 0, 1, or 77 without the means.
 */
#include "kernel.h"
#include "report.h"

#include <arpa/inet.h>

#include "../../user/kernelfeatures.h"
#include "cookies.skel.h"

#define BUCKETS 4096
#define SHAPES 5000
#define GUESSES (1u << 24)
#define TURNS 200
#define ODD 40000   /* frames that are not quite a flood's */
#define LISTENERS 3 /* none, IPv4, IPv6 */
#define RUN_MAX 256 /* bytes of a frame */
#define PADDED 96   /* of each frame of cookies.bpf.c */

static struct kernel kern;
static __u64 seed = 7;
static const __u8 mac[6] = { 2, 0, 0, 0, 0, 9 };

static void set(struct bpf_map *map, __u32 key, const void *value, size_t size)
{
	if (bpf_map__update_elem(map, &key, sizeof(key), value, size, BPF_ANY))
		abort();
}

/* Both families' port 80 armed, answers without end, and a real socket that listens. */
static bool arm(void)
{
	struct sw_guard all = { .now = { .mode = SW_MODE_ON, .method = SW_METHOD_COOKIE } };
	struct sw_control control = { .active = 1, .reply_rate = ~0u, .total_rate = ~0u,
				      .prefix_bits = { 24, 48 } };
	struct sw_request req = {
		.kind = SW_REQ_LISTENER,
		.listener = { .port = htons(80), .family = SW_AF_INET6, .flags = SW_L_V6ONLY }
	};
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct sw_secret key = { .key = { rnd(&seed), rnd(&seed) } };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	set(kern.skel->maps.guards, 0, &all, sizeof(all));
	set(kern.skel->maps.control, 0, &control, sizeof(control));
	set(kern.skel->maps.secret, 0, &key, sizeof(key));
	return kernel_listen(&kern, 0, 80) == 1 && kernel_import(&kern, &req) == 2 &&
	       !bind(fd, (void *)&any, sizeof(any)) && !listen(fd, 16);
}

/* Time passes: it is told by what is added to the clock. */
static void pass(__u64 epochs)
{
	struct sw_secret key;
	__u32 zero = 0;

	if (bpf_map__lookup_elem(kern.skel->maps.secret, &zero, sizeof(zero), &key, sizeof(key), 0))
		abort();
	key.clock_ns += epochs * SW_COOKIE_EPOCH_S * SW_NS_PER_SEC;
	set(kern.skel->maps.secret, 0, &key, sizeof(key));
}

struct frame {
	__u8 b[RUN_MAX];
	size_t len, tcp;
};

static void put16(__u8 *at, __u16 n)
{
	n = htons(n);
	memcpy(at, &n, 2);
}

static void put32(__u8 *at, __u32 n)
{
	n = htonl(n);
	memcpy(at, &n, 4);
}

static __u32 get32(const __u8 *at)
{
	__u32 n;

	memcpy(&n, at, 4);
	return ntohl(n);
}

static size_t ip_len(const struct frame *f)
{
	return f->b[14] >> 4 == 6 ? 40 + (f->b[18] << 8 | f->b[19]) : f->b[16] << 8 | f->b[17];
}

/* A segment to our port 80, without checksums. */
static void make(struct frame *f, bool v6, __u16 sport, __u16 flags, __u32 seq, __u32 ack,
		 const __u8 *options, size_t n, size_t payload)
{
	static const __u8 v4_ends[] = { 10, 1, 2, 3, 192, 0, 2, 1 };
	static const __u8 v6_ends[32] = { 0x20, 1, 0xd, 0xb8, [16] = 0x20, 1, 0xd, 0xb8, [31] = 9 };
	__u8 *ip = f->b + 14, *tcp;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, mac, 6);
	f->b[6] = 2;
	put16(f->b + 12, v6 ? 0x86dd : 0x0800);
	f->tcp = v6 ? 54 : 34;
	f->len = f->tcp + 20 + n + payload;
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, 20 + n + payload);
		ip[6] = 6;
		ip[7] = 64;
		memcpy(ip + 8, v6_ends, 32);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, f->len - 14);
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = 6;
		memcpy(ip + 12, v4_ends, 8);
	}
	tcp = f->b + f->tcp;
	put16(tcp, sport);
	put16(tcp + 2, 80);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	put16(tcp + 12, (20 + n) << 10 | flags);
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, options, n);
	memset(tcp + 20 + n, 'x', payload);
}

/* Through sw_xdp; the verdict. *out: what became of it. */
static int run(const struct frame *in, struct frame *out)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->b, .data_size_in = in->len,
			    .data_out = out->b, .data_size_out = sizeof(out->b), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(kern.skel->progs.sw_xdp), &opts))
		return -1;
	out->len = opts.data_size_out;
	out->tcp = out->b[14] >> 4 == 6 ? 54 : 34;
	return opts.retval;
}

/* What the kernel answers on our address, as a SYN-ACK of its own would have told. */
static void serve(bool v6, __u16 vlan)
{
	struct sw_served s = { .port = htons(80),
			       .family = v6 ? SW_AF_INET6 : SW_AF_INET,
			       .opts = SW_OPT_MSS | SW_OPT_WSCALE | SW_OPT_SACK | SW_OPT_TS,
			       .wscale = 7,
			       .ecn = 1,
			       .mss = v6 ? 1440 : 1460,
			       .win = 65160,
			       .vlan = vlan };
	struct frame f;

	make(&f, v6, 1, ACK, 0, 0, NULL, 0, 0);
	memcpy(s.addr, f.b + (v6 ? 14 + 24 : 14 + 16), v6 ? 16 : 4);
	for (__u32 i = 0; i < SW_SERVED; i++) /* wherever its hash says */
		set(kern.skel->maps.served, i, &s, sizeof(s));
}

static __u64 completed(void)
{
	__u64 n = 0;

	for (int i = 1; i < LISTENERS; i++)
		n += kern.listeners[i].completed;
	return n;
}

/* Random options of a SYN; *ts: where the value of a timestamp is, 0 without. */
static size_t random_options(__u8 *o, __u32 *tsval)
{
	/* clang-format off */
	static const __u8 known[][12] = {
		{ 1 }, { 1 }, { 2, 4, 5, 0xb4 }, { 2, 4, 2, 0 }, { 3, 3, 7 }, { 3, 3, 14 }, { 4, 2 },
		{ 8, 10, 1, 2, 3, 4 }, { 8, 10, 0xff, 0xee, 0xdd, 0xcc }, { 34, 2 },
		{ 34, 10, 1, 2 }, { 30, 4, 0, 1 },
	};
	/* clang-format on */
	size_t n = 0, want = rnd(&seed) % 41;

	*tsval = 0;
	while (n < want) {
		const __u8 *option = known[rnd(&seed) % (sizeof(known) / sizeof(*known))];
		size_t size = option[0] == 1 ? 1 : option[1];

		if (n + size > 40)
			break;
		memcpy(o + n, option, size);
		if (option[0] == 8)
			*tsval = get32(option + 2);
		n += size;
	}
	while (n % 4)
		o[n++] = 0;
	return n;
}

/* One SYN of a random shape, its answer, and the ACK of that, after so many epochs. True: taken. */
static bool shake_hands(bool v6, __u16 sport, bool plain, __u64 epochs)
{
	static const __u8 linux_offers[20] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2,
					       3, 4, 0, 0,    0, 0, 1, 3,  3, 7 };
	__u8 options[44], nops[40], echo[12] = { 1, 1, 8, 10 };
	__u32 seq = rnd(&seed), tsval = 0x01020304;
	size_t n = sizeof(linux_offers), extra = plain ? 0 : rnd(&seed) % 6 * 8;
	struct frame syn, answer, again, ack, out;
	__u64 before;
	bool ts;

	memcpy(options, linux_offers, n);
	if (!plain)
		n = random_options(options, &tsval);
	make(&syn, v6, sport, SYN | (rnd(&seed) % 4 ? 0 : ECN), seq, 0, options, n,
	     plain || rnd(&seed) % 4 ? 0 : rnd(&seed) % 60);
	frame_sums(syn.b, syn.len, 14); /* headers in between change no sum of TCP's */
	if (extra) {
		/* NOP; in IPv6 Pad1, behind the length */
		memset(nops, v6 ? 0 : 1, sizeof(nops));
		if (v6)
			memcpy(nops, (__u8[]){ 6, extra / 8 - 1 }, 2);
		syn.len = frame_extend(syn.b, syn.len, 14, 60, nops, extra);
	}
	if (run(&syn, &answer) != XDP_TX) {
		fails("%s: no answer to a SYN with %zu bytes of options, %zu before it",
		      v6 ? "IPv6" : "IPv4", n, extra);
		return false;
	}
	if (ip_len(&answer) > ip_len(&syn) || answer.len != 14 + ip_len(&answer))
		fails("%zu bytes answer %zu, in a frame of %zu", ip_len(&answer), ip_len(&syn),
		      answer.len);
	again = answer;
	frame_sums(again.b, again.len, 14);
	if (memcmp(again.b, answer.b, answer.len))
		fails("checksums of an answer are wrong");
	if ((answer.b[answer.tcp + 13] & (SYN | ACK)) != (SYN | ACK) ||
	    get32(answer.b + answer.tcp + 8) != seq + 1 || memcmp(answer.b, syn.b + 6, 6))
		fails("an answer to something else");
	ts = false;
	for (size_t i = answer.tcp + 20; i + 12 <= answer.len; i += 4)
		ts |= answer.b[i + 2] == 8 && answer.b[i + 3] == 10 &&
		      get32(answer.b + i + 8) == tsval;
	if (ts != !!tsval)
		fails("a timestamp of %#x: %s", tsval, ts ? "echoed" : "not echoed");
	for (size_t i = answer.tcp + 20; ts && i + 12 <= answer.len; i += 4)
		if (answer.b[i + 2] == 8 && answer.b[i + 3] == 10)
			memcpy(echo + 8, answer.b + i + 4, 4);
	make(&ack, v6, sport, ACK, seq + 1, get32(answer.b + answer.tcp + 4) + 1, echo, ts ? 12 : 0,
	     0);
	frame_sums(ack.b, ack.len, 14);
	pass(epochs);
	before = completed();
	if (run(&ack, &out) != (completed() > before ? XDP_PASS : XDP_DROP))
		fails("the verdict on an ACK is not what was counted");
	return completed() > before;
}

static void shapes(bool v6)
{
	unsigned int before = failures;
	__u32 taken = 0;

	serve(v6, 0);
	for (int i = 0; i < SHAPES; i++)
		taken += shake_hands(v6, 1024 + i, false, 0);
	if (taken != SHAPES)
		fails("%u of %u cookies taken", taken, SHAPES);
	report(v6 ? "IPv6 SYNs of all shapes: answers no larger, cookies taken" :
		    "IPv4 SYNs of all shapes: answers no larger, cookies taken",
	       before);
}

/* Not at the end of an epoch: the clock's own rotation would be one more. */
static void within_epoch(void)
{
	const __u64 epoch = SW_COOKIE_EPOCH_S * SW_NS_PER_SEC;
	__u64 left = epoch - clock_ns() % epoch;

	if (left < 50 * SW_NS_PER_MS)
		usleep(left / 1000 + 20000);
}

static void rotation(bool v6)
{
	static const bool want[] = { true, true, false, false };
	unsigned int before = failures;

	serve(v6, 0);
	for (__u64 epochs = 0; epochs < 4; epochs++)
		for (int i = 0; i < 100; i++) {
			within_epoch();
			if (shake_hands(v6, 40000 + epochs * 100 + i, true, epochs) != want[epochs])
				fails("after %llu rotations a cookie is%s taken",
				      (unsigned long long)epochs, want[epochs] ? " not" : "");
		}
	report(v6 ? "IPv6 cookies live one rotation" : "IPv4 cookies live one rotation", before);
}

static __u64 cookies_sent(__u32 listener)
{
	struct sw_guard g;

	if (bpf_map__lookup_elem(kern.skel->maps.guards, &listener, sizeof(listener), &g, sizeof(g),
				 0))
		abort();
	return g.cookies_sent;
}

/* An address takes another's place in the table: what was judged there a moment ago is not its. */
static void replaced(void)
{
	unsigned int before = failures;

	for (int i = 0; i < 2 * TURNS; i++) {
		bool v6 = i & 1;
		__u64 sent = cookies_sent(1 + v6);

		serve(v6, 0);
		if (!shake_hands(v6, 50000 + i, true, 0))
			fails("a cookie is not taken");
		if (cookies_sent(1 + v6) != sent + 1)
			fails("a SYN was judged as if it went to another listener");
	}
	report("addresses that take each other's place in the table", before);
}

/* A tag of the VLAN that the kernel answers on is answered with the same tag; any other is not
 * ours. */
static void vlans(bool v6)
{
	static const struct {
		__u16 serves, tags[2];
		int verdict;
	} cases[] = {
		{ 77, { 77 }, XDP_TX },	    { 0, { 77 }, XDP_PASS },
		{ 77, { 78 }, XDP_PASS },   { 0, { 0x6000 }, XDP_TX },
		{ 77, { 0xe04d }, XDP_TX }, { 77, { 77, 77 }, XDP_PASS },
		{ 0, { 0, 77 }, XDP_PASS }, /* 0: a priority, no VLAN */
	};
	unsigned int before = failures;
	struct frame syn, out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		serve(v6, cases[i].serves);
		make(&syn, v6, 60000 + i, SYN, i, 0, (const __u8 *)"\x02\x04\x05\xb4", 4, 0);
		frame_sums(syn.b, syn.len, 14);
		for (int tag = 1; tag >= 0; tag--) {
			if (tag && !cases[i].tags[tag])
				continue;
			memmove(syn.b + 16, syn.b + 12, syn.len - 12);
			put16(syn.b + 12, 0x8100);
			put16(syn.b + 14, cases[i].tags[tag]);
			syn.len += 4;
		}
		if (run(&syn, &out) != cases[i].verdict)
			fails("VLAN case %zu: another verdict", i);
		else if (memcmp(out.b + 12, syn.b + 12, 6) || out.len > syn.len)
			fails("VLAN case %zu: another tag", i);
	}
	report(v6 ? "IPv6 SYNs with VLAN tags" : "IPv4 SYNs with VLAN tags", before);
}

/* Answers of one CPU, and whether there are lists; the programs write other parts of it. */
static void limit(__u32 core_rate, __u32 lists)
{
	struct sw_control control;
	__u32 zero = 0;

	if (bpf_map__lookup_elem(kern.skel->maps.control, &zero, sizeof(zero), &control,
				 sizeof(control), 0))
		abort();
	control.core_rate = core_rate;
	control.lists = lists;
	set(kern.skel->maps.control, 0, &control, sizeof(control));
}

/* Is it from 10.128.0.0/10 or 2001:db8:8000::/34? They are allowed, while there are lists. */
static bool is_allowed(const __u8 *addr, bool v6)
{
	return !memcmp(addr, v6 ? "\x20\x01\x0d\xb8" : "\x0a", v6 ? 4 : 1) &&
	       (addr[v6 ? 4 : 1] & 0xc0) == 0x80;
}

static void allow(bool v6)
{
	struct sw_list_key key = { .bits = v6 ? 34 : SW_V4_BITS + 10 };
	struct sw_list_entry entry = { .bits = key.bits };
	__u8 *addr = (__u8 *)key.addr;

	memcpy(addr, v6 ? "\x20\x01\x0d\xb8\x80" : "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x80",
	       v6 ? 5 : 14);
	if (bpf_map__update_elem(kern.skel->maps.lists, &key, sizeof(key), &entry, sizeof(entry),
				 BPF_ANY))
		abort();
}

/* A SYN from nobody who completed a handshake. */
static void make_strangers(struct frame *f, bool v6, __u16 sport, const __u8 *options, size_t n,
			   size_t payload)
{
	make(f, v6, sport, SYN, rnd(&seed), 0, options, n, payload);
	put16(f->b + (v6 ? 26 : 27), rnd(&seed) | 0x8000);
}

/*
 * A SYN as a flood has it, but for one thing or two, or none. True: its checksums are right, and
 * no VLAN tag hides it.
 */
static bool odd_syn(struct frame *f, bool v6)
{
	static const __u8 linux_offers[20] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2,
					       3, 4, 0, 0,    0, 0, 1, 3,  3, 7 };
	static const __u8 md5[20] = { 19, 18 }, tag[4] = { 0x81, 0, 0, 0 };
	__u8 options[44], extra[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, *ip = f->b + 14, *tcp;
	size_t n = rnd(&seed) % 3 ? 20 : rnd(&seed) % 2 * 4;
	struct frame known;
	__u32 unused;
	bool whole;

	make(&known, v6, 1, SYN, 0, 0, NULL, 0, 0);
	memcpy(options, linux_offers, sizeof(linux_offers));
	make_strangers(f, v6, rnd(&seed), options, n, rnd(&seed) % 4 ? 0 : rnd(&seed) % 60);
	for (int changes = rnd(&seed) % 3; changes; changes--) {
		tcp = f->b + f->tcp;
		/* clang-format off */
		switch (rnd(&seed) % 17) {
		case 0: make_strangers(f, v6, 7, options, random_options(options, &unused), 0); break;
		case 1: make_strangers(f, v6, 7, md5, sizeof(md5), 0); break;
		case 2: make_strangers(f, v6, 80, options, n, 0); break;
		case 3: tcp[13] ^= 1 << rnd(&seed) % 8; break;
		case 4: tcp[12] = rnd(&seed); break;
		case 5: tcp[20 + rnd(&seed) % 20] = rnd(&seed); break; /* of the options */
		case 6: put16(tcp + rnd(&seed) % 2 * 2, rnd(&seed) % 2 ? 0 : rnd(&seed)); break;
		case 7: ip[rnd(&seed) % 8] ^= 1 << rnd(&seed) % 8; break; /* version, lengths */
		case 8: ip[v6 ? 6 : 9] = rnd(&seed) % 64; break;
		case 9: ip[v6 ? 8 : 12] = rnd(&seed) % 2 ? 0xff : 0xe0; break;
		case 10: memset(ip + (v6 ? 8 : 12), 0, v6 ? 16 : 4); break;
		case 11: ip[rnd(&seed) % (v6 ? 40 : 20)] ^= 1 << rnd(&seed) % 8; break;
		case 12: memcpy(ip + (v6 ? 8 : 12), ip + (v6 ? 24 : 16), v6 ? 16 : 4); break;
		case 13: f->b[rnd(&seed) % 14] ^= 1 << rnd(&seed) % 8; break;
		case 14: memcpy(ip + (v6 ? 8 : 12), known.b + (v6 ? 22 : 26), v6 ? 16 : 4); break;
		case 15: f->len -= rnd(&seed) % (f->len - 14); break;
		default:
			if (f->len > 100)
				break;
			if (v6) /* a destination option */
				memcpy(extra, (__u8[]){ 6, 0, 1, 4, 0, 0, 0, 0 }, 8);
			f->len = frame_extend(f->b, f->len, 14, 60, extra, sizeof(extra));
			f->tcp += sizeof(extra);
		}
		/* clang-format on */
	}
	whole = ip_len(f) + 14 <= f->len && ip_len(f) >= (v6 ? 60 : 40) &&
		(v6 ? ip[6] == 6 : (ip[0] & 15) == 5);
	if (whole)
		frame_sums(f->b, 14 + ip_len(f), 14);
	if (rnd(&seed) % 16)
		return whole;
	memmove(f->b + 16, f->b + 12, f->len - 12);
	memcpy(f->b + 12, tag, sizeof(tag));
	f->len += 4;
	return false;
}

/* What the parser says of it: is it one that no answer is left for? */
static bool is_floods(const struct frame *f, bool v6, bool lists)
{
	struct sw_pkt p = { 0 };
	struct frame known; /* by the handshakes of shapes() */

	make(&known, v6, 1, SYN, 0, 0, NULL, 0, 0);
	return sw_parse_frame(f->b, f->b + f->len, f->len, &p) == SW_R_OBSERVED &&
	       (p.flags & (SW_TH_SYN | SW_TH_ACK)) == SW_TH_SYN && !p.obscured &&
	       !(p.opts & SW_OPT_AUTH) && !memcmp(f->b, mac, sizeof(mac)) &&
	       p.key.port[p.from ^ 1] == htons(80) &&
	       !memcmp(p.key.addr[p.from ^ 1], known.b + (v6 ? 38 : 30), v6 ? 16 : 4) &&
	       memcmp(p.key.addr[p.from], known.b + (v6 ? 22 : 26), v6 ? 8 : 4) &&
	       !(lists && is_allowed((const __u8 *)p.key.addr[p.from], v6));
}

/* While a flood has used up this CPU's answers, with lists in use and without. */
static void beyond_budget(bool v6)
{
	unsigned int before = failures, dropped = 0, unsummed = 0;
	struct frame plain, odd, out;
	__u64 then[SW_R_COUNT], now[SW_R_COUNT];

	serve(v6, 0);
	allow(v6);
	for (int i = 0; i < ODD; i++) {
		bool whole, budget, lists = i & 1;
		int verdict;

		limit(1, lists); /* less than one within the time that is saved up */
		make_strangers(&plain, v6, 1024 + i % 60000, NULL, 0, 0);
		plain.b[v6 ? 26 : 27] |= 0x40; /* not allowed */
		frame_sums(plain.b, plain.len, 14);
		if (run(&plain, &out) != XDP_DROP)
			fails("a flood's SYN is not dropped");
		whole = odd_syn(&odd, v6);
		kernel_reasons(kern.skel, then);
		verdict = run(&odd, &out);
		kernel_reasons(kern.skel, now);
		budget = now[SW_R_BUDGET] > then[SW_R_BUDGET];
		if (budget && verdict != XDP_DROP)
			fails("frame %d: counted as dropped, but it is not", i);
		if (budget && !is_floods(&odd, v6, lists))
			fails("frame %d is dropped as a flood's", i);
		if (!budget && whole && is_floods(&odd, v6, lists))
			fails("frame %d is not dropped", i);
		dropped += budget;
		plain.b[plain.tcp + 16] ^= 1; /* it goes by sight: the sum is not looked at */
		kernel_reasons(kern.skel, then);
		run(&plain, &out);
		kernel_reasons(kern.skel, now);
		unsummed += now[SW_R_BUDGET] > then[SW_R_BUDGET];
	}
	if (dropped < ODD / 3 || dropped > ODD - ODD / 10 || unsummed < ODD / 2)
		fails("%u of %d dropped, %u at a glance", dropped, ODD, unsummed);
	limit(0, 0);
	report(v6 ? "IPv6 SYNs beyond the budget: dropped at a glance, and nothing else is" :
		    "IPv4 SYNs beyond the budget: dropped at a glance, and nothing else is",
	       before);
}

static __u32 add(const __u8 *at, size_t n)
{
	__u32 sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (__u16)(at[i] | at[i + 1] << 8);
	return sum;
}

struct guesses {
	struct cookies *skel;
	const __u8 *frame;
	__u32 count;
	bool done;
};

static void *guess(void *arg)
{
	struct guesses *g = arg;
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = g->frame, .data_size_in = PADDED,
			    .repeat = g->count);

	g->done = !bpf_prog_test_run_opts(bpf_program__fd(g->skel->progs.guess), &opts);
	return NULL;
}

/*
 * Each is taken with probability 2^-23, with timestamps a sixteenth of that: of
 * n * 2^23 more than 4 n + 10 once in a million times. On two CPUs.
 */
static void random_acks(struct cookies *skel, bool v6, bool ts, __u32 count)
{
	static const __u8 stamps[12] = { 1, 1, 8, 10 };
	__u64 reasons[SW_R_COUNT], after[SW_R_COUNT], before = completed(), taken, strays;
	unsigned int failed = failures;
	struct guesses g[2] = { { 0 } };
	pthread_t threads[2];
	struct frame f;
	char what[128];

	serve(v6, 0);
	make(&f, v6, 0, ACK, 0, 0, stamps, ts ? sizeof(stamps) : 0, 0);
	memset(f.b + (v6 ? 34 : 27), 0, v6 ? 4 : 3); /* the host part */
	memcpy(skel->bss->frame, f.b, PADDED);
	skel->bss->v6 = v6;
	skel->bss->ts = ts;
	skel->bss->ip_sum = v6 ? 0 : add(f.b + 14, 20);
	skel->bss->tcp_sum = add(f.b + f.tcp, f.len - f.tcp) + htons(6) + htons(f.len - f.tcp) +
			     (v6 ? add(f.b + 22, 32) : add(f.b + 26, 8));
	kernel_reasons(kern.skel, reasons);
	for (int i = 0; i < 2; i++) {
		g[i] = (struct guesses){ skel, f.b, count / 2, false };
		if (pthread_create(&threads[i], NULL, guess, &g[i]))
			abort();
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	kernel_reasons(kern.skel, after);
	taken = completed() - before;
	strays = after[SW_R_STRAY] - reasons[SW_R_STRAY];
	if (!g[0].done || !g[1].done || strays + taken < count - count / 1000)
		fails("%llu strays, %llu taken of %u", (unsigned long long)strays,
		      (unsigned long long)taken, count);
	if (taken > count / (ts ? 1u << 27 : 1u << 23) * 4 + 10)
		fails("%llu of %u random ACKs taken", (unsigned long long)taken, count);
	snprintf(what, sizeof(what), "%s ACKs with random numbers%s: %llu of %u taken",
		 v6 ? "IPv6" : "IPv4", ts ? " and timestamps" : "", (unsigned long long)taken,
		 count);
	report(what, failed);
}

int main(void)
{
	struct cookies *skel;
	__u32 zero = 0;
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!kernel_allowed())
		return printf("SKIP cookies: needs root\n"), SKIPPED;
	if (!features_get()->assign)
		return printf("SKIP cookies: this kernel takes none (bpf_sk_assign_tcp_reqsk)\n"),
		       SKIPPED;
	ret = kernel_configure(&kern, BUCKETS, BUCKETS, 5);
	if (ret)
		return ret;
	kern.skel->rodata->sw_backend = SW_BACKEND_ASSIGN;
	memcpy((void *)kern.skel->rodata->sw_device_mac, mac, sizeof(mac));
	ret = kernel_load(&kern);
	if (ret)
		return ret;
	skel = cookies__open_and_load();
	ret = bpf_program__fd(kern.skel->progs.sw_xdp);
	if (!skel ||
	    bpf_map__update_elem(skel->maps.target, &zero, sizeof(zero), &ret, sizeof(ret), 0) ||
	    !arm())
		return printf("FAIL cannot set up: %s\n", strerror(errno)), 1;
	replaced();
	for (int v6 = 0; v6 < 2; v6++) {
		shapes(v6);
		rotation(v6);
		vlans(v6);
		beyond_budget(v6);
	}
	random_acks(skel, false, false, GUESSES / 2);
	random_acks(skel, false, true, GUESSES / 4);
	random_acks(skel, true, false, GUESSES / 4);
	cookies__destroy(skel);
	kernel_close(&kern);
	return failures != 0;
}
