// SPDX-License-Identifier: GPL-2.0
/*
 * Sends forged TCP segments, each from another random address, as fast as it
 * is told. One seed always makes the same flood. Says what it sent when it is
 * through, or is ended by SIGTERM or SIGINT: one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64	/* segments per system call, but no more than are due in a millisecond */
#define FRAME_MAX 256	/* bytes of a segment with all its headers */
#define SOURCES (1u << 17) /* addresses of 198.18.0.0/15 */
#define NS_PER_SEC 1000000000ull

#define SYNTAX                                                                                     \
	"usage: flood [OPTION]... DEV MAC ADDRESS PORT\n"                                          \
	"  MAC, ADDRESS, PORT: where to. Sources: 198.18.0.0/15 or fd99::/64, ports from 1024 on.\n" \
	"  --kind syn|ack|synack|rst|fin  (syn)\n"                                                 \
	"  --count N       segments, 0: no end (0)\n"                                              \
	"  --seconds N     at most so long (60)\n"                                                 \
	"  --rate N        per second, 0: as many as can be (0)\n"                                 \
	"  --seed N        of the sources, ports and sequence numbers (1)\n"                       \
	"  --sources N     so many addresses only (131072)\n"                                      \
	"  --vlan ID       with a VLAN tag\n"                                                      \
	"  --extra N       so many bytes (a multiple of 8, to 32) of IPv4 options or of an IPv6\n" \
	"                  destination options header\n"

static const struct {
	const char *name;
	uint8_t flags;
} kinds[] = {
	{ "syn", 0x02 }, { "ack", 0x10 }, { "synack", 0x12 }, { "rst", 0x04 }, { "fin", 0x11 },
};

/* What Linux offers: MSS 1460, SACK, timestamps, window scale 7. */
static const uint8_t syn_options[20] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0x30, 0x39,
					 0, 0, 0,    0,	   1, 3, 3, 7 };

static struct {
	uint8_t flags;
	uint64_t count, seconds, rate, seed, sources;
	int vlan;
	unsigned int extra;
} opt = { .flags = 0x02, .seconds = 60, .seed = 1, .sources = SOURCES, .vlan = -1 };

/* One segment; what differs between them is put into each copy. */
static struct {
	uint8_t bytes[FRAME_MAX];
	unsigned int len, ip, tcp;
	uint64_t ip_sum, tcp_sum; /* of all that stays the same */
	bool v6;
} frame;

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* splitmix64 (Steele, Lea, Flood): number i of the seed. */
static uint64_t random_of(uint64_t i)
{
	uint64_t x = opt.seed * 0xd1342543de82ef95ull + i * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Sum of 16-bit words in memory order; len is even. */
static uint64_t add(const void *data, unsigned int len)
{
	uint64_t sum = 0;
	uint16_t word;

	for (unsigned int i = 0; i < len; i += 2) {
		memcpy(&word, (const uint8_t *)data + i, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put16(unsigned int at, uint16_t value)
{
	value = htons(value);
	memcpy(frame.bytes + at, &value, 2);
}

/*
 * Options that say nothing between the IP and the TCP header: NOP; an unknown one
 * to skip (RFC 8200 section 4.2; Linux takes no PadN of more than 7 bytes).
 */
static void put_extra(unsigned int at, uint8_t next)
{
	if (!frame.v6) {
		memset(frame.bytes + at, 1, opt.extra);
		return;
	}
	frame.bytes[at] = next;
	frame.bytes[at + 1] = opt.extra / 8 - 1;
	frame.bytes[at + 2] = 0x1e;
	frame.bytes[at + 3] = opt.extra - 4;
}

static void make_frame(const uint8_t *here, const uint8_t *there, const char *to, uint16_t port)
{
	uint8_t dst[16], *b = frame.bytes;
	unsigned int options = opt.flags == 0x02 ? sizeof(syn_options) : 0, size = 20 + options;

	frame.v6 = strchr(to, ':');
	if (inet_pton(frame.v6 ? AF_INET6 : AF_INET, to, dst) != 1) {
		errno = EINVAL;
		die(to);
	}
	memcpy(b, there, 6);
	memcpy(b + 6, here, 6);
	frame.ip = 14;
	if (opt.vlan >= 0) {
		put16(12, 0x8100);
		put16(14, opt.vlan);
		frame.ip = 18;
	}
	put16(frame.ip - 2, frame.v6 ? 0x86dd : 0x0800);
	b += frame.ip;
	if (frame.v6) {
		b[0] = 0x60;
		put16(frame.ip + 4, opt.extra + size);
		b[6] = opt.extra ? 60 : 6;
		b[7] = 64;
		b[8] = 0xfd;
		b[9] = 0x99;
		memcpy(b + 24, dst, 16);
		frame.tcp = frame.ip + 40;
		if (opt.extra)
			put_extra(frame.tcp, 6);
	} else {
		b[0] = 0x45 + opt.extra / 4;
		put16(frame.ip + 2, 20 + opt.extra + size);
		put16(frame.ip + 6, 0x4000);
		b[8] = 64;
		b[9] = 6;
		memcpy(b + 16, dst, 4);
		frame.tcp = frame.ip + 20;
		put_extra(frame.tcp, 6);
	}
	frame.tcp += opt.extra;
	put16(frame.tcp + 2, port);
	if (opt.flags & 0x10)
		put16(frame.tcp + 10, 1); /* an acknowledgment number, of nothing */
	put16(frame.tcp + 12, (20 + options) << 10 | opt.flags);
	put16(frame.tcp + 14, 64240);
	memcpy(frame.bytes + frame.tcp + 20, syn_options, options);
	frame.len = frame.tcp + size;
	frame.ip_sum = frame.v6 ? 0 : add(b, 20 + opt.extra);
	frame.tcp_sum = add(frame.bytes + frame.tcp, size) + htons(6) + htons(size) +
			(frame.v6 ? add(b + 8, 32) : add(b + 16, 4));
}

/* Segment number i. */
static void make_segment(uint8_t *b, uint64_t i)
{
	uint64_t r = random_of(2 * i), sum = frame.tcp_sum;
	uint16_t port = htons(1024 + (r >> 32) % (65536 - 1024));
	uint32_t seq = random_of(2 * i + 1);
	uint64_t host = r % opt.sources;
	uint32_t v4 = htonl(0xc6120000u + host);

	if (frame.v6) {
		if (opt.sources == SOURCES) /* no bounds told: all of the /64 */
			host = r;
		memcpy(b + frame.ip + 16, &host, 8);
		sum += add(&host, 8);
	} else {
		uint16_t check;

		memcpy(b + frame.ip + 12, &v4, 4);
		sum += add(&v4, 4);
		check = fold(frame.ip_sum + add(&v4, 4));
		memcpy(b + frame.ip + 10, &check, 2);
	}
	memcpy(b + frame.tcp, &port, 2);
	memcpy(b + frame.tcp + 4, &seq, 4);
	sum += port + add(&seq, 4);
	port = fold(sum);
	memcpy(b + frame.tcp + 16, &port, 2);
}

static void pace(uint64_t begin, uint64_t sent)
{
	uint64_t due = begin + sent * NS_PER_SEC / opt.rate, now = now_ns();
	struct timespec t;

	if (due <= now)
		return;
	t = (struct timespec){ (due - now) / NS_PER_SEC, (due - now) % NS_PER_SEC };
	nanosleep(&t, NULL);
}

static void flood(int fd)
{
	static uint8_t bytes[BATCH][FRAME_MAX];
	uint64_t batch = opt.rate && opt.rate < BATCH * 1000 ? (opt.rate + 999) / 1000 : BATCH;
	uint64_t sent = 0, lost = 0, begin = now_ns(), end = begin + opt.seconds * NS_PER_SEC, took;
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];

	for (int i = 0; i < BATCH; i++) {
		memcpy(bytes[i], frame.bytes, frame.len);
		iov[i] = (struct iovec){ bytes[i], frame.len };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (!stopped && (!opt.count || sent < opt.count) && now_ns() < end) {
		int n = opt.count && opt.count - sent < batch ? opt.count - sent : batch, done = 0;

		for (int i = 0; i < n; i++)
			make_segment(bytes[i], sent + i);
		while (done < n && !stopped && now_ns() < end) {
			int ret = sendmmsg(fd, msgs + done, n - done, 0);

			if (ret > 0)
				done += ret;
			else if (errno == ENOBUFS)
				lost++; /* the other end's queue is full: again */
			else if (errno != EINTR)
				die("sendmmsg");
		}
		sent += done;
		if (opt.rate)
			pace(begin, sent);
	}
	took = now_ns() - begin;
	printf("{\"sent\": %llu, \"again\": %llu, \"seconds\": %.6f, \"rate\": %.0f, \"ip_bytes\": %llu}\n",
	       (unsigned long long)sent, (unsigned long long)lost, took / 1e9, sent * 1e9 / took,
	       (unsigned long long)sent * (frame.len - frame.ip));
}

static int open_device(const char *dev, uint8_t *mac)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(dev) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) || bind(fd, (void *)&ll, sizeof(ll)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die(dev);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return fd;
}

static bool parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kind", required_argument, 0, 'k' },	  { "count", required_argument, 0, 'c' },
		{ "seconds", required_argument, 0, 't' }, { "rate", required_argument, 0, 'r' },
		{ "seed", required_argument, 0, 's' },	  { "sources", required_argument, 0, 'n' },
		{ "vlan", required_argument, 0, 'v' },	  { "extra", required_argument, 0, 'x' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		uint64_t number = c != '?' && c != 'k' ? strtoull(optarg, NULL, 10) : 0;
		unsigned int i = 0;

		switch (c) {
		case 'k':
			while (i < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[i].name, optarg))
				i++;
			if (i == sizeof(kinds) / sizeof(*kinds))
				return false;
			opt.flags = kinds[i].flags;
			break;
		case 'c': opt.count = number; break;
		case 't': opt.seconds = number; break;
		case 'r': opt.rate = number; break;
		case 's': opt.seed = number; break;
		case 'n': opt.sources = number; break;
		case 'v': opt.vlan = number; break;
		case 'x': opt.extra = number; break;
		default: return false;
		}
	}
	return argc - optind == 4 && opt.extra <= 32 && opt.extra % 8 == 0 && opt.sources > 0 &&
	       opt.sources <= SOURCES && opt.vlan < 4096;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = stop };
	uint8_t here[6], there[6];
	unsigned int m[6];
	int fd;

	if (!parse(argc, argv) || sscanf(argv[optind + 1], "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2,
					 m + 3, m + 4, m + 5) != 6) {
		fputs(SYNTAX, stderr);
		return 2;
	}
	for (int i = 0; i < 6; i++)
		there[i] = m[i];
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	fd = open_device(argv[optind], here);
	make_frame(here, there, argv[optind + 2], atoi(argv[optind + 3]));
	flood(fd);
	return 0;
}
