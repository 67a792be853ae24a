/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TYPES_H
#define SW_TYPES_H

/*
 * Everything below bpf/shared/ is plain C over plain structs: no map, no
 * helper, no clock inside. It compiles into the BPF object and into the host
 * program, so that tests, replay and the kernel run the same code.
 */
#ifdef __bpf__
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#define sw_ntohs(x) bpf_ntohs(x)
#define sw_ntohl(x) bpf_ntohl(x)
#define sw_htons(x) bpf_htons(x)
#define sw_htonl(x) bpf_htonl(x)
#else
#include <arpa/inet.h>
#include <linux/types.h>
#include <stdbool.h>
#define sw_ntohs(x) ntohs(x)
#define sw_ntohl(x) ntohl(x)
#define sw_htons(x) htons(x)
#define sw_htonl(x) htonl(x)
#endif

#define sw_inline inline __attribute__((always_inline))
#define sw_likely(x) __builtin_expect(!!(x), 1)
#define sw_unlikely(x) __builtin_expect(!!(x), 0)

#define SW_NS_PER_SEC 1000000000ull
#define SW_NS_PER_MS 1000000ull
#define SW_NS_PER_US 1000ull

/* Sequence numbers compare modulo 2^32 (RFC 9293 section 3.4). */
static sw_inline bool sw_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static sw_inline bool sw_after(__u32 a, __u32 b)
{
	return sw_before(b, a);
}

/*
 * Seconds since then. 0 when that is ahead: written by a CPU whose clock is, or
 * from the exact clock while now_s is from the coarse one, a tick behind it.
 */
static sw_inline __u32 sw_since(__u32 now_s, __u32 then_s)
{
	return sw_before(now_s, then_s) ? 0 : now_s - then_s;
}

/*
 * A number whose origin the verifier forgets: it goes through memory of a map.
 * Otherwise the verifier follows each way by which an index can have come
 * about, and everything after it once per way (mark_chain_precision, 6.1 to
 * 6.18). On the host this is nothing.
 */
static sw_inline __u32 sw_opaque(volatile __u16 *scratch, __u32 number)
{
	*scratch = number;
	return *scratch;
}

/* Keeps clang from turning arithmetic back into a branch. */
#define sw_hide(variable) asm volatile("" : "+r"(variable))

/*
 * number & mask, really done: clang drops a mask that it can prove idle, and
 * the verifier of 6.1 cannot (it loses the bounds at a 32-bit OR,
 * scalar32_min_max_or).
 */
static sw_inline __u32 sw_bounded(__u32 number, __u32 mask)
{
	sw_hide(number);
	return number & mask;
}

#endif
