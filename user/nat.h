/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_NAT_H
#define SW_NAT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does some ruleset of the current network namespace have chains of NAT? Their
 * names into buf ("inet my prerouting, ..."), as many as fit. nftables, and
 * what iptables made of either kind.
 */
bool nat_chains(char *buf, size_t size);

#endif
