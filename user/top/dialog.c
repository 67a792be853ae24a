// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <curses.h>
#include <string.h>

#include "screen.h"

void dialog_frame(int lines, int width, const char *title, int *y, int *x)
{
	*y = (LINES - lines - 2) / 2;
	*x = (COLS - width - 4) / 2;
	if (*y < 0)
		*y = 0;
	if (*x < 0)
		*x = 0;
	for (int i = 0; i < lines + 2; i++)
		put(*y + i, *x, width + 4, BAND, "%*s", width + 4, "");
	put(*y, *x + 2, width, PICKED, " %s ", title);
	for (int i = 1; i <= lines; i++)
		put(*y + i, *x + 1, width + 2, PLAIN, "%*s", width + 2, "");
	*y += 1;
	*x += 2;
}

/* The filter: typed on the bottom line, and in force while it is typed. */

static void draw_filter(struct top *t)
{
	put_band(LINES - 1, PICKED);
	put(LINES - 1, 0, COLS, PICKED, " Filter: %s_   (Enter keeps it, Esc ends it)", t->filter);
}

static void key_filter(struct top *t, int code)
{
	size_t n = strlen(t->filter);

	if (code == '\r' || code == KEY_ENTER) {
		t->dialog = NULL;
	} else if (code == 27) {
		t->filter[0] = 0;
		t->dialog = NULL;
	} else if (code == KEY_BACKSPACE || code == 127 || code == '\b') {
		if (n)
			t->filter[n - 1] = 0;
	} else if (code < 128 && isprint(code) && n + 1 < sizeof(t->filter)) {
		t->filter[n] = code;
		t->filter[n + 1] = 0;
	}
	list_arrange(t);
}

const struct dialog dialog_filter = { draw_filter, key_filter };
