/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_SHARED_H
#define SW_SHARED_H

/*
 * The functional core for the host. The packet headers come from linux/, whose
 * names glibc's netinet/ headers also use: include this one, never those.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdint.h>

#include "../bpf/shared/abi.h"
#include "../bpf/shared/parse.h"

#endif
