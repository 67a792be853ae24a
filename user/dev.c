// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev.h"
#include "fail.h"

#define BUF_SIZE 32768 /* netlink_recvmsg() fills no larger dump buffer */
#define DUMP_TRIES 10
#define MAX_LEVELS 8 /* the kernel stacks no deeper: MAX_NEST_DEV */

static void read_linkinfo(struct dev *dev, const struct nlattr *linkinfo)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, linkinfo) {
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			snprintf(dev->kind, sizeof(dev->kind), "%s", mnl_attr_get_str(attr));
	}
}

static void read_xdp(struct dev *dev, const struct nlattr *xdp)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, xdp) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_XDP_ATTACHED:
			dev->xdp_attached = mnl_attr_get_u8(attr);
			break;
		/*
		 * rtnl_xdp_fill() leaves IFLA_XDP_PROG_ID out under
		 * XDP_ATTACHED_MULTI, the id of each mode it always gives.
		 */
		case IFLA_XDP_DRV_PROG_ID:
		case IFLA_XDP_SKB_PROG_ID:
		case IFLA_XDP_HW_PROG_ID:
			dev->xdp_prog_id = mnl_attr_get_u32(attr);
			break;
		}
	}
}

static void read_dev(struct dev *dev, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool foreign_link = false;

	*dev = (struct dev){
		.ifindex = ifi->ifi_index,
		.flags = ifi->ifi_flags,
		.type = ifi->ifi_type,
		.loopback = ifi->ifi_flags & IFF_LOOPBACK,
	};
	mnl_attr_for_each(attr, nlh, sizeof(*ifi)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			snprintf(dev->name, sizeof(dev->name), "%s", mnl_attr_get_str(attr));
			break;
		case IFLA_LINKINFO:
			read_linkinfo(dev, attr);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == sizeof(dev->mac))
				memcpy(dev->mac, mnl_attr_get_payload(attr), sizeof(dev->mac));
			break;
		case IFLA_MTU:
			dev->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_MASTER:
			dev->master = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			dev->link = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			foreign_link = true;
			break;
		case IFLA_PARENT_DEV_NAME:
			dev->has_parent = true;
			break;
		case IFLA_XDP:
			read_xdp(dev, attr);
			break;
		}
	}
	/* the ifindex is one of that other namespace, and may be in use here too */
	if (foreign_link)
		dev->link = 0;
}

static int add_dev(const struct nlmsghdr *nlh, void *data)
{
	struct dev_list *list = data;
	struct dev *dev = reallocarray(list->dev, list->n + 1, sizeof(*dev));

	if (!dev)
		return MNL_CB_ERROR;
	list->dev = dev;
	read_dev(&list->dev[list->n++], nlh);
	return MNL_CB_OK;
}

/* libmnl takes every NLMSG_DONE for success, but netlink_dump() puts its errno there. */
static int end_dump(const struct nlmsghdr *nlh, void *data)
{
	const int *error = mnl_nlmsg_get_payload(nlh);

	(void)data;
	errno = -*error;
	return *error ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int receive_devs(struct mnl_socket *nl, struct dev_list *list)
{
	mnl_cb_t control[] = {
		[NLMSG_ERROR] = end_dump,
		[NLMSG_DONE] = end_dump,
	};
	_Alignas(struct nlmsghdr) char buf[BUF_SIZE];
	ssize_t len;
	int ret;

	do {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			return -1;
		ret = mnl_cb_run2(buf, len, 0, mnl_socket_get_portid(nl), add_dev, list,
				  control, MNL_ARRAY_SIZE(control));
	} while (ret == MNL_CB_OK);
	return ret;
}

static int request_devs(struct mnl_socket *nl)
{
	_Alignas(struct nlmsghdr) char buf[MNL_NLMSG_HDRLEN + sizeof(struct ifinfomsg)];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	return mnl_socket_sendto(nl, nlh, nlh->nlmsg_len);
}

/* Returns an errno. */
static int dump_devs(struct dev_list *list)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err = 0;

	if (!nl)
		return errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) || request_devs(nl) < 0 ||
	    receive_devs(nl, list) < 0)
		err = errno;
	mnl_socket_close(nl);
	return err;
}

int dev_list_get(struct dev_list *list)
{
	int err;

	*list = (struct dev_list){ 0 };
	for (int i = 0; i < DUMP_TRIES; i++) {
		err = dump_devs(list);
		if (!err)
			return 0;
		dev_list_free(list);
		/* mnl_cb_run2() says EINTR for a dump with NLM_F_DUMP_INTR */
		if (err != EINTR)
			return sw_err("cannot list network devices: %s; does `ip link` work?",
				      strerror(err));
	}
	return sw_err("cannot list network devices: they keep changing; try again");
}

void dev_list_free(struct dev_list *list)
{
	free(list->dev);
	*list = (struct dev_list){ 0 };
}

const struct dev *dev_by_name(const struct dev_list *list, const char *name)
{
	for (int i = 0; i < list->n; i++)
		if (!strcmp(list->dev[i].name, name))
			return &list->dev[i];
	return NULL;
}

const struct dev *dev_by_index(const struct dev_list *list, int ifindex)
{
	for (int i = 0; i < list->n; i++)
		if (list->dev[i].ifindex == ifindex)
			return &list->dev[i];
	return NULL;
}

/* What upper is to lower when it sits directly on it, else NULL. */
static const char *relation(const struct dev *upper, const struct dev *lower)
{
	/* Not every IFLA_LINK: a tunnel's packets cross its link as other packets. */
	static const struct {
		const char *kind;
		const char *relation;
	} links[] = {
		{ "vlan", "a VLAN of" },
		{ "macvlan", "a macvlan of" },
		{ "macvtap", "a macvtap of" },
		{ "ipvlan", "an ipvlan of" },
		{ "ipvtap", "an ipvtap of" },
		{ "veth", "the other end of" },
		{ "netkit", "the other end of" },
	};

	if (lower->master == upper->ifindex)
		return "the master of";
	if (upper->link != lower->ifindex)
		return NULL;
	for (size_t i = 0; i < MNL_ARRAY_SIZE(links); i++)
		if (!strcmp(upper->kind, links[i].kind))
			return links[i].relation;
	return NULL;
}

/* The steps of stacked(): MAX_LEVELS of two names and a relation. */
static char chain[MAX_LEVELS * (2 * IFNAMSIZ + 32)];

/*
 * Does upper stand on lower, at most levels steps up? On true chain, from at
 * on, says how.
 */
static bool stacked(const struct dev_list *list, const struct dev *upper,
		    const struct dev *lower, int levels, size_t at)
{
	for (int i = 0; i < list->n; i++) {
		const struct dev *next = &list->dev[i];
		const char *is = relation(next, lower);
		int len;

		if (!is)
			continue;
		len = snprintf(chain + at, sizeof(chain) - at, "%s%s is %s %s",
			       at ? ", " : "", next->name, is, lower->name);
		if (next->ifindex == upper->ifindex)
			return true;
		if (levels > 1 && stacked(list, upper, next, levels - 1, at + len))
			return true;
	}
	return false;
}

bool dev_overlap(const struct dev_list *list, const struct dev *a,
		 const struct dev *b, const char **why)
{
	*why = chain;
	/* The shortest chain first: the two ends of a veth make a loop. */
	for (int levels = 1; levels <= MAX_LEVELS; levels++)
		if (stacked(list, a, b, levels, 0) || stacked(list, b, a, levels, 0))
			return true;
	return false;
}
