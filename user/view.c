// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "view.h"

/* A key that is a literal and new: neither copied nor looked for. */
static void add(json_object *doc, const char *key, json_object *value)
{
	json_object_object_add_ex(doc, key, value,
				  JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

json_object *view_device(const struct sw_device *dev, uint32_t ifindex)
{
	static const char *const hooks[] = { "tc", "xdp", "egress" };
	static const char *const modes[] = { NULL, "native", "generic" };
	json_object *doc = json_object_new_object();
	char name[IF_NAMESIZE];

	add(doc, "dev", json_object_new_string(dev->name));
	add(doc, "hook", json_object_new_string(hooks[dev->hook % 3]));
	add(doc, "xdp_mode",
			       modes[dev->xdp_mode % 3] ?
				       json_object_new_string(modes[dev->xdp_mode % 3]) :
				       NULL);
	add(doc, "since", out_time(dev->since_ns));
	add(doc, "gone", json_object_new_boolean(!if_indextoname(ifindex, name)));
	return doc;
}

json_object *view_reasons(const uint64_t count[SW_R_COUNT])
{
	static const char *const names[] = {
#define SW_X(name, text, meaning) text,
		SW_REASONS(SW_X)
#undef SW_X
	};
	json_object *doc = json_object_new_object();

	for (int i = 0; i < SW_R_COUNT; i++)
		add(doc, names[i], json_object_new_int64(count[i]));
	return doc;
}

const char *view_addr(uint32_t family, const uint32_t addr[4], char *buf)
{
	return inet_ntop(family == SW_AF_INET ? AF_INET : AF_INET6, addr, buf, INET6_ADDRSTRLEN);
}

void view_endpoint(char *buf, size_t size, const char *addr, unsigned int port)
{
	snprintf(buf, size, strchr(addr, ':') ? "[%s]:%u" : "%s:%u", addr, port);
}

json_object *view_side(const struct flow_view *v, int side)
{
	const struct sw_flow *f = &v->f;
	const struct sw_dir *d = &f->dir[side];
	bool syn = f->flags & SW_F_SYN_SEEN << side, known = syn || f->flags & SW_F_IMPORTED;
	json_object *doc = json_object_new_object();
	char addr[INET6_ADDRSTRLEN];

	view_addr(f->key.family, f->key.addr[side], addr);
	add(doc, "addr", json_object_new_string(addr));
	add(doc, "port", json_object_new_int(sw_ntohs(f->key.port[side])));
	add(doc, "state", json_object_new_string(state_name(v->state[side])));
	add(doc, "mss", out_maybe(d->opts & SW_OPT_MSS, d->mss));
	add(doc, "wscale", out_maybe(d->opts & SW_OPT_WSCALE, d->wscale));
	add(doc, "window", out_maybe(f->flags & SW_F_SEQ << side, d->win));
	add(doc, "sack",
			       known ? json_object_new_boolean(d->opts & SW_OPT_SACK) : NULL);
	add(doc, "timestamps",
			       known ? json_object_new_boolean(d->opts & SW_OPT_TS) : NULL);
	return doc;
}

static const char *opened(const struct sw_flow *f)
{
	return f->flags & SW_F_IMPORTED	   ? "socket" :
	       f->flags & SW_F_MIDSTREAM   ? "midstream" :
	       f->flags & SW_F_SIMULTANEOUS ? "simultaneous" :
					     "active";
}

/* Who sent the first FIN; both when neither had been acknowledged before the other's. */
static json_object *first_fin(const struct flow_view *v)
{
	const struct sw_flow *f = &v->f;
	bool client = f->flags & SW_F_FIN << (sw_server(f) ^ 1);
	bool server = f->flags & SW_F_FIN << sw_server(f);

	if (f->flags & SW_F_IMPORTED && client && server && !f->mark)
		return NULL; /* both were over before the import */
	if (!client && !server)
		return NULL;
	if (f->flags & SW_F_CROSSED)
		return json_object_new_string("both");
	return json_object_new_string(server && (!client || f->flags & SW_F_FIRST_SERVER) ? "server" :
											  "client");
}

static json_object *expires_ms(const struct sw_config *cfg, const struct flow_view *v)
{
	uint64_t two_msl = cfg->two_msl_s * SW_NS_PER_SEC;

	if (!v->proven)
		return json_object_new_int64((int64_t)v->ends_s * 1000);
	if (v->state[0] == SW_TIME_WAIT || v->state[1] == SW_TIME_WAIT)
		return json_object_new_int64((two_msl - sw_age(v->now, v->f.changed)) / SW_NS_PER_MS);
	return NULL;
}

void view_flow(json_object *doc, const struct sw_config *cfg, const char *dev,
	       const struct flow_view *v)
{
	const struct sw_flow *f = &v->f;
	int server = sw_server(f), local = flow_local(f);

	add(doc, "client", view_side(v, server ^ 1));
	add(doc, "server", view_side(v, server));
	add(doc, "local",
			       local < 0 ? NULL :
					   json_object_new_string(local == server ? "server" :
										  "client"));
	add(doc, "dev", dev ? json_object_new_string(dev) : NULL);
	add(doc, "opened", json_object_new_string(opened(f)));
	add(doc, "age_ms", json_object_new_int64(sw_age(v->now, f->born) / SW_NS_PER_MS));
	add(doc, "idle_ms", json_object_new_int64(sw_age(v->now, f->last) / SW_NS_PER_MS));
	add(doc, "expires_ms", expires_ms(cfg, v));
	add(doc, "ambiguous", json_object_new_boolean(flow_ambiguous(v)));
	add(doc, "server_us", out_maybe(f->server_us != SW_UNSEEN, f->server_us));
	add(doc, "client_us", out_maybe(f->client_us != SW_UNSEEN, f->client_us));
	add(doc, "syn_retransmits", json_object_new_int(f->syn_rtx));
	add(doc, "synack_retransmits", json_object_new_int(f->synack_rtx));
	add(doc, "fin_retransmits", json_object_new_int(f->fin_rtx));
	add(doc, "first_fin", first_fin(v));
	add(doc, "half_closed_ms", out_maybe(f->flags & SW_F_HALF_CLOSED, f->closed_ms));
	add(doc, "reset_by",
			       f->flags & SW_F_RST ?
				       json_object_new_string(f->flags & SW_F_RST_SERVER ? "server" :
											   "client") :
				       NULL);
}

void view_cell_client(json_object *row, char *text, size_t size)
{
	view_endpoint(text, size, out_str(row, "client.addr"), out_int(row, "client.port"));
}

void view_cell_server(json_object *row, char *text, size_t size)
{
	view_endpoint(text, size, out_str(row, "server.addr"), out_int(row, "server.port"));
}

void view_cell_notes(json_object *row, char *text, size_t size)
{
	int64_t rtx = out_int(row, "syn_retransmits") + out_int(row, "synack_retransmits") +
		      out_int(row, "fin_retransmits");
	size_t n = snprintf(text, size, "%s", out_str(row, "opened"));

	if (rtx)
		n += snprintf(text + n, size - n, " retransmits:%" PRId64, rtx);
	if (out_at(row, "reset_by"))
		n += snprintf(text + n, size - n, " reset-by:%s", out_str(row, "reset_by"));
	else if (out_at(row, "first_fin"))
		n += snprintf(text + n, size - n, " closed-by:%s", out_str(row, "first_fin"));
	if (json_object_get_boolean(out_at(row, "ambiguous")))
		snprintf(text + n, size - n, " ambiguous");
}
