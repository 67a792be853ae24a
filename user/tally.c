// SPDX-License-Identifier: GPL-2.0
#include "snapshot.h"
#include "tally.h"

struct tally tally_of(const struct store *s, const struct guard *g, uint32_t listener)
{
	const struct sw_listener *l = &s->listeners[listener];
	const struct sw_guard *e = &g->guards[listener];
	struct listener_gauges now;
	uint64_t completed, ended;

	if (!listener)
		return (struct tally){ 0 };
	now = snapshot_gauges(s, l);
	/* the kernel's SYN-ACK opened them: what a cookie opened is not among these */
	completed = l->completed > e->cookies_ok ? l->completed - e->cookies_ok : 0;
	ended = completed + l->aborted + now.tracked + now.untracked;
	return (struct tally){
		.syn = l->syn + e->kept_off, /* those did not come as far as the mirror */
		.completed = l->completed,
		.refused = l->refused,
		.aborted = l->aborted,
		.timed_out = l->answered > ended ? l->answered - ended : 0,
		.synack_rtx = l->synack_rtx,
		.kept_off = e->kept_off,
		.passed = e->passed,
		.dropped = e->dropped,
		.would_keep_off = e->would_keep_off,
		.cookies_sent = e->cookies_sent,
		.cookies_ok = e->cookies_ok,
		.cookies_bad = e->cookies_bad,
		.tracked = now.tracked,
		.untracked = now.untracked,
		.pending = now.pending,
		.challenged = sw_challenged(e, snapshot_now() / SW_NS_PER_SEC),
	};
}
