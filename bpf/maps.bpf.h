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

/* How long handshakes took. One entry, per CPU. Writer: programs. Lifetime: until detach. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_latency);
} latency SEC(".maps");

/* Which states endpoints went through. One entry, per CPU. Writer: programs. Lifetime: until detach. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_moves);
} moves SEC(".maps");

/*
 * The guard of each listener. Key: the listener's index; 0 is the policy of
 * those without one of their own. Writers: user space (policy), programs.
 * Lifetime: until detach. Mapped by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_LISTENERS);
	__type(key, __u32);
	__type(value, struct sw_guard);
} guards SEC(".maps");

/* One entry, struct sw_control. Writer: user space; programs: armed_s, live_s, spent. Mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_control);
} control SEC(".maps");

/* Key of cookies. Writer: attach. Never shown. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_secret);
} secret SEC(".maps");

/*
 * Allow and deny. Key: prefix. Writer: user space. Memory for an entry is taken
 * when it is added (a trie cannot be preallocated); full: adding says so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SW_MAX_LIST);
	__type(key, struct sw_list_key);
	__type(value, struct sw_list_entry);
} lists SEC(".maps");

/*
 * What the kernel answers on an address. Key: hash of it, and one of SW_SERVED_WAYS.
 * Writer: programs, see struct sw_served. Mapped by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_SERVED);
	__type(key, __u32);
	__type(value, struct sw_served);
} served SEC(".maps");

/* SYNs by source prefix in this second: second << 32 | count. Key: hash. Colliding ones share. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_SOURCES);
	__type(key, __u32);
	__type(value, __u64);
} sources SEC(".maps");

/* The same of answers to SYNs; few enough for a cache, as most floods come from everywhere. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_REPLIES);
	__type(key, __u32);
	__type(value, __u64);
} replies SEC(".maps");

/* First SYNs: hash << 32 | time in ms. Key: hash. A newer one takes the place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_FIRSTS);
	__type(key, __u32);
	__type(value, __u64);
} firsts SEC(".maps");

/* Sources with a completed handshake: second << 32 | hash. Key: hash. A newer one takes the place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_KNOWN);
	__type(key, __u32);
	__type(value, __u64);
} known SEC(".maps");

/* The last SW_EPISODES times that a listener was armed. Key: number modulo that. Writer: programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_EPISODES);
	__type(key, __u32);
	__type(value, struct sw_episode);
} episodes SEC(".maps");

/* One entry, struct sw_readers. Writers: readers of events, programs. Mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_readers);
} readers SEC(".maps");

/*
 * Events that wait for their readers: struct sw_record. Key: the reader's place.
 * Writer: programs. Lifetime of a ring: from its reader's start to its end; that
 * of a killed one until the next takes its place. Full: counted in lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SW_READERS);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 4096); /* of the readers': SW_READER_RING */
	});
} events SEC(".maps");

/* A segment's headers, as far as the kernel's helpers for cookies read them. Network byte order. */
struct sw_headers {
	__be32 ip[10];
	__be16 port[2];
	__be32 tcp[5]; /* from the sequence number on; the last one is a SYN's MSS option */
};

/* What one CPU may answer yet, whoever asks, see sw_cpu_spent(). Written by that CPU. */
struct sw_budget {
	__u64 credit;	 /* answers, times SW_NS_PER_SEC */
	__u64 credit_ns; /* CLOCK_MONOTONIC: as it was then */
	__u64 drops;	 /* SYNs dropped for want of it, since then */
};

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
	__u64 tick, tick_ns;	   /* a reading of the clock, see sw_now_coarse() */
	__u64 now;		   /* ns, of this packet; to a tick only while the guard has it */
	struct sw_hash hash;	   /* of its flow */
	struct sw_calm calm;
	struct sw_answer answer;   /* to a SYN */
	struct sw_headers headers; /* of the packet, for the kernel's cookies */
	struct sw_cookie cookie;   /* that it brought back, when proved */
	struct sw_record event;	   /* of it, while there are readers */
	__u16 target;		   /* the listener it goes to, 0 none */
	__u16 reason;		   /* the guard's, 0: the mirror's */
	__u32 proved;
	__u32 listed;		   /* SW_LISTED_*, of a SYN */
	__u32 answers;		   /* of this CPU, so far */
	__u32 attacked;		   /* a listener in mode on to look at once a second, 0 none */
	__u32 first;		   /* listener on the packet's port, when one was looked for */
	struct sw_budget budget[2]; /* of this CPU: live; dry run, which takes nothing of it */
	struct {
		__u64 tick;
		struct sw_served served; /* what the kernel answers there: a copy, it may be replaced */
		__u32 listener;
		__u32 spent; /* and no answer was left: see sw_drop_at_a_glance() */
	} judged; /* where the last SYN went that a cookie might answer, live: see sw_again() */
	__u32 again;		   /* the SYN at hand goes there, in the same tick */
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
