// SPDX-License-Identifier: GPL-2.0
#include <curses.h>

#include "../out.h"
#include "../view.h"
#include "screen.h"

/*
 * The first page, from above: alarms, totals, states of both ends with their
 * history; beside them (wide) or above them (narrow) rates, latency and what
 * became of packets; below them the listeners.
 */
#define WIDE 132	/* columns from which on there is a side */
#define STATES_WIDTH 84 /* of the histograms, then */
#define TALL 40		/* lines from which on there is room for more than one alarm */

/* Alarms */

static int draw_alarms(const struct top *t, int y)
{
	static const enum style styles[] = { GOOD, STRONG, WARN, ALARM };
	struct alarm at[3];
	size_t room = LINES >= TALL ? 3 : 1, n = t->live.open ? alarms(&t->live, at, room) : 0;

	if (!n && t->live.open)
		put(y, 1, COLS - 2, GOOD, "no alarm");
	for (size_t i = 0; i < n && i < room; i++) {
		int x = 1 + put(y + i, 1, COLS - 2, styles[at[i].level], "%s%s",
				at[i].level == ALARM_ATTACK ? "! " : "", at[i].text);

		if (i + 1 == room && n > room)
			put(y + i, x + 1, COLS - x - 2, STRONG, "(and %zu more)", n - room);
	}
	return y + room;
}

/* Totals */

static int draw_totals(const struct top *t, int y)
{
	const struct sample *s = &t->live.sample;
	const struct {
		const char *what;
		uint64_t n;
	} totals[] = {
		{ "flows", s->states.flows },
		{ "half-open", s->half_open },
		{ "pending", s->pending },
		{ "challenged", s->challenged },
	};
	struct guard_state all;
	char text[NUMBER_TEXT];
	int x = 1;

	for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++) {
		out_thousands(text, sizeof(text), totals[i].n);
		x += put(y, x, COLS - x, STRONG, "%s", text);
		x += put(y, x, COLS - x, PLAIN, " %s", totals[i].what) + 2;
	}
	if (!t->live.open)
		return y + 1;
	all = guard_state(&t->live.guard, &t->live.store, 0, s->now);
	put(y, x, COLS - x, PLAIN, "guard %s%s, %s", guard_mode_name(all.policy.mode),
	    all.policy.dry_run ? ", dry run" : "", guard_method_name(all.policy.method));
	return y + 1;
}

/* States of both ends */

static int draw_states(const struct top *t, int y, int width)
{
	const struct histogram *h = &t->live.sample.states;
	const struct trend *trend = t->live.trend;
	int side = (width - 13) / 2, bar = (side - 11) * 3 / 5, past = side - 12 - bar;
	uint64_t max = 1;
	char text[NUMBER_TEXT];

	put(y, 13, side, CLIENT, "%9s", "client");
	put(y, 13 + side, side, SERVER, "%9s", "server");
	y++;
	for (int i = 0; i < SW_STATE_COUNT; i++) {
		max = h->client[i] > max ? h->client[i] : max;
		max = h->server[i] > max ? h->server[i] : max;
	}
	for (int i = 0; i < SW_STATE_COUNT; i++, y++) {
		unsigned int state = view_nth_state(i);

		put(y, 1, 12, h->client[state] | h->server[state] ? PLAIN : FAINT, "%s",
		    state_name(state));
		for (int s = 0; s < 2; s++) {
			uint64_t n = (s ? h->server : h->client)[state];
			int x = 13 + s * side;

			put_right(y, x, 9, n ? STRONG : FAINT,
				  number_text(text, sizeof(text), n, 9));
			put_bar(y, x + 10, bar, s ? SERVER : CLIENT, n, max);
			put_history(y, x + 11 + bar, past, s ? SERVER : CLIENT, trend,
				    s ? trend->server[state] : trend->client[state]);
		}
	}
	return y;
}

static void draw(struct top *t, int y, int end)
{
	const struct trend *trend = t->live.trend;
	bool roomy = LINES >= TALL;

	y = draw_alarms(t, y);
	y = draw_totals(t, y);
	if (COLS >= WIDE) {
		y += roomy;
		draw_figures(trend, y, y + SW_STATE_COUNT + 1, STATES_WIDTH + 3,
			     COLS - STATES_WIDTH - 4);
		y = draw_states(t, y, STATES_WIDTH);
		if (COLS - STATES_WIDTH - 4 < FIGURES_TWO)
			y = draw_verdicts_line(trend, y);
	} else {
		y = draw_rates_line(trend, y);
		y = draw_latency_line(trend, y);
		y = draw_verdicts_line(trend, y) + roomy;
		y = draw_states(t, y, COLS - 1);
	}
	list_draw(t, y + roomy, end);
}

const struct screen screen_overview = { "Overview", draw, list_keys };
