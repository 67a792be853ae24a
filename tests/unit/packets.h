/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_PACKETS_H
#define SW_TEST_PACKETS_H

/*
 * Conversations as tables, and the Ethernet frames that they stand for. A step
 *
 *	{ C, SYN | ACK, seq, ack, len, SS, SR, .ms = 20 }
 *
 * is one segment: who sends it, flags, sequence and acknowledgment number
 * relative to the sender's and the other end's ISN, payload bytes, and the
 * states that the client and the server have after it. C is the end that the
 * script calls client, whatever the mirror thinks of it.
 */
#include <stddef.h>

#include "../../user/hostmirror.h"

enum { END, C, S, WAIT }; /* step.from; WAIT: no segment, only time */

/* step.flags */
enum {
	SYN = SW_TH_SYN,
	ACK = SW_TH_ACK,
	FIN = SW_TH_FIN,
	RST = SW_TH_RST,
	PSH = SW_TH_PSH,
	URG = SW_TH_URG,
	SA = SYN | ACK,
	FA = FIN | ACK,
	RA = RST | ACK,
	ECN = SW_TH_ECE | SW_TH_CWR,
	AECN = ECN | SW_TH_AE,
};

/* step.c, step.s */
enum {
	CL = SW_CLOSED, /* or no entry at all */
	LI = SW_LISTEN,
	SS = SW_SYN_SENT,
	SR = SW_SYN_RCVD,
	ES = SW_ESTABLISHED,
	F1 = SW_FIN_WAIT_1,
	F2 = SW_FIN_WAIT_2,
	CW = SW_CLOSE_WAIT,
	CI = SW_CLOSING,
	LA = SW_LAST_ACK,
	TW = SW_TIME_WAIT,
	NO = 0x7f, /* there is no entry */
	ANY = 0x7e,
};

/* step.opt */
#define O_BARE 0x01u	/* a SYN without options */
#define O_TS 0x02u	/* timestamp option, TSval = step.ts */
#define O_FO 0x04u	/* Fast Open cookie */
#define O_MD5 0x08u	/* TCP-MD5 option */
#define O_SEQ0 0x10u	/* sequence number 0, not relative */
#define O_ACK0 0x20u	/* acknowledgment number 0, not relative */
#define O_PAD 0x40u	/* Ethernet padding behind the packet */
#define O_NOSCALE 0x80u /* a SYN without window scaling */

struct step {
	__u8 from;
	__u16 flags;
	__s32 seq, ack;
	__u32 len;
	__u8 c, s;
	__u32 ms;  /* time that passes before it */
	__u32 opt; /* O_* */
	__u32 ts;
	__u16 win;  /* as sent; 0: 64240 on a SYN, 502 elsewhere (times 128) */
	__u8 why;   /* enum sw_reason that must be counted; 0 (observed): not checked */
	__u8 amb;   /* the flow must be flagged ambiguous */
	char table; /* 'h', 'p': the table it must be in; 0: not checked */
};

/* Where the observer stands; a mask in struct script. */
enum view {
	V_REPLAY, /* no devices: path 0 */
	V_SERVER, /* on the server's host */
	V_CLIENT, /* on the client's host */
	V_ROUTER, /* between two devices, neither end is local */
	V_TAP,	  /* both directions come in on one device */
	V_COUNT
};
#define IN(view) (1u << (view))
#define IN_ALL ((1u << V_COUNT) - 1)
#define NOT_IN(view) (IN_ALL & ~IN(view))

struct script {
	const char *row; /* number of the case, or what it is about */
	const char *what;
	const struct step *steps; /* ends with END */
	unsigned int in;	  /* views for which it is true; 0: all */
	struct {
		__u8 side, state; /* starts with an imported socket: C or S, its state */
	} import;
	/* what else must be true in the end; f is NULL without an entry */
	_Bool (*check)(const struct sw_flow *f, __u32 client);
};

/* Ends with .row == NULL. */
extern const struct script scripts[];

/* A way to run a script. */
struct variant {
	const char *name;
	__u8 family;
	__u8 tags;    /* VLAN tags */
	_Bool swap;   /* the client has the greater address */
	__u32 isn[2]; /* of client, server */
};

extern const struct variant variants[];
extern const unsigned int n_variants;

#define FRAME_MAX (1u << 18)
#define CLIENT_PORT 40000
#define SERVER_PORT 80

/* Frame of a step; returns its length. buf: FRAME_MAX bytes. */
size_t frame_build(__u8 *buf, const struct variant *v, const struct step *st);
/* The same without a variant: IPv4, no tags, ISNs 0. */
size_t frame_simple(__u8 *buf, const struct step *st);
/* Fill in the checksums of IP and TCP (again). ip: offset of the IP header. */
void frame_sums(__u8 *buf, size_t len, size_t ip);
/*
 * Put n bytes behind the fixed IP header: IPv4 options, or IPv6 extension headers, the first
 * of this type and the last with next header 6. Returns the new length; IP tells it as well.
 */
size_t frame_extend(__u8 *buf, size_t len, size_t ip, __u8 type, const void *bytes, size_t n);
/* Key of the script's connection, and which endpoint of it is the client. */
struct sw_key variant_key(const struct variant *v, __u32 *client);

struct vantage vantage_of(enum view view, int from, __u32 ifindex);

const char *view_name(enum view view);
const char *state_text(unsigned int state);
const char *reason_text(unsigned int reason);
/* "< SYN-ACK seq 0 ack 1", in one of a few static buffers. */
const char *step_text(const struct step *st);

/* An expected state against the one shown; no entry is CLOSED as well. */
static inline _Bool state_fits(__u8 want, __u8 is)
{
	return want == is || want == ANY || (want == CL && is == NO);
}

#endif
