// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "../out.h"
#include "draw.h"

/* Of a text in the terminal's encoding, what fits into width columns. */
static int put_text(int y, int x, int width, enum style style, const char *text)
{
	mbstate_t state = { 0 };
	int used = 0;

	if (y < 0 || y >= LINES || x < 0)
		return 0;
	if (width > COLS - x)
		width = COLS - x;
	tty_style(style);
	while (*text) {
		wchar_t wide[2] = { 0 };
		size_t n = mbrtowc(wide, text, MB_CUR_MAX, &state);
		int columns;

		if (n == (size_t)-1 || n == (size_t)-2) {
			memset(&state, 0, sizeof(state));
			wide[0] = '?';
			n = 1;
		}
		columns = wcwidth(wide[0]);
		if (columns < 0) { /* a process may call itself anything */
			wide[0] = '?';
			columns = 1;
		}
		if (used + columns > width)
			break;
		mvaddnwstr(y, x + used, wide, 1);
		used += columns;
		text += n;
	}
	return used;
}

int put(int y, int x, int width, enum style style, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return put_text(y, x, width, style, text);
}

void put_right(int y, int x, int width, enum style style, const char *text)
{
	int pad = width - (int)strlen(text);

	put_text(y, pad > 0 ? x + pad : x, width, style, text);
}

void put_band(int y, enum style style)
{
	tty_style(style);
	if (y >= 0 && y < LINES)
		mvhline(y, 0, ' ', COLS);
}

void put_bar(int y, int x, int width, enum style style, uint64_t value, uint64_t max)
{
	char text[1024] = "";

	if (width <= 0)
		return;
	if (width > 255)
		width = 255;
	if (value > max)
		value = max;
	if (tty.unicode) {
		out_bar(text, sizeof(text), value, max, width);
	} else if (max) {
		int cells = (value * width + max - 1) / max;

		memset(text, '|', cells);
		text[cells] = 0;
	}
	put_text(y, x, width, style, text);
}

void put_gauge(int y, int x, int width, enum style style, uint64_t value, uint64_t max)
{
	if (width < 3)
		return;
	put_text(y, x, 1, style, "[");
	put_bar(y, x + 1, width - 2, style, value, max);
	put_text(y, x + width - 1, 1, style, "]");
}

void put_history(int y, int x, int width, enum style style, const struct trend *t,
		 const trend_ring ring)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { " ", ".", ".", ":", ":", "+", "+", "#", "#" };
	double max = 0;

	for (int i = 0; i < width; i++)
		if (trend_at(t, ring, i) > max)
			max = trend_at(t, ring, i);
	for (int i = 0; i < width; i++) {
		double value = trend_at(t, ring, width - 1 - i);
		/* anything is seen; the greatest alone is full */
		int eighths = value > 0 ? 1 + (int)(value / max * 7) : 0;

		put_text(y, x + i, 1, style, (tty.unicode ? blocks : ascii)[eighths]);
	}
}

/* With a suffix, three digits. */
static void short_text(char *text, size_t size, double value)
{
	static const char suffix[] = " kMGTPE";
	int n = 0;

	for (; value >= 999.5 && n < 6; n++)
		value /= 1000;
	if (n)
		snprintf(text, size, "%.*f%c", value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value,
			 suffix[n]);
	else
		snprintf(text, size, "%.0f", value);
}

const char *number_text(char *text, size_t size, double value, int width)
{
	out_thousands(text, size, value + 0.5);
	if ((int)strlen(text) > width)
		short_text(text, size, value);
	return text;
}

const char *rate_text(char *text, size_t size, double per_second, int width)
{
	if (per_second > 0 && per_second < 9.95)
		snprintf(text, size, "%.1f", per_second);
	else
		number_text(text, size, per_second, width);
	return text;
}

const char *us_text(char *text, size_t size, double us)
{
	if (us < 999.5)
		snprintf(text, size, "%.0fus", us);
	else if (us < 999500)
		snprintf(text, size, "%.*fms", us < 9995 ? 2 : us < 99950 ? 1 : 0, us / 1000);
	else
		snprintf(text, size, "%.2fs", us / 1000000);
	return text;
}
