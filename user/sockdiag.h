/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SOCKDIAG_H
#define SW_SOCKDIAG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The kernel's TCP sockets of the current network namespace, from NETLINK
 * sock_diag (what ss shows), both families, TIME_WAIT and SYN_RCVD requests
 * included.
 */
struct ksock {
	uint8_t family;	      /* AF_INET, AF_INET6; a v4-mapped IPv6 pair (and a
			       * listener bound to ::ffff:a.b.c.d) is AF_INET here */
	uint8_t state;	      /* the kernel's number, TCP_ESTABLISHED = 1 ...;
			       * TCP_NEW_SYN_RECV is folded into TCP_SYN_RECV;
			       * a TIME_WAIT socket in its FIN_WAIT_2 phase says
			       * TCP_FIN_WAIT2, as ss does */
	bool v6only;	      /* IPV6_V6ONLY of an AF_INET6 listener (INET_DIAG_SKV6ONLY) */
	bool mptcp;	      /* listener with the MPTCP ULP (INET_DIAG_ULP_INFO name "mptcp"); with_info only */
	uint32_t src[4];      /* local address, network byte order; IPv4 in src[0] */
	uint32_t dst[4];      /* remote address, likewise; 0 for a listener */
	uint16_t sport;	      /* host byte order */
	uint16_t dport;	      /* host byte order */
	uint32_t ifindex;     /* bound device, 0 when none */
	uint32_t mark;	      /* SO_MARK; 0 also without CAP_NET_ADMIN */
	uint64_t cookie;      /* no other socket has it until the next boot */
	uint32_t rqueue;      /* listener: connections in the accept queue */
	uint32_t wqueue;      /* listener: backlog (sk_max_ack_backlog) */
	uint32_t inode;
	uint32_t uid;
	uint8_t timer;	      /* idiag_timer */
	uint8_t retrans;      /* idiag_retrans: timeouts so far */
	uint32_t expires_ms;  /* idiag_expires */
	bool has_info;	      /* the fields below are from INET_DIAG_INFO */
	uint8_t options;      /* tcpi_options: TCPI_OPT_TIMESTAMPS, _SACK, _WSCALE, _ECN */
	uint8_t snd_wscale;   /* the peer's window scale */
	uint8_t rcv_wscale;   /* ours */
	uint16_t snd_mss;     /* tcpi_snd_mss */
	uint32_t notsent;     /* tcpi_notsent_bytes: queued, a FIN included, and not sent once */
};

/*
 * Call fn for every TCP socket whose state is in the mask (1 << TCP_*; use
 * SOCKDIAG_ALL). fn returning non-zero ends the dump. A dump that the kernel
 * marks inconsistent (NLM_F_DUMP_INTR) is carried through: the caller must
 * cope with duplicates. Returns 0, or -1 with sw_err() set (naming the
 * missing kernel option, CONFIG_INET_DIAG, when that is the reason).
 */
#define SOCKDIAG_ALL 0xfffu
typedef int (*sockdiag_fn)(const struct ksock *sk, void *arg);
int sockdiag_dump(unsigned int states, bool with_info, sockdiag_fn fn, void *arg);

/*
 * Which process owns a socket: an index of /proc/PID/fd made once, limited to
 * processes in the caller's network namespace. NULL on failure (no error is
 * set: process names are a nicety). procs_name() returns the comm of the
 * owner of an inode, NULL when unknown; it lives as long as the index.
 */
struct procs;
struct procs *procs_scan(void);
const char *procs_name(const struct procs *p, uint32_t inode);
void procs_free(struct procs *p);

#endif
