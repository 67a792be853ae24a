// SPDX-License-Identifier: GPL-2.0
/*
 * Captures for the tests of replay, made of the scripts of tests/unit/scripts.c.
 *
 *	mkcapture scripts DIR		all scripts, one after the other; a file for each variant
 *	mkcapture many FILE N SEED	N packets: thousands of connections at a time, most of
 *					them orderly, the others (server port 81) any script;
 *					prints how many orderly ones began and ended
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/packets.h"

#define AT_A_TIME 4000

static __u8 frame[FRAME_MAX];

static void die(const char *what)
{
	fprintf(stderr, "mkcapture: %s\n", what);
	exit(1);
}

static pcap_dumper_t *begin(const char *path)
{
	pcap_t *p = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, FRAME_MAX,
							 PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *d = p ? pcap_dump_open(p, path) : NULL;

	if (!d)
		die(p ? pcap_geterr(p) : "no memory");
	return d;
}

static void put(pcap_dumper_t *d, size_t len, __u64 now)
{
	struct pcap_pkthdr h = { .caplen = len, .len = len };

	h.ts.tv_sec = now / SW_NS_PER_SEC;
	h.ts.tv_usec = now % SW_NS_PER_SEC; /* precision: nanoseconds */
	pcap_dump((void *)d, &h, frame);
}

/* The frame's connection becomes one of many: other client address and port, another server port. */
static void make_own(size_t len, const struct variant *v, bool client, __u32 id, __u16 server_port)
{
	size_t ip = 14 + 4 * v->tags, tcp = ip + (v->family == SW_AF_INET ? 20 : 40);
	size_t addr = ip + (v->family == SW_AF_INET ? 12 + 1 : 8 + 13) +
		      (client ? 0 : v->family == SW_AF_INET ? 4 : 16);
	__u16 port = sw_htons(1024 + (id & 0x3fff)), there = sw_htons(server_port);

	frame[addr] = id >> 30;
	frame[addr + 1] = id >> 22;
	frame[addr + 2] = id >> 14;
	memcpy(frame + tcp + (client ? 0 : 2), &port, 2);
	memcpy(frame + tcp + (client ? 2 : 0), &there, 2);
	frame_sums(frame, len, ip);
}

static void make_scripts(const char *dir)
{
	char path[4096];

	for (unsigned int i = 0; i < n_variants; i++) {
		__u64 now = 1700000000 * SW_NS_PER_SEC + 123456789;
		pcap_dumper_t *d;

		snprintf(path, sizeof(path), "%s/scripts-%u.pcap", dir, i);
		d = begin(path);
		for (const struct script *sc = scripts; sc->row; sc++) {
			if (sc->import.side) /* needs a socket */
				continue;
			for (const struct step *st = sc->steps; st->from; st++) {
				size_t len;

				now += (st->ms ? st->ms : 1) * SW_NS_PER_MS;
				if (st->from == WAIT)
					continue;
				len = frame_build(frame, &variants[i], st);
				make_own(len, &variants[i], st->from == C, sc - scripts, 80);
				put(d, len, now);
			}
		}
		pcap_dump_close(d);
	}
}

/* An orderly connection: handshake, data both ways, four-segment close. */
static const struct step orderly[] = {
	{ C, SYN, 0, 0 },	{ S, SA, 0, 1 },	 { C, ACK, 1, 1 },
	{ C, ACK, 1, 1, 200 },	{ S, ACK, 1, 201, 1400 }, { S, ACK, 1401, 201, 1400 },
	{ C, ACK, 201, 2801 },	{ S, ACK, 2801, 201, 900 }, { C, ACK, 201, 3701 },
	{ C, ACK, 201, 3701, 90 }, { S, ACK, 3701, 291, 50 }, { C, ACK, 291, 3751 },
	{ C, FA, 291, 3751 },	{ S, ACK, 3751, 292 },	 { S, FA, 3751, 292 },
	{ C, ACK, 292, 3752 },	{ END },
};

struct life {
	const struct step *at; /* next segment */
	__u32 id;
	__u16 server_port;
};

static void make_many(const char *path, __u64 n, unsigned int seed)
{
	static struct life lives[AT_A_TIME];
	unsigned int count = 0, begun = 0, ended = 0;
	__u64 now = 1700000000 * SW_NS_PER_SEC;
	pcap_dumper_t *d = begin(path);

	srandom(seed);
	while (scripts[count].row)
		count++;
	for (__u32 next = 0; n;) {
		struct life *l = &lives[random() % AT_A_TIME];
		size_t len;

		if (!l->at || l->at->from == END) {
			const struct script *sc = &scripts[random() % count];

			l->at = random() % 8 || sc->import.side ? orderly : sc->steps;
			begun += l->at == orderly;
			l->server_port = l->at == orderly ? 80 : 81;
			l->id = next++;
		}
		if (l->at->from != WAIT && l->at->len <= 2000) {
			len = frame_build(frame, &variants[0], l->at);
			make_own(len, &variants[0], l->at->from == C, l->id, l->server_port);
			put(d, len, now);
			n--;
		}
		now += random() % 20000;
		l->at++;
		ended += l->server_port == 80 && l->at->from == END;
	}
	pcap_dump_close(d);
	printf("{\"begun\": %u, \"ended\": %u}\n", begun, ended);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "scripts"))
		make_scripts(argv[2]);
	else if (argc == 5 && !strcmp(argv[1], "many"))
		make_many(argv[2], strtoull(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	else
		die("see the head of mkcapture.c for its arguments");
	return 0;
}
