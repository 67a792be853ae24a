// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* strcasestr */
#include <curses.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../out.h"
#include "screen.h"

/* The listeners of the overview, sorted and filtered, and the keys for them. */

static uint64_t half_open(const struct live_listener *l)
{
	return l->tally.tracked + l->tally.untracked;
}

/* A rate, or in a dry run what it would be. */
static bool is_dry(const struct live_listener *l)
{
	return l->guard.policy.dry_run;
}

static double key_half_open(const struct live *v, const struct live_listener *l)
{
	(void)v;
	return half_open(l);
}

static double key_syn(const struct live *v, const struct live_listener *l)
{
	return live_rate(v, l, TREND_SYN);
}

static double key_completed(const struct live *v, const struct live_listener *l)
{
	return live_rate(v, l, TREND_COMPLETED);
}

static double key_kept_off(const struct live *v, const struct live_listener *l)
{
	return live_rate(v, l, is_dry(l) ? TREND_WOULD_KEEP_OFF : TREND_KEPT_OFF);
}

static double key_accept(const struct live *v, const struct live_listener *l)
{
	(void)v;
	return l->l.accept_queue;
}

static double key_guard(const struct live *v, const struct live_listener *l)
{
	(void)v;
	return l->guard.armed ? 1 + l->guard.armed_for_ms : 0;
}

static double key_total_syn(const struct live *v, const struct live_listener *l)
{
	(void)v;
	return l->tally.syn;
}

/* Bars and histories draw themselves; the others say what they are. */
static void cell_name(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	snprintf(text, LISTENER_TEXT, "%s", l->name);
}

static void cell_process(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	snprintf(text, LISTENER_TEXT, "%s", l->process[0] ? l->process : "-");
}

static void cell_half_open(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	if (l->backlog)
		snprintf(text, LISTENER_TEXT, "%" PRIu64 "/%u", half_open(l), l->backlog);
	else
		snprintf(text, LISTENER_TEXT, "%" PRIu64, half_open(l));
}

static void cell_kernel(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	number_text(text, LISTENER_TEXT, l->l.kernel_half_open, 7);
}

static void cell_pending(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	number_text(text, LISTENER_TEXT, l->tally.pending, 7);
}

static void cell_accept(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	if (l->l.socket)
		snprintf(text, LISTENER_TEXT, "%u/%u", l->l.accept_queue, l->l.backlog);
	else
		snprintf(text, LISTENER_TEXT, "-");
}

static void cell_syn(const struct live *v, const struct live_listener *l, char *text)
{
	rate_text(text, LISTENER_TEXT, key_syn(v, l), 7);
}

static void cell_completed(const struct live *v, const struct live_listener *l, char *text)
{
	rate_text(text, LISTENER_TEXT, key_completed(v, l), 7);
}

static void cell_kept_off(const struct live *v, const struct live_listener *l, char *text)
{
	char rate[NUMBER_TEXT];
	double kept = key_kept_off(v, l);

	rate_text(rate, sizeof(rate), kept, is_dry(l) ? 5 : 7);
	snprintf(text, LISTENER_TEXT, is_dry(l) && kept > 0 ? "(%s)" : "%s", rate);
}

static void cell_total_syn(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	number_text(text, LISTENER_TEXT, l->tally.syn, 11);
}

static void cell_total_completed(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	number_text(text, LISTENER_TEXT, l->tally.completed, 11);
}

static void cell_total_kept_off(const struct live *v, const struct live_listener *l, char *text)
{
	(void)v;
	number_text(text, LISTENER_TEXT, is_dry(l) ? l->tally.would_keep_off : l->tally.kept_off,
		    11);
}

/* Armed for how long, in parentheses where it is a dry run; else what it waits for. */
static void cell_guard(const struct live *v, const struct live_listener *l, char *text)
{
	char since[32];

	(void)v;
	out_duration(since, sizeof(since), l->guard.armed_for_ms);
	if (!l->guard.armed)
		snprintf(text, LISTENER_TEXT, "%s%s", guard_mode_name(l->guard.policy.mode),
			 l->guard.policy.mode && is_dry(l) ? " (dry run)" : "");
	else
		snprintf(text, LISTENER_TEXT, is_dry(l) ? "(armed %s)" : "armed %s", since);
}

enum pieces { TEXT, GAUGE, HISTORY };

/* From so many columns on the terminal a column is there. key: it can be sorted by. */
static const struct column {
	const char *head;
	int width; /* negative: to the left */
	int from;
	enum pieces piece;
	void (*cell)(const struct live *v, const struct live_listener *l, char *text);
	double (*key)(const struct live *v, const struct live_listener *l);
} columns[] = {
	{ "LISTENER", -21, 0, TEXT, cell_name, NULL },
	{ "PROCESS", -12, 100, TEXT, cell_process, NULL },
	{ "HALF-OPEN", 10, 0, TEXT, cell_half_open, key_half_open },
	{ "", 7, 0, GAUGE, NULL, NULL },
	{ "", 20, 180, HISTORY, NULL, NULL },
	{ "KERNEL", 7, 120, TEXT, cell_kernel, NULL },
	{ "PENDING", 7, 120, TEXT, cell_pending, NULL },
	{ "ACCEPT", 10, 100, TEXT, cell_accept, key_accept },
	{ "SYN/s", 7, 0, TEXT, cell_syn, key_syn },
	{ "DONE/s", 7, 0, TEXT, cell_completed, key_completed },
	{ "KEPT/s", 7, 0, TEXT, cell_kept_off, key_kept_off },
	{ "SYN", 11, 140, TEXT, cell_total_syn, key_total_syn },
	{ "COMPLETED", 11, 150, TEXT, cell_total_completed, NULL },
	{ "KEPT-OFF", 11, 160, TEXT, cell_total_kept_off, NULL },
	{ "GUARD", -14, 0, TEXT, cell_guard, key_guard },
};
#define N_COLUMNS (int)(sizeof(columns) / sizeof(*columns))

static bool has(int i)
{
	return COLS >= columns[i].from;
}

/* Columns that it takes here: the gauge has what the others leave. */
static int width_of(int i)
{
	int width = abs(columns[i].width), left = COLS - 2;

	if (columns[i].piece != GAUGE)
		return width;
	for (int k = 0; k < N_COLUMNS; k++)
		left -= has(k) ? abs(columns[k].width) + 1 : 0;
	return width + (left < 0 ? 0 : left < 24 ? left : 24);
}

static int first_sort(void)
{
	int i = 0;

	while (!columns[i].key)
		i++;
	return i;
}

static void draw_head(const struct top *t, int y)
{
	int x = 1;

	put_band(y, BAND);
	for (int i = 0; i < N_COLUMNS; i++) {
		const struct column *c = &columns[i];
		int width = width_of(i);
		char head[32];

		if (!has(i))
			continue;
		snprintf(head, sizeof(head), "%s%s", i == t->sort ? ">" : "", c->head);
		if (!i && t->filter[0])
			snprintf(head, sizeof(head), "%s /%.20s", c->head, t->filter);
		if (c->width < 0)
			put(y, x, width, i == t->sort ? PICKED : BAND, "%s", head);
		else
			put_right(y, x, width, i == t->sort ? PICKED : BAND, head);
		x += width + 1;
	}
}

static void draw_row(const struct top *t, int y, const struct live_listener *l, bool picked)
{
	uint64_t half = half_open(l), backlog = l->backlog;
	enum style full = !backlog || half * 2 < backlog ? GOOD : half < backlog ? WARN : BAD;
	int x = 1;

	if (picked)
		put_band(y, PICKED);
	for (int i = 0; i < N_COLUMNS; i++) {
		const struct column *c = &columns[i];
		enum style style = picked ? PICKED : PLAIN;
		int width = width_of(i);
		char text[LISTENER_TEXT];

		if (!has(i))
			continue;
		if (c->piece == GAUGE) {
			put_gauge(y, x, width, picked ? PICKED : full, half, backlog);
		} else if (c->piece == HISTORY) {
			if (l->l.index)
				put_history(y, x, width, style, t->live.trend,
					    t->live.trend->listener_half_open[l->l.index]);
		} else {
			c->cell(&t->live, l, text);
			if (!picked && c->cell == cell_guard && l->guard.armed)
				style = WARN;
			if (c->width < 0)
				put(y, x, width, style, "%s", text);
			else
				put_right(y, x, width, style, text);
		}
		x += width + 1;
	}
}

static const struct top *sorted; /* for compare() */

/* The greater first; those that are equal by port and address, as they came. */
static int compare(const void *a, const void *b)
{
	const struct live_listener *x = *(struct live_listener *const *)a;
	const struct live_listener *y = *(struct live_listener *const *)b;
	const struct column *c = &columns[sorted->sort];
	double p = c->key(&sorted->live, x), q = c->key(&sorted->live, y);

	return p < q ? 1 : p > q ? -1 : x < y ? -1 : 1;
}

void list_arrange(struct top *t)
{
	struct live_listener **row = reallocarray(t->row, t->live.n + 1, sizeof(*row));

	t->rows = 0;
	if (!row)
		return;
	t->row = row;
	if (!columns[t->sort].key)
		t->sort = first_sort();
	for (size_t i = 0; i < t->live.n; i++) {
		struct live_listener *l = &t->live.listener[i];

		if (strcasestr(l->name, t->filter) || strcasestr(l->process, t->filter))
			t->row[t->rows++] = l;
	}
	sorted = t;
	qsort(t->row, t->rows, sizeof(*t->row), compare);
	/* the selection stays with its listener, wherever that is now */
	for (size_t i = 0; i < t->rows; i++)
		if (!strcmp(t->row[i]->name, t->picked))
			t->picked_row = i;
	if (t->picked_row >= t->rows)
		t->picked_row = t->rows ? t->rows - 1 : 0;
	list_picked(t);
}

struct live_listener *list_picked(struct top *t)
{
	struct live_listener *l = t->rows ? t->row[t->picked_row] : NULL;

	if (l)
		snprintf(t->picked, sizeof(t->picked), "%s", l->name);
	return l;
}

void list_draw(struct top *t, int y, int end)
{
	size_t room = end > y + 1 ? end - y - 1 : 0;

	draw_head(t, y++);
	if (!t->rows)
		put(y, 1, COLS - 2, FAINT,
		    t->filter[0] ? "no listener matches /%s" : "nothing listens here%s", t->filter);
	if (t->picked_row < t->first_row)
		t->first_row = t->picked_row;
	if (room && t->picked_row >= t->first_row + room)
		t->first_row = t->picked_row - room + 1;
	if (t->first_row + room > t->rows)
		t->first_row = t->rows > room ? t->rows - room : 0;
	for (size_t i = t->first_row; i < t->rows && y < end; i++)
		draw_row(t, y++, t->row[i], i == t->picked_row);
}

static void move_by(struct top *t, int by)
{
	size_t last = t->rows ? t->rows - 1 : 0;

	if (by < 0)
		t->picked_row -= (size_t)-by < t->picked_row ? (size_t)-by : t->picked_row;
	else
		t->picked_row = t->picked_row + by < last ? t->picked_row + by : last;
	list_picked(t);
}

static void up(struct top *t)
{
	move_by(t, -1);
}

static void down(struct top *t)
{
	move_by(t, 1);
}

static void page_up(struct top *t)
{
	move_by(t, -(LINES / 2));
}

static void page_down(struct top *t)
{
	move_by(t, LINES / 2);
}

static void to_first(struct top *t)
{
	move_by(t, -SW_MAX_LISTENERS);
}

static void to_last(struct top *t)
{
	move_by(t, SW_MAX_LISTENERS);
}

static void next_sort(struct top *t)
{
	do
		t->sort = (t->sort + 1) % N_COLUMNS;
	while (!columns[t->sort].key || !has(t->sort));
	list_arrange(t);
	top_say(t, "sorted by %s", columns[t->sort].head);
}

static void ask_filter(struct top *t)
{
	t->dialog = &dialog_filter;
}

static void show_flows(struct top *t)
{
	const struct live_listener *l = list_picked(t);

	if (l)
		flows_open(t, l);
}

const struct key list_keys[] = {
	{ 's', "s", "Sort", "sort listeners by the next column", next_sort },
	{ '/', "/", "Filter", "only listeners whose address, port or process has this in it",
	  ask_filter },
	{ 'g', "g", "Guard", "switch the guard of the selected listener; asks first",
	  dialog_guard_open },
	{ '\r', "Enter", "Flows", "the flows of the selected listener", show_flows },
	{ KEY_ENTER, NULL, NULL, NULL, show_flows },
	{ KEY_UP, "Up Down", NULL, "select another one; also k and j, PgUp, PgDn, Home, End", up },
	{ 'k', NULL, NULL, NULL, up },
	{ KEY_DOWN, NULL, NULL, NULL, down },
	{ 'j', NULL, NULL, NULL, down },
	{ KEY_PPAGE, NULL, NULL, NULL, page_up },
	{ KEY_NPAGE, NULL, NULL, NULL, page_down },
	{ KEY_HOME, NULL, NULL, NULL, to_first },
	{ KEY_END, NULL, NULL, NULL, to_last },
	{ 0 },
};
