/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EVENTS_BPF_H
#define SW_EVENTS_BPF_H

#include "maps.bpf.h"

/*
 * Telling the readers of `synward events` what a segment changed. Nobody is
 * woken up: a reader comes often enough, and a wake-up would be paid for in the
 * packet's path.
 */
static sw_inline bool sw_has_readers(void)
{
	__u32 zero = 0;
	struct sw_readers *all = bpf_map_lookup_elem(&readers, &zero);

	return all && all->mask;
}

/* The packet and its change are in the work area. Not inlined: see sw_verify_xdp(). */
__noinline int sw_tell(void)
{
	__u32 zero = 0, which = SW_WORK_PACKET, now_s;
	struct sw_work *w = bpf_map_lookup_elem(&work, &which);
	struct sw_readers *all = bpf_map_lookup_elem(&readers, &zero);
	struct sw_record *e;

	if (!w || !all)
		return 0;
	now_s = w->now / SW_NS_PER_SEC;
	e = &w->event;
	e->time = w->now;
	e->key = w->pkt.key;
	e->what = w->change.what;
	e->ifindex = w->pkt.path >> 1;
	e->server_us = w->change.server_us;
	e->client_us = w->change.client_us;
	e->flags = w->pkt.flags;
	e->listener = w->change.listener;
	e->state[0] = w->change.state[0];
	e->state[1] = w->change.state[1];
	e->ends = w->change.ends;
	e->from = w->pkt.from;
	for (__u32 i = 0; i < SW_READERS; i++) {
		struct sw_reader *r = &all->reader[i];
		__u32 place = i;
		void *ring;

		if (!(all->mask >> i & 1) || !sw_record_wanted(e, &r->filter))
			continue;
		if ((__s32)(now_s - r->alive_s) > (__s32)SW_READER_GONE_S) {
			__sync_fetch_and_and(&all->mask, ~(1u << i));
			continue;
		}
		if (sw_reader_allowed(r, now_s)) {
			ring = bpf_map_lookup_elem(&events, &place);
			if (ring && !bpf_ringbuf_output(ring, e, sizeof(*e), BPF_RB_NO_WAKEUP))
				continue;
		}
		__sync_fetch_and_add(&r->lost, 1);
	}
	return 0;
}

#endif
