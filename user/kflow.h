/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_KFLOW_H
#define SW_KFLOW_H

#include "shared.h"
#include "sockdiag.h"

/* Ports that have a listener here, to tell who accepted a connection. */
struct kports {
	uint8_t port[65536 / 8];
};
void kports_add(struct kports *ports, const struct ksock *sk);

/* A socket of the kernel, named as the mirror names it. */
struct kflow {
	struct sw_key key;
	uint32_t side;	 /* endpoint of key that the socket is: 0 or 1 */
	uint32_t server; /* endpoint of key that accepted the connection */
	uint32_t state;	 /* enum sw_state */
	uint32_t ago_ms; /* how long it has been in that state, 0 if not known */
};

/* False when it is no connection: a listener, a socket to itself. */
bool kflow_from(const struct ksock *sk, const struct kports *ports, struct kflow *to);

#endif
