/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_DEV_H
#define SW_DEV_H

#include <linux/if.h>
#include <stdbool.h>

/* One network device as rtnetlink (RTM_GETLINK) describes it. */
struct dev {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];	    /* IFLA_INFO_KIND: "veth", "bond", ...; "" when none */
	unsigned int flags; /* IFF_* */
	unsigned short type; /* ARPHRD_*: what the link layer is */
	int mtu;
	unsigned char mac[6]; /* IFLA_ADDRESS of an Ethernet device */
	int master;	    /* IFLA_MASTER ifindex (bond, bridge, vrf), 0 when none */
	int link;	    /* IFLA_LINK ifindex when it is in this namespace, else 0
			     * (lower device of a vlan/macvlan, peer of a veth) */
	bool has_parent;    /* IFLA_PARENT_DEV_NAME present: backed by a bus device */
	bool loopback;	    /* IFF_LOOPBACK */
	unsigned int xdp_prog_id; /* IFLA_XDP: id of an attached XDP program, 0 when none */
	int xdp_attached;   /* IFLA_XDP_ATTACHED: XDP_ATTACHED_* */
};

struct dev_list {
	struct dev *dev;
	int n;
};

/* All devices of the current network namespace. 0, or -1 with sw_err(). */
int dev_list_get(struct dev_list *list);
void dev_list_free(struct dev_list *list);

/* By name or by index; NULL when there is none. Points into the list. */
const struct dev *dev_by_name(const struct dev_list *list, const char *name);
const struct dev *dev_by_index(const struct dev_list *list, int ifindex);

/*
 * True when every packet of one device also crosses the other, so that a
 * mirror on both would count it twice: a master and its slave (bond, bridge,
 * vrf), a VLAN or macvlan and its lower device, the two ends of one veth in
 * the same namespace; also through several levels. *why (static storage)
 * then says which, e.g. "bond0 is the master of eth0".
 */
bool dev_overlap(const struct dev_list *list, const struct dev *a,
		 const struct dev *b, const char **why);

#endif
