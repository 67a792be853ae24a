// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backlog.h"
#include "fail.h"
#include "guard.h"
#include "import.h"
#include "kflow.h"
#include "loader.h"
#include "pin.h"
#include "watch.h"

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
	uint32_t backlog[SW_MAX_LISTENERS]; /* by index: of a SO_REUSEPORT group, summed */
	bool mptcp[SW_MAX_LISTENERS];
	struct kports ports; /* that listen */
	struct watch watch;
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
	int i;

	kports_add(&im->ports, sk);
	memcpy(req.listener.addr, sk->src, sizeof(req.listener.addr));
	req.listener.port = htons(sk->sport);
	req.listener.family = sk->family;
	req.listener.flags = sk->v6only ? SW_L_V6ONLY : 0;
	i = request(im, &req);
	if (i > 0 && i < (int)SW_MAX_LISTENERS) {
		im->listeners++;
		im->backlog[i] += sk->wqueue;
		im->mptcp[i] |= sk->mptcp;
	}
	return 0;
}

static int import_flow(const struct ksock *sk, void *arg)
{
	struct import *im = arg;
	struct sw_request req = { .kind = SW_REQ_FLOW };
	struct sw_import *in = &req.flow;
	struct kflow k;

	if (!kflow_from(sk, &im->ports, &k))
		return 0;
	/* nobody would see how one that passes elsewhere ends */
	if (!watch_sees(&im->watch, &(struct watch_query){ &k.key, k.side, sk->ifindex, sk->mark }))
		return 0;
	in->key = k.key;
	in->side = k.side;
	in->server = k.server;
	in->state = k.state;
	in->ago_ms = k.ago_ms;
	in->ifindex = sk->ifindex;
	if (sk->has_info) {
		in->opts = (sk->options & TCPI_OPT_TIMESTAMPS ? SW_OPT_TS : 0) |
			   (sk->options & TCPI_OPT_SACK ? SW_OPT_SACK : 0) |
			   (sk->options & TCPI_OPT_WSCALE ? SW_OPT_WSCALE : 0);
		in->wscale[in->side] = sk->rcv_wscale;
		in->wscale[in->side ^ 1] = sk->snd_wscale;
	}
	if (request(im, &req) == SW_IMPORTED)
		im->flows++;
	return 0;
}

/* What the guard has to know of the listeners. */
static int tell_guard(const struct import *im)
{
	struct guard g;

	if (guard_open(&g))
		return -1;
	for (int i = 1; i < SW_MAX_LISTENERS; i++) {
		uint32_t backlog = im->backlog[i];

		if (!backlog)
			continue;
		backlog_limit(&backlog);
		g.guards[i].backlog = backlog;
		g.guards[i].mptcp = im->mptcp[i];
	}
	guard_close(&g);
	return 0;
}

int import_listeners(void)
{
	struct import *im = calloc(1, sizeof(*im));
	int ret = -1;

	if (!im)
		return sw_err("no memory");
	im->prog_fd = open_program();
	if (im->prog_fd < 0)
		sw_err("cannot open the import program: %s", strerror(errno));
	else if (!sockdiag_dump(1u << 10, true, import_listener, im))
		ret = tell_guard(im);
	if (im->prog_fd >= 0)
		close(im->prog_fd);
	free(im);
	return ret;
}

int import_sockets(uint32_t *listeners)
{
	struct import *im = calloc(1, sizeof(*im));
	struct sw_device dev[SW_MAX_DEVICES];
	uint32_t ifindex[SW_MAX_DEVICES];
	int ret = -1;

	if (!im)
		return sw_err("no memory");
	im->prog_fd = open_program();
	if (im->prog_fd < 0) {
		sw_err("cannot open the import program: %s", strerror(errno));
	} else if (!watch_open(&im->watch, ifindex, loader_devices(ifindex, dev))) {
		if (!sockdiag_dump(1u << 10, true, import_listener, im) && !tell_guard(im) &&
		    !sockdiag_dump(SOCKDIAG_ALL & ~(1u << 10), true, import_flow, im))
			ret = im->failed ? sw_err("%u sockets could not be imported: %s",
						  im->failed, strerror(errno)) :
					   (int)im->flows;
		watch_close(&im->watch);
	}
	if (im->prog_fd >= 0)
		close(im->prog_fd);
	*listeners = im->listeners;
	free(im);
	return ret;
}
