/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PROCFS_H
#define SW_PROCFS_H

/*
 * A number from a "Name: value" file of /proc; fmt as for sscanf, with one
 * %ll conversion. 0 when it is not there.
 */
unsigned long long proc_field(const char *path, const char *fmt);

#endif
