// SPDX-License-Identifier: GPL-2.0
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ethtool.h"

/* include/uapi/linux/netdev.h of 6.3, which not every system has */
#define NETDEV_FAMILY "netdev"
#define NETDEV_DEV_GET 1
#define NETDEV_IFINDEX 1
#define NETDEV_XDP_FEATURES 3
#define NETDEV_XDP_BASIC 1
#define NETDEV_XDP_RX_SG 32

static bool ask(const char *dev, void *request)
{
	struct ifreq ifr = { .ifr_data = request };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ok = fd >= 0 && !ioctl(fd, SIOCETHTOOL, &ifr);
	if (fd >= 0)
		close(fd);
	return ok;
}

bool driver_no_tx_checksum(const char *dev)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM };

	return ask(dev, &value);
}

/* One generic netlink request; calls fn for each attribute of its answer. */
static void genl(struct mnl_socket *nl, uint16_t family, uint8_t cmd, uint16_t type,
		 const void *data, size_t len, void (*fn)(const struct nlattr *attr, void *arg),
		 void *arg)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	const struct nlattr *attr;
	int n;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	g->cmd = cmd;
	g->version = 1;
	mnl_attr_put(nlh, type, len, data);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	nlh = (struct nlmsghdr *)buf;
	if (n < 0 || !mnl_nlmsg_ok(nlh, n) || nlh->nlmsg_type == NLMSG_ERROR)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*g)) fn(attr, arg);
}

static void read_family(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*(uint16_t *)arg = mnl_attr_get_u16(attr);
}

static void read_features(const struct nlattr *attr, void *arg)
{
	struct driver *d = arg;

	if (mnl_attr_get_type(attr) != NETDEV_XDP_FEATURES)
		return;
	d->xdp_known = true;
	d->xdp = mnl_attr_get_u64(attr) & NETDEV_XDP_BASIC;
	d->xdp_frags = mnl_attr_get_u64(attr) & NETDEV_XDP_RX_SG;
}

static void read_xdp(struct driver *d, uint32_t ifindex)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	uint16_t family = 0;

	if (!nl)
		return;
	if (!mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		genl(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY,
		     sizeof(NETDEV_FAMILY), read_family, &family);
	if (family)
		genl(nl, family, NETDEV_DEV_GET, NETDEV_IFINDEX, &ifindex, sizeof(ifindex),
		     read_features, d);
	mnl_socket_close(nl);
}

struct driver driver_get(const char *dev, int ifindex)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct driver d = { 0 };

	if (ask(dev, &info))
		snprintf(d.name, sizeof(d.name), "%.31s", info.driver);
	d.strips_vlan = ask(dev, &flags) && flags.data & ETH_FLAG_RXVLAN;
	read_xdp(&d, ifindex);
	return d;
}
