/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_VIEW_H
#define SW_VIEW_H

#include <json-c/json.h>

#include "shared.h"
#include "snapshot.h"

/* Documents that more than one command prints; each returns a new reference. */

/* {"dev", "hook", "xdp_mode"|null, "since"} and "gone" when the device does not exist any more. */
json_object *view_device(const struct sw_device *dev, uint32_t ifindex);

/* One entry of `flows`. */
json_object *view_flow(const struct store *s, const struct flow_view *v);

/* An address as text (network byte order words); buf holds INET6_ADDRSTRLEN. */
const char *view_addr(uint32_t family, const uint32_t addr[4], char *buf);

/* "addr:port" or "[v6]:port"; port in host byte order. */
void view_endpoint(char *buf, size_t size, const char *addr, unsigned int port);

#endif
