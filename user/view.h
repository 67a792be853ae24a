/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_VIEW_H
#define SW_VIEW_H

#include <json-c/json.h>

#include "shared.h"
#include "snapshot.h"

/* Documents that more than one command prints; each returns a new reference. */

/* {"dev", "hook", "xdp_mode"|null, "since"} and "gone" when the device does not exist any more. */
json_object *view_device(const struct sw_device *dev, uint32_t ifindex);

/* Packets by reason: {REASON: n}, every reason present. */
json_object *view_reasons(const uint64_t count[SW_R_COUNT]);

/* Fields of an entry of `flows`, into doc; dev: where it was first seen, NULL when not known. */
void view_flow(json_object *doc, const struct sw_config *cfg, const char *dev,
	       const struct flow_view *v);

/* Its "client" or "server": endpoint 0 or 1 of the key. */
json_object *view_side(const struct flow_view *v, int side);

/* Cells of a table of such entries, as struct out_column wants them. */
void view_cell_client(json_object *flow, char *text, size_t size);
void view_cell_server(json_object *flow, char *text, size_t size);
void view_cell_notes(json_object *flow, char *text, size_t size);

/* An address as text (network byte order words); buf holds INET6_ADDRSTRLEN. */
const char *view_addr(uint32_t family, const uint32_t addr[4], char *buf);

/* "addr:port" or "[v6]:port"; port in host byte order. */
void view_endpoint(char *buf, size_t size, const char *addr, unsigned int port);

#endif
