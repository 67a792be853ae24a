/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TUPLE_BPF_H
#define SW_TUPLE_BPF_H

#include "shared/parse.h"

/* A segment's addresses and ports, for lookups of sockets and of conntrack: endpoint from to the other. */
static sw_inline void sw_tuple(struct bpf_sock_tuple *t, const struct sw_pkt *p, __u32 from)
{
	from &= 1;

	if (p->key.family == SW_AF_INET) {
		t->ipv4.saddr = from ? p->key.addr[1][0] : p->key.addr[0][0];
		t->ipv4.daddr = from ? p->key.addr[0][0] : p->key.addr[1][0];
		t->ipv4.sport = from ? p->key.port[1] : p->key.port[0];
		t->ipv4.dport = from ? p->key.port[0] : p->key.port[1];
		return;
	}
	__builtin_memcpy(t->ipv6.saddr, from ? p->key.addr[1] : p->key.addr[0], 16);
	__builtin_memcpy(t->ipv6.daddr, from ? p->key.addr[0] : p->key.addr[1], 16);
	t->ipv6.sport = from ? p->key.port[1] : p->key.port[0];
	t->ipv6.dport = from ? p->key.port[0] : p->key.port[1];
}

#endif
