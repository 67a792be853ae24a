// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fail.h"
#include "netns.h"
#include "pin.h"

#define BPFFS "/sys/fs/bpf"

const char *pin_dir(void)
{
	static char dir[64];
	ino_t inode = netns_inode();

	if (!inode)
		return NULL;
	snprintf(dir, sizeof(dir), PIN_ROOT "/%lu", (unsigned long)inode);
	return dir;
}

void pin_path(char *buf, size_t size, const char *name)
{
	snprintf(buf, size, "%s/%s", pin_dir(), name);
}

void pin_link_path(char *buf, size_t size, int ifindex, const char *hook)
{
	snprintf(buf, size, "%s/" PIN_LINK "%d_%s", pin_dir(), ifindex, hook);
}

bool pin_is_mounted(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/*
 * Init's mount namespace? A hardened host may hide init's link even from root;
 * then the number tells: the first namespaces have fixed or the lowest inodes
 * (0xeffffff8 by include/uapi/linux/nsfs.h of 6.18, 0xf0000000 or the next before).
 */
bool pin_may_mount(void)
{
	struct stat own, init;

	if (stat("/proc/self/ns/mnt", &own))
		return false;
	if (!stat("/proc/1/ns/mnt", &init))
		return own.st_ino == init.st_ino;
	return own.st_ino <= 0xf0000001u;
}

int pin_mount(void)
{
	if (pin_is_mounted())
		return 0;
	if (!pin_may_mount())
		return sw_err("no bpffs at " BPFFS " in this mount namespace, where a pin would not last: "
			      "use --netns instead of `ip netns exec`, or mount -t bpf bpf " BPFFS);
	if (mkdir(BPFFS, 0700) && errno != EEXIST)
		return sw_err("cannot make " BPFFS ": %s; is sysfs mounted?", strerror(errno));
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=0700"))
		return sw_err("cannot mount bpffs: %s; try: mount -t bpf bpf " BPFFS,
			      strerror(errno));
	fprintf(stderr, "synward: mounted bpffs at " BPFFS "\n");
	return 0;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ?
		       sw_err("cannot make %s: %s%s", path, strerror(errno),
			      errno == EACCES ? "; run as root" : "") :
		       0;
}

static sigset_t mask_before;

/* An interrupt waits until what was begun is done or undone. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &mask_before);
}

int pin_adopt(int fd, bool make)
{
	struct stat by_fd, by_path;
	int ret = -3;

	/* whoever held the lock may have removed the directory */
	if (!fstat(fd, &by_fd) && !stat(PIN_ROOT, &by_path) && by_fd.st_ino == by_path.st_ino) {
		if (!make || (pin_dir() && !make_dir(pin_dir()))) {
			hold_signals();
			return fd;
		}
		ret = -1;
	}
	close(fd);
	return ret;
}

static int lock(bool make, int how)
{
	for (;;) {
		int fd;

		if (make && make_dir(PIN_ROOT))
			return -1;
		fd = open(PIN_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0) {
			if (errno == ENOENT)
				return -2;
			return sw_err("cannot open " PIN_ROOT ": %s%s", strerror(errno),
				      errno == EACCES ? "; run as root" : "");
		}
		if (flock(fd, how)) {
			bool busy = errno == EWOULDBLOCK;

			close(fd);
			if (busy)
				return -3;
			return sw_err("cannot lock " PIN_ROOT ": %s", strerror(errno));
		}
		fd = pin_adopt(fd, make);
		if (fd != -3)
			return fd;
	}
}

int pin_lock(bool make)
{
	return lock(make, LOCK_EX);
}

int pin_try_lock(bool make)
{
	return lock(make, LOCK_EX | LOCK_NB);
}

void pin_unlock(int fd)
{
	if (fd < 0)
		return;
	rmdir(pin_dir());
	rmdir(PIN_ROOT);
	close(fd);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static void each(const char *prefix, void (*fn)(const char *path, void *arg), void *arg)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(pin_dir());

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		pin_path(path, sizeof(path), entry->d_name);
		fn(path, arg);
	}
	closedir(dir);
}

static void remove_pin(const char *path, void *arg)
{
	(void)arg;
	remove(path); /* a reader of events owns a directory */
}

void pin_remove(const char *prefix)
{
	each(prefix, remove_pin, NULL);
}

void pin_each_link(void (*fn)(const char *path, void *arg), void *arg)
{
	each(PIN_LINK, fn, arg);
}
