/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PIN_H
#define SW_PIN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where things are pinned: /sys/fs/bpf/synward/<netns inode>/, mode 0700. A map
 * by its name; the links of a device as link_<ifindex>_{xdp,ingress,egress}.
 */
#define PIN_ROOT "/sys/fs/bpf/synward"
#define PIN_LINK "link_"

/* The directory of the current network namespace (static storage); NULL with sw_err(). */
const char *pin_dir(void);

/* dir/name, or dir/link_<ifindex>_<hook>. buf holds PATH_MAX. */
void pin_path(char *buf, size_t size, const char *name);
void pin_link_path(char *buf, size_t size, int ifindex, const char *hook);

/* Is bpffs at /sys/fs/bpf; and would a mount of it last beyond this process's mount namespace? */
bool pin_is_mounted(void);
bool pin_may_mount(void);

/*
 * Make bpffs available at /sys/fs/bpf: mounts it when it is not, but only in
 * init's mount namespace (in another one a pin would die with the namespace),
 * and says so on stderr. 0, or -1 with sw_err().
 */
int pin_mount(void);

/*
 * Keep other synward commands that change something out, in all namespaces, and
 * SIGINT, SIGTERM and SIGHUP off until pin_unlock(): nothing is left half done.
 * Makes the directories when make is set. Returns a file descriptor whose
 * close is the unlock; -1 with sw_err(); -2 when there is no directory and
 * none was to be made. pin_unlock() removes directories that are empty.
 */
int pin_lock(bool make);
/* The same without waiting: -3 when another command has it. */
int pin_try_lock(bool make);
/*
 * The same of the directory PIN_ROOT, which the caller has opened and locked. -3:
 * another one is in its place since. It is closed when this fails.
 */
int pin_adopt(int fd, bool make);
void pin_unlock(int fd);

/* Remove every pin of the current namespace whose name starts with prefix. */
void pin_remove(const char *prefix);

/* Calls fn for each pinned link of the current namespace. */
void pin_each_link(void (*fn)(const char *path, void *arg), void *arg);

#endif
