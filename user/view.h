/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_VIEW_H
#define SW_VIEW_H

#include <json-c/json.h>

#include "shared.h"
#include "guard.h"
#include "snapshot.h"

/* Documents that more than one command prints; each returns a new reference. */

/* {"dev", "hook", "xdp_mode"|null, "since"} and "gone" when the device does not exist any more. */
json_object *view_device(const struct sw_device *dev, uint32_t ifindex);

/* Packets by reason: {REASON: n}, every reason present. */
json_object *view_reasons(const uint64_t count[SW_R_COUNT]);
const char *view_reason(enum sw_reason reason);

/* States in the order of the diagram, i from 0: LISTEN first, CLOSED last. */
unsigned int view_nth_state(int i);

/* Endpoints by state: {STATE: n}, every state present. */
json_object *view_states(const uint64_t n[SW_STATE_COUNT]);

/* Fields of an entry of `flows`, into doc; dev: where it was first seen, NULL when not known. */
void view_flow(json_object *doc, const struct sw_config *cfg, const char *dev,
	       const struct flow_view *v);

/* How far the handshake came, as far as a capture shows it: "complete", "half-open"... */
const char *view_handshake(const struct sw_flow *f);

/* Its "client" or "server": endpoint 0 or 1 of the key. */
json_object *view_side(const struct flow_view *v, int side);

/* The guard of a listener. */
json_object *view_guard(const struct guard_state *state, uint64_t now);

/* What holds for listeners without a policy of their own; how many are armed, and have their own. */
json_object *view_guard_all(const struct guard *g, const struct store *s, uint64_t now);


/* A moment of CLOCK_MONOTONIC. */
json_object *view_time(uint64_t monotonic_ns);

/* Cells of a table of such entries, as struct out_column wants them. */
void view_cell_client(json_object *flow, char *text, size_t size);
void view_cell_server(json_object *flow, char *text, size_t size);
void view_cell_notes(json_object *flow, char *text, size_t size);

/* An address as text (network byte order words); buf holds INET6_ADDRSTRLEN. */
const char *view_addr(uint32_t family, const uint32_t addr[4], char *buf);

/* "addr:port" or "[v6]:port"; port in host byte order. */
void view_endpoint(char *buf, size_t size, const char *addr, unsigned int port);

#endif
