// SPDX-License-Identifier: GPL-2.0
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

#include "clsact.h"
#include "fail.h"

#define HANDLE 0x73u	 /* 's' */
#define PRIORITY 0x7379u /* "sy" */

static struct bpf_tc_hook hook(int ifindex, enum bpf_tc_attach_point point)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = ifindex,
				     .attach_point = point };
}

int clsact_attach(int ifindex, bool egress, int prog_fd, bool replace, bool *qdisc_made)
{
	struct bpf_tc_hook h = hook(ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = HANDLE,
			    .priority = PRIORITY, .flags = replace ? BPF_TC_F_REPLACE : 0);
	int err = bpf_tc_hook_create(&h);

	if (err && err != -EEXIST)
		return sw_err("cannot make a clsact qdisc: %s", strerror(-err));
	*qdisc_made |= !err;
	h = hook(ifindex, egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	err = bpf_tc_attach(&h, &opts);
	if (err)
		return sw_err("cannot attach to clsact: %s", strerror(-err));
	return 0;
}

static bool present(int ifindex, enum bpf_tc_attach_point point)
{
	struct bpf_tc_hook h = hook(ifindex, point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);

	return !bpf_tc_query(&h, &opts);
}

bool clsact_present(int ifindex)
{
	return present(ifindex, BPF_TC_INGRESS) || present(ifindex, BPF_TC_EGRESS);
}

/* Filters; one without a handle only says that there are some of its kind. */
static int count_filter(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_NEWTFILTER)
		*(int *)arg += !!tc->tcm_handle;
	return MNL_CB_OK;
}

/* Filters of anybody on one side of the qdisc. */
static int filters(int ifindex, uint32_t parent)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tc;
	uint32_t seq = time(NULL);
	int n = 0, len;

	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = ifindex;
	tc->tcm_parent = parent;
	if (!nl)
		return 1; /* not known: then the qdisc stays */
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		n = 1;
	while (!n && (len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
		if (mnl_cb_run(buf, len, seq, mnl_socket_get_portid(nl), count_filter, &n) <= 0)
			break;
	mnl_socket_close(nl);
	return n;
}

int clsact_filters(int ifindex)
{
	int n = filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) +
		filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));

	return n - present(ifindex, BPF_TC_INGRESS) - present(ifindex, BPF_TC_EGRESS);
}

void clsact_detach(int ifindex, bool qdisc_ours)
{
	for (int i = 0; i < 2; i++) {
		struct bpf_tc_hook h = hook(ifindex, i ? BPF_TC_EGRESS : BPF_TC_INGRESS);
		DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);

		if (present(ifindex, h.attach_point))
			bpf_tc_detach(&h, &opts);
	}
	if (qdisc_ours && !filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) &&
	    !filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS))) {
		struct bpf_tc_hook h = hook(ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);

		bpf_tc_hook_destroy(&h);
	}
}
