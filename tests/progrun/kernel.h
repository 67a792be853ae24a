/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_KERNEL_H
#define SW_TEST_KERNEL_H

/*
 * The BPF object, loaded as attach loads it, with its tables mapped, and single
 * frames through its programs by BPF_PROG_TEST_RUN.
 */
#define _GNU_SOURCE /* unshare, CPU_SET; so include this first */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../unit/packets.h"
#include "synward.skel.h"

#define SKIPPED 77
#define LO 1	     /* ifindex that a test run has */
#define TC_NEXT (-1) /* TC_ACT_UNSPEC */

enum hook { XDP, INGRESS, EGRESS, HOOKS };

struct kernel {
	struct synward_bpf *skel;
	struct sw_config cfg;
	struct sw_bucket *proven, *half;
	struct sw_listener *listeners;
};

static inline __u64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SW_NS_PER_SEC + t.tv_nsec;
}

/* xorshift: a test can be run again with its seed, whatever the C library. */
static inline __u32 rnd(__u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 16;
}

/* Without root there is nothing to test; a network namespace of its own has no sockets. */
static inline bool kernel_allowed(void)
{
	return !geteuid() && !unshare(CLONE_NEWNET);
}

static inline void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline void *map_whole(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Sizes in buckets. 0, or an exit status, with a line that says why; then kernel_load(). */
static inline int kernel_configure(struct kernel *k, __u32 proven_buckets, __u32 half_buckets,
				   __u64 seed)
{
	memset(k, 0, sizeof(*k));
	k->cfg = (struct sw_config){ .proven_buckets = proven_buckets,
				     .half_buckets = half_buckets,
				     .syn_timeout_s = SW_SYN_TIMEOUT_DEFAULT,
				     .two_msl_s = 2 * SW_MSL_DEFAULT };
	for (int i = 0; i < 3; i++)
		k->cfg.seed[i] = rnd(&seed);
	sw_config_lives(&k->cfg);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	k->skel = synward_bpf__open();
	if (!k->skel)
		return printf("FAIL cannot open the object: %s\n", strerror(errno)), 1;
	memcpy((void *)&k->skel->rodata->sw_settings, &k->cfg, sizeof(k->cfg));
	bpf_map__set_max_entries(k->skel->maps.proven, proven_buckets);
	bpf_map__set_max_entries(k->skel->maps.half, half_buckets);
	return 0;
}

static inline int kernel_load(struct kernel *k)
{
	int err = synward_bpf__load(k->skel);

	if (err == -EPERM)
		return printf("SKIP not allowed to load BPF programs\n"), SKIPPED;
	if (err)
		return printf("FAIL cannot load the object: %s\n", strerror(-err)), 1;
	k->proven = map_whole(k->skel->maps.proven, k->cfg.proven_buckets * sizeof(*k->proven));
	k->half = map_whole(k->skel->maps.half, k->cfg.half_buckets * sizeof(*k->half));
	k->listeners = map_whole(k->skel->maps.listeners, SW_MAX_LISTENERS * sizeof(*k->listeners));
	if (!k->proven || !k->half || !k->listeners)
		return printf("FAIL cannot map the tables: %s\n", strerror(errno)), 1;
	return 0;
}

static inline int kernel_open(struct kernel *k, __u32 proven_buckets, __u32 half_buckets,
			      __u64 seed)
{
	int ret = kernel_configure(k, proven_buckets, half_buckets, seed);

	return ret ? ret : kernel_load(k);
}

static inline void kernel_close(struct kernel *k)
{
	munmap(k->proven, k->cfg.proven_buckets * sizeof(*k->proven));
	munmap(k->half, k->cfg.half_buckets * sizeof(*k->half));
	munmap(k->listeners, SW_MAX_LISTENERS * sizeof(*k->listeners));
	synward_bpf__destroy(k->skel);
}

static inline int hook_fd(const struct synward_bpf *skel, enum hook hook)
{
	return bpf_program__fd(hook == XDP     ? skel->progs.sw_xdp :
			       hook == INGRESS ? skel->progs.sw_ingress :
						 skel->progs.sw_egress);
}

/* One run; the program's answer, or -1000 when the kernel does not run it. */
static inline int kernel_run(int fd, const void *data, size_t len)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = len,
			    .repeat = 1);

	return bpf_prog_test_run_opts(fd, &opts) ? -1000 : (int)opts.retval;
}

static inline int kernel_import(const struct kernel *k, const struct sw_request *req)
{
	__u8 in[SW_ETH_HLEN + sizeof(*req)] = { 0 };

	memcpy(in + SW_ETH_HLEN, req, sizeof(*req));
	return kernel_run(bpf_program__fd(k->skel->progs.sw_import), in, sizeof(in));
}

static inline struct sw_shared kernel_shared(const struct kernel *k)
{
	struct sw_shared own = { 0 };
	__u32 zero = 0;

	if (bpf_map__lookup_elem(k->skel->maps.shared, &zero, sizeof(zero), &own, sizeof(own), 0))
		abort();
	return own;
}

/* Read events in a place, as `synward events` does; NULL when that is not possible. */
static inline struct ring_buffer *kernel_reader(const struct synward_bpf *skel,
						struct sw_readers *readers, __u32 place,
						size_t size, __u32 rate, ring_buffer_sample_fn fn,
						void *arg)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "test", 0, 0, size, NULL);
	struct ring_buffer *ring;

	if (fd < 0 || bpf_map__update_elem(skel->maps.events, &place, sizeof(place), &fd,
					   sizeof(fd), BPF_ANY))
		return NULL;
	ring = ring_buffer__new(fd, fn, arg, NULL);
	close(fd);
	readers->reader[place].rate = rate;
	readers->reader[place].alive_s = ~0u >> 1; /* for as long as it takes */
	readers->mask |= 1u << place;
	return ring;
}

/* Packets by reason, so far. */
static inline void kernel_reasons(const struct synward_bpf *skel, __u64 sum[SW_R_COUNT])
{
	static struct sw_stats *cpu;
	static int n;
	__u32 slot = 0;

	if (!cpu) {
		n = libbpf_num_possible_cpus();
		cpu = calloc(n, sizeof(*cpu));
	}
	memset(sum, 0, SW_R_COUNT * sizeof(*sum));
	if (!cpu || bpf_map_lookup_elem(bpf_map__fd(skel->maps.stats), &slot, cpu))
		abort();
	for (int i = 0; i < n; i++)
		for (int r = 0; r < SW_R_COUNT; r++)
			sum[r] += cpu[i].reasons[r];
}

/* One segment between any two IPv4 endpoints; numbers and ports in host byte order. */
struct segment {
	__u32 src, dst;
	__u16 sport, dport, flags;
	__u32 seq, ack, len;
};

#define SEGMENT_MAX 2048

/* Its Ethernet frame, with right checksums; returns the length. */
static inline size_t segment_frame(__u8 *buf, const struct segment *s)
{
	const struct step st = { .from = C, .flags = s->flags, .seq = s->seq, .ack = s->ack,
				 .len = s->len };
	const __u32 addr[2] = { htonl(s->src), htonl(s->dst) };
	const __u16 port[2] = { htons(s->sport), htons(s->dport) };
	size_t len = frame_simple(buf, &st);

	memcpy(buf + 26, addr, sizeof(addr));
	memcpy(buf + 34, port, sizeof(port));
	frame_sums(buf, len, SW_ETH_HLEN);
	return len;
}

static inline struct sw_key segment_key(const struct segment *s)
{
	struct sw_pkt p = { .key = { .addr = { { htonl(s->src) }, { htonl(s->dst) } },
				     .port = { htons(s->sport), htons(s->dport) },
				     .family = SW_AF_INET } };

	sw_sort_key(&p);
	return p.key;
}

/* Make a listener known, as attach does; its index. */
static inline int kernel_listen(const struct kernel *k, __u32 addr, __u16 port)
{
	struct sw_request req = { .kind = SW_REQ_LISTENER,
				  .listener = { .addr = { htonl(addr) }, .port = htons(port),
						.family = SW_AF_INET } };

	return kernel_import(k, &req);
}

#endif
