// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "import.h"
#include "pin.h"
#include "shared.h"
#include "sockdiag.h"

/* The program that writes them into the mirror: see sw_import in bpf/synward.bpf.c. */
static int open_program(void)
{
	char path[PATH_MAX];

	pin_path(path, sizeof(path), "import");
	return bpf_obj_get(path);
}

struct import {
	int prog_fd;
	uint32_t flows, listeners, failed;
};

static int request(struct import *im, const struct sw_request *req)
{
	struct {
		char eth[SW_ETH_HLEN];
		char req[sizeof(struct sw_request)];
	} frame = { 0 };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame,
			    .data_size_in = sizeof(frame), .repeat = 1);

	memcpy(frame.req, req, sizeof(*req));
	if (bpf_prog_test_run_opts(im->prog_fd, &opts)) {
		im->failed++;
		return -1;
	}
	return (int)opts.retval;
}

static int import_listener(const struct ksock *sk, void *arg)
{
	struct import *im = arg;
	struct sw_request req = { .kind = SW_REQ_LISTENER };

	memcpy(req.listener.addr, sk->src, sizeof(req.listener.addr));
	req.listener.port = htons(sk->sport);
	req.listener.family = sk->family;
	req.listener.flags = sk->v6only ? SW_L_V6ONLY : 0;
	if (request(im, &req) > 0)
		im->listeners++;
	return 0;
}

static const uint8_t kernel_states[] = {
	[1] = SW_ESTABLISHED, [2] = SW_SYN_SENT,   [3] = SW_SYN_RCVD, [4] = SW_FIN_WAIT_1,
	[5] = SW_FIN_WAIT_2,  [6] = SW_TIME_WAIT,  [7] = SW_CLOSED,   [8] = SW_CLOSE_WAIT,
	[9] = SW_LAST_ACK,    [10] = SW_LISTEN,	   [11] = SW_CLOSING,
};

/* How long it has been in its state: known of timers whose start is. */
static uint32_t ago_ms(const struct ksock *sk, uint8_t state)
{
	if (state == SW_TIME_WAIT && sk->expires_ms < 60000)
		return 60000 - sk->expires_ms; /* TCP_TIMEWAIT_LEN */
	if (state == SW_SYN_RCVD && sk->retrans < 6)
		return ((1u << sk->retrans) - 1) * 1000; /* 1 + 2 + 4 ... s */
	return 0;
}

/* Ports that listen here, to tell who accepted a connection. */
struct listening {
	struct import *im;
	uint8_t port[65536 / 8];
};

static int note_listener(const struct ksock *sk, void *arg)
{
	struct listening *l = arg;

	l->port[sk->sport / 8] |= 1 << sk->sport % 8;
	return import_listener(sk, l->im);
}

static int import_flow(const struct ksock *sk, void *arg)
{
	struct listening *l = arg;
	struct sw_request req = { .kind = SW_REQ_FLOW };
	struct sw_import *in = &req.flow;
	struct sw_pkt p = { 0 };
	uint8_t state = sk->state < sizeof(kernel_states) ? kernel_states[sk->state] : SW_CLOSED;
	bool server;

	if (state == SW_CLOSED || state == SW_LISTEN || !sk->dport)
		return 0;
	p.key.family = sk->family == 2 ? SW_AF_INET : SW_AF_INET6;
	memcpy(p.key.addr[0], sk->src, sizeof(sk->src));
	memcpy(p.key.addr[1], sk->dst, sizeof(sk->dst));
	p.key.port[0] = htons(sk->sport);
	p.key.port[1] = htons(sk->dport);
	if (sw_sort_key(&p) != SW_R_OBSERVED)
		return 0;
	server = state != SW_SYN_SENT &&
		 (state == SW_SYN_RCVD || l->port[sk->sport / 8] & 1 << sk->sport % 8);
	in->key = p.key;
	in->side = p.from;
	in->server = server ? in->side : in->side ^ 1;
	in->state = state;
	in->ago_ms = ago_ms(sk, state);
	in->ifindex = sk->ifindex;
	if (sk->has_info) {
		in->opts = (sk->options & TCPI_OPT_TIMESTAMPS ? SW_OPT_TS : 0) |
			   (sk->options & TCPI_OPT_SACK ? SW_OPT_SACK : 0) |
			   (sk->options & TCPI_OPT_WSCALE ? SW_OPT_WSCALE : 0);
		in->wscale[in->side] = sk->rcv_wscale;
		in->wscale[in->side ^ 1] = sk->snd_wscale;
	}
	if (request(l->im, &req) == SW_IMPORTED)
		l->im->flows++;
	return 0;
}

int import_sockets(uint32_t *listeners)
{
	struct import im = { .prog_fd = open_program() };
	struct listening *l = calloc(1, sizeof(*l));
	int ret = -1;

	if (!l || im.prog_fd < 0) {
		sw_err("cannot open the import program: %s", strerror(errno));
	} else {
		l->im = &im;
		if (!sockdiag_dump(1u << 10, false, note_listener, l) &&
		    !sockdiag_dump(SOCKDIAG_ALL & ~(1u << 10), true, import_flow, l))
			ret = im.failed ? sw_err("%u sockets could not be imported: %s", im.failed,
						 strerror(errno)) :
					  (int)im.flows;
	}
	if (im.prog_fd >= 0)
		close(im.prog_fd);
	free(l);
	*listeners = im.listeners;
	return ret;
}
