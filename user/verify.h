/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_VERIFY_H
#define SW_VERIFY_H

#include "snapshot.h"

/*
 * The mirror against the kernel's sockets, endpoint by endpoint: of each
 * connection the end that is this host's (over lo both), the state that the
 * mirror shows against the one of the socket.
 *
 * A look compares everything once. What differs is looked at again, and only
 * what is the same in every look is a difference: the entry did not change, the
 * socket is the same and in the same state, so both were true at one time for as
 * long as the looks took. Anything else was on its way.
 */
#define VERIFY_LOOKS 5
#define VERIFY_WAIT_MS 100 /* between two; all of them outlast a delayed ACK (200 ms) */

#define NO_STATE (-1) /* does not know the connection */

struct difference {
	struct sw_key key;
	uint32_t side;	 /* endpoint of key that is this host's */
	uint32_t server; /* endpoint of key that is the server */
	int32_t mirror, kernel; /* enum sw_state, NO_STATE */
	uint64_t born, changed;	/* of the mirror's entry, 0 without */
	uint64_t cookie; /* of the socket, 0 without */
	uint32_t bound;	 /* device that the socket is bound to, 0 none */
	uint32_t mark;	 /* its SO_MARK */
};

struct verdict {
	uint64_t agree;
	uint64_t stateless; /* SYN_RCVD that the kernel answered without keeping a request */
	uint64_t silent;    /* the kernel ended it, or has not begun it, without a segment */
	uint64_t elsewhere; /* passes no attached device */
	uint64_t moving;    /* differed in the last look, but not in the same way before */
	struct difference *differ; /* ordered by key */
	size_t n;
};

/* 0, or -1 with sw_err(). The caller frees v->differ. */
int verify(const struct store *s, struct verdict *v);

#endif
