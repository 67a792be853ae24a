// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <string.h>

#include "../view.h"
#include "screen.h"

/* Rates, latency, and what became of packets: as lines, or as tables where there is room. */

static const struct {
	const char *name;
	enum trend_rate rate;
	bool brief; /* also where there is little room */
} rates[] = {
	{ "SYN", TREND_SYN, true },	      { "completed", TREND_COMPLETED, true },
	{ "kept off", TREND_KEPT_OFF, true }, { "refused", TREND_REFUSED, false },
	{ "aborted", TREND_ABORTED, false },  { "timed out", TREND_TIMED_OUT, false },
};
#define N_RATES (int)(sizeof(rates) / sizeof(*rates))

/* One rate: name, number, history. */
static void draw_rate(const struct trend *t, int y, int x, int width, int i)
{
	const trend_ring *all = t->rate[0];
	double rate = trend_at(t, all[rates[i].rate], 0);
	char text[NUMBER_TEXT];
	int name = put(y, x, width, PLAIN, "%s ", rates[i].name);

	if (width >= 40) /* in columns */
		name = 10;
	put_right(y, x + name, 8, STRONG, rate_text(text, sizeof(text), rate, 8));
	put(y, x + name + 8, width, FAINT, "/s ");
	put_history(y, x + name + 11, width - name - 12, PLAIN, t, all[rates[i].rate]);
}

int draw_rates_line(const struct trend *t, int y)
{
	int n = 0, width = (COLS - 2) / 3;

	for (int i = 0; i < N_RATES; i++)
		if (rates[i].brief)
			draw_rate(t, y, 1 + width * n++, width, i);
	return y + 1;
}

/* Latency */

static const double quantiles[] = { 0.5, 0.9, 0.99 };

/* Of the last minute; of all since attach, when there were none in it. */
static struct sw_latency recent(const struct trend *t, const char **when)
{
	struct sw_latency l = trend_latency(t, TOP_LATENCY_INTERVALS);

	*when = "last minute";
	if (!latency_count(&l, SW_PART_SERVER) && !latency_count(&l, SW_PART_CLIENT) && t->any) {
		l = t->last.latency;
		*when = "since attach";
	}
	return l;
}

int draw_latency_line(const struct trend *t, int y)
{
	static const char *const parts[] = { "server", "client" };
	const char *when;
	struct sw_latency l = recent(t, &when);
	int x = 1 + put(y, 1, COLS, PLAIN, "p50/90/99 %s  ", when);

	for (int part = 0; part < SW_PARTS; part++) {
		x += put(y, x, COLS - x, part ? CLIENT : SERVER, "%s ", parts[part]);
		if (!latency_count(&l, part)) {
			x += put(y, x, COLS - x, FAINT, "none  ");
			continue;
		}
		for (int q = 0; q < 3; q++) {
			char text[NUMBER_TEXT];

			us_text(text, sizeof(text), latency_quantile(&l, part, quantiles[q]));
			x += put(y, x, COLS - x, STRONG, "%s%s", text, q < 2 ? "/" : "  ");
		}
	}
	return y + 1;
}

static void draw_latency_table(const struct trend *t, int y, int x, int width)
{
	static const char *const parts[] = { "server", "client" };
	const char *when;
	struct sw_latency l = recent(t, &when);
	char text[NUMBER_TEXT];

	put(y, x, width, STRONG, "%-20s  50 %%    90 %%    99 %%", when);
	for (int part = 0; part < SW_PARTS; part++) {
		uint64_t n = latency_count(&l, part);

		put(++y, x, width, part ? CLIENT : SERVER, "%s", parts[part]);
		put_right(y, x + 7, 10, PLAIN, number_text(text, sizeof(text), n, 9));
		for (int q = 0; q < 3; q++) {
			us_text(text, sizeof(text), latency_quantile(&l, part, quantiles[q]));
			put_right(y, x + 19 + q * 8, 7, STRONG, n ? text : "-");
		}
	}
}

/* Verdicts: what became of packets */

static bool keeps_off(enum sw_reason r)
{
	return r >= SW_R_COOKIE && r < SW_R_INTERNAL;
}

/* Reasons that were counted, those of the most packets per second first. */
static int busiest(const struct trend *t, enum sw_reason order[SW_R_COUNT])
{
	int n = 0;

	for (int r = 0; r < SW_R_COUNT; r++) {
		double rate = trend_at(t, t->reason[r], 0);
		int i = n;

		if (!t->last.reasons[r])
			continue;
		for (; i && trend_at(t, t->reason[order[i - 1]], 0) < rate; i--)
			order[i] = order[i - 1];
		order[i] = r;
		n++;
	}
	return n;
}

int draw_verdicts_line(const struct trend *t, int y)
{
	enum sw_reason order[SW_R_COUNT];
	int n = busiest(t, order), x = 1 + put(y, 1, COLS, PLAIN, "verdicts/s: ");

	for (int i = 0; i < n; i++) {
		const char *name = view_reason(order[i]);
		char rate[NUMBER_TEXT];

		rate_text(rate, sizeof(rate), trend_at(t, t->reason[order[i]], 0), 9);
		if (x + (int)(strlen(name) + strlen(rate)) + 1 > COLS - 1)
			break;
		x += put(y, x, COLS - x, keeps_off(order[i]) ? WARN : PLAIN, "%s ", name);
		x += put(y, x, COLS - x, STRONG, "%s", rate) + 2;
	}
	return y + 1;
}

static void draw_verdicts_table(const struct trend *t, int y, int end, int x, int width)
{
	enum sw_reason order[SW_R_COUNT];
	int n = busiest(t, order);
	char text[NUMBER_TEXT];

	put(y++, x, width, STRONG, "%-18s %9s %12s", "verdict", "per s", "since attach");
	for (int i = 0; i < n && y < end; i++, y++) {
		enum sw_reason r = order[i];

		put(y, x, 18, keeps_off(r) ? WARN : PLAIN, "%s", view_reason(r));
		put_right(y, x + 19, 9, STRONG,
			  rate_text(text, sizeof(text), trend_at(t, t->reason[r], 0), 9));
		put_right(y, x + 29, 12, PLAIN,
			  number_text(text, sizeof(text), t->last.reasons[r], 12));
		put_history(y, x + 43, width - 43, PLAIN, t, t->reason[r]);
	}
}

void draw_figures(const struct trend *t, int y, int end, int x, int width)
{
	bool two = width >= FIGURES_TWO;
	int left = two ? width / 2 - 2 : width;

	for (int i = 0; i < N_RATES; i++)
		draw_rate(t, y + i, x, left, i);
	draw_latency_table(t, y + N_RATES + 1, x, left);
	if (two)
		draw_verdicts_table(t, y, end, x + width / 2, width - width / 2);
}
