/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SYSCTL_H
#define SW_SYSCTL_H

#include <stdint.h>

/* A number below /proc/sys ("net/core/somaxconn") of the current network namespace; 0 when there is none. */
uint32_t sysctl_read(const char *name);

#endif
