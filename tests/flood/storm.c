// SPDX-License-Identifier: GPL-2.0
/*
 * Sends SYNs from 198.18.0.0/15 over a veth whose ends have XDP programs, so
 * many a second, until SIGTERM or SIGINT: by a BPF program on live frames, a
 * tenth of what flood.c costs. It waits by turning: its CPU is busy all the
 * time, however dear the flood is to who receives it. Then says what it sent:
 * one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storm.skel.h"

#define NS_PER_SEC 1000000000ull
#define TURNS 5000000 /* frames of one test run, sent or not: setting one up takes 25 ms */
#define IP 14	      /* offsets in the frame */
#define TCP 34

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static __u32 add(const __u8 *data, int len)
{
	__u32 sum = 0;
	__u16 word;

	for (int i = 0; i < len; i += 2) {
		memcpy(&word, data + i, 2);
		sum += word;
	}
	return sum;
}

/* A SYN as Linux sends it: MSS 1460, SACK, timestamps, window scale 7. */
static int make_frame(struct storm__bss *s, const char *mac, const char *to, __u16 port)
{
	static const __u8 head[] = { 0x08, 0x00, 0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6 };
	static const __u8 tail[] = { 0xa0, 0x02, 0xfa, 0xf0, 0, 0,  0, 0, 2,	4,
				     0x05, 0xb4, 4,    2,    8, 10, 0, 0, 0x30, 0x39,
				     0,	   0,	 0,    0,    1, 3,  3, 7 };
	unsigned int m[6];

	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6 ||
	    inet_pton(AF_INET, to, s->frame + IP + 16) != 1)
		return -1;
	for (int i = 0; i < 6; i++)
		s->frame[i] = m[i];
	s->frame[6] = 2; /* a local address */
	memcpy(s->frame + 12, head, sizeof(head));
	port = htons(port);
	memcpy(s->frame + TCP + 2, &port, 2);
	memcpy(s->frame + TCP + 12, tail, sizeof(tail));
	s->ip_sum = add(s->frame + IP, 20);
	s->tcp_sum = add(s->frame + TCP, 40) + add(s->frame + IP + 16, 4) + htons(6) + htons(40);
	return 0;
}

int main(int argc, char **argv)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
			    .repeat = TURNS, .batch_size = 64);
	struct sigaction act = { .sa_handler = stop };
	struct xdp_md ctx = { 0 };
	struct storm *s;
	__u64 begin, took;

	if (argc != 6 || !(ctx.ingress_ifindex = if_nametoindex(argv[1])) || atoi(argv[5]) < 1) {
		fputs("usage: storm DEV MAC ADDRESS PORT SYNS-PER-SECOND\n", stderr);
		return 2;
	}
	s = storm__open_and_load();
	if (!s || make_frame(s->bss, argv[2], argv[3], atoi(argv[4]))) {
		fprintf(stderr, "storm: %s\n", strerror(errno));
		return 1;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	ctx.data_end = sizeof(s->bss->frame);
	opts.data_in = s->bss->frame;
	opts.data_size_in = sizeof(s->bss->frame);
	opts.ctx_in = &ctx;
	opts.ctx_size_in = sizeof(ctx);
	s->bss->device = ctx.ingress_ifindex;
	s->bss->interval_ns = NS_PER_SEC / atoi(argv[5]);
	begin = s->bss->next_ns = now_ns();
	while (!stopped)
		if (bpf_prog_test_run_opts(bpf_program__fd(s->progs.storm), &opts) &&
		    errno != EINTR) {
			fprintf(stderr, "storm: cannot send: %s\n", strerror(errno));
			return 1;
		}
	took = now_ns() - begin;
	printf("{\"sent\": %llu, \"seconds\": %.6f, \"rate\": %.0f}\n",
	       (unsigned long long)s->bss->sent, took / 1e9, s->bss->sent * 1e9 / took);
	storm__destroy(s);
	return 0;
}
