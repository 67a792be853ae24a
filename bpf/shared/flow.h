/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FLOW_H
#define SW_FLOW_H

#include "limits.h"
#include "reasons.h"
#include "tcp_fsm.h"
#include "types.h"

#define SW_AF_INET 2
#define SW_AF_INET6 10

/*
 * A connection's name: the family and both address/port pairs in sorted order.
 * Nothing in it depends on hook, device or direction. Endpoint 0 is the lesser
 * pair; every [2] below is indexed by it.
 */
struct sw_key {
	__u32 addr[2][4]; /* network byte order; IPv4 in word 0, the others 0 */
	__u16 port[2];	  /* network byte order */
	__u32 family;	  /* SW_AF_INET, SW_AF_INET6: their words may collide */
} __attribute__((aligned(8))); /* compared by words of 8 bytes */

/* TCP header bits as in RFC 9293 section 3.1, AE from RFC 9768. */
#define SW_TH_FIN 0x001
#define SW_TH_SYN 0x002
#define SW_TH_RST 0x004
#define SW_TH_PSH 0x008
#define SW_TH_ACK 0x010
#define SW_TH_URG 0x020
#define SW_TH_ECE 0x040
#define SW_TH_CWR 0x080
#define SW_TH_AE 0x100

/* Options that a SYN or SYN-ACK carried (sw_pkt.opts, sw_dir.opts). */
#define SW_OPT_MSS 0x01
#define SW_OPT_WSCALE 0x02
#define SW_OPT_SACK 0x04
#define SW_OPT_TS 0x08
#define SW_OPT_AUTH 0x10 /* TCP-MD5 (RFC 2385) or TCP-AO (RFC 5925): not verified */

/* One parsed TCP segment: all that the core knows of a packet. Host byte order. */
struct sw_pkt {
	struct sw_key key;
	__u32 seq;
	__u32 ack;	   /* 0 without SW_TH_ACK */
	__u32 len;	   /* payload bytes (of a GSO packet: all of them) */
	__u32 tsval;	   /* with SW_OPT_TS */
	__u32 tsecr;	   /* the same */
	__u32 path;	   /* ifindex << 1 | egress; 0 in a replay */
	__u16 flags;	   /* SW_TH_* */
	__u16 win;	   /* as sent, not scaled */
	__u16 mss;
	__u8 wscale;	   /* clamped to 14 (RFC 7323 section 2.3) */
	__u8 opts;	   /* SW_OPT_*; looked for on SYN, FIN and RST only */
	__u8 from;	   /* sending endpoint: 0 or 1 */
	__u8 sender_local; /* left this host's own stack: cannot be forged */
	__u16 listener;	   /* of the endpoint that a SYN goes to or a SYN-ACK comes from; 0 none */
	__u8 overflowed;   /* SYN-ACKs of that listener went untracked lately */
	__u8 fragment;	   /* the first of several: its payload is not complete */
	__u8 obscured;	   /* in fragments, or behind more IPv6 headers than are parsed */
	__u8 l3_off;	   /* where the IP header starts */
	__u16 l4_off;	   /* where the TCP header starts */
	__u16 l4_len;	   /* TCP header + payload, 0 when more than 64 KiB */
	__u16 scratch;	   /* for sw_opaque() */
};

/*
 * What one endpoint has sent (sw_flow.dir[i]: endpoint i as the sender).
 * Written with packets of that endpoint only, except where noted. Host order.
 */
struct sw_dir {
	__u32 iss; /* initial sequence number, when SW_F_SYN_SEEN */
	__u32 nxt; /* end of what was sent without a gap; raised to what the peer acknowledges */
	__u32 max; /* end of the highest sent (SND.NXT as far as seen) */
	__u32 ack; /* highest acknowledgment sent: the sender's RCV.NXT */
	__u32 win; /* largest window advertised, bytes */
	__u32 fin; /* end of the FIN: valid with SW_F_FIN or SW_F_FIN_MAYBE;
		    * before the handshake completes: another ISN that a SYN-ACK offered */
	__u32 ts;  /* TSval of its last SYN or FIN, with SW_OPT_TS */
	__u16 mss; /* option of its SYN, 0 without */
	__u8 wscale;
	__u8 opts; /* SW_OPT_* of its SYN */
};

/* sw_ctl.lock */
#define SW_LIVE 0x1 /* the slot holds a flow */
#define SW_BUSY 0x2 /* one CPU is writing it; others leave it alone */

/*
 * The word that is claimed by compare-and-swap. Two CPUs working on one flow
 * are kept apart by the flow's stripe lock; BUSY keeps the flow apart from a
 * CPU that works on another flow and wants to replace this one.
 */
union sw_ctl {
	struct {
		__u8 state[2]; /* enum sw_state, before time is taken into account */
		__u8 prev[2];  /* states before the RST, with SW_F_RST */
		__u16 lock;    /* SW_LIVE, SW_BUSY */
		__u16 gen;     /* generation: raised when the slot gets another flow */
	};
	__u64 word;
};

/* sw_flow.flags. A flag per endpoint is shifted by the endpoint. */
#define SW_F_LOCAL 0x00001u	/* [2] the endpoint is this host */
#define SW_F_SYN_SEEN 0x00004u	/* [2] its SYN was seen, iss is right */
#define SW_F_SEQ 0x00010u	/* [2] nxt, max, ack are right */
#define SW_F_FIN 0x00040u	/* [2] its FIN was seen and believed */
#define SW_F_FIN_ACKED 0x00100u /* [2] and acknowledged */
#define SW_F_FIN_MAYBE 0x00400u /* [2] its FIN was seen; believed when acknowledged */
#define SW_F_HEARD 0x01000u	/* [2] it acknowledged bytes that the other end sent */
#define SW_F_SERVER 0x04000u	/* endpoint 1 is the server (else endpoint 0) */
#define SW_F_SYNACK 0x08000u	/* the SYN-ACK was seen */
#define SW_F_ALT_ISS 0x10000u	/* server's dir.fin holds another ISN it offered */
#define SW_F_PROVEN 0x20000u	/* not forged: belongs to the proven table */
#define SW_F_COMPLETED 0x40000u /* its handshake was counted as completed */
#define SW_F_HALF 0x80000u	/* holds a +1 of its listener's half-open gauge */
#define SW_F_PENDING 0x100000u	/* holds a +1 of its listener's pending gauge */
#define SW_F_MIDSTREAM 0x200000u /* picked up without its handshake */
#define SW_F_IMPORTED 0x400000u	/* from the kernel's socket table */
#define SW_F_SIMULTANEOUS 0x800000u
#define SW_F_RST 0x1000000u	/* reset; by the server with SW_F_RST_SERVER */
#define SW_F_RST_SERVER 0x2000000u
#define SW_F_AMBIGUOUS 0x4000000u /* stacks differ on what happened */
#define SW_F_FIRST_SERVER 0x8000000u /* the first FIN was the server's */
#define SW_F_HALF_CLOSED 0x10000000u /* closed_ms is how long it was half-closed */
#define SW_F_CROSSED 0x20000000u /* the FINs crossed: closed simultaneously */

#define SW_F_BOTH(flag) ((flag) | (flag) << 1)
#define SW_F_COOKIE 0x40000000u	/* opened by a cookie of the guard */
#define SW_F_UNJUDGED 0x80000000u /* and whether the kernel has it is not known yet */

/* sw_flow.admitted */
#define SW_ADMIT_ECN 0x1  /* the handshake agreed to ECN */
#define SW_ADMIT_DONE 0x2 /* the kernel was given the connection */
#define SW_ADMIT_BAD 0x4  /* and had it not when a later segment came */

/*
 * One connection as the mirror sees it: a slot of either table. Times are
 * CLOCK_MONOTONIC (a replay: the capture's clock). Writer: the BPF programs,
 * under the flow's stripe lock and with SW_BUSY, but for dir[], last and the
 * bucket's stamp, which the lock-free path for data writes as well.
 */
struct sw_flow {
	struct sw_key key;
	union sw_ctl ctl;
	__u64 born;	 /* ns, first segment; imported: the import */
	__u64 last;	 /* ns, last believed segment */
	__u64 changed;	 /* ns, last state change, or restart of 2 MSL */
	__u64 mark;	 /* ns, first SYN-ACK; after the handshake: first FIN */
	struct sw_dir dir[2];
	__u32 flags;
	__u32 birth_s;	 /* second of the gauge slot that holds its +1 */
	__u32 ifindex;	 /* device of its first segment */
	__u32 path;	 /* sw_pkt.path of the SYN-ACK */
	__u32 server_us; /* SYN to SYN-ACK, ~0 when not seen */
	__u32 client_us; /* SYN-ACK to ACK, ~0 when not seen */
	__u32 closed_ms; /* first FIN to second FIN, with SW_F_HALF_CLOSED */
	__u16 listener;	 /* index of its listener, 0 none */
	__u8 syn_rtx;	 /* retransmissions, saturating */
	__u8 synack_rtx;
	__u8 fin_rtx;
	__u8 admitted;	 /* SW_ADMIT_*, with SW_F_COOKIE; writer: tc ingress */
	__u8 pad;
	__u16 admit_cpu; /* which gave it to the kernel, with SW_ADMIT_DONE */
};

#define SW_UNSEEN 0xffffffffu /* of server_us, client_us */

/* What the mirror is told once: written by attach, constant afterwards. */
struct sw_config {
	__u32 proven_buckets;
	__u32 half_buckets;
	__u32 seed[3];	     /* of the flow hash; secret */
	__u32 syn_timeout_s; /* a half-open entry dies after it */
	__u32 two_msl_s;     /* TIME_WAIT lasts so long */
	__u32 life_s[2][4];  /* by table and class, see table.h: an entry ends at this age */
};

static sw_inline __u32 sw_server(const struct sw_flow *f)
{
	return !!(f->flags & SW_F_SERVER);
}

static sw_inline __u64 sw_age(__u64 now, __u64 then)
{
	return now > then ? now - then : 0;
}

/* An endpoint's state at a moment: TIME_WAIT ends when it is read. */
static sw_inline __u8 sw_state_at(const struct sw_flow *f, __u32 side, __u64 now,
				  const struct sw_config *cfg)
{
	__u8 state = f->ctl.state[side & 1];

	if (state == SW_TIME_WAIT &&
	    sw_age(now, f->changed) >= cfg->two_msl_s * SW_NS_PER_SEC)
		return SW_CLOSED;
	return state;
}

_Static_assert(sizeof(struct sw_key) == 40, "key has no holes");
_Static_assert(sizeof(union sw_ctl) == 8, "ctl is one word");
_Static_assert(sizeof(struct sw_flow) == 184, "a slot is at most 192 bytes with its tag and stamp");

#endif
