// SPDX-License-Identifier: GPL-2.0
#include "backlog.h"
#include "sysctl.h"

const char *backlog_limit(uint32_t *backlog)
{
	uint32_t somaxconn = sysctl_read("net/core/somaxconn");
	uint32_t syn_backlog = sysctl_read("net/ipv4/tcp_max_syn_backlog");

	if (!sysctl_read("net/ipv4/tcp_syncookies") && syn_backlog &&
	    syn_backlog - (syn_backlog >> 2) < *backlog) {
		*backlog = syn_backlog - (syn_backlog >> 2);
		return "tcp_max_syn_backlog";
	}
	return *backlog >= somaxconn ? "somaxconn" : "listen";
}
