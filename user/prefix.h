/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PREFIX_H
#define SW_PREFIX_H

#include "shared.h"

/* Addresses that begin alike. A v4-mapped IPv6 prefix is one of IPv4. */
struct prefix {
	uint32_t family; /* SW_AF_* */
	uint32_t addr[4]; /* network byte order; 0 behind the prefix */
	unsigned int bits;
};

/* "192.0.2.0/24", "2001:db8::1"; false with sw_err(), which begins with name. */
bool prefix_parse(const char *name, const char *text, struct prefix *p);

/* A bit for each of the prefix's, network byte order. */
void prefix_mask(const struct prefix *p, uint32_t mask[4]);

bool prefix_holds(const struct prefix *p, uint32_t family, const uint32_t addr[4]);

/* As text, always with /bits; buf holds PREFIX_TEXT. */
#define PREFIX_TEXT 64
const char *prefix_text(const struct prefix *p, char *buf);

/* The key of map "lists", and back. */
struct sw_list_key prefix_to_key(const struct prefix *p);
struct prefix prefix_from_key(const struct sw_list_key *key);

#endif
