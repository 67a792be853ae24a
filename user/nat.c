// SPDX-License-Identifier: GPL-2.0
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "nat.h"

struct names {
	char *buf;
	size_t size, len;
};

static void add(struct names *n, const char *family, const char *table, const char *chain)
{
	int len;

	if (n->len >= n->size)
		return;
	len = snprintf(n->buf + n->len, n->size - n->len, "%s%s %s%s%s", n->len ? ", " : "", family,
		       table, *chain ? " " : "", chain);
	n->len = (size_t)len < n->size - n->len ? n->len + len : n->size;
}

static const char *family_name(uint8_t family)
{
	return family == 1 /* NFPROTO_INET */ ? "inet" : family == AF_INET ? "ip" : "ip6";
}

static int on_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const char *table = "", *chain = "", *type = "";
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(*nfg))
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_CHAIN_TABLE:
			table = mnl_attr_get_str(attr);
			break;
		case NFTA_CHAIN_NAME:
			chain = mnl_attr_get_str(attr);
			break;
		case NFTA_CHAIN_TYPE:
			type = mnl_attr_get_str(attr);
			break;
		}
	}
	if (!strcmp(type, "nat"))
		add(arg, family_name(nfg->nfgen_family), table, chain);
	return MNL_CB_OK;
}

static void nftables(struct names *n)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	int len;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	if (!nl)
		return;
	if (!mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0)
		while ((len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
			if (mnl_cb_run(buf, len, 0, mnl_socket_get_portid(nl), on_chain, n) <= 0)
				break;
	mnl_socket_close(nl);
}

/* The iptables before nftables: tables are there once somebody has used them. */
static void iptables(struct names *n, const char *path, const char *family)
{
	FILE *f = fopen(path, "re");
	char line[64];

	while (f && fgets(line, sizeof(line), f))
		if (!strcmp(line, "nat\n"))
			add(n, family, "nat", "");
	if (f)
		fclose(f);
}

bool nat_chains(char *buf, size_t size)
{
	struct names n = { buf, size, 0 };

	buf[0] = 0;
	nftables(&n);
	iptables(&n, "/proc/self/net/ip_tables_names", "iptables");
	iptables(&n, "/proc/self/net/ip6_tables_names", "ip6tables");
	return n.len;
}
