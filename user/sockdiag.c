// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include "fail.h"
#include "sockdiag.h"

#define LISTEN 10	/* TCP_LISTEN of the kernel */
#define BUF_SIZE 32768 /* netlink_recvmsg() fills no larger dump buffer */

static void read_addresses(struct ksock *sk, const struct inet_diag_sockid *id)
{
	if (sk->family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)id->idiag_src)) {
		sk->family = AF_INET;
		sk->src[0] = id->idiag_src[3];
		sk->dst[0] = id->idiag_dst[3];
	} else {
		memcpy(sk->src, id->idiag_src, sizeof(sk->src));
		memcpy(sk->dst, id->idiag_dst, sizeof(sk->dst));
	}
	/* tcp_disconnect() leaves the peer's address on a socket that then listens (6.18) */
	if (sk->state == LISTEN)
		memset(sk->dst, 0, sizeof(sk->dst));
}

static void read_info(struct ksock *sk, const struct tcp_info *info)
{
	sk->has_info = true;
	sk->options = info->tcpi_options;
	sk->snd_wscale = info->tcpi_snd_wscale;
	sk->rcv_wscale = info->tcpi_rcv_wscale;
	sk->snd_mss = info->tcpi_snd_mss;
	sk->notsent = info->tcpi_notsent_bytes;
}

static bool ulp_is_mptcp(const struct nlattr *ulp_info)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, ulp_info) {
		if (mnl_attr_get_type(attr) == INET_ULP_INFO_NAME)
			return !strcmp(mnl_attr_get_str(attr), "mptcp");
	}
	return false;
}

/*
 * INET_DIAG_SKV6ONLY, INET_DIAG_MARK and INET_DIAG_ULP_INFO have no bit in
 * idiag_ext (8 bits, attributes 1 to 8): inet_diag_msg_attrs_fill() sends the
 * first two unasked, tcp_diag_get_aux() the last beside INET_DIAG_INFO; the mark
 * and, before 6.15, the last only to CAP_NET_ADMIN.
 */
static void read_attrs(struct ksock *sk, const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct inet_diag_msg)) {
		switch (mnl_attr_get_type(attr)) {
		case INET_DIAG_INFO:
			read_info(sk, mnl_attr_get_payload(attr));
			break;
		case INET_DIAG_SKV6ONLY:
			sk->v6only = mnl_attr_get_u8(attr);
			break;
		case INET_DIAG_MARK:
			sk->mark = mnl_attr_get_u32(attr);
			break;
		case INET_DIAG_ULP_INFO:
			sk->mptcp = sk->state == LISTEN && ulp_is_mptcp(attr);
			break;
		}
	}
}

/* inet_req_diag_fill() and inet_twsk_diag_fill() fold the states themselves. */
static void read_sock(struct ksock *sk, const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);

	*sk = (struct ksock){
		.family = msg->idiag_family,
		.state = msg->idiag_state,
		.sport = ntohs(msg->id.idiag_sport),
		.dport = ntohs(msg->id.idiag_dport),
		.ifindex = msg->id.idiag_if,
		.cookie = (uint64_t)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0],
		.rqueue = msg->idiag_rqueue,
		.wqueue = msg->idiag_wqueue,
		.inode = msg->idiag_inode,
		.uid = msg->idiag_uid,
		.timer = msg->idiag_timer,
		.retrans = msg->idiag_retrans,
		.expires_ms = msg->idiag_expires,
	};
	read_addresses(sk, &msg->id);
	read_attrs(sk, nlh);
}

static int request(struct mnl_socket *nl, uint8_t family, unsigned int states, bool with_info)
{
	_Alignas(struct nlmsghdr) char buf[MNL_NLMSG_HDRLEN + sizeof(struct inet_diag_req_v2)];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = states;
	if (with_info)
		req->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	return mnl_socket_sendto(nl, nlh, nlh->nlmsg_len);
}

/* The payload of NLMSG_ERROR and NLMSG_DONE alike starts with a negative errno. */
static int end_dump(const struct nlmsghdr *nlh)
{
	const int *error = mnl_nlmsg_get_payload(nlh);

	errno = -*error;
	return *error ? -1 : 0;
}

/*
 * Not mnl_cb_run(): it takes every NLMSG_DONE for success and ends at
 * NLM_F_DUMP_INTR. Returns 1 when fn ended the dump.
 */
static int receive(struct mnl_socket *nl, sockdiag_fn fn, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[BUF_SIZE];

	for (;;) {
		const struct nlmsghdr *nlh = (const void *)buf;
		int len = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		if (len < 0)
			return -1;
		for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			struct ksock sk;

			if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
				return end_dump(nlh);
			read_sock(&sk, nlh);
			if (fn(&sk, arg))
				return 1;
		}
	}
}

static int dump_error(void)
{
	/* no handler for TCP, no NETLINK_SOCK_DIAG at all */
	if (errno == ENOENT || errno == EPROTONOSUPPORT)
		return sw_err("cannot list TCP sockets: the kernel lacks CONFIG_INET_DIAG; "
			      "try `modprobe tcp_diag`");
	return sw_err("cannot list TCP sockets: %s; does `ss -tan` work?", strerror(errno));
}

int sockdiag_dump(unsigned int states, bool with_info, sockdiag_fn fn, void *arg)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int ret = 0;

	if (!nl)
		return dump_error();
	for (size_t i = 0; i < MNL_ARRAY_SIZE(families) && !ret; i++) {
		ret = request(nl, families[i], states, with_info);
		if (ret >= 0)
			ret = receive(nl, fn, arg);
	}
	if (ret < 0)
		dump_error();
	mnl_socket_close(nl);
	return ret < 0 ? -1 : 0;
}
