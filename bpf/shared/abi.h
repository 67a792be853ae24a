/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ABI_H
#define SW_ABI_H

#include "admit.h"
#include "event.h"
#include "import.h"
#include "latency.h"
#include "moves.h"

/*
 * The contract between the BPF object and user space, beside the structures
 * of flow.h, table.h and listener.h. Raise SW_ABI when a structure or a map
 * changes its meaning: user space refuses pinned maps of another version.
 */
#define SW_ABI 4u
#define SW_MAGIC 0x73796e77u /* "synw" */

#define SW_DEV_NAME_LEN 16


/* Map "meta", one entry: what the maps are. Written by attach, constant. */
struct sw_meta {
	__u32 magic;
	__u32 abi;
	__u32 flow_size;   /* sizeof(struct sw_flow): a build with another layout refuses */
	__u32 listener_size;
	__u64 netns_cookie; /* of the namespace: its inode number may come again */
	__u32 max_flows;   /* as asked for at attach */
	__u32 max_half_open;
	struct sw_config config;
	__u32 backend;	   /* enum sw_backend */
	__u32 pad;
	char version[32];  /* of the synward that made the maps */
};

/* Map "shared", one entry: what the BPF programs write beside tables and counters. */
struct sw_shared {
	__u32 listeners; /* entries of "listeners" in use, entry 0 included */
	__u32 learned;	 /* of these, learned from SYN-ACKs of other hosts */
	__u64 evicted;	 /* live flows that a full proven table gave up */
	__u32 episodes;	 /* of arming, so far */
	__u32 pad;
};

enum sw_hook { SW_HOOK_TC, SW_HOOK_XDP, SW_HOOK_EGRESS_ONLY };
enum sw_xdp_mode { SW_XDP_NONE, SW_XDP_NATIVE, SW_XDP_GENERIC };

/* Map "devices": key ifindex. Written by attach and detach, read by the egress program. */
struct sw_device {
	char name[SW_DEV_NAME_LEN];
	__u64 since_ns; /* CLOCK_REALTIME */
	__u32 slot;	/* index in map "stats" */
	__u8 hook;	/* enum sw_hook: where ingress is seen */
	__u8 xdp_mode;	/* enum sw_xdp_mode */
	__u8 clsact;	/* tc programs are filters on clsact, not tcx links */
	__u8 clsact_ours; /* and the qdisc was made by attach */
	__u8 conntrack; /* nf_conntrack is told of connections that a cookie opened */
	__u8 pad[7];
};

/* Map "stats": key slot of the device; per CPU. Written by the BPF programs. */
struct sw_stats {
	__u64 reasons[SW_R_COUNT];
};

/* A request to program sw_import, the bytes after the Ethernet header of a test run. */
enum sw_request_kind { SW_REQ_FLOW, SW_REQ_LISTENER };

struct sw_request {
	__u32 kind;
	__u32 pad;
	union {
		struct sw_import flow;
		struct {
			__u32 addr[4]; /* network byte order */
			__u16 port;    /* network byte order */
			__u8 family;
			__u8 flags;    /* SW_L_LEARNED, SW_L_V6ONLY */
		} listener;
	};
};

/* Before a frame of a replay in the kernel, as XDP metadata. Written by user space per frame. */
struct sw_replay {
	__u64 now;	/* ns, the capture's clock; never 0 */
	__u32 wire_len; /* of the frame, which may have been cut off */
	__u32 pad;
};

/* Answer of sw_import: enum sw_import_result for a flow, the index for a listener. */

_Static_assert(sizeof(struct sw_device) == 40, "no holes");
_Static_assert(sizeof(struct sw_served) == 40, "no holes");
_Static_assert(sizeof(struct sw_import) == 72, "no holes");
_Static_assert(sizeof(struct sw_listener) == 88 + 3 * 8 * SW_RING, "no holes");

#endif
