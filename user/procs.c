// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sockdiag.h"

struct owner {
	uint32_t inode;
	char comm[16];
};

struct procs {
	struct owner *owner;
	size_t n, size;
};

/* 0 when the process is gone or not ours to look at. */
static ino_t net_inode(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, 0) ? 0 : st.st_ino;
}

static int read_comm(int piddir, char comm[16])
{
	int fd = openat(piddir, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, comm, 16);
	close(fd);
	if (len <= 0)
		return -1;
	comm[len - 1] = '\0'; /* over the newline */
	return 0;
}

static int reserve(struct procs *p, size_t size)
{
	struct owner *owner = reallocarray(p->owner, size, sizeof(*owner));

	if (!owner)
		return -1;
	p->owner = owner;
	p->size = size;
	return 0;
}

static int add_owner(struct procs *p, const struct owner *owner)
{
	if (p->n == p->size && reserve(p, 2 * p->size))
		return -1;
	p->owner[p->n++] = *owner;
	return 0;
}

static int add_sockets(struct procs *p, DIR *fds, struct owner *owner)
{
	struct dirent *fd;

	while ((fd = readdir(fds))) {
		char target[32];
		ssize_t len = readlinkat(dirfd(fds), fd->d_name, target, sizeof(target) - 1);

		if (len < 0)
			continue;
		target[len] = '\0';
		if (sscanf(target, "socket:[%" SCNu32 "]", &owner->inode) == 1 &&
		    add_owner(p, owner))
			return -1;
	}
	return 0;
}

/* A process that cannot be read, mostly because it just ended, adds nothing. */
static int add_process(struct procs *p, int piddir, ino_t netns)
{
	struct owner owner;
	DIR *fds;
	int fd, ret;

	if (net_inode(piddir, "ns/net") != netns || read_comm(piddir, owner.comm))
		return 0;
	fd = openat(piddir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	fds = fdopendir(fd);
	if (!fds) {
		close(fd);
		return -1;
	}
	ret = add_sockets(p, fds, &owner);
	closedir(fds);
	return ret;
}

static int add_processes(struct procs *p, DIR *proc)
{
	ino_t netns = net_inode(dirfd(proc), "self/ns/net");
	struct dirent *entry;
	int ret = netns ? 0 : -1;

	while (!ret && (entry = readdir(proc))) {
		int piddir;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		piddir = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (piddir < 0)
			continue;
		ret = add_process(p, piddir, netns);
		close(piddir);
	}
	return ret;
}

static int compare(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static int fill(struct procs *p)
{
	DIR *proc = opendir("/proc");
	int ret;

	if (!proc)
		return -1;
	ret = add_processes(p, proc);
	closedir(proc);
	return ret;
}

struct procs *procs_scan(void)
{
	struct procs *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (reserve(p, 256) || fill(p)) {
		procs_free(p);
		return NULL;
	}
	qsort(p->owner, p->n, sizeof(*p->owner), compare);
	return p;
}

const char *procs_name(const struct procs *p, uint32_t inode)
{
	const struct owner key = { .inode = inode };
	const struct owner *found = bsearch(&key, p->owner, p->n, sizeof(key), compare);

	return found ? found->comm : NULL;
}

void procs_free(struct procs *p)
{
	if (!p)
		return;
	free(p->owner);
	free(p);
}
