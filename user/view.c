// SPDX-License-Identifier: GPL-2.0
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "view.h"

json_object *view_device(const struct sw_device *dev, uint32_t ifindex)
{
	static const char *const hooks[] = { "tc", "xdp", "egress" };
	static const char *const modes[] = { NULL, "native", "generic" };
	json_object *doc = json_object_new_object();
	char name[IF_NAMESIZE];

	json_object_object_add(doc, "dev", json_object_new_string(dev->name));
	json_object_object_add(doc, "hook", json_object_new_string(hooks[dev->hook % 3]));
	json_object_object_add(doc, "xdp_mode",
			       modes[dev->xdp_mode % 3] ?
				       json_object_new_string(modes[dev->xdp_mode % 3]) :
				       NULL);
	json_object_object_add(doc, "since", out_time(dev->since_ns));
	json_object_object_add(doc, "gone", json_object_new_boolean(!if_indextoname(ifindex, name)));
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

static json_object *endpoint(const struct flow_view *v, int side)
{
	const struct sw_flow *f = &v->f;
	const struct sw_dir *d = &f->dir[side];
	bool syn = f->flags & SW_F_SYN_SEEN << side, known = syn || f->flags & SW_F_IMPORTED;
	json_object *doc = json_object_new_object();
	char addr[INET6_ADDRSTRLEN];

	view_addr(f->key.family, f->key.addr[side], addr);
	json_object_object_add(doc, "addr", json_object_new_string(addr));
	json_object_object_add(doc, "port", json_object_new_int(sw_ntohs(f->key.port[side])));
	json_object_object_add(doc, "state", json_object_new_string(state_name(v->state[side])));
	json_object_object_add(doc, "mss", out_maybe(d->opts & SW_OPT_MSS, d->mss));
	json_object_object_add(doc, "wscale", out_maybe(d->opts & SW_OPT_WSCALE, d->wscale));
	json_object_object_add(doc, "window", out_maybe(f->flags & SW_F_SEQ << side, d->win));
	json_object_object_add(doc, "sack",
			       known ? json_object_new_boolean(d->opts & SW_OPT_SACK) : NULL);
	json_object_object_add(doc, "timestamps",
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

static json_object *expires_ms(const struct store *s, const struct flow_view *v)
{
	uint64_t two_msl = s->meta.config.two_msl_s * SW_NS_PER_SEC;

	if (!v->proven)
		return json_object_new_int64((int64_t)v->ends_s * 1000);
	if (v->state[0] == SW_TIME_WAIT || v->state[1] == SW_TIME_WAIT)
		return json_object_new_int64((two_msl - sw_age(v->now, v->f.changed)) / SW_NS_PER_MS);
	return NULL;
}

json_object *view_flow(const struct store *s, const struct flow_view *v)
{
	const struct sw_flow *f = &v->f;
	int server = sw_server(f), local = flow_local(f);
	json_object *doc = json_object_new_object();
	char name[IF_NAMESIZE];
	const char *dev = store_device_name(s, f->ifindex, name);

	json_object_object_add(doc, "client", endpoint(v, server ^ 1));
	json_object_object_add(doc, "server", endpoint(v, server));
	json_object_object_add(doc, "local",
			       local < 0 ? NULL :
					   json_object_new_string(local == server ? "server" :
										  "client"));
	json_object_object_add(doc, "dev", dev ? json_object_new_string(dev) : NULL);
	json_object_object_add(doc, "opened", json_object_new_string(opened(f)));
	json_object_object_add(doc, "age_ms",
			       json_object_new_int64(sw_age(v->now, f->born) / SW_NS_PER_MS));
	json_object_object_add(doc, "idle_ms",
			       json_object_new_int64(sw_age(v->now, f->last) / SW_NS_PER_MS));
	json_object_object_add(doc, "expires_ms", expires_ms(s, v));
	json_object_object_add(doc, "ambiguous", json_object_new_boolean(flow_ambiguous(v)));
	json_object_object_add(doc, "server_us",
			       out_maybe(f->server_us != SW_UNSEEN, f->server_us));
	json_object_object_add(doc, "client_us",
			       out_maybe(f->client_us != SW_UNSEEN, f->client_us));
	json_object_object_add(doc, "syn_retransmits", json_object_new_int(f->syn_rtx));
	json_object_object_add(doc, "synack_retransmits", json_object_new_int(f->synack_rtx));
	json_object_object_add(doc, "fin_retransmits", json_object_new_int(f->fin_rtx));
	json_object_object_add(doc, "first_fin", first_fin(v));
	json_object_object_add(doc, "half_closed_ms",
			       out_maybe(f->flags & SW_F_HALF_CLOSED, f->closed_ms));
	json_object_object_add(doc, "reset_by",
			       f->flags & SW_F_RST ?
				       json_object_new_string(f->flags & SW_F_RST_SERVER ? "server" :
											   "client") :
				       NULL);
	return doc;
}
