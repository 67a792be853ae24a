// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "out.h"
#include "snapshot.h"
#include "wrap.h"

/*
 *	   TIME  CLIENT       10.0.0.1:40000          10.0.0.2:80  SERVER
 *		 SYN_SENT     |-- SYN seq=0 -------------------->|  LISTEN
 *			      |  a sentence			 |
 */
#define TIME_COLUMNS 9
#define STATE_COLUMNS 11
#define MARGIN (TIME_COLUMNS + STATE_COLUMNS + 3) /* up to the client's line */
#define LEAST 44 /* columns between the lines */
#define LEAST_ABSOLUTE 60
#define MOST 72

static const struct glyphs {
	const char *line, *client, *server, *dash, *right, *left, *lost, *gap, *more;
} ascii = { "|", "|", "|", "-", ">", "<", "X", "...", ":" },
  unicode = { "│", "├", "┤", "─", "►", "◄", "✗", "···", "⋮" };

static const struct glyphs *g;
static struct explain_head head;
static int columns; /* between the lines */

void explain_text_ascii(bool want)
{
	setlocale(LC_CTYPE, "");
	g = want || strcmp(nl_langinfo(CODESET), "UTF-8") ? &ascii : &unicode;
}

bool explain_text_is_ascii(void)
{
	return g == &ascii;
}

static void repeat(const char *what, int n)
{
	while (n-- > 0)
		fputs(what, stdout);
}

/* One line between the two ends: what goes before, between and behind their lines. */
static void left(const char *time, const char *state, const char *line)
{
	printf("%*s  %s%*s%s %s", TIME_COLUMNS - 1, time, out_bold(), STATE_COLUMNS, state, out_plain(),
	       line);
}

static void right(const char *line, const char *state)
{
	printf("%s%s%s%s%s\n", line, *state ? " " : "", out_bold(), state, out_plain());
}

static const char *since(const struct explain_row *r, char *text, size_t size)
{
	return explain_since(r, head.coarse, text, size);
}

/* A line of words between the ends. */
static void words(const char *text, size_t bytes, const char *before, const char *after)
{
	char line[512];

	snprintf(line, sizeof(line), "%.*s", (int)bytes, text);
	left("", "", g->line);
	printf("  %s%s%s", before, line, after);
	repeat(" ", columns - 2 - (int)text_width(line));
	right(g->line, "");
}

static void sentence(const char *text, const char *before, const char *after)
{
	while (*text) {
		const char *start = text;
		size_t n = text_line(&text, columns - 3);

		words(start, n, before, after);
	}
}

static const char *moved(const struct explain_row *r, int side)
{
	return r->moved[side] ? state_name(r->state[side]) : "";
}

static int begin(const struct explain_head *h)
{
	int room = out.width - 2 * STATE_COLUMNS - TIME_COLUMNS - 6;
	int least = h->absolute ? LEAST_ABSOLUTE : LEAST, gap;

	if (!g)
		explain_text_ascii(false);
	head = *h;
	columns = room < least ? least : room > MOST ? MOST : room;
	gap = columns + 2 - strlen(h->end[0]) - strlen(h->end[1]);
	printf("%s%*s%s", out_bold(), MARGIN, "", h->end[0]);
	repeat(" ", gap < 1 ? 1 : gap);
	printf("%s%s\n", h->end[1], out_plain());
	left("", state_name(h->state[0]), g->line);
	repeat(" ", columns);
	right(g->line, state_name(h->state[1]));
	return 0;
}

/* The arrow of a segment, in pieces from its sender on; drawn backwards for the server's. */
static void arrow(const struct explain_row *r, const char *label)
{
	const char *head_glyph = r->from ? g->left : g->right;
	const char *stop = r->part == PART_LOST ? g->lost : g->gap;
	int rest = columns - (int)text_width(label) - 4, half = rest / 2;
	int blank = rest - half - (int)text_width(stop);
	struct {
		const char *what;
		int n;
	} whole[] = { { g->dash, 2 }, { " ", 1 }, { label, 1 }, { " ", 1 }, { g->dash, rest - 1 },
		      { head_glyph, 1 } },
	  sent[] = { { g->dash, 2 }, { " ", 1 }, { label, 1 }, { " ", 1 }, { g->dash, half },
		     { stop, 1 }, { " ", blank } },
	  arrived[] = { { " ", blank }, { stop, 1 }, { " ", 1 }, { label, 1 }, { " ", 1 },
			{ g->dash, half + 1 }, { head_glyph, 1 } },
	  *pieces = r->part == PART_WHOLE ? whole : r->part == PART_ARRIVED ? arrived : sent;
	int n = r->part == PART_WHOLE ? 6 : 7;

	for (int i = 0; i < n; i++)
		repeat(pieces[r->from ? n - 1 - i : i].what, pieces[r->from ? n - 1 - i : i].n);
}

static void event(const struct explain_row *r)
{
	int blank = columns - 2 - (int)text_width(r->event);
	char time[32];

	left(since(r, time, sizeof(time)), moved(r, 0), g->line);
	printf("%*s%s%*s", r->from ? blank : 2, "", r->event, r->from ? 2 : blank, "");
	right(g->line, moved(r, 1));
}

static void run(const struct explain_row *r)
{
	char text[256], time[32];

	left(since(r, time, sizeof(time)), "", g->more);
	repeat(" ", columns);
	right(g->more, "");
	sentence(explain_run_text(r, head.lang, text, sizeof(text)), "", "");
	if (r->note == NOTE_DATA_HALF_CLOSED)
		sentence(note_text(r->note, head.lang), out_dim(), out_plain());
}

static void segment(const struct explain_row *r)
{
	/* whose line the arrow touches where it begins */
	bool from_client = !r->from && r->part != PART_ARRIVED;
	bool from_server = r->from && r->part != PART_ARRIVED;
	char text[256], time[32];

	left(since(r, time, sizeof(time)), moved(r, 0), from_client ? g->client : g->line);
	arrow(r, explain_label(r, text, sizeof(text)));
	right(from_server ? g->server : g->line, moved(r, 1));
	sentence(explain_syn_options(&r->pkt, text, sizeof(text)), "", "");
	sentence(explain_mark(r, head.lang, text, sizeof(text)), out_red(), out_plain());
	sentence(note_text(r->note, head.lang), out_dim(), out_plain());
}

static int row(const struct explain_row *r)
{
	if (r->event)
		event(r);
	else if (explain_is_run(r))
		run(r);
	else
		segment(r);
	return 0;
}

static int end(void)
{
	return 0;
}

const struct explain_view explain_text = { .begin = begin, .row = row, .end = end };
