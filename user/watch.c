// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "watch.h"

#define BUF_SIZE 4096

/* Where the kernel sends a packet: the device, and who gets it there. */
struct hop {
	uint32_t ifindex;
	uint8_t family;
	uint8_t addr[16];
};

static size_t addr_len(uint32_t family)
{
	return family == SW_AF_INET ? 4 : 16;
}

/* Send one request and read its answer into buf; NULL when there is none. */
static const struct nlmsghdr *ask(struct watch *w, char *buf, struct nlmsghdr *nlh)
{
	int len;

	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++w->seq;
	if (mnl_socket_sendto(w->nl, nlh, nlh->nlmsg_len) < 0)
		return NULL;
	do {
		len = mnl_socket_recvfrom(w->nl, buf, BUF_SIZE);
		nlh = (struct nlmsghdr *)buf;
		if (len < 0 || !mnl_nlmsg_ok(nlh, len))
			return NULL;
	} while (nlh->nlmsg_seq != w->seq);
	return nlh->nlmsg_type == NLMSG_ERROR ? NULL : nlh;
}

static bool find_hop(struct watch *w, const struct watch_query *q, struct hop *hop)
{
	_Alignas(struct nlmsghdr) char buf[BUF_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	uint32_t side = q->side & 1, family = q->key->family;
	const struct nlmsghdr *answer;
	const struct nlattr *attr;

	nlh->nlmsg_type = RTM_GETROUTE;
	rt->rtm_family = family;
	rt->rtm_dst_len = rt->rtm_src_len = addr_len(family) * 8;
	mnl_attr_put(nlh, RTA_DST, addr_len(family), q->key->addr[side ^ 1]);
	mnl_attr_put(nlh, RTA_SRC, addr_len(family), q->key->addr[side]);
	mnl_attr_put_u8(nlh, RTA_IP_PROTO, SW_IPPROTO_TCP);
	mnl_attr_put_u16(nlh, RTA_SPORT, q->key->port[side]);
	mnl_attr_put_u16(nlh, RTA_DPORT, q->key->port[side ^ 1]);
	if (q->bound)
		mnl_attr_put_u32(nlh, RTA_OIF, q->bound);
	if (q->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, q->mark);

	memset(hop, 0, sizeof(*hop));
	hop->family = family;
	memcpy(hop->addr, q->key->addr[side ^ 1], addr_len(family));
	answer = ask(w, buf, nlh);
	if (!answer || answer->nlmsg_type != RTM_NEWROUTE)
		return false;
	mnl_attr_for_each(attr, answer, sizeof(*rt)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			hop->ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			memcpy(hop->addr, mnl_attr_get_payload(attr), addr_len(family));
			break;
		case RTA_VIA: /* IPv4 by an IPv6 gateway */
			hop->family = SW_AF_INET6;
			memcpy(hop->addr,
			       ((const struct rtvia *)mnl_attr_get_payload(attr))->rtvia_addr, 16);
			break;
		}
	}
	return hop->ifindex;
}

bool watch_sees(struct watch *w, const struct watch_query *q)
{
	struct hop hop;

	if (!find_hop(w, q, &hop))
		return false;
	for (int i = 0; i < w->devs.n; i++)
		if (w->devs.dev[i].ifindex == (int)hop.ifindex)
			return w->seen[i];
	return false;
}

bool watch_stuck(struct watch *w, const struct watch_query *q)
{
	_Alignas(struct nlmsghdr) char buf[BUF_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));
	const struct nlmsghdr *answer;
	struct hop hop;

	if (!find_hop(w, q, &hop))
		return false;
	nlh->nlmsg_type = RTM_GETNEIGH;
	nd->ndm_family = hop.family;
	nd->ndm_ifindex = hop.ifindex;
	mnl_attr_put(nlh, NDA_DST, addr_len(hop.family), hop.addr);
	answer = ask(w, buf, nlh);
	if (!answer || answer->nlmsg_type != RTM_NEWNEIGH)
		return false;
	nd = mnl_nlmsg_get_payload(answer);
	return nd->ndm_state & (NUD_INCOMPLETE | NUD_FAILED);
}

int watch_open(struct watch *w, const uint32_t *ifindex, int n)
{
	const char *why;

	*w = (struct watch){ 0 };
	if (dev_list_get(&w->devs))
		return -1;
	w->seen = calloc(w->devs.n + 1, sizeof(*w->seen));
	w->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!w->seen || !w->nl || mnl_socket_bind(w->nl, 0, MNL_SOCKET_AUTOPID)) {
		sw_err("cannot ask for routes: %s; does `ip route` work?", strerror(errno));
		watch_close(w);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		const struct dev *attached = dev_by_index(&w->devs, ifindex[i]);

		for (int k = 0; attached && k < w->devs.n; k++)
			w->seen[k] |= &w->devs.dev[k] == attached ||
				      dev_overlap(&w->devs, &w->devs.dev[k], attached, &why);
	}
	return 0;
}

void watch_close(struct watch *w)
{
	if (w->nl)
		mnl_socket_close(w->nl);
	free(w->seen);
	dev_list_free(&w->devs);
	*w = (struct watch){ 0 };
}
