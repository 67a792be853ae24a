/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_MOVES_H
#define SW_MOVES_H

#include "observe.h"

/*
 * How often an endpoint went from one state to another because of a segment; of
 * a segment that takes it through several states, the first and the last. What
 * ends by time is not among them. Map "moves", one entry, per CPU. Writer: the
 * programs. Lifetime: until detach.
 */
enum sw_role_of { SW_CLIENT, SW_SERVER, SW_ROLES };

struct sw_moves {
	__u64 n[SW_ROLES][16][16]; /* from, to: enum sw_state */
};

static sw_inline void sw_moves_end(struct sw_moves *m, const struct sw_change *ch, __u32 end)
{
	__u32 role = (end ^ ch->ends ^ 1) & SW_E_SERVER, was = ch->was[end] & 15;
	__u32 is = ch->state[end] & 15;

	if (was != is)
		m->n[role][was][is]++;
}

/* Of a segment with SW_CH_STATE. */
static sw_inline void sw_moves_count(struct sw_moves *m, const struct sw_change *ch)
{
	sw_moves_end(m, ch, 0);
	sw_moves_end(m, ch, 1);
}

_Static_assert(SW_STATE_COUNT <= 16 && SW_E_SERVER == 1, "a state is an index, a role a bit");

#endif
