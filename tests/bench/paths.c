// SPDX-License-Identifier: GPL-2.0
/*
 * What a packet costs on each path through synward's programs, and in programs
 * with one map or helper to compare with: by BPF_PROG_TEST_RUN, in the network
 * namespace where synward is attached and listens. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.skel.h"
#include "frame.h"
#include "../../user/fail.h"
#include "../../user/pin.h"
#include "../../user/policy.h"

#define PORT 8080
#define FLOOD 65536 /* packets of a path that needs no state of its own, per round */
#define CHUNK 32768 /* of these in one test run; each waits for two grace periods of RCU */
#define MAX_ROUNDS 64

enum hook { XDP, EGRESS, HOOKS };

/* What the guard is told: nothing (as after attach, but never armed), or to be on. */
enum guarded { DORMANT, COOKIE, COOKIE_DRY, DROP };

struct path {
	const char *name;
	enum guarded guarded;
	enum hook hook;
	enum scene_target target;
	enum what what;
	enum scene_who who;
	int reason; /* that synward must count, for nearly all of them */
	unsigned int spread; /* SCENE_SPOOFED: how many addresses, less one; 0: a quarter of all */
	bool denied; /* with the list of denied prefixes */
	bool spent; /* this CPU has answered as many as it may; else there is no such limit */
	bool fill; /* first without measuring, until the half-open table is full */
};

#define LEAST_SHARE 0.9 /* of the packets must have taken the path: else it is another's figure */

/* In this order: the first ones open the connections that the others have. */
static const struct path paths[] = {
	{ "syn-new", DORMANT, XDP, TARGET_SYNWARD, SYN, SCENE_CLIENTS, SW_R_OBSERVED },
	{ "synack", DORMANT, EGRESS, TARGET_SYNWARD, SYNACK, SCENE_CLIENTS, SW_R_OBSERVED },
	{ "ack-completes", DORMANT, XDP, TARGET_SYNWARD, ACK, SCENE_CLIENTS, SW_R_OBSERVED },
	{ "established-data", DORMANT, XDP, TARGET_SYNWARD, DATA, SCENE_CLIENTS, SW_R_OBSERVED },
	{ "established-data-egress",
	  DORMANT, EGRESS, TARGET_SYNWARD, DATA, SCENE_CLIENTS, SW_R_OBSERVED },
	{ "ref-hash-lookup", DORMANT, XDP, TARGET_HASH_LOOKUP, DATA, SCENE_CLIENTS, -1 },
	{ "non-tcp", DORMANT, XDP, TARGET_SYNWARD, UDP, SCENE_SPOOFED, SW_R_NOT_TCP },
	{ "syn-observed",
	  DORMANT, XDP, TARGET_SYNWARD, SYN, SCENE_SPOOFED, SW_R_OBSERVED, .fill = true },
	{ "ref-lru-insert", DORMANT, XDP, TARGET_LRU_INSERT, SYN, SCENE_SPOOFED, -1, .fill = true },
	{ "ref-drop", DORMANT, XDP, TARGET_DROP, SYN, SCENE_SPOOFED, -1 },
	{ "syn-denied",
	  DORMANT, XDP, TARGET_SYNWARD, SYN, SCENE_LISTED, SW_R_DENIED, .denied = true },
	{ "ref-lpm-lookup", DORMANT, XDP, TARGET_LPM_LOOKUP, SYN, SCENE_LISTED, -1 },
	{ "syn-dry-run", COOKIE_DRY, XDP, TARGET_SYNWARD, SYN, SCENE_SPOOFED, SW_R_WOULD_COOKIE },
	{ "syn-cookie", COOKIE, XDP, TARGET_SYNWARD, SYN, SCENE_SPOOFED, SW_R_COOKIE },
	{ "syn-over-budget", COOKIE, XDP, TARGET_SYNWARD, SYN, SCENE_SPOOFED, SW_R_BUDGET, .spent = true },
	{ "ref-raw-gen-syncookie", DORMANT, XDP, TARGET_GEN_SYNCOOKIE, SYN, SCENE_SPOOFED, -1 },
	{ "part-parse", DORMANT, XDP, TARGET_PARSE, SYN, SCENE_SPOOFED, -1 },
	{ "part-cookie", DORMANT, XDP, TARGET_COOKIE, SYN, SCENE_SPOOFED, -1 },
	{ "part-socket", DORMANT, XDP, TARGET_SOCKET, SYN, SCENE_SPOOFED, -1 },
	{ "ack-cookie-bad", COOKIE, XDP, TARGET_SYNWARD, ACK, SCENE_SPOOFED, SW_R_STRAY },
	{ "established-data-armed",
	  COOKIE, XDP, TARGET_SYNWARD, DATA, SCENE_CLIENTS, SW_R_OBSERVED },
	{ "syn-limited",
	  DROP, XDP, TARGET_SYNWARD, SYN, SCENE_SPOOFED, SW_R_LIMITED, .spread = 0xfff },
	{ "fin", DORMANT, XDP, TARGET_SYNWARD, FIN, SCENE_CLIENTS, SW_R_OBSERVED },
};
#define PATHS (sizeof(paths) / sizeof(*paths))

static struct {
	double ns[PATHS][MAX_ROUNDS]; /* with the restore step */
	double restore[PATHS][MAX_ROUNDS];
	int rounds;
} result;

static struct bench_bpf *skel;
static struct scene *scene;
static struct sw_bucket *proven, *half;
static char **only; /* names of the paths to measure, or none */
static struct store store;
static struct guard guard;
static __u8 mac[6];
static __u32 clients, address;
static struct {
	__u32 client, server; /* bytes that each end has sent, to all the others alike */
} sent;

static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("paths: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

static int open_pin(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

/* For writing. */
static struct sw_bucket *map_table(const char *name, __u32 buckets)
{
	char path[PATH_MAX];
	void *at;
	int fd;

	pin_path(path, sizeof(path), name);
	fd = open_pin(path);
	at = mmap(NULL, buckets * sizeof(struct sw_bucket), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		die("cannot map %s: %s", name, strerror(errno));
	close(fd);
	return at;
}

/* The program that a link of synward's runs. */
static int linked_program(const char *hook)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	char path[PATH_MAX];
	int link, fd;

	pin_link_path(path, sizeof(path), store.device[0].ifindex, hook);
	link = open_pin(path);
	if (bpf_obj_get_info_by_fd(link, &info, &len))
		die("%s: %s", path, strerror(errno));
	close(link);
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (fd < 0)
		die("program of %s: %s", path, strerror(errno));
	return fd;
}

static void set_target(struct bpf_map *map, __u32 target, int fd)
{
	if (bpf_map_update_elem(bpf_map__fd(map), &target, &fd, BPF_ANY))
		die("cannot tail-call program %u: %s", target, strerror(errno));
}

/* Packets of a reason, so far. */
static __u64 counted(int reason)
{
	uint64_t sum[SW_R_COUNT] = { 0 };

	if (stats_add(store.stats_fd, store.device[0].dev.slot, sum))
		die("%s", sw_err_text());
	return sum[reason];
}

static void make_frame(enum hook hook, enum what what)
{
	bool egress = hook == EGRESS;

	frame_make(scene, what, egress, mac, address, PORT);
	scene->seq = what == SYN || what == SYNACK ? 0 : 1 + (egress ? sent.server : sent.client);
	scene->ack = what == SYN ? 0 : what == SYNACK ? 1 : 1 + (egress ? sent.client : sent.server);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *of, int n)
{
	qsort(of, n, sizeof(*of), compare);
	return of[n / 2];
}

static double run_once(int fd, __u32 repeat)
{
	static __u8 out[SCENE_FRAME + 64];
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = scene->frame,
			    .data_size_in = scene->len, .data_out = out,
			    .data_size_out = sizeof(out), .repeat = repeat);

	if (bpf_prog_test_run_opts(fd, &opts))
		die("the kernel does not run it: %s", strerror(errno));
	return opts.duration;
}

/* ns per packet: the median of parts, some of which others interrupt. */
static double run(int fd, __u32 packets)
{
	__u32 part = packets < CHUNK ? packets : packets / 4 > CHUNK ? packets / 4 : CHUNK;
	double ns[4];
	int n = 0;

	scene->next = 0;
	for (__u32 done = 0; done < packets; done += part)
		ns[n++] = run_once(fd, part);
	return median(ns, n);
}

static int restore_fd(enum hook hook)
{
	return bpf_program__fd(hook == XDP ? skel->progs.restore_xdp : skel->progs.restore_tc);
}

static __u32 packets_of(const struct path *p)
{
	return p->who == SCENE_CLIENTS ? clients : FLOOD;
}

static void fill(const struct path *p, enum scene_target target)
{
	scene->target = target;
	run(restore_fd(p->hook), p->who == SCENE_CLIENTS ? clients : 2 * store.meta.max_half_open);
}

static void measure(int i, int round)
{
	const struct path *p = &paths[i];
	__u32 n = packets_of(p);
	__u64 before;
	double share;

	make_frame(p->hook, p->what);
	scene->who = p->who;
	scene->spread = p->spread ? p->spread : ~SCENE_BASE >> 1;
	if (p->fill)
		fill(p, p->target);
	scene->target = TARGET_EMPTY;
	result.restore[i][round] = run(restore_fd(p->hook), n < CHUNK ? n : CHUNK);
	before = p->reason < 0 ? 0 : counted(p->reason);
	scene->target = p->target;
	result.ns[i][round] = run(restore_fd(p->hook), n);
	if (p->reason >= 0) {
		share = (double)(counted(p->reason) - before) / n;
		if (share < LEAST_SHARE)
			die("%s: only %.1f %% of the packets took this path", p->name, 100 * share);
	}
	if (p->what == DATA && p->target == TARGET_SYNWARD)
		*(p->hook == XDP ? &sent.client : &sent.server) += FRAME_DATA;
}

/* Put the prefixes on the list; synward looks while control.lists is not 0. */
static void deny(void)
{
	struct sw_list_entry e = { .deny = 1, .bits = SW_V4_BITS + 24 };
	struct sw_list_key key = { .bits = e.bits, .addr = { 0, 0, htonl(0xffff) } };
	char path[PATH_MAX];
	int fd;

	pin_path(path, sizeof(path), "lists");
	fd = open_pin(path);
	for (__u32 i = 0; i < SCENE_PREFIXES; i++) {
		key.addr[3] = htonl(scene_prefix(i));
		if (bpf_map_update_elem(fd, &key, &e, BPF_ANY))
			die("cannot deny a prefix: %s", strerror(errno));
	}
	close(fd);
}

static void set_policy(enum guarded to)
{
	policy_set(&guard, 0,
		   &(struct policy_change){
			   .mode = to == DORMANT ? SW_MODE_AUTO : SW_MODE_ON,
			   .dry_run = to == DORMANT || to == COOKIE_DRY,
			   .method = to == DROP ? SW_METHOD_DROP : SW_METHOD_COOKIE,
			   .high = INT32_MAX, .low = -1, .hold_s = -1 });
	if (to == DORMANT)
		guard.control->armed_s = 0; /* long ago: no cookie is waited for */
}

static bool wanted(const struct path *p)
{
	for (char **name = only; *name; name++)
		if (!strcmp(*name, p->name))
			return true;
	return !*only;
}

static void one_round(int round)
{
	memset(proven, 0, store.meta.config.proven_buckets * sizeof(*proven));
	memset(half, 0, store.meta.config.half_buckets * sizeof(*half));
	sent.client = sent.server = 0;
	for (size_t i = 0; i < PATHS; i++) {
		if (!wanted(&paths[i]))
			continue;
		if (paths[i].target == TARGET_SYNWARD)
			set_policy(paths[i].guarded);
		guard.control->lists = paths[i].denied ? SCENE_PREFIXES : 0;
		guard.control->core_rate = paths[i].spent;
		measure(i, round);
	}
}

static void open_synward(void)
{
	if (store_open(&store) || guard_open(&guard))
		die("%s", sw_err_text());
	if (store.n_devices != 1)
		die("attached to %d devices, not to one", store.n_devices);
	proven = map_table("proven", store.meta.config.proven_buckets);
	half = map_table("half", store.meta.config.half_buckets);
	set_target(skel->maps.xdp_targets, TARGET_SYNWARD, linked_program("xdp"));
	set_target(skel->maps.tc_targets, TARGET_SYNWARD, linked_program("egress"));
	frame_mac(store.device[0].dev.name, mac);
	deny();
}

static void open_references(void)
{
	const struct {
		enum scene_target target;
		struct bpf_program *prog;
	} refs[] = {
		{ TARGET_EMPTY, skel->progs.empty_xdp },
		{ TARGET_DROP, skel->progs.ref_drop },
		{ TARGET_LRU_INSERT, skel->progs.ref_lru_insert },
		{ TARGET_HASH_LOOKUP, skel->progs.ref_hash_lookup },
		{ TARGET_LPM_LOOKUP, skel->progs.ref_lpm_lookup },
		{ TARGET_GEN_SYNCOOKIE, skel->progs.ref_raw_gen_syncookie },
		{ TARGET_PARSE, skel->progs.part_parse },
		{ TARGET_COOKIE, skel->progs.part_cookie },
		{ TARGET_SOCKET, skel->progs.part_socket },
	};
	__u64 one = 1;

	for (size_t i = 0; i < sizeof(refs) / sizeof(*refs); i++)
		set_target(skel->maps.xdp_targets, refs[i].target, bpf_program__fd(refs[i].prog));
	set_target(skel->maps.tc_targets, TARGET_EMPTY, bpf_program__fd(skel->progs.empty_tc));
	for (__u32 i = 0; i < SCENE_PREFIXES; i++) {
		__u32 key[2] = { 24, htonl(scene_prefix(i)) };

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.ref_lpm), key, &one, BPF_ANY))
			die("cannot fill the trie: %s", strerror(errno));
	}
}

/* ref_hash_lookup's hash holds the clients, as synward's table does. */
static void fill_reference(void)
{
	const struct path all = { .hook = XDP, .who = SCENE_CLIENTS };

	make_frame(XDP, DATA);
	scene->who = SCENE_CLIENTS;
	set_target(skel->maps.xdp_targets, TARGET_HASH_LOOKUP,
		   bpf_program__fd(skel->progs.fill_hash));
	fill(&all, TARGET_HASH_LOOKUP);
	set_target(skel->maps.xdp_targets, TARGET_HASH_LOOKUP,
		   bpf_program__fd(skel->progs.ref_hash_lookup));
}

static void print_result(void)
{
	const char *comma = "";

	printf("{\"flows\": %u, \"half_open\": %u, \"rounds\": %d, \"paths\": [", clients,
	       store.meta.max_half_open, result.rounds);
	for (size_t i = 0; i < PATHS; i++) {
		double *ns = result.ns[i], mid = median(ns, result.rounds);
		double restore = median(result.restore[i], result.rounds);

		if (!wanted(&paths[i]))
			continue;
		printf("%s\n {\"path\": \"%s\", \"hook\": \"%s\", \"best\": %.0f, \"ns\": %.0f, "
		       "\"restore\": %.0f}",
		       comma, paths[i].name, paths[i].hook == XDP ? "xdp" : "tc", ns[0] - restore,
		       mid - restore, restore);
		comma = ",";
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;

	if (argc < 5 || inet_pton(AF_INET, argv[1], &address) != 1) {
		fprintf(stderr, "usage: paths ADDRESS CLIENTS ROUNDS CPU [PATH]...\n");
		return 2;
	}
	clients = atoi(argv[2]);
	only = argv + 5;
	result.rounds = atoi(argv[3]);
	if (!clients || clients & (clients - 1) || result.rounds < 1 || result.rounds > MAX_ROUNDS)
		die("CLIENTS is a power of two, ROUNDS at most %d", MAX_ROUNDS);
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[4]), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	setpriority(PRIO_PROCESS, 0, -20);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skel = bench_bpf__open();
	if (!skel)
		die("cannot open the programs: %s", strerror(errno));
	bpf_map__set_max_entries(skel->maps.ref_hash, clients);
	bpf_map__set_max_entries(skel->maps.ref_lru, clients);
	if (bench_bpf__load(skel))
		die("cannot load the programs");
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_map__fd(skel->maps.scenes), 0);
	if (scene == MAP_FAILED)
		die("cannot map the scene: %s", strerror(errno));
	scene->clients = clients;
	scene->random = SCENE_SEED;
	scene->base = SCENE_BASE;
	open_synward();
	open_references();

	fill_reference();
	for (int i = 0; i < result.rounds; i++)
		one_round(i);
	print_result();
	return 0;
}
