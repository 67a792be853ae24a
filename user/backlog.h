/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_BACKLOG_H
#define SW_BACKLOG_H

#include <stdint.h>

/*
 * Which number bounds the SYN queue (inet_csk_reqsk_queue_is_full): what
 * listen() said, or a sysctl of the current network namespace. *backlog: what
 * sock_diag says of the listener; afterwards the one that binds.
 */
const char *backlog_limit(uint32_t *backlog);

#endif
