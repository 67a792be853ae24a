/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FUZZ_RECORD_H
#define SW_FUZZ_RECORD_H

#include <linux/types.h>

/*
 * What the fuzzer's input means: one struct fuzz_head, then records of sixteen
 * bytes, whatever is in them. All of one size, so that an inserted, removed or
 * swapped record leaves the others what they were. Little endian.
 */
struct fuzz_head {
	__u8 tables;	/* index of sizes and timeouts */
	__u8 listeners; /* bit 0: one that is known from the start */
	__u8 raw;	/* bit 0: frames without a link layer */
	__u8 pad[13];
};

enum fuzz_kind {
	FUZZ_SEGMENT, /* a TCP segment as frame_build() makes it */
	FUZZ_MUTATED, /* the same, and one of enum fuzz_mutation */
	FUZZ_BYTES,   /* the next (len & 15) records are what follows the MAC addresses */
	FUZZ_IMPORT,  /* a socket that attach found */
};

enum fuzz_mutation { MUT_BYTE, MUT_CUT, MUT_EXTEND, MUT_FRAGMENT };

/* fuzz_record.base: what seq and ack are relative to. */
enum fuzz_base {
	BASE_ISN, /* the ISN of the script */
	BASE_NXT, /* what the flow says: dir.nxt of the sender (ack: of the other end) */
	BASE_MAX,
	BASE_ACK, /* what the other end has acknowledged */
	BASE_ISS,
	BASE_FIN,
	BASE_EDGE, /* end of the window that the other end offers */
	BASE_ZERO,
};

struct fuzz_record {
	__u8 how;  /* kind:2 from:1 view:3 device:1 wrong sums:1 */
	__u8 conn; /* the client's port, and which of variants[] */
	__u8 flags;
	__u8 base; /* AE:1 seq:3 ack:3 burst:1: FUZZ_BURST connections do the same */
	__s32 seq, ack;
	__u8 len;   /* payload: itself; from 200 on in steps of 30, from 250 on of 11,000 */
	__u8 time;  /* index of the time that passes before it */
	__u8 opt;   /* O_*; FUZZ_MUTATED: what is done:2, where:6 */
	__u8 value; /* TSval and window; FUZZ_MUTATED: the new byte, or how much */
} __attribute__((packed));

#define FUZZ_BURST 20 /* fills the smallest table */

_Static_assert(sizeof(struct fuzz_head) == 16 && sizeof(struct fuzz_record) == 16, "one size");

/* Milliseconds by fuzz_record.time; its other values stand for themselves. */
static const __u32 fuzz_ms[32] = {
	1,     0,     2,     5,	    9,	   11,	  20,	  30,	  100,	  200,	   300,
	499,   1000,  1001,  2000,  3000,  9000,  11000,  16000,  20000,  29000,   31000,
	40000, 59000, 61000, 63000, 64000, 70000, 130000, 255000, 260000, 7200000,
};

#endif
