// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "arrows.h"

static const uint8_t ends[ARROW_COUNT][2] = {
#define SW_X(from, to) { SW_##from, SW_##to },
	SW_ARROWS(SW_X)
#undef SW_X
};

/* Those that lead back: on no way through several states. */
static bool leads_back(enum arrow a)
{
	return ends[a][1] == SW_CLOSED || a == ARROW_SYN_RCVD_LISTEN;
}

enum sw_state arrow_from(enum arrow a)
{
	return ends[a][0];
}

enum sw_state arrow_to(enum arrow a)
{
	return ends[a][1];
}

/* The shortest way, into path; how many arrows it has, 0: none. A server begins in LISTEN. */
static int find_way(int from, int to, int role, uint8_t path[ARROW_COUNT])
{
	uint8_t queue[SW_STATE_COUNT], by[SW_STATE_COUNT];
	bool seen[SW_STATE_COUNT] = { 0 };
	int head = 0, tail = 0, n = 0;

	seen[from] = true;
	queue[tail++] = from;
	while (head < tail && !seen[to]) {
		int at = queue[head++];

		for (int a = 0; a < ARROW_COUNT; a++) {
			int next = ends[a][1];

			if (ends[a][0] != at || seen[next] || leads_back(a) ||
			    (role == SW_SERVER && a == ARROW_CLOSED_SYN_SENT))
				continue;
			seen[next] = true;
			by[next] = a;
			queue[tail++] = next;
		}
	}
	for (int at = to; seen[to] && at != from; at = ends[path[n++]][0])
		path[n] = by[at];
	return n;
}

static int arrow_of(int from, int to)
{
	for (int a = 0; a < ARROW_COUNT; a++)
		if (ends[a][0] == from && ends[a][1] == to)
			return a;
	return -1;
}

/* n endpoints went from one state to another. */
static void count(struct arrow_rates *r, int role, int from, int to, double n)
{
	uint8_t path[ARROW_COUNT];
	int a = arrow_of(from, to), steps;

	if (!n)
		return;
	if (a >= 0) {
		r->on[a][role] += n;
	} else if (from == SW_SYN_RCVD && to == SW_CLOSED) {
		r->on[ARROW_SYN_RCVD_LISTEN][role] += n; /* an RST: back to where it began */
	} else if (to == SW_CLOSED) {
		r->reset[role] += n;
	} else {
		steps = find_way(from, to, role, path);
		for (int i = 0; i < steps; i++)
			r->on[path[i]][role] += n;
		if (!steps)
			r->other[role] += n;
	}
}

/* How many went that way; none when the counter is another, of maps made since. */
static double went(const struct sample *then, const struct sample *now, int role, int from, int to)
{
	uint64_t was = then->moves.n[role][from][to], is = now->moves.n[role][from][to];

	return is > was ? is - was : 0;
}

/* Who left a state by time: came, less went, less what is there more than before. */
static double expired(const struct sample *then, const struct sample *now, int role, int state)
{
	const uint64_t *was = role == SW_CLIENT ? then->states.client : then->states.server;
	const uint64_t *is = role == SW_CLIENT ? now->states.client : now->states.server;
	double n = (double)was[state] - (double)is[state];

	for (int other = 0; other < SW_STATE_COUNT; other++)
		n += went(then, now, role, other, state) - went(then, now, role, state, other);
	return n > 0 ? n : 0;
}

void arrows_between(const struct sample *then, const struct sample *now, struct arrow_rates *to)
{
	static const uint8_t by_time[][2] = { { SW_TIME_WAIT, ARROW_TIME_WAIT_CLOSED },
					      { SW_SYN_SENT, ARROW_SYN_SENT_CLOSED },
					      { SW_SYN_RCVD, ARROW_SYN_RCVD_LISTEN },
					      { SW_LISTEN, ARROW_LISTEN_CLOSED } };
	double seconds = ((double)now->now - then->now) / SW_NS_PER_SEC;
	double *each = (double *)to;

	memset(to, 0, sizeof(*to));
	if (!then->now || seconds <= 0)
		return;
	for (int role = 0; role < SW_ROLES; role++) {
		for (int i = 0; i < SW_STATE_COUNT * SW_STATE_COUNT; i++) {
			int from = i / SW_STATE_COUNT, at = i % SW_STATE_COUNT;

			count(to, role, from, at, went(then, now, role, from, at));
		}
		for (size_t i = 0; i < sizeof(by_time) / sizeof(*by_time); i++)
			to->on[by_time[i][1]][role] += expired(then, now, role, by_time[i][0]);
	}
	for (size_t i = 0; i < sizeof(*to) / sizeof(double); i++)
		each[i] /= seconds;
}
