/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_BENCH_SCENE_H
#define SW_BENCH_SCENE_H

/*
 * What the restore step of bench.bpf.c needs: a test run with `repeat` hands the
 * program the packet that it left behind, so each one is written anew, with
 * the addresses, ports and numbers of the next client, and right checksums.
 */
#define SCENE_FRAME 192 /* longest frame */
#define SCENE_FIRST 0x0b000000u /* address of client 0; they are consecutive */
#define SCENE_BASE 0x40000000u	/* 64.0.0.0/3, or as many of it as random bits say */
#define SCENE_SEED 88172645463325252ull
#define SCENE_PREFIXES 10000u	/* on the deny list, and in ref_lpm_lookup's trie */

enum scene_who {
	SCENE_SPOOFED, /* another random address and port each time */
	SCENE_CLIENTS, /* each of so many clients once, out of order */
	SCENE_LISTED,  /* a random address in one of SCENE_PREFIXES /24s */
};

/* Program to be measured: index in the program array of its hook. */
enum scene_target {
	TARGET_EMPTY, /* what is left is the restore step */
	TARGET_SYNWARD,
	TARGET_DROP,
	TARGET_LRU_INSERT,
	TARGET_HASH_LOOKUP,
	TARGET_LPM_LOOKUP,
	TARGET_GEN_SYNCOOKIE,
	TARGET_PARSE,
	TARGET_COOKIE,
	TARGET_SOCKET,
	TARGETS
};

struct scene {
	unsigned int target;
	unsigned int who;
	unsigned int clients; /* how many, a power of two */
	unsigned int next;    /* number of the next one */
	unsigned int base;    /* SCENE_SPOOFED: address, of which */
	unsigned int spread;  /* these bits are random */
	unsigned int egress;  /* the server sends */
	unsigned int tcp;     /* else the sums and numbers are left alone */
	unsigned int seq, ack; /* relative to the initial sequence numbers */
	unsigned int len;
	unsigned int ip_sum, tcp_sum; /* of all words that stay the same, not folded */
	unsigned long long random;
	unsigned long long interval, due; /* flood: ns from one to the next, when that is */
	unsigned long long sent;
	unsigned long long key[2], clock_ns; /* proofs: struct sw_secret */
	unsigned char pad[2]; /* so that the words behind the Ethernet header are aligned */
	unsigned char frame[SCENE_FRAME];
	unsigned char end[6];
};

/* Scatters a number (murmur3's finalizer, Appleby, public domain). */
static inline __attribute__((always_inline)) unsigned int scene_mix(unsigned int x)
{
	x ^= x >> 16;
	x *= 0x85ebca6b;
	x ^= x >> 13;
	x *= 0xc2b2ae35;
	return x ^ x >> 16;
}

/* The /24 with number i, as an address in host byte order. */
static inline __attribute__((always_inline)) unsigned int scene_prefix(unsigned int i)
{
	return SCENE_BASE | (scene_mix(i) & 0x1fffff00);
}

#endif
