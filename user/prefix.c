// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "opts.h"
#include "prefix.h"
#include "view.h"

#define V4_BITS 96 /* of ::ffff:0:0, below which IPv4 lies */

static bool mapped(const uint32_t addr[4])
{
	return !addr[0] && !addr[1] && addr[2] == htonl(0xffff);
}

static void to_v4(struct prefix *p)
{
	*p = (struct prefix){ SW_AF_INET, { p->addr[3] }, p->bits - V4_BITS };
}

void prefix_mask(const struct prefix *p, uint32_t mask[4])
{
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int keep = p->bits > 32 * i ? p->bits - 32 * i : 0;

		mask[i] = keep >= 32 ? ~0u : keep ? htonl(~0u << (32 - keep)) : 0;
	}
}

static void cut(struct prefix *p)
{
	uint32_t mask[4];

	prefix_mask(p, mask);
	for (int i = 0; i < 4; i++)
		p->addr[i] &= mask[i];
}

bool prefix_parse(const char *name, const char *text, struct prefix *p)
{
	char addr[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits;

	memset(p, 0, sizeof(*p));
	snprintf(addr, sizeof(addr), "%.*s", (int)n, text);
	if (n >= sizeof(addr))
		goto bad;
	if (inet_pton(AF_INET, addr, p->addr) == 1)
		p->family = SW_AF_INET;
	else if (inet_pton(AF_INET6, addr, p->addr) == 1)
		p->family = SW_AF_INET6;
	else
		goto bad;
	bits = p->family == SW_AF_INET ? 32 : 128;
	if (slash && !opts_number("", slash + 1, 0, bits, &bits))
		goto bad;
	p->bits = bits;
	if (p->family == SW_AF_INET6 && bits >= V4_BITS && mapped(p->addr))
		to_v4(p);
	cut(p);
	return true;
bad:
	sw_err("%s wants an address or prefix such as 192.0.2.0/24 or 2001:db8::/32, not '%s'", name,
	       text);
	return false;
}

bool prefix_holds(const struct prefix *p, uint32_t family, const uint32_t addr[4])
{
	struct prefix other = { family, { addr[0], addr[1], addr[2], addr[3] }, p->bits };

	cut(&other);
	return family == p->family && !memcmp(other.addr, p->addr, sizeof(p->addr));
}

const char *prefix_text(const struct prefix *p, char *buf)
{
	char addr[INET6_ADDRSTRLEN];

	snprintf(buf, PREFIX_TEXT, "%s/%u", view_addr(p->family, p->addr, addr), p->bits);
	return buf;
}

struct sw_list_key prefix_to_key(const struct prefix *p)
{
	if (p->family == SW_AF_INET)
		return (struct sw_list_key){ p->bits + V4_BITS, { 0, 0, htonl(0xffff), p->addr[0] } };
	return (struct sw_list_key){ p->bits, { p->addr[0], p->addr[1], p->addr[2], p->addr[3] } };
}

struct prefix prefix_from_key(const struct sw_list_key *key)
{
	struct prefix p = { SW_AF_INET6, { 0 }, key->bits };

	memcpy(p.addr, key->addr, sizeof(p.addr));
	if (key->bits >= V4_BITS && mapped(p.addr))
		to_v4(&p);
	return p;
}
