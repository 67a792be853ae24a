/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LISTENER_BPF_H
#define SW_LISTENER_BPF_H

#include "maps.bpf.h"

/*
 * Which listener an address belongs to, as the kernel would resolve it; 0 none.
 * *first is the one on the port that the search began with. *found and *scratch
 * lie in a map, which keeps the verifier from following each listener on the
 * port as a way of its own.
 */
static sw_inline __u32 sw_listener_find(__u32 family, const __u32 addr[4], __be16 port,
					__u32 *first, volatile __u16 *found,
					volatile __u16 *scratch)
{
	__u32 key = sw_ntohs(port), *head, i, best = 0;

	*found = 0;
	head = bpf_map_lookup_elem(&ports, &key);
	if (!head)
		return 0;
	i = *first = *(volatile __u32 *)head;
	for (int n = 0; n < SW_MAX_SAME_PORT && i; n++) {
		struct sw_listener *l = bpf_map_lookup_elem(&listeners, &i);
		__u32 fits;

		if (!l)
			break;
		fits = sw_listener_fits(l, family, addr);
		best = sw_opaque(scratch, best);
		if (fits > best) {
			best = fits;
			*found = i;
		}
		i = l->next;
	}
	return *found;
}

/*
 * Add one that a search beginning with `first` did not find; the index. 0 when
 * the table is full, or another CPU has added one to the port since: it may be
 * the same, so search again.
 */
static sw_inline __u32 sw_listener_add(__u32 family, const __u32 addr[4], __be16 port, __u8 flags,
				       __u32 first)
{
	__u32 zero = 0, key = sw_ntohs(port), *head, i;
	struct sw_shared *own = bpf_map_lookup_elem(&shared, &zero);
	struct sw_listener *l;

	head = bpf_map_lookup_elem(&ports, &key);
	if (!head || !own || own->listeners >= SW_MAX_LISTENERS - 1 ||
	    (flags & SW_L_LEARNED && own->learned >= SW_MAX_LEARNED))
		return 0;
	i = __sync_fetch_and_add(&own->listeners, 1) + 1;
	l = bpf_map_lookup_elem(&listeners, &i);
	if (!l)
		return 0;
	__builtin_memcpy(l->addr, addr, sizeof(l->addr));
	l->port = port;
	l->family = family;
	l->next = first;
	l->flags = flags | SW_L_USED;
	if (__sync_val_compare_and_swap(head, first, i) == first) {
		if (flags & SW_L_LEARNED)
			__sync_fetch_and_add(&own->learned, 1);
		return i;
	}
	/* give it back, or leave it behind unused when another CPU has taken the next already */
	l->flags = 0;
	__sync_val_compare_and_swap(&own->listeners, i, i - 1);
	return 0;
}

/*
 * The listener that a SYN-ACK leaves from, which no one told us of: what the
 * kernel's socket lookup says it is bound to. Without a socket (the answer of
 * another host, or of a DNAT target) it is the address itself, "learned".
 */
static sw_inline __u32 sw_listener_learn(struct __sk_buff *skb, const struct sw_pkt *p, __u32 first)
{
	__u32 server = p->from & 1, client = server ^ 1;
	struct bpf_sock_tuple t = { 0 };
	__u32 addr[4] = { 0 }, any[4] = { 0 }, family = p->key.family;
	bool wild = false, found = false;
	struct bpf_sock *sk;

	__builtin_memcpy(addr, server ? p->key.addr[1] : p->key.addr[0], sizeof(addr));
	if (p->sender_local) {
		__u16 sport = client ? p->key.port[1] : p->key.port[0];
		__u16 dport = server ? p->key.port[1] : p->key.port[0];

		if (family == SW_AF_INET) {
			t.ipv4.saddr = client ? p->key.addr[1][0] : p->key.addr[0][0];
			t.ipv4.daddr = addr[0];
			t.ipv4.sport = sport;
			t.ipv4.dport = dport;
			sk = bpf_sk_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
		} else {
			__builtin_memcpy(t.ipv6.saddr, client ? p->key.addr[1] : p->key.addr[0],
					 sizeof(addr));
			__builtin_memcpy(t.ipv6.daddr, addr, sizeof(addr));
			t.ipv6.sport = sport;
			t.ipv6.dport = dport;
			sk = bpf_sk_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
		}
		if (sk) {
			found = true;
			if (sk->family == SW_AF_INET) {
				wild = !sk->src_ip4;
			} else {
				wild = !(sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] |
					 sk->src_ip6[3]);
				if (wild)
					family = SW_AF_INET6;
			}
			bpf_sk_release(sk);
		}
	}
	return sw_listener_add(family, wild ? any : addr, p->key.port[server],
			       found ? 0 : SW_L_LEARNED, first);
}

#endif
