/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TALLY_H
#define SW_TALLY_H

#include "guard.h"
#include "store.h"

/*
 * What became of a listener's handshakes, as every view tells it. All but the
 * last four are counters, since attach.
 */
struct tally {
	uint64_t syn; /* those that were kept off included */
	uint64_t completed, refused, aborted, timed_out, synack_rtx;
	uint64_t kept_off, passed, dropped, would_keep_off;
	uint64_t cookies_sent, cookies_ok, cookies_bad;
	uint64_t tracked, untracked, pending, challenged; /* now */
};

/* Of an index of maps listeners and guards; 0, one that the mirror has not seen: nothing. */
struct tally tally_of(const struct store *s, const struct guard *g, uint32_t listener);

#endif
