/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SETTINGS_BPF_H
#define SW_SETTINGS_BPF_H

#include "maps.bpf.h"

/* Written by the loader before load, so that the verifier and the JIT see constants. */
const volatile struct sw_config sw_settings = { 0 };
const volatile __u32 sw_device_slot = 0;
const volatile bool sw_device_raw = false; /* packets start with their IP header */
const volatile bool sw_replaying = false;  /* sw_xdp by test runs, on a capture's frames and clock */
const volatile __u32 sw_backend = SW_BACKEND_NONE; /* enum sw_backend */
const volatile bool sw_can_conntrack = false; /* and the functions of nf_conntrack */
const volatile __u8 sw_device_mac[6] = { 0 }; /* frames to it are this host's */

static sw_inline __u64 sw_now(const struct sw_work *w)
{
	return sw_replaying ? w->replay.now : bpf_ktime_get_ns();
}

/*
 * Late by two ticks at most. That clock moves with jiffies, which are read without
 * a call: within a tick the last reading of this CPU holds (update_wall_time).
 */
static sw_inline __u64 sw_now_coarse(struct sw_work *w)
{
	__u64 tick = bpf_jiffies64();

	if (sw_replaying)
		return w->replay.now;
	if (*(volatile __u64 *)&w->tick != tick) {
		*(volatile __u64 *)&w->tick_ns = bpf_ktime_get_coarse_ns();
		*(volatile __u64 *)&w->tick = tick;
	}
	return *(volatile __u64 *)&w->tick_ns;
}

/* Six bytes, at least. */
static sw_inline bool sw_is_our_mac(const __u8 *mac)
{
	__u32 differ = 0;

	for (int i = 0; i < 6; i++)
		differ |= mac[i] ^ sw_device_mac[i];
	return !differ;
}

/* Without volatile; the barrier keeps clang from taking the zeros above for the values. */
static sw_inline const struct sw_config *sw_cfg(void)
{
	const struct sw_config *c = (const struct sw_config *)&sw_settings;

	asm volatile("" : "+r"(c));
	return c;
}

#endif
