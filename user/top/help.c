// SPDX-License-Identifier: GPL-2.0
#include <curses.h>

#include "screen.h"

static int draw_key_list(int y, const char *head, const struct key *keys)
{
	put(y++, 1, COLS, STRONG, "%s", head);
	for (const struct key *k = keys; k->code; k++)
		if (k->cap) {
			put(y, 3, 8, STRONG, "%s", k->cap);
			put(y++, 12, COLS - 12, PLAIN, "%s", k->help);
		}
	return y;
}

static void draw(struct top *t, int y, int end)
{
	static const struct {
		const char *word, *meaning;
	} words[] = {
		{ "half-open", "answered by the kernel, the final ACK is missing; of the backlog" },
		{ "pending", "SYNs that nobody has answered" },
		{ "challenged", "answered with a cookie, no ACK yet" },
		{ "kept off", "SYNs that the guard spared the listener (would, in a dry run)" },
		{ "server", "of latency: SYN to SYN-ACK; client: SYN-ACK to ACK" },
		{ "history", "a column for each look, the newest at the right" },
	};

	(void)t;
	y = draw_key_list(y, "Everywhere", common_keys);
	y = draw_key_list(y, "Overview", screen_overview.keys);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && y < end; i++, y++) {
		put(y, 3, 10, STRONG, "%s", words[i].word);
		put(y, 14, COLS - 14, PLAIN, "%s", words[i].meaning);
	}
}

static void leave(struct top *t)
{
	t->screen = t->back ? t->back : &screen_overview;
	t->back = NULL;
}

static const struct key keys[] = {
	{ 27, "Esc", "Back", "back", leave },
	{ '\r', NULL, NULL, NULL, leave },
	{ 'h', NULL, NULL, NULL, leave },
	{ 'q', NULL, NULL, NULL, leave },
	{ 0 },
};

const struct screen screen_help = { "Help", draw, keys };
