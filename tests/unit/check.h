/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_CHECK_H
#define SW_TEST_CHECK_H

/* What unit tests share: cmocka, with the headers that it wants before it, and a few words more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "packets.h"

/* The same numbers in each run (xorshift). */
static inline __u32 rnd(void)
{
	static __u64 seed = 88172645463325252ull;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 16;
}

#define assert_reason(is, want)                                                                    \
	do {                                                                                       \
		int is_ = (is), want_ = (want);                                                    \
		if (is_ != want_)                                                                  \
			fail_msg("reason %s, expected %s", reason_text(is_), reason_text(want_));  \
	} while (0)

#endif
