/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_MAPS_BPF_H
#define SW_MAPS_BPF_H

#include "shared/abi.h"
#include <bpf/bpf_helpers.h>

/*
 * All maps are pinned below /sys/fs/bpf/synward/<netns inode>/ and shared by
 * every device of the network namespace. Sizes marked 0 are set by attach.
 * All memory is taken at attach; nothing here grows.
 */

/*
 * Flows whose handshake is proven. Key: bucket number (sw_bucket_index() of
 * either hash). Writer: the programs below. Lifetime of an entry: until both
 * ends are CLOSED, then a linger. Full: an expired flow goes first, then one
 * that has closed, then the longest silent. Mapped read-only by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 0);
	__type(key, __u32);
	__type(value, struct sw_bucket);
} proven SEC(".maps");

/*
 * Handshakes, and flows picked up midstream: all that is not proven. Key and
 * writer as above. Lifetime: the SYN timeout. Full: expired, then picked up,
 * then unanswered, then half-open (its +1 moves to the listener's untracked
 * gauge), the oldest first; segments other than SYN replace picked-up flows only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 0);
	__type(key, __u32);
	__type(value, struct sw_bucket);
} half SEC(".maps");

/*
 * Flow locks. Key: hash of the flow modulo SW_STRIPES. Held by the programs
 * while one flow is looked up, changed, inserted or moved, so that two CPUs do
 * not insert it twice. Never seen by user space.
 */
struct sw_stripe {
	struct bpf_spin_lock lock;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_STRIPES);
	__type(key, __u32);
	__type(value, struct sw_stripe);
} stripes SEC(".maps");

/*
 * Listeners with their counters and gauges. Key: index; 0 is unused. Writer:
 * the programs (import, SYN-ACKs, counters). Lifetime: until detach. Full:
 * further listeners are not counted apart. Mapped read-only by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_LISTENERS);
	__type(key, __u32);
	__type(value, struct sw_listener);
} listeners SEC(".maps");

/* First listener on a port. Key: port, host byte order. Value: index, 0 none. Writer: programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

/* One entry, struct sw_shared. Writer: programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_shared);
} shared SEC(".maps");

/* Attached devices. Key: ifindex. Writer: attach, detach. Lifetime: until detach of the device. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_MAX_DEVICES);
	__type(key, __u32);
	__type(value, struct sw_device);
} devices SEC(".maps");

/* Packets by reason. Key: the device's slot. Writer: programs, per CPU. Reset at attach. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SW_MAX_DEVICES);
	__type(key, __u32);
	__type(value, struct sw_stats);
} stats SEC(".maps");

/*
 * The packet at hand and what it changed. Per CPU; used within one run of a
 * program, which nothing of ours can interrupt (bottom halves are off). In a
 * map and not on the stack, because the verifier then does not follow every
 * way through the parser into everything behind it.
 */
struct sw_work {
	struct sw_pkt pkt;
	struct sw_change change;
	struct sw_request request; /* sw_import only */
	struct sw_replay replay;   /* with sw_replaying only */
	__u32 first;		   /* listener on the packet's port, when one was looked for */
};

/* Before 6.9 a packet can interrupt a test run: sw_import works in an entry of its own. */
enum sw_work_of { SW_WORK_PACKET, SW_WORK_IMPORT, SW_WORK_COUNT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SW_WORK_COUNT);
	__type(key, __u32);
	__type(value, struct sw_work);
} work SEC(".maps");

/* One entry, struct sw_meta. Writer: attach, once. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_meta);
} meta SEC(".maps");

#endif
