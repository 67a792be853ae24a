// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "fail.h"
#include "listeners.h"
#include "opts.h"
#include "snapshot.h"
#include "sockdiag.h"
#include "view.h"

static struct listener *add(struct listener_list *list)
{
	if (list->n == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		struct listener *more = realloc(list->l, size * sizeof(*more));

		if (!more)
			return NULL;
		list->l = more;
		list->size = size;
	}
	memset(&list->l[list->n], 0, sizeof(*list->l));
	return &list->l[list->n++];
}

static bool same(const struct sw_listener *a, const struct sw_listener *b)
{
	return a->port == b->port && a->family == b->family &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* A listening socket; those of one SO_REUSEPORT group are one listener, backlogs summed. */
static int add_socket(const struct ksock *sk, void *arg)
{
	struct listener_list *list = arg;
	struct sw_listener key = { .port = htons(sk->sport), .family = sk->family };
	struct listener *l = NULL;

	memcpy(key.addr, sk->src, sizeof(key.addr));
	key.flags = SW_L_USED | (sk->v6only ? SW_L_V6ONLY : 0);
	for (size_t i = 0; i < list->n; i++)
		if (same(&list->l[i].key, &key))
			l = &list->l[i];
	if (!l) {
		l = add(list);
		if (!l)
			return sw_err("no memory");
		l->key = key;
		l->socket = true;
		l->inode = sk->inode;
	}
	l->backlog += sk->wqueue;
	l->accept_queue += sk->rqueue;
	return 0;
}

/* A request in the kernel's queue belongs to the listener that fits its address best. */
static int add_request(const struct ksock *sk, void *arg)
{
	struct listener_list *list = arg;
	struct listener *best = NULL;
	int fit = 0;

	for (size_t i = 0; i < list->n; i++) {
		int fits = list->l[i].key.port == htons(sk->sport) ?
				   sw_listener_fits(&list->l[i].key, sk->family, sk->src) :
				   0;

		if (fits > fit) {
			fit = fits;
			best = &list->l[i];
		}
	}
	if (best)
		best->kernel_half_open++;
	return 0;
}

/* The mirror's entries to the sockets; what has no socket here is a listener of its own. */
static int add_mirror(const struct store *s, struct listener_list *list)
{
	for (uint32_t i = 1; i <= s->n_listeners; i++) {
		const struct sw_listener *m = &s->listeners[i];
		struct listener_gauges g;
		struct listener *l = NULL;

		if (!(m->flags & SW_L_USED))
			continue;
		for (size_t k = 0; k < list->n; k++)
			if (same(&list->l[k].key, m))
				l = &list->l[k];
		if (!l) {
			g = snapshot_gauges(s, m);
			/* its socket is closed and nothing is left of it */
			if (!(m->flags & SW_L_LEARNED) && !(g.tracked | g.untracked | g.pending))
				continue;
			l = add(list);
			if (!l)
				return sw_err("no memory");
			l->key = *m;
		}
		l->index = i;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;
	int px = sw_ntohs(x->key.port), py = sw_ntohs(y->key.port);

	if (px != py)
		return px - py;
	return memcmp(x->key.addr, y->key.addr, sizeof(x->key.addr));
}

int listeners_get(const struct store *s, struct listener_list *list)
{
	memset(list, 0, sizeof(*list));
	if (sockdiag_dump(1u << 10, false, add_socket, list) ||
	    sockdiag_dump(1u << 3, false, add_request, list) || add_mirror(s, list)) {
		listeners_free(list);
		return -1;
	}
	qsort(list->l, list->n, sizeof(*list->l), compare);
	return 0;
}

void listeners_free(struct listener_list *list)
{
	free(list->l);
	memset(list, 0, sizeof(*list));
}

const char *listener_text(const struct sw_listener *l, char *buf)
{
	char addr[INET6_ADDRSTRLEN];

	view_endpoint(buf, LISTENER_TEXT, view_addr(l->family, l->addr, addr), sw_ntohs(l->port));
	return buf;
}

bool listener_parse(const char *name, const char *text, struct sw_listener *to)
{
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	char addr[INET6_ADDRSTRLEN + 2] = "";
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint64_t number;

	memset(to, 0, sizeof(*to));
	if (n >= sizeof(addr) || !opts_number("", port, 1, 65535, &number))
		goto bad;
	to->port = htons(number);
	if (!colon)
		return true;
	memcpy(addr, text, n);
	if (n > 2 && addr[0] == '[' && addr[n - 1] == ']') {
		addr[n - 1] = 0;
		to->family = SW_AF_INET6;
		if (inet_pton(AF_INET6, addr + 1, to->addr) == 1)
			return true;
	} else {
		to->family = SW_AF_INET;
		if (inet_pton(AF_INET, addr, to->addr) == 1)
			return true;
	}
bad:
	sw_err("%s wants 443, 192.0.2.1:443 or [2001:db8::1]:443, not '%s'", name, text);
	return false;
}

bool listener_is(const struct sw_listener *l, const struct sw_listener *wanted)
{
	return l->port == wanted->port &&
	       (!wanted->family || (l->family == wanted->family &&
				    !memcmp(l->addr, wanted->addr, sizeof(l->addr))));
}

struct guard_state listener_guard(const struct guard *g, const struct store *s,
				  const struct listener *l, uint64_t now)
{
	struct guard_state state = guard_state(g, s, l->index, now);
	struct sw_guard fresh = { .backlog = l->backlog };

	if (!l->index && l->backlog) {
		backlog_limit(&fresh.backlog);
		state.high = sw_high(&fresh, &state.policy);
		state.low = sw_low(&fresh, &state.policy);
	}
	return state;
}

bool listener_served(const struct guard_state *state)
{
	return state->policy.mode == SW_MODE_OFF ||
	       (state->serves != SERVES_NONE && (state->policy.method != SW_METHOD_COOKIE ||
						 state->serves == SERVES_COOKIE));
}

void listeners_warn(const struct store *s, const struct guard *g, const struct listener_list *list,
		    bool (*wanted)(const struct sw_listener *l))
{
	uint64_t now = snapshot_now();
	char text[LISTENER_TEXT];
	struct guard_state first;
	int n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct guard_state state = listener_guard(g, s, &list->l[i], now);

		if ((wanted && !wanted(&list->l[i].key)) || state.policy.dry_run ||
		    listener_served(&state))
			continue;
		if (!n++) {
			first = state;
			listener_text(&list->l[i].key, text);
		}
	}
	if (!n)
		return;
	fprintf(stderr, "synward: cookies cannot serve %s (%s)", text, first.why);
	if (n > 1)
		fprintf(stderr, " and %d more", n - 1);
	fprintf(stderr, "; %s; see: synward guard --check\n",
		first.serves == SERVES_NONE ? "nothing guards it" :
					      "first-syn serves instead: while armed, a new client "
					      "waits a second for its connection");
}
