// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "lab.h"

/* What a host may have been tuned to: the textbook is played with Linux's defaults. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{ "tcp_timestamps", "1" },
	{ "tcp_sack", "1" },
	{ "tcp_window_scaling", "1" },
	{ "tcp_ecn", "2" },
	{ "tcp_syncookies", "1" },
	{ "tcp_max_syn_backlog", "1024" },
	{ "tcp_syn_retries", "6" },
	{ "tcp_synack_retries", "5" },
	{ "tcp_syn_linear_timeouts", "0" }, /* 6.5 begins with four of a second: RFC 6298 doubles */
	{ "tcp_fin_timeout", "60" },
	{ "tcp_rfc1337", "0" },
	{ "tcp_abort_on_overflow", "0" },
	{ "tcp_rmem", "4096 131072 6291456" },
	{ "tcp_wmem", "4096 16384 4194304" },
};

static const char *const address[2] = { LAB_CLIENT, LAB_SERVER };
static const uint8_t mac[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };

static struct sockaddr inet(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr out;

	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(&out, &in, sizeof(out));
	return out;
}

static bool write_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	f = fopen(path, "we");
	if (!f)
		return false;
	fputs(value, f);
	return !fclose(f);
}

bool lab_net_sysctl(const struct lab_net *n, int end, const char *name, const char *value)
{
	char path[64];
	bool good;

	snprintf(path, sizeof(path), "ipv4/%s", name);
	good = lab_net_enter(n, end) && write_sysctl(path, value);
	lab_net_enter(n, -1);
	return good;
}

static int set_up(int fd, struct ifreq *r)
{
	if (ioctl(fd, SIOCGIFFLAGS, r))
		return -1;
	r->ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, r);
}

/* Address, the other end's hardware address, and for the server a way to the spoofed sources. */
static int configure(int end, int fd, const char *dev)
{
	struct ifreq r = { 0 }, lo = { .ifr_name = "lo" };
	struct arpreq arp = { .arp_flags = ATF_PERM | ATF_COM, .arp_pa = inet(address[end ^ 1]) };
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY, .rt_gateway = inet(LAB_CLIENT),
				 .rt_dst = inet("198.18.0.0"), .rt_genmask = inet("255.254.0.0") };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", dev);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, mac[end], sizeof(mac[end]));
	if (ioctl(fd, SIOCSIFHWADDR, &r))
		return -1;
	r.ifr_addr = inet(address[end]);
	if (ioctl(fd, SIOCSIFADDR, &r))
		return -1;
	r.ifr_netmask = inet("255.255.255.0");
	if (ioctl(fd, SIOCSIFNETMASK, &r) || set_up(fd, &r) || set_up(fd, &lo))
		return -1;
	snprintf(arp.arp_dev, sizeof(arp.arp_dev), "%s", dev);
	arp.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(arp.arp_ha.sa_data, mac[end ^ 1], sizeof(mac[end]));
	if (ioctl(fd, SIOCSARP, &arp))
		return -1;
	return end == SERVER ? ioctl(fd, SIOCADDRT, &route) : 0;
}

/* A new namespace for this process, with one device whose other side is n->tap[end]. */
static int make(struct lab_net *n, int end)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = -1, ret = -1;

	if (unshare(CLONE_NEWNET))
		return sw_err("cannot make a network namespace: %s; run as root", strerror(errno));
	n->ns[end] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	n->tap[end] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (n->tap[end] < 0)
		return sw_err("cannot open /dev/net/tun: %s; try: modprobe tun", strerror(errno));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%c0", end == CLIENT ? 'c' : 's');
	write_sysctl("ipv6/conf/all/disable_ipv6", "1");
	write_sysctl("ipv6/conf/default/disable_ipv6", "1");
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
		char path[64];

		snprintf(path, sizeof(path), "ipv4/%s", defaults[i].name);
		write_sysctl(path, defaults[i].value);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->ns[end] >= 0 && fd >= 0 && !ioctl(n->tap[end], TUNSETIFF, &r))
		ret = configure(end, fd, r.ifr_name);
	if (ret)
		sw_err("cannot set up a device: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

int lab_net_open(struct lab_net *n)
{
	*n = (struct lab_net){ .ns = { -1, -1 }, .tap = { -1, -1 } };
	n->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (n->home < 0)
		return sw_err("cannot open /proc/self/ns/net: %s", strerror(errno));
	if (!make(n, CLIENT) && !make(n, SERVER)) {
		lab_net_enter(n, -1);
		return 0;
	}
	lab_net_close(n);
	return -1;
}

void lab_net_close(struct lab_net *n)
{
	int fds[] = { n->tap[0], n->tap[1], n->ns[0], n->ns[1], n->home };

	setns(n->home, CLONE_NEWNET); /* why it is closed may be told already */
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

bool lab_net_enter(const struct lab_net *n, int end)
{
	if (!setns(end < 0 ? n->home : n->ns[end], CLONE_NEWNET))
		return true;
	sw_err("cannot enter a network namespace: %s", strerror(errno));
	return false;
}
