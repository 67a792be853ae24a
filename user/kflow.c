// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "kflow.h"

#define TIME_WAIT_MS 60000 /* TCP_TIMEWAIT_LEN */

static const uint8_t kernel_states[] = {
	[1] = SW_ESTABLISHED, [2] = SW_SYN_SENT,   [3] = SW_SYN_RCVD, [4] = SW_FIN_WAIT_1,
	[5] = SW_FIN_WAIT_2,  [6] = SW_TIME_WAIT,  [7] = SW_CLOSED,   [8] = SW_CLOSE_WAIT,
	[9] = SW_LAST_ACK,    [10] = SW_LISTEN,	   [11] = SW_CLOSING,
};

/* Known of timers whose start is. */
static uint32_t ago_ms(const struct ksock *sk, uint32_t state)
{
	uint32_t wait;

	if (state == SW_TIME_WAIT && sk->expires_ms < TIME_WAIT_MS)
		return TIME_WAIT_MS - sk->expires_ms;
	if (state == SW_SYN_RCVD && sk->retrans < 6) {
		/* waited 1 + 2 + 4 ... s before, and what the timer has run since */
		wait = 1000u << sk->retrans;
		return wait - 1000 + (sk->expires_ms < wait ? wait - sk->expires_ms : 0);
	}
	return 0;
}

void kports_add(struct kports *ports, const struct ksock *sk)
{
	ports->port[sk->sport / 8] |= 1 << sk->sport % 8;
}

bool kflow_from(const struct ksock *sk, const struct kports *ports, struct kflow *to)
{
	uint32_t state = sk->state < sizeof(kernel_states) ? kernel_states[sk->state] : SW_CLOSED;
	struct sw_pkt p = { 0 };
	bool server;

	if (state == SW_CLOSED || state == SW_LISTEN || !sk->dport)
		return false;
	p.key.family = sk->family == 2 ? SW_AF_INET : SW_AF_INET6;
	memcpy(p.key.addr[0], sk->src, sizeof(sk->src));
	memcpy(p.key.addr[1], sk->dst, sizeof(sk->dst));
	p.key.port[0] = htons(sk->sport);
	p.key.port[1] = htons(sk->dport);
	if (sw_sort_key(&p) != SW_R_OBSERVED)
		return false;
	server = state != SW_SYN_SENT &&
		 (state == SW_SYN_RCVD || ports->port[sk->sport / 8] & 1 << sk->sport % 8);
	*to = (struct kflow){
		.key = p.key,
		.side = p.from,
		.server = server ? p.from : p.from ^ 1,
		.state = state,
		.ago_ms = ago_ms(sk, state),
	};
	return true;
}
