// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of entries when a table is full, through the loaded programs and
 * from both CPUs: how far a table fills before it gives up a live entry, that
 * forged segments never push out or change a proven flow, what goes first, and
 * that nobody can aim at a bucket. Prints the figures that README.md tells.
 * Root; nothing is attached.
 */
#include "kernel.h"
#include "report.h"

#define CPUS 2
#define CLIENT 0x0b000000u /* the first of many */
#define SPOOFED 0x30000000u
#define SERVER 0x0a090909u
#define OPEN 10000u   /* proven flows under the flood */
#define FORGED 210000u /* segments of each kind */

static struct kernel kern;

/* fn(i, seed) for each i from first up to end, half of them on each CPU. */
struct share {
	void (*fn)(__u32 i, __u64 *seed);
	__u32 first, end;
	int cpu;
};

static __u64 seeds; /* another one for each share */

static void *share_main(void *arg)
{
	const struct share *s = arg;
	__u64 seed = __sync_add_and_fetch(&seeds, 0x9e3779b97f4a7c15);

	pin_to_cpu(s->cpu % sysconf(_SC_NPROCESSORS_ONLN));
	for (__u32 i = s->first + s->cpu; i < s->end; i += CPUS)
		s->fn(i, &seed);
	return NULL;
}

static void on_all_cpus(void (*fn)(__u32 i, __u64 *seed), __u32 first, __u32 end)
{
	struct share s[CPUS];
	pthread_t id[CPUS];

	for (int i = 0; i < CPUS; i++) {
		s[i] = (struct share){ fn, first, end, i };
		if (pthread_create(&id[i], NULL, share_main, &s[i]))
			abort();
	}
	for (int i = 0; i < CPUS; i++)
		pthread_join(id[i], NULL);
}

static void run(enum hook hook, const struct segment *s)
{
	__u8 frame[SEGMENT_MAX];
	size_t len = segment_frame(frame, s);

	if (kernel_run(hook_fd(kern.skel, hook), frame, len) != (hook == XDP ? XDP_PASS : TC_NEXT))
		fails("the kernel does not run it");
}

/* What client i and the server say to each other. */
static void client_says(__u32 i, __u16 flags, __u32 seq, __u32 ack, __u32 len)
{
	const struct segment s = { CLIENT + i, SERVER, 1024 + i % 60000, 80, flags, i + seq,
				   flags & ACK ? ~i + ack : 0, len };

	run(XDP, &s);
}

static void server_says(__u32 i, __u16 flags, __u32 seq, __u32 ack)
{
	const struct segment s = { SERVER, CLIENT + i, 80, 1024 + i % 60000, flags, ~i + seq,
				   i + ack, 0 };

	run(EGRESS, &s);
}

static void open_flow(__u32 i, __u64 *seed)
{
	(void)seed;
	client_says(i, SYN, 0, 0, 0);
	server_says(i, SA, 0, 1);
	client_says(i, ACK, 1, 1, 0);
}

/* Clients that are not among the open ones. */
static void half_open(__u32 i, __u64 *seed)
{
	(void)seed;
	client_says(0x100000 + i, SYN, 0, 0, 0);
	server_says(0x100000 + i, SA, 0, 1);
}

static __u32 live(const struct sw_bucket *table, __u32 buckets, __u32 flag)
{
	__u32 n = 0;

	for (__u32 i = 0; i < buckets * SW_WAYS; i++) {
		const struct sw_flow *f = &table[i / SW_WAYS].slot[i % SW_WAYS];

		if (f->ctl.lock & SW_BUSY)
			fails("an entry was left busy");
		n += f->ctl.lock & SW_LIVE && (!flag || f->flags & flag);
	}
	return n;
}

static __u64 gauge(const struct sw_gauge *g)
{
	return sw_gauge_read(g, clock_ns() / SW_NS_PER_SEC, kern.cfg.syn_timeout_s);
}

static __u64 evicted_proven(void)
{
	return kernel_shared(&kern).evicted;
}

static __u64 evicted_half(void)
{
	return gauge(&kern.listeners[1].untracked);
}

static __u32 buckets_for(__u32 entries)
{
	return ((__u64)entries * SW_FILL_NUM / SW_FILL_DEN + SW_WAYS - 1) / SW_WAYS;
}

static int setup(__u32 flows, __u32 half_open, __u64 seed)
{
	int ret = kernel_open(&kern, buckets_for(flows), buckets_for(half_open), seed);

	if (!ret && kernel_listen(&kern, 0, 80) != 1)
		fails("no listener");
	return ret;
}

/* A table filled from all CPUs, one percent of its nominal size after the other. */
static void fill(const char *name, __u32 nominal, void (*fn)(__u32 i, __u64 *seed),
		 __u64 (*evicted)(void))
{
	static const __u32 shown[] = { 50, 80, 95, 100, 120, 150 };
	__u32 done = 0, first = 0, at = 0;

	printf("  %s for %u, evicted at", name, nominal);
	for (__u32 percent = 1; percent <= 150; percent++) {
		__u32 end = (__u64)nominal * percent / 100;

		on_all_cpus(fn, done, end);
		done = end;
		if (!first && evicted())
			first = percent;
		if (percent == shown[at])
			printf("%s %u %%: %llu", at++ ? "," : "", percent,
			       (unsigned long long)evicted());
		if (percent == 100 && evicted())
			fails("%s: %llu evicted at nominal size", name,
			      (unsigned long long)evicted());
		if (first && percent >= 120)
			break;
	}
	printf("; the first before %u %%\n", first);
}

static int test_fill(void)
{
	unsigned int before = failures;
	const struct sw_listener *l;
	int ret = setup(SW_MAX_FLOWS_DEFAULT, SW_MAX_HALF_OPEN_DEFAULT, 41);
	__u32 n, proven;

	if (ret)
		return ret;
	l = &kern.listeners[1];
	fill("proven", SW_MAX_FLOWS_DEFAULT, open_flow, evicted_proven);
	proven = live(kern.proven, kern.cfg.proven_buckets, 0);
	if (proven + evicted_proven() != l->completed || evicted_half())
		fails("%u in the table, %llu evicted, %llu opened", proven,
		      (unsigned long long)evicted_proven(), (unsigned long long)l->completed);
	report("proven table, filled", before);

	before = failures;
	memset(kern.half, 0, kern.cfg.half_buckets * sizeof(*kern.half));
	memset(&kern.listeners[1].lost_s, 0, sizeof(*l) - offsetof(struct sw_listener, lost_s));
	fill("half-open", SW_MAX_HALF_OPEN_DEFAULT, half_open, evicted_half);
	n = live(kern.half, kern.cfg.half_buckets, SW_F_HALF);
	if (n != gauge(&l->half) || n + evicted_half() != l->answered)
		fails("%u half-open in the table, %llu tracked, %llu untracked, %llu answered", n,
		      (unsigned long long)gauge(&l->half), (unsigned long long)evicted_half(),
		      (unsigned long long)l->answered);
	report("half-open table, filled", before);
	kernel_close(&kern);
	return 0;
}

static const struct {
	const char *name;
	__u16 flags;
} kinds[] = { { "SYN", SYN }, { "SYN-ACK", SA }, { "ACK", ACK }, { "RST", RST }, { "FIN", FA } };
static __u32 kind;

static void forge(__u32 i, __u64 *seed)
{
	const struct segment s = { SPOOFED + rnd(seed) % 0x10000000, SERVER, rnd(seed) | 1,
				   80, kinds[kind].flags, rnd(seed), rnd(seed), 0 };

	run(i & 2 ? XDP : INGRESS, &s);
}

/* The same from the clients' own addresses and ports: only the numbers are guessed. */
static void forge_known(__u32 i, __u64 *seed)
{
	client_says(i, kinds[kind].flags, rnd(seed), rnd(seed), 0);
}

/* The proven flows, in order of their clients. */
static void states_of(struct sw_flow *to)
{
	memset(to, 0, OPEN * sizeof(*to));
	for (__u32 i = 0; i < kern.cfg.proven_buckets * SW_WAYS; i++) {
		const struct sw_flow *f = &kern.proven[i / SW_WAYS].slot[i % SW_WAYS];
		__u32 server = f->key.addr[1][0] == htonl(SERVER);
		__u32 client = ntohl(f->key.addr[server ^ 1][0]) - CLIENT;

		if (f->ctl.lock & SW_LIVE && client < OPEN)
			to[client] = *f;
	}
}

static int test_forged(void)
{
	static struct sw_flow was[OPEN], is[OPEN];
	unsigned int before = failures, lost = 0, changed = 0;
	struct sw_bucket *copy;
	__u64 then[SW_R_COUNT], now[SW_R_COUNT];
	int ret = setup(OPEN, 4096, 43);
	size_t size;

	if (ret)
		return ret;
	on_all_cpus(open_flow, 0, OPEN);
	size = kern.cfg.proven_buckets * sizeof(*copy);
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, kern.proven, size);
	states_of(was);
	if (live(copy, kern.cfg.proven_buckets, 0) != OPEN)
		fails("not all of the %u flows are open", OPEN);
	for (kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
		kernel_reasons(kern.skel, then);
		on_all_cpus(forge, 0, FORGED);
		kernel_reasons(kern.skel, now);
		if (memcmp(copy, kern.proven, size))
			fails("forged %ss changed the proven table", kinds[kind].name);
		if (kinds[kind].flags == RST && now[SW_R_NO_FLOW] - then[SW_R_NO_FLOW] != FORGED)
			fails("forged RSTs met a flow");
	}
	if (evicted_proven() || gauge(&kern.listeners[1].half) || evicted_half())
		fails("forged segments counted as handshakes");
	for (kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++)
		on_all_cpus(forge_known, 0, OPEN);
	states_of(is);
	for (__u32 i = 0; i < OPEN; i++) {
		lost += !is[i].key.family;
		changed += is[i].ctl.word != was[i].ctl.word;
	}
	printf("  %u proven flows; forged from random sources: %u SYN, SYN-ACK, ACK, RST, FIN each; "
	       "from their own addresses: %u each; %u lost, %u changed\n",
	       OPEN, FORGED, OPEN, lost, changed);
	if (lost || changed)
		fails("forged segments reach proven flows");
	/* and a flood that this host answers: each half-open handshake is counted, tracked or not */
	on_all_cpus(half_open, 0, 10 * OPEN);
	if (gauge(&kern.listeners[1].half) != live(kern.half, kern.cfg.half_buckets, SW_F_HALF) ||
	    gauge(&kern.listeners[1].half) + evicted_half() != 10 * OPEN)
		fails("%llu tracked, %llu untracked of %u",
		      (unsigned long long)gauge(&kern.listeners[1].half),
		      (unsigned long long)evicted_half(), 10 * OPEN);
	printf("  %u answered and not completed, in a table for 4096: %llu tracked, %llu untracked\n",
	       10 * OPEN, (unsigned long long)gauge(&kern.listeners[1].half),
	       (unsigned long long)evicted_half());
	states_of(is);
	for (__u32 i = 0; i < OPEN; i++)
		if (is[i].ctl.word != was[i].ctl.word)
			fails("flow %u was changed by a flood", i);
	report("forged segments do not reach what is proven", before);
	free(copy);
	kernel_close(&kern);
	return 0;
}

/* The smallest table, each handshake replacing another one, from all CPUs: none is forgotten. */
static int test_exact(void)
{
	enum { N = 200000 };
	unsigned int before = failures;
	const struct sw_listener *l;
	__u32 tracked;
	int ret = setup(64, 64, 45);

	if (ret)
		return ret;
	l = &kern.listeners[1];
	on_all_cpus(half_open, 0, N);
	tracked = live(kern.half, kern.cfg.half_buckets, SW_F_HALF);
	printf("  %u half-open in a table for 64: %u tracked, %llu untracked\n", N, tracked,
	       (unsigned long long)evicted_half());
	if (gauge(&l->half) != tracked || tracked + evicted_half() != N || l->answered != N)
		fails("%llu tracked by the gauge, %llu answered",
		      (unsigned long long)gauge(&l->half), (unsigned long long)l->answered);
	report("half-open handshakes are counted exactly", before);
	kernel_close(&kern);
	return 0;
}

/* Who goes first among the sixteen, in plain words: true when a goes before b. */
static bool goes_before(__u32 a, __u32 b, __u32 now_s)
{
	/* by class: picked up, pending, half-open; the host's own SYN last */
	const __u32 *life = kern.cfg.life_s[SW_HALF], age[2] = { now_s - (a & 0x3fffffff),
								  now_s - (b & 0x3fffffff) };
	const __u32 class[2] = { a >> 30, b >> 30 };
	int rank[2];

	if (age[0] >= life[class[0]] || age[1] >= life[class[1]])
		return age[0] >= life[class[0]] && age[1] < life[class[1]];
	for (int i = 0; i < 2; i++) /* an unanswered SYN of this second may be answered yet */
		rank[i] = class[i] == SW_CLASS_ACTIVE			   ? 4 :
			  class[i] == SW_CLASS_PENDING && age[i] < 2 ? 3 :
								       (int)class[i];
	return rank[0] != rank[1] ? rank[0] < rank[1] : age[0] > age[1];
}

static __u32 second_now(void)
{
	__u64 left = SW_NS_PER_SEC - clock_ns() % SW_NS_PER_SEC;

	if (left < 20 * SW_NS_PER_MS)
		usleep(left / 1000 + 1000);
	return clock_ns() / SW_NS_PER_SEC;
}

/* Fills a small table with everything, of every age; who goes, each time? */
static int test_order(void)
{
	unsigned int before = failures, replaced[4] = { 0 }, refused = 0;
	int ret = setup(64, 64, 47);
	__u64 seed = 5;

	if (ret)
		return ret;
	for (__u32 i = 0; i < 20000; i++) {
		static const __u16 flags[] = { SYN, SYN, ACK, SA };
		struct segment s = { SPOOFED + i, SERVER, 1024, 80, flags[rnd(&seed) % 4], 1, 1, 0 };
		struct sw_key key = segment_key(&s);
		struct sw_hash h = sw_hash_key(&key, &kern.cfg);
		struct sw_bucket *b[2], copy[2];
		__u32 now_s = second_now();
		int victim = 0, went = -1, full = 1;

		for (int n = 0; n < 2; n++) {
			b[n] = &kern.half[sw_bucket_index(h.index[n], kern.cfg.half_buckets)];
			copy[n] = *b[n];
		}
		for (int n = 0; n < 2 * SW_WAYS; n++) {
			__u32 *stamp = &b[n / SW_WAYS]->stamp[n % SW_WAYS];

			full &= !!copy[n / SW_WAYS].tag[n % SW_WAYS];
			if (rnd(&seed) % 32 == 0) /* time passes for it */
				*stamp -= rnd(&seed) % 20;
			copy[n / SW_WAYS].stamp[n % SW_WAYS] = *stamp;
		}
		copy[0] = *b[0];
		for (int n = 1; n < 2 * SW_WAYS; n++)
			if (goes_before(copy[n / SW_WAYS].stamp[n % SW_WAYS],
					copy[victim / SW_WAYS].stamp[victim % SW_WAYS], now_s))
				victim = n;
		run(XDP, &s);
		for (int n = 2 * SW_WAYS - 1; n >= 0; n--)
			if (b[n / SW_WAYS]->slot[n % SW_WAYS].ctl.gen !=
			    copy[n / SW_WAYS].slot[n % SW_WAYS].ctl.gen)
				went = n;
		if (rnd(&seed) % 2 && s.flags == SYN) {
			const struct segment answer = { SERVER, s.src, 80, 1024, SA, 1, 2, 0 };

			run(EGRESS, &answer);
		}
		if (!full)
			continue;
		if (went < 0 && s.flags == ACK) {
			__u32 stamp = copy[victim / SW_WAYS].stamp[victim % SW_WAYS];

			refused++;
			if (stamp >> 30 == SW_CLASS_PICKUP ||
			    now_s - (stamp & 0x3fffffff) >= kern.cfg.life_s[SW_HALF][stamp >> 30])
				fails("an ACK found no place, though one could go");
		} else if (went != victim) {
			fails("round %u: slot %d went, not %d", i, went, victim);
		} else {
			replaced[copy[victim / SW_WAYS].stamp[victim % SW_WAYS] >> 30]++;
		}
	}
	printf("  replaced in the half-open table: %u picked up, %u pending, %u half-open; "
	       "%u ACKs out of nowhere found no place\n",
	       replaced[0], replaced[1], replaced[2], refused);
	if (!replaced[0] || !replaced[1] || !replaced[2] || !refused)
		fails("not everything was seen");
	report("who goes first", before);
	kernel_close(&kern);
	return 0;
}

/* No kernel table that evicts behind our back, none with a hash that an attacker knows. */
static void check_maps(void)
{
	unsigned int before = failures;
	struct bpf_map *map;

	bpf_object__for_each_map(map, kern.skel->obj)
	{
		switch (bpf_map__type(map)) {
		case BPF_MAP_TYPE_ARRAY:
		case BPF_MAP_TYPE_PERCPU_ARRAY:
		case BPF_MAP_TYPE_HASH: /* devices: keys that attach chooses */
		case BPF_MAP_TYPE_LPM_TRIE: /* lists: prefixes that its user chooses */
		case BPF_MAP_TYPE_ARRAY_OF_MAPS: /* events: rings, whose readers are told of losses */
			break;
		default:
			fails("map %s has type %d", bpf_map__name(map), bpf_map__type(map));
		}
		if (bpf_map__map_flags(map) & BPF_F_ZERO_SEED)
			fails("map %s has no seed", bpf_map__name(map));
	}
	report("no map evicts by itself", before);
}

/* Keys that all fall into 16 of the buckets, for who knows the seed. */
#define AIMED 300
#define TARGET 16

static int test_seed(void)
{
	static struct segment aimed[AIMED];
	unsigned int before = failures;
	__u32 kept[2], n = 0;

	for (int other = 0; other < 2; other++) {
		int ret = setup(64, 32768, 53 + other);

		if (ret)
			return ret;
		for (__u32 i = 0; n < AIMED; i++) {
			struct segment s = { SPOOFED + i, SERVER, 1024, 80, SYN, 1, 0, 0 };
			struct sw_key key = segment_key(&s);
			struct sw_hash h = sw_hash_key(&key, &kern.cfg);

			if (sw_bucket_index(h.index[0], kern.cfg.half_buckets) < TARGET &&
			    sw_bucket_index(h.index[1], kern.cfg.half_buckets) < TARGET)
				aimed[n++] = s;
		}
		for (__u32 i = 0; i < AIMED; i++)
			run(XDP, &aimed[i]);
		kept[other] = live(kern.half, kern.cfg.half_buckets, 0);
		if (other)
			check_maps();
		kernel_close(&kern);
	}
	printf("  %u keys aimed at %u buckets: %u kept under the seed they were made for, "
	       "%u under another\n", AIMED, TARGET, kept[0], kept[1]);
	if (kept[0] != TARGET * SW_WAYS || kept[1] != AIMED)
		fails("the seed makes no difference");
	report("nobody aims at a bucket without the seed", before);
	return 0;
}

int main(void)
{
	int (*const tests[])(void) = { test_fill, test_forged, test_exact, test_order, test_seed };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!kernel_allowed())
		return printf("SKIP full: needs root\n"), SKIPPED;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		int ret = tests[i]();

		if (ret)
			return ret;
	}
	return failures != 0;
}
