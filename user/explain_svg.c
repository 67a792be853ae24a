// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "fail.h"
#include "snapshot.h"
#include "wrap.h"

/* Geometry, in pixels of a drawing that scales: fit for a slide. */
#define WIDTH 960
#define CLIENT_X 210
#define SERVER_X 780
#define TOP 84
#define ROW 26	 /* the arrow */
#define LINE 17	 /* a line of words below it */
#define GAP 16	 /* between segments */
#define COLUMNS 74 /* of words between the lines */
#define ROWS 80	 /* more than that nobody reads */

static const char *path = "-";
static struct explain_head head;
static FILE *body; /* in memory: the height is known at the end */
static char *text;
static size_t size;
static int y, rows;
static uint64_t left_out;

void explain_svg_path(const char *to)
{
	path = to;
}

static void put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		switch (s[i]) {
		case '<':
			fputs("&lt;", body);
			break;
		case '>':
			fputs("&gt;", body);
			break;
		case '&':
			fputs("&amp;", body);
			break;
		default:
			fputc(s[i], body);
		}
}

static void write_text(int x, int at, const char *class, const char *s, size_t n)
{
	fprintf(body, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, at, class);
	put(s, n);
	fputs("</text>\n", body);
}

static void sentence(const char *class, const char *s)
{
	while (*s) {
		const char *start = s;
		size_t n = text_line(&s, COLUMNS);

		y += LINE;
		write_text((CLIENT_X + SERVER_X) / 2, y, class, start, n);
	}
}

static void state(int side, uint8_t value)
{
	int x = side ? SERVER_X + 16 : CLIENT_X - 16 - 118;

	fprintf(body, "<rect x=\"%d\" y=\"%d\" width=\"118\" height=\"22\" rx=\"11\" class=\"s%d\"/>\n", x,
		y - 11, side);
	write_text(x + 59, y + 5, "state", state_name(value), strlen(state_name(value)));
}

static int begin(const struct explain_head *h)
{
	head = *h;
	body = open_memstream(&text, &size);
	if (!body)
		return sw_err("no memory");
	y = TOP;
	rows = 0;
	left_out = 0;
	for (int side = 0; side < 2; side++) {
		static const char *const who[LANG_COUNT][2] = { { "client", "server" },
								{ "客户端", "服务器" } };
		int x = side ? SERVER_X : CLIENT_X;

		write_text(x, 30, "who", who[h->lang][side], strlen(who[h->lang][side]));
		write_text(x, 50, "end", h->end[side], strlen(h->end[side]));
		state(side, h->state[side]);
	}
	y += GAP;
	return 0;
}

/* From the sender to where it ends; x1 is the sender's line unless it only arrives here. */
static void arrow(const struct explain_row *r)
{
	int from = r->from ? SERVER_X : CLIENT_X, to = r->from ? CLIENT_X : SERVER_X;
	int middle = (from + to) / 2, step = to > from ? 1 : -1;
	const char *class = r->reason != SW_R_OBSERVED ? "bad" : r->retransmit ? "again" : "good";
	int x1 = r->part == PART_ARRIVED ? middle : from;
	int x2 = r->part == PART_WHOLE || r->part == PART_ARRIVED ? to - 2 * step : middle;

	fprintf(body, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"%s\"%s%s/>\n", x1, y, x2, y,
		class, x2 == middle ? "" : " marker-end=\"url(#head)\"",
		r->part == PART_WHOLE ? "" : " stroke-dasharray=\"7 5\"");
	if (r->part == PART_LOST)
		write_text(x2, y + 7, "lost", "✗", strlen("✗"));
}

static int row(const struct explain_row *r)
{
	char line[256];

	if (rows++ >= ROWS) {
		left_out += r->segments[0] + r->segments[1];
		return 0;
	}
	if (r->event) {
		y += ROW;
		write_text(r->from ? SERVER_X - 8 : CLIENT_X + 8, y, r->from ? "did right" : "did", r->event,
			   strlen(r->event));
		if (r->moved[r->from])
			state(r->from, r->state[r->from]);
		return 0;
	}
	if (explain_is_run(r)) {
		explain_run_text(r, head.lang, line, sizeof(line));
		y += ROW;
		write_text((CLIENT_X + SERVER_X) / 2, y, "run", line, strlen(line));
		if (r->note == NOTE_DATA_HALF_CLOSED)
			sentence("note", note_text(r->note, head.lang));
		y += GAP;
		return 0;
	}
	y += ROW;
	explain_label(r, line, sizeof(line));
	write_text((CLIENT_X + SERVER_X) / 2, y - 7, "label", line, strlen(line));
	arrow(r);
	for (int side = 0; side < 2; side++)
		if (r->moved[side])
			state(side, r->state[side]);
	explain_since(r, head.coarse, line, sizeof(line));
	write_text(8, y + 5, "time", line, strlen(line));
	sentence("options", explain_syn_options(&r->pkt, line, sizeof(line)));
	sentence("mark", explain_mark(r, head.lang, line, sizeof(line)));
	sentence("note", note_text(r->note, head.lang));
	y += GAP;
	return 0;
}

static int end(void)
{
	static const char style[] =
		"text{font-family:system-ui,\"Noto Sans\",\"Noto Sans CJK SC\",sans-serif;font-size:13px;fill:#222;"
		"text-anchor:middle}\n"
		".label,.end{font-family:ui-monospace,\"DejaVu Sans Mono\",monospace}\n"
		".who{font-size:18px;font-weight:bold}.state{font-size:12px;font-weight:bold;fill:#fff}\n"
		".note,.options{fill:#555}.run{font-style:italic;fill:#555}.time{text-anchor:start;fill:#888;"
		"font-size:12px}\n"
		".did{text-anchor:start;font-weight:bold}.right{text-anchor:end}\n"
		".mark,.lost{fill:#b3261e}.lost{font-size:20px}.s0{fill:#1f6feb}.s1{fill:#1a7f37}\n"
		"line{stroke-width:2}.good{stroke:#222}.again{stroke:#b36b00}.bad{stroke:#b3261e}"
		".life{stroke:#aaa;stroke-width:1.5}\n";
	FILE *file = strcmp(path, "-") ? fopen(path, "w") : stdout;
	bool good;

	if (left_out) {
		char line[64];

		snprintf(line, sizeof(line), "... %llu more", (unsigned long long)left_out);
		y += ROW;
		write_text((CLIENT_X + SERVER_X) / 2, y, "run", line, strlen(line));
	}
	fclose(body);
	if (!file) {
		free(text);
		return sw_err("cannot write %s: %s", path, strerror(errno));
	}
	y += GAP;
	fprintf(file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\">\n<style>%s</style>\n"
		"<defs><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
		"markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\"/></marker></defs>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		WIDTH, y, style);
	for (int side = 0; side < 2; side++)
		fprintf(file, "<line x1=\"%d\" y1=\"60\" x2=\"%d\" y2=\"%d\" class=\"life\"/>\n",
			side ? SERVER_X : CLIENT_X, side ? SERVER_X : CLIENT_X, y - GAP / 2);
	fwrite(text, 1, size, file);
	fputs("</svg>\n", file);
	free(text);
	good = !ferror(file);
	if (file != stdout)
		good &= !fclose(file);
	return good ? 0 : sw_err("cannot write %s: %s", path, strerror(errno));
}

const struct explain_view explain_svg = { .begin = begin, .row = row, .end = end };
