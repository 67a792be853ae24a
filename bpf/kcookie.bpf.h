/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_KCOOKIE_BPF_H
#define SW_KCOOKIE_BPF_H

#include "guard.bpf.h"

/*
 * The kernel's own SYN cookies, for kernels without bpf_sk_assign_tcp_reqsk:
 * made and checked by its helpers, for a listener that then takes the ACK by
 * itself. bpf_tcp_gen_syncookie (5.3) also marks that listener as overflowed,
 * without which cookie_v4_check resets every client; bpf_tcp_raw_gen_syncookie_*
 * (6.0) does not. It makes none while the accept queue is full, and wants
 * net.ipv4.tcp_syncookies=2 (tcp_get_syncookie_mss).
 */
enum sw_kernel_cookie {
	SW_KC_NONE,	 /* no listener, or none now: the kernel's business */
	SW_KC_MADE,	 /* for a SYN */
	SW_KC_CAME_BACK, /* with an ACK */
	SW_KC_NOT,	 /* a segment to a listener, and no cookie of its */
};

static sw_inline void sw_make_headers(struct sw_headers *h, const struct sw_pkt *p)
{
	__u32 c = p->from & 1, words = p->flags & SW_TH_ACK ? 5 : 6;
	const __u32 *client = c ? p->key.addr[1] : p->key.addr[0];
	const __u32 *server = c ? p->key.addr[0] : p->key.addr[1];

	__builtin_memset(h, 0, sizeof(*h));
	if (p->key.family == SW_AF_INET6) {
		h->ip[0] = sw_htonl(0x60000000);
		for (int i = 0; i < 4; i++) {
			h->ip[2 + i] = client[i];
			h->ip[6 + i] = server[i];
		}
	} else {
		h->ip[0] = sw_htonl(0x45000000);
		h->ip[3] = client[0];
		h->ip[4] = server[0];
	}
	h->port[0] = c ? p->key.port[1] : p->key.port[0];
	h->port[1] = c ? p->key.port[0] : p->key.port[1];
	h->tcp[0] = sw_htonl(p->seq);
	h->tcp[1] = sw_htonl(p->ack);
	h->tcp[2] = sw_htonl(words << 28 | (__u32)(p->flags & 0xff) << 16 | p->win);
	h->tcp[4] = sw_htonl(0x02040000 | p->mss);
}

/* SYN: makes its cookie, *isn. Else: does the segment acknowledge one? */
static sw_inline enum sw_kernel_cookie sw_kernel_cookie(void *ctx, struct sw_work *w, __u32 *isn)
{
	enum sw_kernel_cookie result = SW_KC_NONE;
	struct sw_headers *h = &w->headers;
	struct tcphdr *th = (void *)h->port;
	struct bpf_sock *sk;
	__s64 ret;

	sk = sw_socket_of(ctx, &w->pkt);
	if (!sk)
		return result;
	if (sk->state != SW_TCP_LISTEN)
		goto release;
	sw_make_headers(h, &w->pkt);
	if (isn) {
		ret = bpf_tcp_gen_syncookie(sk, h->ip, sizeof(h->ip), th, sizeof(*th) + 4);
		*isn = ret;
		if (ret > 0)
			result = SW_KC_MADE;
	} else {
		ret = bpf_tcp_check_syncookie(sk, h->ip, sizeof(h->ip), th, sizeof(*th));
		result = ret ? SW_KC_NOT : SW_KC_CAME_BACK;
	}
release:
	bpf_sk_release(sk);
	return result;
}

#endif
