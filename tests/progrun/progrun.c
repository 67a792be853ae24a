// SPDX-License-Identifier: GPL-2.0
/*
 * The scripts of tests/unit/scripts.c, and garbage, through the BPF programs
 * by BPF_PROG_TEST_RUN, in step with the same frames through the core on the
 * host: no difference in any entry, listener or reason. Root; nothing is
 * attached or pinned. Exit status 0, 1, or 77 without the privilege.
 */
#include "kernel.h"
#include "../unit/hostmirror.h"

#define OTHER 7	     /* a device that is not attached */
#define ATTACHED 9   /* one that is */
#define LINEAR 3400  /* longest frame that a test run takes in one piece */

static const char *const hook_names[] = { "sw_xdp", "sw_ingress", "sw_egress" };

static struct synward_bpf *skel;
static struct host host, kern; /* kern: the BPF object's tables, mapped */
static struct sw_listener *listeners;
static struct sw_readers *readers;
static struct ring_buffer *ring;     /* of the one reader there is */
static struct sw_record record;	     /* the last that it was told */
static unsigned int told, all_told;
static __u64 warp; /* how far the host's clock is ahead: time that the script let pass */
static __u64 counts[SW_R_COUNT];				  /* of the programs, so far */
static __u64 took_before[SW_PARTS];				  /* handshakes, before the last reset() */
static struct sw_moves moves_before;				  /* the same of moves */
static __u64 runs;						  /* packets compared */
static __u8 frame_at[FRAME_MAX + 2], *const frame = frame_at + 2; /* its IP header is aligned */
static char where[256];						  /* for messages */
static unsigned int differences;

static void differs(const char *fmt, ...)
{
	va_list ap;

	if (++differences > 20)
		return;
	printf("  %s: ", where);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* The time, not so close to a second's end that the program would see the next one. */
static __u64 steady_clock_ns(void)
{
	__u64 left = SW_NS_PER_SEC - clock_ns() % SW_NS_PER_SEC;

	if (left < 20 * SW_NS_PER_MS)
		usleep(left / 1000 + 1000);
	return clock_ns();
}

/* One frame through a program; the reason it counted, -1 when the kernel does not run it. */
static int run_bpf(enum hook hook, const __u8 *frame, size_t len, __u32 ingress_ifindex)
{
	static __u8 out[FRAME_MAX];
	__u64 after[SW_R_COUNT];
	struct __sk_buff skb = { .ingress_ifindex = ingress_ifindex };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
			    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);
	int reason = -1, counted = 0;

	if (hook != XDP) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	if (bpf_prog_test_run_opts(hook_fd(skel, hook), &opts))
		return -1;
	kernel_reasons(skel, after);
	for (int r = 0; r < SW_R_COUNT; r++) {
		if (after[r] != counts[r])
			reason = r;
		counted += after[r] - counts[r];
	}
	memcpy(counts, after, sizeof(counts));
	if (counted != 1)
		differs("%s counted %d reasons", hook_names[hook], counted);
	if ((int)opts.retval != (hook == XDP ? XDP_PASS : TC_NEXT))
		differs("%s returned %d", hook_names[hook], (int)opts.retval);
	if (opts.data_size_out != len || memcmp(out, frame, len))
		differs("%s changed the packet", hook_names[hook]);
	runs++;
	return reason;
}

/* Two entries, times apart. */
static void compare_flows(const char *table, const struct sw_flow *h, const struct sw_flow *k)
{
#define same(field)                                                                                \
	do {                                                                                       \
		if (h->field != k->field)                                                          \
			differs("%s." #field ": host %#llx, BPF %#llx", table,                     \
				(unsigned long long)h->field, (unsigned long long)k->field);       \
	} while (0)
	same(ctl.state[0]);
	same(ctl.state[1]);
	same(ctl.prev[0]);
	same(ctl.prev[1]);
	same(ctl.lock);
	same(ctl.gen);
	same(flags);
	same(ifindex);
	same(path);
	same(listener);
	same(syn_rtx);
	same(synack_rtx);
	same(fin_rtx);
	for (int i = 0; i < 2; i++) {
		same(dir[i].iss);
		same(dir[i].nxt);
		same(dir[i].max);
		same(dir[i].ack);
		same(dir[i].win);
		same(dir[i].fin);
		same(dir[i].ts);
		same(dir[i].mss);
		same(dir[i].wscale);
		same(dir[i].opts);
	}
	if ((h->server_us == SW_UNSEEN) != (k->server_us == SW_UNSEEN) ||
	    (h->client_us == SW_UNSEEN) != (k->client_us == SW_UNSEEN) || !h->mark != !k->mark)
		differs("%s: a latency is known to one side only", table);
#undef same
}

static void compare_table(const char *name, const struct sw_bucket *h, const struct sw_bucket *k,
			  __u32 buckets)
{
	for (__u32 b = 0; b < buckets; b++)
		for (int i = 0; i < SW_WAYS; i++) {
			if (h[b].tag[i] != k[b].tag[i])
				differs("%s: bucket %u slot %d is another flow", name, b, i);
			else if (h[b].tag[i] && memcmp(&h[b].slot[i].key, &k[b].slot[i].key,
						       sizeof(struct sw_key)))
				differs("%s: bucket %u slot %d has another key", name, b, i);
			else if (h[b].tag[i] && h[b].stamp[i] >> 30 != k[b].stamp[i] >> 30)
				differs("%s: class, host %u, BPF %u", name, h[b].stamp[i] >> 30,
					k[b].stamp[i] >> 30);
			else if (h[b].tag[i])
				compare_flows(name, &h[b].slot[i], &k[b].slot[i]);
		}
}

static void compare_listeners(void)
{
	__u32 host_s = (clock_ns() + warp) / SW_NS_PER_SEC, kern_s = clock_ns() / SW_NS_PER_SEC;

	for (__u32 i = 1; i <= host.n_listeners + 1 && i < HOST_LISTENERS; i++) {
		const struct sw_listener *h = &host.listeners[i], *k = &listeners[i];

		if (memcmp(h->addr, k->addr, 16) || h->port != k->port || h->family != k->family ||
		    h->flags != k->flags)
			differs("listener %u is another", i);
		if (memcmp(&h->syn, &k->syn,
			   offsetof(struct sw_listener, half) - offsetof(struct sw_listener, syn)))
			differs("listener %u: counters", i);
		if (!warp &&
		    (sw_gauge_read(&h->half, host_s, 63) != sw_gauge_read(&k->half, kern_s, 63) ||
		     sw_gauge_read(&h->pending, host_s, 63) !=
			     sw_gauge_read(&k->pending, kern_s, 63) ||
		     sw_gauge_read(&h->untracked, host_s, 63) !=
			     sw_gauge_read(&k->untracked, kern_s, 63)))
			differs("listener %u: gauges", i);
	}
}

static void compare_shared(void)
{
	struct sw_shared own;
	__u32 zero = 0;

	if (bpf_map__lookup_elem(skel->maps.shared, &zero, sizeof(zero), &own, sizeof(own), 0) ||
	    own.listeners != host.n_listeners || own.evicted != host.evicted)
		differs("listeners or evicted flows: host %u, %llu, BPF %u, %llu", host.n_listeners,
			(unsigned long long)host.evicted, own.listeners,
			(unsigned long long)own.evicted);
}

/* How many handshakes took how long, server and client: the clocks differ, so they are only counted. */
static void took(__u64 n[SW_PARTS])
{
	static struct sw_latency *cpu;
	int cpus = libbpf_num_possible_cpus();
	__u32 zero = 0;

	if (!cpu)
		cpu = calloc(cpus, sizeof(*cpu));
	if (!cpu || bpf_map_lookup_elem(bpf_map__fd(skel->maps.latency), &zero, cpu))
		abort();
	memset(n, 0, SW_PARTS * sizeof(*n));
	for (int i = 0; i < cpus * SW_PARTS * SW_LATENCY_BUCKETS; i++) {
		int part = i / SW_LATENCY_BUCKETS % SW_PARTS;

		n[part] += cpu[i / (SW_PARTS * SW_LATENCY_BUCKETS)]
				   .bucket[part][i % SW_LATENCY_BUCKETS];
	}
}

static void compare_latency(void)
{
	__u64 n[SW_PARTS];

	took(n);
	for (int part = 0; part < SW_PARTS; part++) {
		__u64 of_host = 0;

		for (int i = 0; i < SW_LATENCY_BUCKETS; i++)
			of_host += host.latency.bucket[part][i];
		if (of_host != n[part] - took_before[part])
			differs("handshakes with a latency, part %d: host %llu, BPF %llu", part,
				(unsigned long long)of_host,
				(unsigned long long)(n[part] - took_before[part]));
	}
}

#define MOVES (sizeof(struct sw_moves) / sizeof(__u64))

/* From which state to which, as the programs counted it. */
static void moved(struct sw_moves *sum)
{
	static struct sw_moves *cpu;
	int cpus = libbpf_num_possible_cpus();
	__u64 *to = (__u64 *)sum;
	__u32 zero = 0;

	if (!cpu)
		cpu = calloc(cpus, sizeof(*cpu));
	if (!cpu || bpf_map_lookup_elem(bpf_map__fd(skel->maps.moves), &zero, cpu))
		abort();
	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < cpus * MOVES; i++)
		to[i % MOVES] += ((__u64 *)cpu)[i];
}

static void compare_moves(void)
{
	struct sw_moves now;

	moved(&now);
	for (size_t i = 0; i < MOVES; i++) {
		__u64 bpf = ((__u64 *)&now)[i] - ((__u64 *)&moves_before)[i];
		__u64 of_host = ((__u64 *)&host.moves)[i];

		if (bpf != of_host)
			differs("role %zu, moves from %zu to %zu: host %llu, BPF %llu", i / 256,
				i / 16 % 16, i % 16, (unsigned long long)of_host,
				(unsigned long long)bpf);
	}
}

static int on_record(void *arg, void *data, size_t size)
{
	(void)arg;
	if (size == sizeof(record))
		memcpy(&record, data, size);
	told++;
	return 0;
}

/* A reader is told of each change of a state, and of nothing else. */
static void compare_record(void)
{
	const struct sw_change *ch = &host.change;

	told = 0;
	ring_buffer__consume(ring);
	all_told += told;
	if (told != !!(ch->what & SW_CH_STATE))
		differs("events: %u", told);
	else if (told && (memcmp(&record.key, &host.pkt.key, sizeof(record.key)) ||
			  memcmp(record.state, ch->state, sizeof(ch->state)) ||
			  record.what != ch->what || record.ends != ch->ends ||
			  record.flags != host.pkt.flags || record.from != host.pkt.from ||
			  record.listener != ch->listener))
		differs("the event is another");
}

/*
 * The frame in `frame` through both; every entry must be the same afterwards.
 * A raw device's packets are the same without their Ethernet header.
 */
static int compare_frame(enum hook hook, size_t len, struct vantage at, __u32 ingress_ifindex)
{
	__u64 now = steady_clock_ns();
	const __u8 *data = frame + (host.raw ? SW_ETH_HLEN : 0);
	int k, h;

	len -= host.raw ? SW_ETH_HLEN : 0;
	memset(&host.change, 0, sizeof(host.change));
	k = run_bpf(hook, data, len, ingress_ifindex);
	if (k < 0)
		return -1;
	h = host_frame(&host, data, len, at, now + warp);
	if (h != k)
		differs("reason: host %s, BPF %s", reason_text(h), reason_text(k));
	compare_table("half", host.half, kern.half, host.cfg.half_buckets);
	compare_table("proven", host.proven, kern.proven, host.cfg.proven_buckets);
	compare_listeners();
	compare_shared();
	compare_latency();
	compare_moves();
	compare_record();
	return h;
}

static void reset(void)
{
	struct sw_shared none = { 0 };
	__u32 zero = 0;

	for (__u32 i = 1; i <= host.n_listeners; i++) {
		__u32 port = ntohs(host.listeners[i].port);

		bpf_map__update_elem(skel->maps.ports, &port, sizeof(port), &zero, sizeof(zero),
				     BPF_ANY);
	}
	host_clear(&host);
	memset(kern.proven, 0, kern.cfg.proven_buckets * sizeof(*kern.proven));
	memset(kern.half, 0, kern.cfg.half_buckets * sizeof(*kern.half));
	memset(listeners, 0, HOST_LISTENERS * sizeof(*listeners));
	bpf_map__update_elem(skel->maps.shared, &zero, sizeof(zero), &none, sizeof(none), BPF_ANY);
	took(took_before);
	moved(&moves_before);
	warp = 0;
}

/* Time passes: for the host by its clock, for the kernel's entries by making them older. */
static void let_pass(__u64 ns)
{
	struct {
		struct sw_bucket *b;
		__u32 n;
	} tables[] = { { kern.half, kern.cfg.half_buckets },
		       { kern.proven, kern.cfg.proven_buckets } };

	warp += ns;
	for (int t = 0; t < 2; t++)
		for (__u32 i = 0; i < tables[t].n * SW_WAYS; i++) {
			struct sw_bucket *b = &tables[t].b[i / SW_WAYS];
			struct sw_flow *f = &b->slot[i % SW_WAYS];
			__u64 *times[] = { &f->born, &f->last, &f->changed, &f->mark };

			if (!b->tag[i % SW_WAYS])
				continue;
			for (int n = 0; n < 4; n++)
				*times[n] -= *times[n] ? ns : 0;
			b->stamp[i % SW_WAYS] =
				sw_stamp(b->stamp[i % SW_WAYS] >> 30,
					 b->stamp[i % SW_WAYS] - ns / SW_NS_PER_SEC);
		}
}

static bool import(const struct script *sc, const struct variant *v)
{
	struct {
		__u8 eth[SW_ETH_HLEN];
		__u8 request[sizeof(struct sw_request)];
	} in = { 0 };
	struct sw_request req = { .kind = SW_REQ_FLOW, .flow = host_import_of(sc, v) };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &in, .data_size_in = sizeof(in),
			    .repeat = 1);
	__u64 now = steady_clock_ns();

	memcpy(in.request, &req, sizeof(req));
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sw_import), &opts))
		return false;
	if ((int)opts.retval != host_import(&host, &req.flow, now))
		differs("import: host and BPF answer differently");
	compare_table("half", host.half, kern.half, host.cfg.half_buckets);
	compare_table("proven", host.proven, kern.proven, host.cfg.proven_buckets);
	return true;
}

/* Can it be run: no frame too long, not more time than the machine is up? */
static bool runnable(const struct script *sc, enum view view, enum hook in)
{
	__u64 ns = 0;

	for (const struct step *st = sc->steps; st->from; st++) {
		ns += st->ms * SW_NS_PER_MS;
		if (st->len >
		    (in == XDP && !vantage_of(view, st->from, LO).egress ? 60000 : LINEAR))
			return false;
	}
	return ns < clock_ns() - 60 * SW_NS_PER_SEC;
}

static bool run_script(const struct script *sc, const struct variant *v, enum view view,
		       enum hook in)
{
	int n = 1;

	reset();
	snprintf(where, sizeof(where), "row %s, %s [%s, %s, %s]", sc->row, sc->what, v->name,
		 view_name(view), hook_names[in]);
	if (!runnable(sc, view, in))
		return false;
	if (sc->import.side && !import(sc, v))
		return false;
	for (const struct step *st = sc->steps; st->from; st++, n++) {
		struct vantage at = vantage_of(view, st->from, LO);

		if (st->ms)
			let_pass(st->ms * SW_NS_PER_MS);
		if (st->from == WAIT)
			continue;
		snprintf(where, sizeof(where), "row %s, %s [%s, %s, %s] step %d, %s", sc->row,
			 sc->what, v->name, view_name(view), hook_names[in], n, step_text(st));
		if (compare_frame(at.egress ? EGRESS : in, frame_build(frame, v, st), at,
				  at.egress && !at.local ? OTHER : 0) < 0)
			differs("the kernel does not run it: %s", strerror(errno));
	}
	return true;
}

static bool report(const char *what, unsigned int before, unsigned int n)
{
	printf("%s %s: %u, %llu packets compared, %u differences\n",
	       differences == before ? "ok" : "FAIL", what, n, (unsigned long long)runs,
	       differences - before);
	runs = 0;
	return differences == before;
}

static void run_scripts(enum hook in)
{
	unsigned int before = differences, done = 0, left = 0;
	char what[64];

	for (const struct script *sc = scripts; sc->row; sc++)
		for (unsigned int i = 0; i < n_variants; i++)
			for (int view = V_SERVER; view < V_COUNT; view++)
				if (host.raw && i % 5) /* one of each family will do */
					continue;
				else if (run_script(sc, &variants[i], view, in))
					done++;
				else
					left++;
	snprintf(what, sizeof(what), "scripts through %s and sw_egress%s", hook_names[in],
		 host.raw ? " of a raw device" : "");
	report(what, before, done);
	if (left)
		printf("  (%u left out: longer than a test run takes, or than this machine is "
		       "up)\n",
		       left);
}

/* A frame of some script, spoilt; returns its length. */
static size_t spoil(size_t min)
{
	const struct script *sc = &scripts[random() % 100];
	const struct variant *v = &variants[random() % n_variants];
	unsigned int n = 0, pick;
	size_t len, ip = 14 + 4 * v->tags;

	while (sc->steps[n].from)
		n++;
	pick = random() % n;
	if (sc->steps[pick].from == WAIT || sc->steps[pick].len > 1000)
		pick = 0;
	len = frame_build(frame, v, &sc->steps[pick]);
	switch (random() % 6) {
	case 0: /* ends early */
		len = random() % len;
		break;
	case 1: /* ends early, and IP says so */
		len = ip + 20 + random() % (len - ip - 20);
		frame[ip + (v->family == SW_AF_INET ? 3 : 5)] =
			len - ip - (v->family == SW_AF_INET ? 0 : 40);
		break;
	case 2: /* a bit */
		frame[ip + random() % (len - ip)] ^= 1 << random() % 8;
		break;
	case 3: /* some bytes */
		for (int i = random() % 6; i >= 0; i--)
			frame[random() % len] = random();
		break;
	case 4: /* all behind the ethertype */
		for (size_t i = ip; i < len; i++)
			frame[i] = random();
		break;
	case 5: /* some bytes, right checksums */
		for (int i = random() % 3; i >= 0; i--)
			frame[ip + random() % (len - ip)] = random();
		if (frame[ip] == 0x45 || frame[ip] == 0x60)
			frame_sums(frame, len, ip);
		break;
	}
	return len < min ? min : len;
}

/* The reasons that say: nothing was looked up. */
static bool is_garbage(int reason)
{
	return reason != SW_R_OBSERVED && reason <= SW_R_BAD_FLAGS;
}

static void run_garbage(enum hook hook, int n)
{
	static struct sw_bucket proven[64], half[64];
	unsigned int before = differences, bad = 0, sums = 0;
	size_t p_size = kern.cfg.proven_buckets * sizeof(*proven);
	size_t h_size = kern.cfg.half_buckets * sizeof(*half);
	char what[64];

	reset();
	for (int i = 0; i < n; i++) {
		size_t len = spoil(hook == XDP ? 14 : 15);
		struct sw_pkt p = { 0 };
		int reason;

		if (host.n_listeners > HOST_LISTENERS / 2)
			reset();
		/* of a first fragment's sums run_special() tells */
		if (sw_parse_frame(frame, frame + len, len, &p) == SW_R_OBSERVED && p.fragment)
			continue;
		snprintf(where, sizeof(where), "garbage %d of %zu bytes through %s", i, len,
			 hook_names[hook]);
		memcpy(proven, kern.proven, p_size);
		memcpy(half, kern.half, h_size);
		if (hook == EGRESS) /* own, and forwarded by a device that is not attached */
			reason = compare_frame(EGRESS, len,
					       vantage_of(i & 1 ? V_SERVER : V_ROUTER, S, LO),
					       i & 1 ? 0 : OTHER);
		else
			reason = compare_frame(hook, len, vantage_of(V_TAP, C, LO), 0);
		if (reason < 0) { /* tc: shorter than the IP header that the type promises (6.18) */
			if (errno != EINVAL || hook == XDP || len >= 14 + 40)
				differs("the kernel does not run it: %s", strerror(errno));
			continue;
		}
		sums += reason == SW_R_BAD_CHECKSUM;
		if (!is_garbage(reason))
			continue;
		bad++;
		if (memcmp(proven, kern.proven, p_size) || memcmp(half, kern.half, h_size))
			differs("an entry changed, though the packet was refused");
		if (differences > before + 20)
			break;
	}
	snprintf(what, sizeof(what), "garbage through %s", hook_names[hook]);
	report(what, before, n);
	printf("  (%u refused, of these %u for a checksum)\n", bad, sums);
}

/* Frames of which the host core alone does not know everything. */
static void set_ip_sum(void)
{
	__u32 sum = 0;

	frame[14 + 10] = frame[14 + 11] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[14 + 10] = sum >> 8;
	frame[14 + 11] = sum;
}

static void run_special(void)
{
	static const struct step syn = { C, SYN, 0, 0, 0 }, data = { C, ACK, 1, 1, 333 };
	const struct variant *v4 = &variants[0], *v6 = &variants[5];
	struct sw_device dev = { .name = "test", .slot = 1 };
	unsigned int before = differences;
	__u32 attached = ATTACHED;
	size_t len;
	int r;

	reset();
#define expect(what, is, want)                                                                     \
	do {                                                                                       \
		snprintf(where, sizeof(where), "%s", what);                                        \
		r = (is);                                                                          \
		if (r != (want))                                                                   \
			differs("expected %s, is %s", reason_text(want), reason_text(r));          \
	} while (0)

	/* came in on an attached device: counted there */
	bpf_map__update_elem(skel->maps.devices, &attached, sizeof(attached), &dev, sizeof(dev),
			     BPF_ANY);
	len = frame_build(frame, v4, &syn);
	expect("forwarded", run_bpf(EGRESS, frame, len, ATTACHED), SW_R_FORWARDED);
	bpf_map__delete_elem(skel->maps.devices, &attached, sizeof(attached), 0);

	for (enum hook in = XDP; in <= INGRESS; in++) {
		struct vantage at = vantage_of(V_TAP, C, LO);

		for (int family = 0; family < 2; family++) {
			const struct variant *v = family ? v6 : v4;
			size_t tcp = 14 + (family ? 40 : 20);

			/* only the sum of the pseudo header, as from a local peer
			 * (CHECKSUM_PARTIAL) */
			reset();
			len = frame_build(frame, v, &syn);
			memset(frame + tcp + 16, 0, 2);
			{
				__u32 sum = 6 + (len - tcp);

				for (size_t i = family ? 22 : 26; i < tcp; i += 2)
					sum += frame[i] << 8 | frame[i + 1];
				while (sum >> 16)
					sum = (sum & 0xffff) + (sum >> 16);
				frame[tcp + 16] = sum >> 8;
				frame[tcp + 17] = sum;
			}
			expect("partial checksum", compare_frame(in, len, at, 0), SW_R_OBSERVED);
			frame[tcp + 17] ^= 1;
			expect("wrong checksum", compare_frame(in, len, at, 0), SW_R_BAD_CHECKSUM);
			/* every length up to the longest that is summed */
			for (__u32 n = 0; n < 1540; n += n < 140 ? 1 : 97) {
				struct step st = data;

				st.len = n;
				len = frame_build(frame, v, &st);
				frame[tcp + 13] |= URG; /* the short way does not look at sums */
				frame_sums(frame, len, 14);
				reset();
				expect("right checksum", compare_frame(in, len, at, 0),
				       SW_R_OBSERVED);
				reset();
				frame[len - 1] ^= 0x40;
				r = len - tcp > 1536 ? SW_R_OBSERVED : SW_R_BAD_CHECKSUM;
				expect("a wrong last byte", compare_frame(in, len, at, 0), r);
			}
		}
		/* the IPv4 header's own */
		reset();
		len = frame_build(frame, v4, &syn);
		frame[14 + 8] ^= 1; /* TTL */
		expect("wrong IP checksum", compare_frame(in, len, at, 0), SW_R_BAD_CHECKSUM);

		/* the first of several fragments: its sum covers what is not here */
		reset();
		len = frame_build(frame, v4, &data);
		frame[14 + 20 + 13] |= URG;
		frame_sums(frame, len, 14);
		len -= 5;
		frame[14 + 6] = 0x20;
		frame[14 + 3] -= 5;
		set_ip_sum();
		expect("first fragment", compare_frame(in, len, at, 0), SW_R_OBSERVED);
		reset();
		frame[14 + 8] ^= 1;
		if (run_bpf(in, frame, len, 0) != SW_R_BAD_CHECKSUM)
			differs("the IP checksum of a first fragment is not checked");
	}
#undef expect
	report("forwarding, checksums, fragments", before, 1);
}

static void print_costs(void)
{
	struct bpf_program *p;

	printf("verified instructions:");
	bpf_object__for_each_program(p, skel->obj)
	{
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			printf(" %s %u (%u bytes)", bpf_program__name(p), info.verified_insns,
			       info.xlated_prog_len);
	}
	putchar('\n');
}

static int setup(bool raw)
{
	int err;

	host_init(&host, 64, 64, 63, 30);
	host.raw = raw;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skel = synward_bpf__open();
	if (!skel)
		return printf("FAIL cannot open the object: %s\n", strerror(errno)), 1;
	memcpy((void *)&skel->rodata->sw_settings, &host.cfg, sizeof(host.cfg));
	skel->rodata->sw_device_raw = raw;
	bpf_map__set_max_entries(skel->maps.proven, host.cfg.proven_buckets);
	bpf_map__set_max_entries(skel->maps.half, host.cfg.half_buckets);
	err = synward_bpf__load(skel);
	if (err == -EPERM)
		return printf("SKIP not allowed to load BPF programs\n"), 77;
	if (err)
		return printf("FAIL cannot load the object: %s\n", strerror(-err)), 1;
	memset(counts, 0, sizeof(counts));
	kern.cfg = host.cfg;
	kern.proven =
		map_whole(skel->maps.proven, host.cfg.proven_buckets * sizeof(struct sw_bucket));
	kern.half = map_whole(skel->maps.half, host.cfg.half_buckets * sizeof(struct sw_bucket));
	listeners = map_whole(skel->maps.listeners, HOST_LISTENERS * sizeof(struct sw_listener));
	readers = map_whole(skel->maps.readers, sizeof(*readers));
	if (!kern.proven || !kern.half || !listeners || !readers)
		return printf("FAIL cannot map the tables: %s\n", strerror(errno)), 1;
	ring = kernel_reader(skel, readers, 0, 1 << 16, ~0u, on_record, NULL);
	if (!ring)
		return printf("FAIL cannot read events: %s\n", strerror(errno)), 1;
	return 0;
}

static void cleanup(void)
{
	munmap(kern.proven, kern.cfg.proven_buckets * sizeof(struct sw_bucket));
	munmap(kern.half, kern.cfg.half_buckets * sizeof(struct sw_bucket));
	munmap(listeners, HOST_LISTENERS * sizeof(struct sw_listener));
	ring_buffer__free(ring);
	munmap(readers, sizeof(*readers));
	synward_bpf__destroy(skel);
	host_free(&host);
}

int main(void)
{
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!kernel_allowed())
		return printf("SKIP progrun: needs root\n"), 77;
	srandom(11);
	ret = setup(false);
	if (ret)
		return ret;
	print_costs();
	run_scripts(XDP);
	run_scripts(INGRESS);
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		run_garbage(hook, 10000);
	run_special();
	cleanup();
	ret = setup(true);
	if (ret)
		return ret;
	run_scripts(INGRESS);
	cleanup();
	printf("%s events: %u\n", all_told ? "ok" : "FAIL", all_told);
	if (differences)
		printf("FAIL %u differences between host and BPF\n", differences);
	return differences || !all_told;
}
