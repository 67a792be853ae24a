// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clsact.h"
#include "backend.h"
#include "dev.h"
#include "ethtool.h"
#include "fail.h"
#include "guard.h"
#include "object.h"
#include "selftest.h"
#include "sockdiag.h"
#include "tcx.h"

/* TEST-NET-2 (RFC 5737): nobody's. */
#define SERVER 0xc6336401u /* 198.51.100.1 */
#define CLIENT 0xc6336402u
#define PREFIX_BITS 30
#define PEER "synward" /* the client's device, alone in its namespace */
#define ANSWER_MS 1000 /* a SYN that is not answered within it was dropped */
#define MAX_PORTS 4    /* that are tried: our own, and listeners */
#define MAX_HOOKS 3
#define COOKIE_TRIES 3

struct test {
	int home, away; /* network namespaces: this one, and the client's */
	char dev[IFNAMSIZ];
	int ifindex;
	struct synward_bpf *skel;
	int link[MAX_HOOKS], n_links;
	int listener; /* socket of our own */
	uint16_t port[MAX_PORTS];
	int n_ports;
	struct sw_listener *listeners; /* mapped */
	struct sw_guard *guards;
};

static int make_namespace(struct test *t)
{
	t->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (t->home < 0 || unshare(CLONE_NEWNET))
		return sw_err("cannot make a network namespace: %s; run as root", strerror(errno));
	t->away = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (setns(t->home, CLONE_NEWNET) || t->away < 0)
		return sw_err("cannot return from a network namespace: %s", strerror(errno));
	return 0;
}

/* One rtnetlink request in the current namespace; 0 or an errno. */
static int rtnetlink(struct nlmsghdr *nlh)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err = 0, len;

	if (!nl)
		return errno;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err = errno;
	len = err ? 0 : mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (!err && mnl_cb_run(buf, len, 0, 0, NULL, NULL) < 0)
		err = errno;
	mnl_socket_close(nl);
	return err;
}

static int make_veth(const struct test *t)
{
	_Alignas(struct nlmsghdr) char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *info, *data, *peer;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, t->dev);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, PEER);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, t->away);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return rtnetlink(nlh);
}

static int remove_veth(const struct test *t)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	nlh->nlmsg_type = RTM_DELLINK;
	ifi->ifi_index = t->ifindex;
	return rtnetlink(nlh);
}

/* An address for a device of the current namespace, and the device up. */
static int configure(const char *dev, uint32_t addr)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	struct ifinfomsg *ifi;
	int err;

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = PREFIX_BITS;
	ifa->ifa_index = if_nametoindex(dev);
	mnl_attr_put_u32(nlh, IFA_LOCAL, htonl(addr));
	mnl_attr_put_u32(nlh, IFA_ADDRESS, htonl(addr));
	err = rtnetlink(nlh);
	if (err)
		return err;
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = RTM_NEWLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = if_nametoindex(dev);
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return rtnetlink(nlh);
}

static int make_wire(struct test *t)
{
	int err;

	snprintf(t->dev, sizeof(t->dev), "swd%d", (int)getpid());
	err = make_veth(t);
	if (err)
		return sw_err("cannot make a veth pair: %s", strerror(err));
	t->ifindex = if_nametoindex(t->dev);
	err = configure(t->dev, SERVER);
	if (!err && !setns(t->away, CLONE_NEWNET)) {
		err = configure(PEER, CLIENT);
		driver_no_tx_checksum(PEER); /* XDP would pass the unfinished sum on */
		if (setns(t->home, CLONE_NEWNET))
			err = errno;
	}
	return err ? sw_err("cannot configure a veth pair: %s", strerror(err)) : 0;
}

static int put(struct bpf_map *map, const void *value, size_t size)
{
	uint32_t zero = 0;

	return bpf_map__update_elem(map, &zero, sizeof(zero), value, size, BPF_ANY) ?
		       sw_err("cannot write a map: %s", strerror(errno)) :
		       0;
}

/* Maps of our own, small, with the guard armed for good. */
static int load(struct test *t, uint32_t backend)
{
	struct sw_config config = { .proven_buckets = sw_buckets_for(SW_MAX_FLOWS_MIN),
				    .half_buckets = sw_buckets_for(SW_MAX_HALF_OPEN_MIN),
				    .syn_timeout_s = SW_SYN_TIMEOUT_DEFAULT,
				    .two_msl_s = 2 * SW_MSL_DEFAULT };
	struct sw_guard all = { .now = { .mode = SW_MODE_ON, .hold_s = SW_HOLD_DEFAULT } };
	struct sw_control control = guard_control();
	struct sw_secret secret = { 0 };
	struct dev_list devs;
	const struct dev *dev;

	if (getrandom(config.seed, sizeof(config.seed), 0) != sizeof(config.seed) ||
	    getrandom(secret.key, sizeof(secret.key), 0) != sizeof(secret.key))
		return sw_err("cannot get random numbers: %s", strerror(errno));
	sw_config_lives(&config);
	if (dev_list_get(&devs))
		return -1;
	dev = dev_by_index(&devs, t->ifindex);
	if (dev)
		t->skel = object_load(&(struct object_options){
			.config = &config, .mac = dev->mac, .backend = backend });
	else
		sw_err("the veth pair is gone");
	dev_list_free(&devs);
	if (!t->skel)
		return -1;
	control.active = 1;
	return put(t->skel->maps.control, &control, sizeof(control)) ||
			       put(t->skel->maps.guards, &all, sizeof(all)) ||
			       put(t->skel->maps.secret, &secret, sizeof(secret)) ?
		       -1 :
		       0;
}

static int attach_tc(struct test *t, struct bpf_program *prog, bool egress, bool *tcx)
{
	int fd = bpf_link_create(bpf_program__fd(prog), t->ifindex,
				 egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, NULL);
	bool made;

	*tcx = fd >= 0;
	if (*tcx)
		t->link[t->n_links++] = fd;
	else if (clsact_attach(t->ifindex, egress, bpf_program__fd(prog), true, &made))
		return -1;
	return 0;
}

static int attach(struct test *t, bool admit, bool *tcx)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, generic, .flags = XDP_FLAGS_SKB_MODE);
	int fd;

	if (attach_tc(t, t->skel->progs.sw_egress, true, tcx) ||
	    (admit && attach_tc(t, t->skel->progs.sw_admit, false, tcx)))
		return -1;
	fd = bpf_link_create(bpf_program__fd(t->skel->progs.sw_xdp), t->ifindex, BPF_XDP, &generic);
	if (fd < 0)
		return sw_err("cannot attach XDP to a veth: %s", strerror(errno));
	t->link[t->n_links++] = fd;
	return 0;
}

static int own_listener(struct test *t)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(SERVER) };
	socklen_t len = sizeof(at);

	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->listener < 0 || bind(t->listener, (struct sockaddr *)&at, len) ||
	    listen(t->listener, 16) || getsockname(t->listener, (struct sockaddr *)&at, &len))
		return sw_err("cannot listen: %s", strerror(errno));
	t->port[t->n_ports++] = ntohs(at.sin_port);
	return 0;
}

/* Listeners that take any address: a ruleset may let nobody in but to these. */
static int add_port(const struct ksock *sk, void *arg)
{
	struct test *t = arg;

	if (sk->src[0] | sk->src[1] | sk->src[2] | sk->src[3] || sk->v6only || sk->ifindex ||
	    sk->mptcp)
		return 0;
	for (int i = 0; i < t->n_ports; i++)
		if (t->port[i] == sk->sport)
			return 0;
	t->port[t->n_ports++] = sk->sport;
	return t->n_ports == MAX_PORTS;
}

static int connect_to(struct test *t, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(SERVER),
				  .sin_port = htons(port) };
	struct linger abort = { .l_onoff = 1 }; /* leaves no TIME_WAIT */
	struct pollfd p = { .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	if (setns(t->away, CLONE_NEWNET))
		return -1;
	p.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (setns(t->home, CLONE_NEWNET) || p.fd < 0)
		return p.fd;
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	connect(p.fd, (struct sockaddr *)&to, sizeof(to));
	if (poll(&p, 1, ANSWER_MS) == 1 && !getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len) &&
	    !err)
		return p.fd;
	close(p.fd);
	return -1;
}

struct wanted {
	uint16_t port, client;
	bool found;
};

static int is_wanted(const struct ksock *sk, void *arg)
{
	struct wanted *w = arg;

	w->found = sk->sport == w->port && sk->dport == w->client && sk->dst[0] == htonl(CLIENT);
	return w->found;
}

/* Has the kernel here the connection? The client's ACK may be a moment on its way. */
static bool has_connection(uint16_t port, int client)
{
	struct sockaddr_in at = { 0 };
	socklen_t len = sizeof(at);
	struct wanted w = { .port = port };

	getsockname(client, (struct sockaddr *)&at, &len);
	w.client = ntohs(at.sin_port);
	for (int i = 0; i < ANSWER_MS / 10 && !w.found; i++) {
		if (i)
			usleep(10000);
		sockdiag_dump(1u << 1 /* TCP_ESTABLISHED */, false, is_wanted, &w);
	}
	return w.found;
}

/* The programs learn of a listener by the kernel's SYN-ACK. */
static uint32_t listener_of(const struct test *t, uint16_t port)
{
	for (uint32_t i = 1; i < SW_MAX_LISTENERS; i++)
		if (t->listeners[i].flags & SW_L_USED && t->listeners[i].port == htons(port))
			return i;
	return 0;
}

static void read_served(const struct test *t, struct selftest *result)
{
	for (uint32_t i = 0; i < SW_SERVED; i++) {
		struct sw_served s;

		if (bpf_map__lookup_elem(t->skel->maps.served, &i, sizeof(i), &s, sizeof(s), 0) ||
		    s.port != htons(result->port) || s.addr[0] != htonl(SERVER))
			continue;
		result->tracked = s.conntrack;
		result->nat = s.nat;
	}
}

/* The kernel's own answer, on the first port that gets one. */
static void try_plain(struct test *t, struct selftest *result)
{
	for (int i = 0; i < t->n_ports && !result->connected; i++) {
		int fd = connect_to(t, t->port[i]);

		if (fd < 0)
			continue;
		result->port = t->port[i];
		result->connected = has_connection(t->port[i], fd);
		result->mirrored = t->listeners[listener_of(t, t->port[i])].completed;
		close(fd);
	}
	read_served(t, result);
}

/* The next ones; a single loss is no verdict. */
static void try_cookie(struct test *t, struct selftest *result)
{
	for (int i = 0; i < COOKIE_TRIES && !result->cookie_opened; i++) {
		int fd = connect_to(t, result->port);

		result->cookie_sent = t->guards[listener_of(t, result->port)].cookies_sent;
		if (fd < 0)
			continue;
		result->cookie_opened = has_connection(result->port, fd);
		close(fd);
	}
}

static void *map_of(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int run(struct test *t, struct selftest *result)
{
	uint32_t backend;

	backend_pick(BACKEND_AUTO, &backend);
	result->cookies = backend != SW_BACKEND_NONE;
	if (make_namespace(t) || make_wire(t))
		return -1;
	result->refused = load(t, backend) || attach(t, result->cookies, &result->tcx);
	if (result->refused || own_listener(t))
		return -1;
	if (sockdiag_dump(1u << 10, true, add_port, t))
		return -1;
	t->listeners = map_of(t->skel->maps.listeners, SW_MAX_LISTENERS * sizeof(*t->listeners));
	t->guards = map_of(t->skel->maps.guards, SW_MAX_LISTENERS * sizeof(*t->guards));
	if (!t->listeners || !t->guards)
		return sw_err("cannot map the programs' maps: %s", strerror(errno));
	try_plain(t, result);
	if (result->connected && result->cookies)
		try_cookie(t, result);
	return 0;
}

int selftest_run(struct selftest *result)
{
	struct test t = { .home = -1, .away = -1, .listener = -1 };
	int ret;

	memset(result, 0, sizeof(*result));
	ret = run(&t, result);
	if (t.listener >= 0)
		close(t.listener);
	for (int i = 0; i < t.n_links; i++)
		close(t.link[i]);
	if (t.listeners)
		munmap(t.listeners, SW_MAX_LISTENERS * sizeof(*t.listeners));
	if (t.guards)
		munmap(t.guards, SW_MAX_LISTENERS * sizeof(*t.guards));
	if (t.skel)
		synward_bpf__destroy(t.skel);
	if (t.ifindex)
		remove_veth(&t);
	if (t.away >= 0)
		close(t.away);
	if (t.home >= 0)
		close(t.home);
	return ret;
}
