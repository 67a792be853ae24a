// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <string.h>

#include "../view.h"
#include "screen.h"

/*
 * The state diagram of RFC 9293 (figure 5) with how many client and server ends
 * are in each state now. The client's usual way is drawn heavy, the server's
 * double, the others light: they differ without colours as well.
 *
 * Boxes stand in three columns and seven levels; everything is in numbers of
 * these, so that it grows with the terminal.
 */
enum way { CLIENT_WAY, SERVER_WAY, OTHER_WAY };

static const enum style way_style[] = { CLIENT, SERVER, FAINT };

/* Across, down, and the four corners: from the left downwards, and so on. */
static const struct {
	const char *across, *down, *right_down, *left_down, *right_up, *left_up;
} lines[2][3] = {
	{ { "=", "#", "#", "#", "#", "#" },
	  { "~", ":", "+", "+", "+", "+" },
	  { "-", "|", "+", "+", "+", "+" } },
	{ { "━", "┃", "┓", "┏", "┛", "┗" },
	  { "═", "║", "╗", "╔", "╝", "╚" },
	  { "─", "│", "┐", "┌", "┘", "└" } },
};
static const struct {
	const char *right, *left, *down;
} heads[2] = { { ">", "<", "v" }, { "▶", "◀", "▼" } };

static struct {
	int top;	  /* line of the first level */
	int unit, height; /* lines of a level, of its boxes */
	int width;	  /* of a box */
	int left[3];	  /* where the columns begin */
	bool large;
} grid;

static const struct box {
	int level, column;
	unsigned int state;
	bool counted; /* CLOSED is there twice: at the begin, and where the ends arrive */
} boxes[] = {
	{ 0, 1, SW_CLOSED, false },	{ 1, 0, SW_LISTEN, true },
	{ 1, 2, SW_SYN_SENT, true },	{ 2, 0, SW_SYN_RCVD, true },
	{ 3, 1, SW_ESTABLISHED, true }, { 4, 0, SW_FIN_WAIT_1, true },
	{ 4, 2, SW_CLOSE_WAIT, true },	{ 5, 0, SW_FIN_WAIT_2, true },
	{ 5, 1, SW_CLOSING, true },	{ 5, 2, SW_LAST_ACK, true },
	{ 6, 1, SW_TIME_WAIT, true },	{ 6, 2, SW_CLOSED, true },
};

static void lay_out(int y, int end)
{
	int lines_left = end - y;

	grid.large = lines_left >= 6 * 6 + 4 && COLS >= 140;
	grid.height = grid.large ? 4 : 2;
	grid.width = grid.large ? 38 : 20;
	grid.unit = (lines_left - grid.height) / 6;
	if (grid.unit < grid.height + 1)
		grid.unit = grid.height + 1;
	if (grid.unit > grid.height + 5)
		grid.unit = grid.height + 5;
	grid.top = y;
	grid.left[0] = 1;
	grid.left[1] = (COLS - grid.width) / 2;
	grid.left[2] = COLS - grid.width - 1;
}

/* Lines and columns of a box: its first and last line, the one that arrows meet; where it ends. */
static int first(int level)
{
	return grid.top + level * grid.unit;
}

static int last(int level)
{
	return first(level) + grid.height - 1;
}

static int side(int level)
{
	return first(level) + (grid.height - 1) / 2;
}

static int right(int column)
{
	return grid.left[column] + grid.width - 1;
}

static int center(int column)
{
	return grid.left[column] + grid.width / 2;
}

/* Pieces of arrows: both ends are part of it. */
static void across(enum way way, int y, int from, int to)
{
	for (int x = from < to ? from : to; x <= (from < to ? to : from); x++)
		put(y, x, 1, way_style[way], "%s", lines[tty.unicode][way].across);
}

static void down(enum way way, int x, int from, int to)
{
	for (int y = from; y <= to; y++)
		put(y, x, 1, way_style[way], "%s", lines[tty.unicode][way].down);
}

static void head(enum way way, int y, int x, const char *text)
{
	put(y, x, 1, way_style[way], "%s", text);
}

/* Over a line that goes across: in its middle. */
static void label(enum way way, int y, int from, int to, const char *text)
{
	int room = (from < to ? to - from : from - to) - 2, begin = from < to ? from : to;

	if (room >= (int)strlen(text) + 2)
		put(y, begin + (room - (int)strlen(text)) / 2 + 1, room, way_style[way], " %s ",
		    text);
}

/* Straight down from a box to the one below it, at column x. */
static void arrow_down(enum way way, int from, int to, int x, const char *text)
{
	int y = last(from) + 1, end = first(to) - 1, width = strlen(text);

	down(way, x, y, end);
	head(way, end, x, heads[tty.unicode].down);
	put((y + end) / 2, x + 2 + width < COLS ? x + 2 : x - 1 - width, width, way_style[way],
	    "%s", text);
}

/* Out of a box's side, at line y, then down onto a box of another column. */
static void arrow_over(enum way way, int y, int from, int to, int to_column, const char *text)
{
	int x = center(to_column), begin = x > right(from) ? right(from) + 1 : grid.left[from] - 1;
	int end = first(to) - 1;

	across(way, y, begin, x);
	head(way, y, x,
	     x > begin ? lines[tty.unicode][way].right_down : lines[tty.unicode][way].left_down);
	down(way, x, y + 1, end);
	head(way, end, x, heads[tty.unicode].down);
	label(way, y, begin, x, text);
}

/* Down from a box, at column x, then into the side of a box of another column. */
static void arrow_into(enum way way, int from, int x, int to, int to_column, const char *text)
{
	bool to_right = grid.left[to_column] > x;
	int y = side(to), end = to_right ? grid.left[to_column] - 1 : right(to_column) + 1;

	down(way, x, last(from) + 1, y - 1);
	across(way, y, x, end);
	head(way, y, x,
	     to_right ? lines[tty.unicode][way].left_up : lines[tty.unicode][way].right_up);
	head(way, y, end, to_right ? heads[tty.unicode].right : heads[tty.unicode].left);
	label(way, y, x, end, text);
}

/* From one box's side to another's on the same level. */
static void arrow_right(enum way way, int level, int from, int to, const char *text)
{
	int y = side(level), begin = right(from) + 1, end = grid.left[to] - 1;

	across(way, y, begin, end);
	head(way, y, end, heads[tty.unicode].right);
	label(way, y, begin, end, text);
}

static void draw_arrows(void)
{
	bool l = grid.large;
	int a = center(0), b = grid.left[1], c = center(2);

	arrow_over(SERVER_WAY, side(0), 1, 1, 0, "passive open");
	arrow_over(CLIENT_WAY, side(0), 1, 1, 2, l ? "active open: snd SYN" : "active open");
	arrow_right(OTHER_WAY, 1, 0, 2, "send: snd SYN");
	arrow_down(SERVER_WAY, 1, 2, a, l ? "rcv SYN, snd SYN-ACK" : "SYN, SYN-ACK");
	arrow_into(OTHER_WAY, 1, grid.left[2] + 3, 2, 0, "simultaneous open: rcv SYN");
	arrow_into(CLIENT_WAY, 1, c, 3, 1, l ? "rcv SYN-ACK, snd ACK" : "SYN-ACK, ACK");
	arrow_into(SERVER_WAY, 2, a, 3, 1, l ? "rcv ACK of SYN" : "rcv ACK");
	arrow_down(OTHER_WAY, 2, 4, grid.left[0] + 3, l ? "close: snd FIN" : "close");
	arrow_into(CLIENT_WAY, 3, b + 4, 4, 0, l ? "close: snd FIN" : "snd FIN");
	arrow_into(SERVER_WAY, 3, right(1) - 4, 4, 2, l ? "rcv FIN, snd ACK" : "rcv FIN");
	arrow_over(OTHER_WAY, last(4), 0, 5, 1, l ? "rcv FIN, snd ACK" : "rcv FIN");
	arrow_down(CLIENT_WAY, 4, 5, a, "rcv ACK of FIN");
	arrow_down(SERVER_WAY, 4, 5, c, "close: snd FIN");
	arrow_down(OTHER_WAY, 5, 6, center(1), l ? "rcv ACK of FIN" : "ACK of FIN");
	arrow_into(CLIENT_WAY, 5, a, 6, 1, l ? "rcv FIN, snd ACK" : "rcv FIN");
	arrow_down(SERVER_WAY, 5, 6, c, "rcv ACK of FIN");
	arrow_right(CLIENT_WAY, 6, 1, 2, "2 MSL");
}

static void draw_frame(int y, int x, enum style style)
{
	int end = x + grid.width - 1;

	for (int row = y; row < y + grid.height; row++) {
		bool edge = row == y || row == y + grid.height - 1;

		put(row, x, grid.width, style, "%*s", grid.width, "");
		for (int i = x; edge && i <= end; i++)
			put(row, i, 1, style, "%s", lines[tty.unicode][OTHER_WAY].across);
		put(row, x, 1, style, "%s", lines[tty.unicode][OTHER_WAY].down);
		put(row, end, 1, style, "%s", lines[tty.unicode][OTHER_WAY].down);
	}
	put(y, x, 1, style, "%s", lines[tty.unicode][OTHER_WAY].left_down);
	put(y, end, 1, style, "%s", lines[tty.unicode][OTHER_WAY].right_down);
	put(y + grid.height - 1, x, 1, style, "%s", lines[tty.unicode][OTHER_WAY].left_up);
	put(y + grid.height - 1, end, 1, style, "%s", lines[tty.unicode][OTHER_WAY].right_up);
}

static void draw_box(const struct top *t, const struct box *b)
{
	const struct histogram *h = &t->live.sample.states;
	const struct trend *trend = t->live.trend;
	uint64_t n[2] = { h->client[b->state], h->server[b->state] };
	int y = first(b->level), x = grid.left[b->column];
	char text[NUMBER_TEXT];

	draw_frame(y, x, b->counted && n[0] | n[1] ? STRONG : PLAIN);
	put(y, x + 1, grid.width - 2, STRONG, " %s ", state_name(b->state));
	if (!b->counted)
		return;
	for (int s = 0; s < 2; s++) {
		enum style style = s ? SERVER : CLIENT;

		if (grid.large) {
			put(y + 1 + s, x + 2, 7, style, "%s", s ? "server" : "client");
			put_right(y + 1 + s, x + 9, 11, STRONG,
				  number_text(text, sizeof(text), n[s], 11));
			put_history(y + 1 + s, x + 21, grid.width - 22, style, trend,
				    (s ? trend->server : trend->client)[b->state]);
		} else {
			int at = x + 1 + s * 9;

			put(y + 1, at, 9, style, " %s", s ? "S" : "C");
			put(y + 1, at + 2, 7, STRONG, " %s ",
			    number_text(text, sizeof(text), n[s], 6));
		}
	}
}

static void draw_legend(const struct top *t, int y)
{
	static const char *const names[] = { "client's way", "server's way", "others" };
	const struct trend *trend = t->live.trend;
	char syn[NUMBER_TEXT], done[NUMBER_TEXT];
	int x = 1;

	for (int way = 0; way < 3; way++) {
		across(way, y, x, x + 2);
		x += 4;
		x += put(y, x, COLS - x, way_style[way], "%s", names[way]) + 2;
	}
	rate_text(syn, sizeof(syn), trend_at(trend, trend->rate[0][TREND_SYN], 0), 7);
	rate_text(done, sizeof(done), trend_at(trend, trend->rate[0][TREND_COMPLETED], 0), 7);
	put(y, x, COLS - x, PLAIN, "SYN %s/s  completed %s/s", syn, done);
}

static void draw(struct top *t, int y, int end)
{
	draw_legend(t, y);
	lay_out(y + 1, end);
	draw_arrows();
	for (size_t i = 0; i < sizeof(boxes) / sizeof(*boxes); i++)
		draw_box(t, &boxes[i]);
}

static const struct key keys[] = { { 0 } };

const struct screen screen_diagram = { "State diagram", draw, keys };
