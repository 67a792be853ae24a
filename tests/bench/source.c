// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that a device receives, made in the kernel by a test run with live
 * frames, at several million a second where the packet sockets of tests/flood
 * make a tenth of that: a flood of SYNs from 198.18.0.0/15, until so many
 * seconds are over or SIGTERM comes; or ACKs that bring valid cookies back, made
 * with the secret of the synward that is attached. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "bench.skel.h"
#include "frame.h"
#include "../../user/pin.h"
#include "../../user/shared.h"

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "source: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Sends by the program until `repeat` frames were made or a signal came. */
static void send_frames(const struct bpf_program *prog, struct scene *scene, const char *dev,
			int repeat)
{
	struct xdp_md ctx = { .data_end = scene->len, .ingress_ifindex = if_nametoindex(dev) };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = scene->frame,
			    .data_size_in = scene->len, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
			    .repeat = repeat, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts) && errno != EINTR)
		die("test run");
}

static void read_secret(struct scene *scene)
{
	struct sw_secret secret;
	char path[PATH_MAX];
	__u32 zero = 0;
	int fd;

	pin_path(path, sizeof(path), "secret");
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &secret))
		die(path);
	close(fd);
	scene->key[0] = secret.key[0];
	scene->key[1] = secret.key[1];
	scene->clock_ns = secret.clock_ns;
}

static void flood(struct bench_bpf *skel, struct scene *scene, const char *dev, int rate,
		  int seconds)
{
	struct sigaction act = { .sa_handler = stop }; /* interrupts the test run */
	struct itimerval timer = { .it_value.tv_sec = seconds };

	scene->who = SCENE_SPOOFED;
	scene->base = 0xc6120000;
	scene->spread = 0x1ffff;
	scene->random = SCENE_SEED;
	scene->interval = rate ? 1000000000ll / rate : 0;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (!stopped)
		send_frames(skel->progs.flood, scene, dev, INT_MAX);
}

int main(int argc, char **argv)
{
	bool proofs = argc == 6 && !strcmp(argv[4], "proofs");
	struct bench_bpf *skel;
	struct scene *scene;
	double begin, seconds;
	in_addr_t address;
	__u8 mac[6];

	if (argc != 6 || inet_pton(AF_INET, argv[2], &address) != 1 || !frame_mac(argv[1], mac)) {
		fprintf(stderr, "usage: source DEV ADDRESS PORT RATE SECONDS   RATE 0: as many as can be\n"
				"       source DEV ADDRESS PORT proofs COUNT\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skel = bench_bpf__open();
	if (!skel)
		die("open");
	bpf_map__set_max_entries(skel->maps.ref_hash, 1);
	bpf_map__set_max_entries(skel->maps.ref_lru, 1);
	if (bench_bpf__load(skel))
		die("load");
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_map__fd(skel->maps.scenes), 0);
	if (scene == MAP_FAILED)
		die("mmap");
	frame_make(scene, proofs ? ACK : SYN, false, mac, address, atoi(argv[3]));
	begin = now();
	if (proofs) {
		read_secret(scene);
		scene->who = SCENE_CLIENTS;
		scene->clients = 1 << 20;
		scene->seq = 1;
		send_frames(skel->progs.proofs, scene, argv[1], atoi(argv[5]));
	} else {
		flood(skel, scene, argv[1], atoi(argv[4]), atoi(argv[5]));
	}
	seconds = now() - begin;
	printf("{\"sent\": %llu, \"seconds\": %.6f, \"rate\": %.0f}\n", scene->sent, seconds,
	       scene->sent / seconds);
	return 0;
}
