// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "out.h"

struct out out = { .width = 80, .height = 24 };

static const struct out_column *columns;
static int rows;

void out_init(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	out.terminal = isatty(STDOUT_FILENO);
	if (!out.terminal)
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	out.colour = out.terminal && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
	if (out.terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col) {
		out.width = size.ws_col;
		out.height = size.ws_row;
	}
}

static void print_json(json_object *doc)
{
	fputs(json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE),
	      stdout);
}

void out_doc(json_object *doc, void (*text)(json_object *doc))
{
	if (out.json) {
		print_json(doc);
		putchar('\n');
	} else {
		text(doc);
	}
	json_object_put(doc);
}

void out_table_begin(const struct out_column *c)
{
	columns = c;
	rows = 0;
	if (out.json)
		putchar('[');
}

static void head(void)
{
	printf("%s", out_bold());
	for (const struct out_column *c = columns; c->head; c++)
		printf("%s%*s", c == columns ? "" : "  ", c[1].head || c->width > 0 ? c->width : 0,
		       c->head);
	printf("%s\n", out_plain());
}

void out_table_row(json_object *row)
{
	char text[128];

	if (out.json) {
		if (rows++)
			fputs(",\n", stdout);
		print_json(row);
		json_object_put(row);
		return;
	}
	if (!rows++)
		head();
	for (const struct out_column *c = columns; c->head; c++) {
		if (c->cell)
			c->cell(row, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", out_str(row, c->path));
		printf("%s%*s", c == columns ? "" : "  ", c[1].head || c->width > 0 ? c->width : 0,
		       text);
	}
	putchar('\n');
	json_object_put(row);
}

void out_table_end(const char *when_empty)
{
	if (out.json)
		puts("]");
	else if (!rows)
		puts(when_empty);
}

json_object *out_at(json_object *doc, const char *path)
{
	char name[64];

	while (doc && *path) {
		size_t n = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		if (!json_object_object_get_ex(doc, name, &doc))
			return NULL;
		path += n + (path[n] == '.');
	}
	return doc;
}

int64_t out_int(json_object *doc, const char *path)
{
	return json_object_get_int64(out_at(doc, path));
}

const char *out_str(json_object *doc, const char *path)
{
	json_object *value = out_at(doc, path);

	return value ? json_object_get_string(value) : "-";
}

void out_bar(char *text, size_t size, uint64_t value, uint64_t max, int width)
{
	static const char *const part[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	uint64_t eighths = max ? (value * width * 8 + max - 1) / max : 0;
	size_t n = 0;

	text[0] = 0;
	for (uint64_t i = 0; i < eighths / 8 && n + 4 < size; i++)
		n += snprintf(text + n, size - n, "█");
	if (n + 4 < size)
		snprintf(text + n, size - n, "%s", part[eighths % 8]);
}

const char *out_bold(void)
{
	return out.colour ? "\033[1m" : "";
}

const char *out_dim(void)
{
	return out.colour ? "\033[2m" : "";
}

const char *out_red(void)
{
	return out.colour ? "\033[31m" : "";
}

const char *out_plain(void)
{
	return out.colour ? "\033[0m" : "";
}

json_object *out_time(uint64_t realtime_ns)
{
	time_t seconds = realtime_ns / 1000000000;
	char text[64], all[96];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(all, sizeof(all), "%s.%06" PRIu64 "Z", text, realtime_ns % 1000000000 / 1000);
	return json_object_new_string(all);
}

json_object *out_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return out_time(now.tv_sec * 1000000000ull + now.tv_nsec);
}

json_object *out_maybe(bool present, int64_t value)
{
	return present ? json_object_new_int64(value) : NULL;
}

void out_thousands(char *text, size_t size, uint64_t value)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	size_t at = 0;

	for (int i = 0; i < n && at + 2 < size; i++) {
		if (i && (n - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = 0;
}

void out_duration(char *text, size_t size, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 10)
		snprintf(text, size, "%" PRIu64 ".%01" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 60)
		snprintf(text, size, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(text, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s % 3600 / 60);
	else
		snprintf(text, size, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s % 86400 / 3600);
}
