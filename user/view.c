// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

const char *view_reason(enum sw_reason reason)
{
	static const char *const names[] = {
#define SW_X(name, text, meaning) text,
		SW_REASONS(SW_X)
#undef SW_X
	};

	return names[reason];
}

json_object *view_reasons(const uint64_t count[SW_R_COUNT])
{
	json_object *doc = json_object_new_object();

	for (int i = 0; i < SW_R_COUNT; i++)
		add(doc, view_reason(i), json_object_new_int64(count[i]));
	return doc;
}

unsigned int view_nth_state(int i)
{
	return (i + 1) % SW_STATE_COUNT;
}

json_object *view_states(const uint64_t n[SW_STATE_COUNT])
{
	json_object *doc = json_object_new_object();

	for (int i = 0; i < SW_STATE_COUNT; i++)
		add(doc, state_name(view_nth_state(i)), json_object_new_int64(n[view_nth_state(i)]));
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
	return f->flags & SW_F_COOKIE	   ? "cookie" :
	       f->flags & SW_F_IMPORTED	   ? "socket" :
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

const char *view_handshake(const struct sw_flow *f)
{
	if (f->flags & SW_F_COMPLETED)
		return "complete";
	if (f->flags & SW_F_RST && !(f->flags & SW_F_MIDSTREAM))
		return f->flags & SW_F_RST_SERVER && !(f->flags & SW_F_SYNACK) ? "refused" :
										  "aborted";
	if (f->flags & SW_F_SYNACK)
		return "half-open";
	if (f->flags & SW_F_MIDSTREAM)
		return "midstream";
	return f->flags & SW_F_BOTH(SW_F_SYN_SEEN) ? "syn" : "none";
}

json_object *view_time(uint64_t monotonic_ns)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return out_time(wall.tv_sec * SW_NS_PER_SEC + wall.tv_nsec - snapshot_now() + monotonic_ns);
}

json_object *view_guard(const struct guard_state *state, uint64_t now)
{
	const struct sw_policy *p = &state->policy;
	json_object *doc = json_object_new_object();

	add(doc, "mode", json_object_new_string(guard_mode_name(p->mode)));
	add(doc, "dry_run", json_object_new_boolean(p->dry_run));
	add(doc, "armed", json_object_new_boolean(state->armed));
	add(doc, "armed_for_ms", json_object_new_int64(state->armed_for_ms));
	add(doc, "method", json_object_new_string(guard_method_name(p->method)));
	add(doc, "serves", json_object_new_string(guard_serves_name(state->serves)));
	add(doc, "why", json_object_new_string(state->why));
	add(doc, "high", json_object_new_int64(state->high));
	add(doc, "low", json_object_new_int64(state->low));
	add(doc, "hold_s", json_object_new_int64(p->hold_s));
	add(doc, "until", state->until_ns > now ? view_time(state->until_ns) : NULL);
	return doc;
}

static json_object *view_limits(const struct sw_control *c)
{
	json_object *doc = json_object_new_object(), *prefix = json_object_new_array();

	for (int i = 0; i < 2; i++)
		json_object_array_add(prefix, json_object_new_int(c->prefix_bits[i]));
	add(doc, "source_rate", json_object_new_int64(c->source_rate));
	add(doc, "prefix", prefix);
	add(doc, "prefix_rate", json_object_new_int64(c->prefix_rate));
	add(doc, "reply_rate", json_object_new_int64(c->reply_rate));
	add(doc, "core_rate", json_object_new_int64(c->core_rate));
	add(doc, "total_rate", json_object_new_int64(c->total_rate));
	return doc;
}

json_object *view_guard_all(const struct guard *g, const struct store *s, uint64_t now)
{
	struct guard_state all = guard_state(g, s, 0, now);
	json_object *doc = json_object_new_object();
	int armed = 0, own = 0;

	for (uint32_t i = 1; i <= s->n_listeners; i++) {
		if (!(s->listeners[i].flags & SW_L_USED))
			continue;
		armed += guard_state(g, s, i, now).armed;
		own += g->guards[i].own;
	}
	add(doc, "mode", json_object_new_string(guard_mode_name(all.policy.mode)));
	add(doc, "dry_run", json_object_new_boolean(all.policy.dry_run));
	add(doc, "method", json_object_new_string(guard_method_name(all.policy.method)));
	add(doc, "high", out_maybe(all.policy.high, all.policy.high));
	add(doc, "low", out_maybe(all.policy.low, all.policy.low));
	add(doc, "hold_s", json_object_new_int64(all.policy.hold_s));
	add(doc, "until", all.until_ns ? view_time(all.until_ns) : NULL);
	add(doc, "limits", view_limits(g->control));
	add(doc, "armed", json_object_new_int(armed));
	add(doc, "own", json_object_new_int(own));
	return doc;
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
