// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "netns.h"

#ifndef SO_NETNS_COOKIE /* include/uapi/asm-generic/socket.h of 5.14; newer than some libcs */
#define SO_NETNS_COOKIE 71
#endif

static bool is_number(const char *s)
{
	return s[strspn(s, "0123456789")] == '\0';
}

static int open_spec(const char *spec)
{
	char path[PATH_MAX];
	int fd;

	if (strchr(spec, '/'))
		return open(spec, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/run/netns/%s", spec);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT || !is_number(spec))
		return fd;
	snprintf(path, sizeof(path), "/proc/%s/ns/net", spec);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int enter(int fd, const char *spec)
{
	if (!setns(fd, CLONE_NEWNET))
		return 0;
	if (errno == EINVAL)
		return sw_err("'%s' is not a network namespace; see `ip netns list`", spec);
	return sw_err("cannot enter network namespace '%s': %s; run as root",
		      spec, strerror(errno));
}

int netns_enter(const char *spec)
{
	int fd = open_spec(spec);
	int ret;

	if (fd < 0)
		return sw_err("cannot open network namespace '%s': %s; %s",
			      spec, strerror(errno), errno == EACCES ? "run as root" :
			      "give a name from `ip netns list`, a PID or a path");
	ret = enter(fd, spec);
	close(fd);
	return ret;
}

ino_t netns_inode(void)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st)) {
		sw_err("cannot read /proc/self/ns/net: %s; is /proc mounted?", strerror(errno));
		return 0;
	}
	return st.st_ino;
}

uint64_t netns_cookie(void)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	close(fd);
	return cookie;
}
