// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "../flowsort.h"
#include "../out.h"
#include "../view.h"
#include "screen.h"

/*
 * The flows of one listener. There may be a quarter of a million: kept are the
 * first so many in the order that is asked for, in a heap whose root is the
 * last of them.
 */
#define KEPT 1000

struct collect {
	struct top *t;
	size_t n;
};

static bool before(const struct top *t, const struct flow_view *a, const struct flow_view *b)
{
	return flow_sort_key(t->flow_sort, a) > flow_sort_key(t->flow_sort, b);
}

static void swap(struct flow_view *a, struct flow_view *b)
{
	struct flow_view c = *a;

	*a = *b;
	*b = c;
}

static void sift_up(struct top *t, size_t i)
{
	for (; i && before(t, &t->flow[(i - 1) / 2], &t->flow[i]); i = (i - 1) / 2)
		swap(&t->flow[i], &t->flow[(i - 1) / 2]);
}

static void sift_down(struct top *t, size_t n)
{
	size_t i = 0, last;

	for (;; i = last) {
		last = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
			if (before(t, &t->flow[last], &t->flow[child]))
				last = child;
		if (last == i)
			return;
		swap(&t->flow[i], &t->flow[last]);
	}
}

/* Its listener's number is known of most; of others the server's address tells. */
static bool belongs(const struct live_listener *of, const struct flow_view *v)
{
	uint32_t server = sw_server(&v->f);

	if (of->l.index && v->f.listener)
		return v->f.listener == of->l.index;
	return v->f.key.port[server] == of->l.key.port &&
	       sw_listener_fits(&of->l.key, v->f.key.family, v->f.key.addr[server]);
}

static int collect(const struct flow_view *v, void *arg)
{
	struct collect *c = arg;
	struct top *t = c->t;

	if (!belongs(&t->of, v))
		return 0;
	t->all_flows++;
	if (c->n < KEPT) {
		t->flow[c->n] = *v;
		sift_up(t, c->n++);
	} else if (before(t, v, &t->flow[0])) {
		t->flow[0] = *v;
		sift_down(t, KEPT);
	}
	return 0;
}

void flows_collect(struct top *t)
{
	struct collect c = { t, 0 };

	t->all_flows = 0;
	if (t->live.open)
		snapshot_flows(&t->live.store, collect, &c);
	t->flows = c.n;
	/* the root goes to the end, again and again: what is left is sorted */
	while (c.n > 1) {
		swap(&t->flow[0], &t->flow[--c.n]);
		sift_down(t, c.n);
	}
}

void flows_open(struct top *t, const struct live_listener *of)
{
	if (!t->flow)
		t->flow = calloc(KEPT, sizeof(*t->flow));
	if (!t->flow) {
		top_say(t, "no memory");
		return;
	}
	t->of = *of;
	t->first_flow = 0;
	t->screen = &screen_flows;
	flows_collect(t);
}

static void cell_age(json_object *row, char *text, size_t size)
{
	out_duration(text, size, out_int(row, "age_ms"));
}

static void cell_idle(json_object *row, char *text, size_t size)
{
	out_duration(text, size, out_int(row, "idle_ms"));
}

static void latency(json_object *us, char *text, size_t size)
{
	if (us)
		us_text(text, size, json_object_get_int64(us));
	else
		snprintf(text, size, "-");
}

static void cell_server_us(json_object *row, char *text, size_t size)
{
	latency(out_at(row, "server_us"), text, size);
}

static void cell_client_us(json_object *row, char *text, size_t size)
{
	latency(out_at(row, "client_us"), text, size);
}

/* From so many columns on the terminal a column is there; without cell, it is the value at path. */
static const struct {
	const char *head;
	int width; /* negative: to the left */
	int from;
	enum style style;
	const char *path;
	void (*cell)(json_object *row, char *text, size_t size);
} columns[] = {
	{ "CLIENT", -22, 0, PLAIN, NULL, view_cell_client },
	{ "CLIENT IS", -11, 0, CLIENT, "client.state", NULL },
	{ "SERVER", -22, 130, PLAIN, NULL, view_cell_server },
	{ "SERVER IS", -11, 0, SERVER, "server.state", NULL },
	{ "AGE", 6, 0, PLAIN, NULL, cell_age },
	{ "IDLE", 6, 0, PLAIN, NULL, cell_idle },
	{ "SRV", 7, 0, PLAIN, NULL, cell_server_us },
	{ "CLI", 7, 0, PLAIN, NULL, cell_client_us },
	{ "NOTES", -60, 90, PLAIN, NULL, view_cell_notes },
};
#define N_COLUMNS (sizeof(columns) / sizeof(*columns))

static void draw_cell(int y, int x, size_t i, enum style style, const char *text)
{
	if (columns[i].width < 0)
		put(y, x, -columns[i].width, style, "%s", text);
	else
		put_right(y, x, columns[i].width, style, text);
}

static void draw_row(const struct top *t, int y, const struct flow_view *v)
{
	json_object *row = json_object_new_object();
	int x = 1;

	view_flow(row, &t->live.store.meta.config, NULL, v);
	for (size_t i = 0; i < N_COLUMNS; i++) {
		char text[128];

		if (COLS < columns[i].from)
			continue;
		if (columns[i].cell)
			columns[i].cell(row, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", out_str(row, columns[i].path));
		draw_cell(y, x, i, columns[i].style, text);
		x += abs(columns[i].width) + 1;
	}
	json_object_put(row);
}

static void draw(struct top *t, int y, int end)
{
	char all[NUMBER_TEXT];
	size_t room;
	int x = 1;

	out_thousands(all, sizeof(all), t->all_flows);
	x += put(y, 1, COLS, STRONG, "%s flows of %s", all, t->of.name);
	if (t->all_flows > t->flows)
		x += put(y, x, COLS - x, PLAIN, ", the first %zu", t->flows);
	put(y++, x, COLS - x, PLAIN, " by %s", flow_sort_names[t->flow_sort]);
	put_band(y, BAND);
	x = 1;
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (COLS >= columns[i].from) {
			draw_cell(y, x, i, BAND, columns[i].head);
			x += abs(columns[i].width) + 1;
		}
	y++;
	room = end > y ? end - y : 0;
	if (t->first_flow + room > t->flows)
		t->first_flow = t->flows > room ? t->flows - room : 0;
	if (!t->flows)
		put(y, 1, COLS, FAINT, "no flow");
	for (size_t i = t->first_flow; i < t->flows && y < end; i++)
		draw_row(t, y++, &t->flow[i]);
}

static void back(struct top *t)
{
	t->screen = &screen_overview;
}

static void next_sort(struct top *t)
{
	if (!flow_sort_names[++t->flow_sort])
		t->flow_sort = 0;
	flows_collect(t);
}

static void scroll_by(struct top *t, int by)
{
	if (by < 0 && (size_t)-by > t->first_flow)
		t->first_flow = 0;
	else
		t->first_flow += by;
}

static void up(struct top *t)
{
	scroll_by(t, -1);
}

static void down(struct top *t)
{
	scroll_by(t, 1);
}

static void page_up(struct top *t)
{
	scroll_by(t, 4 - LINES);
}

static void page_down(struct top *t)
{
	scroll_by(t, LINES - 4);
}

static void to_first(struct top *t)
{
	t->first_flow = 0;
}

static void to_last(struct top *t)
{
	t->first_flow = KEPT;
}

static const struct key keys[] = {
	{ 27, "Esc", "Back", "back to the listeners", back },
	{ KEY_BACKSPACE, NULL, NULL, NULL, back },
	{ 's', "s", "Sort", "sort by the next field", next_sort },
	{ KEY_UP, "Up Down", NULL, "scroll; also k and j, PgUp, PgDn, Home, End", up },
	{ 'k', NULL, NULL, NULL, up },
	{ KEY_DOWN, NULL, NULL, NULL, down },
	{ 'j', NULL, NULL, NULL, down },
	{ KEY_PPAGE, NULL, NULL, NULL, page_up },
	{ KEY_NPAGE, NULL, NULL, NULL, page_down },
	{ KEY_HOME, NULL, NULL, NULL, to_first },
	{ KEY_END, NULL, NULL, NULL, to_last },
	{ 0 },
};

const struct screen screen_flows = { "Flows", draw, keys };
