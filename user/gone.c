// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gone.h"
#include "meta.h"
#include "netns.h"
#include "pin.h"

/* A link outlives its device, with ifindex 0 (bpf_xdp_link_fill_link_info, tcx_link_fill_info). */
static bool link_dead(const char *path)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path), ret;

	if (fd < 0)
		return false;
	ret = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	/* the ifindex of XDP and, since 6.6, of tcx stands first in the union */
	return !ret && !info.xdp.ifindex;
}

/* Some links are pinned here, and every one is dead; or nothing is pinned any more. */
static bool all_links_dead(DIR *dir, const char *at)
{
	char path[PATH_MAX + NAME_MAX + 2];
	bool some = false, pins = false;
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		pins |= entry->d_type != DT_DIR; /* readers own directories */
		if (strncmp(entry->d_name, PIN_LINK, strlen(PIN_LINK)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", at, entry->d_name);
		if (!link_dead(path))
			return false;
		some = true;
	}
	return some || !pins;
}

static bool has_inode(const char *path, ino_t inode)
{
	struct stat st;

	return !stat(path, &st) && st.st_ino == inode;
}

/*
 * Is there a network namespace of that number? One that only a file descriptor
 * holds is not found; but then all its devices are gone as well.
 */
static bool lives(ino_t inode)
{
	bool found = false;
	glob_t g = { 0 };

	glob("/run/netns/*", 0, NULL, &g);
	glob("/proc/[0-9]*/ns/net", GLOB_APPEND, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc && !found; i++)
		found = has_inode(g.gl_pathv[i], inode);
	globfree(&g);
	return found;
}

static void sweep_dir(const char *at)
{
	DIR *dir = opendir(at);
	struct dirent *entry;

	if (!dir)
		return;
	if (all_links_dead(dir, at) && !lives(strtoull(strrchr(at, '/') + 1, NULL, 10))) {
		rewinddir(dir);
		while ((entry = readdir(dir)))
			if (unlinkat(dirfd(dir), entry->d_name, 0)) /* a reader's directory */
				unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
		rmdir(at);
	}
	closedir(dir);
}

/* Ours are told by the cookie: there may be no link (clsact before 6.6), or one of a same ifindex. */
static bool ours_are_anothers(void)
{
	struct sw_meta meta;

	return meta_read(&meta) == META_NONE;
}

void gone_sweep(void)
{
	DIR *root = opendir(PIN_ROOT);
	struct dirent *entry;
	char path[PATH_MAX];

	if (ours_are_anothers())
		pin_remove("");
	while (root && (entry = readdir(root))) {
		snprintf(path, sizeof(path), PIN_ROOT "/%s", entry->d_name);
		if (entry->d_name[0] != '.' && strcmp(path, pin_dir()))
			sweep_dir(path);
	}
	if (root)
		closedir(root);
}
