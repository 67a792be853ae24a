/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SELFTEST_H
#define SW_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Real handshakes through the ruleset of the current network namespace: from a
 * client in a namespace of the test's own, over a veth pair whose end here has
 * synward's programs attached, with maps of their own. Nothing is pinned, and
 * nothing is left behind, also when the process is killed: the veth pair goes
 * with the client's namespace.
 */
struct selftest {
	bool refused;	    /* the kernel did not take the programs */
	uint16_t port;	    /* that was tried: one of the test's own, else a listener's */
	bool tcx;	    /* else tc filters were used */
	bool connected;	    /* the kernel's own answer got through, and the client's ACK */
	bool mirrored;	    /* and the mirror counted it */
	bool tracked, nat;  /* as the programs saw the connection in conntrack */
	bool cookies;	    /* they were tried: the kernel has what they need */
	bool cookie_sent;   /* the next SYN was answered with one */
	bool cookie_opened; /* and its connection is there */
};

/* 0; -1 with sw_err(): it could not be tried. */
int selftest_run(struct selftest *t);

#endif
