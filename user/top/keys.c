// SPDX-License-Identifier: GPL-2.0
#include <curses.h>

#include "screen.h"

static void help(struct top *t)
{
	if (t->screen == &screen_help)
		return;
	t->back = t->screen;
	t->screen = &screen_help;
}

static void other_tab(struct top *t)
{
	t->screen = t->screen == &screen_overview ? &screen_diagram : &screen_overview;
}

static void overview(struct top *t)
{
	t->screen = &screen_overview;
}

static void diagram(struct top *t)
{
	t->screen = &screen_diagram;
}

static void pause_or_go_on(struct top *t)
{
	t->paused = !t->paused;
}

static void quit(struct top *t)
{
	t->quit = true;
}

static void draw_anew(struct top *t)
{
	(void)t;
	clearok(curscr, TRUE);
}

const struct key common_keys[] = {
	{ '\t', "Tab", "Page", "to the diagram of TCP states, and back", other_tab },
	{ '1', "1", NULL, "the overview", overview },
	{ '2', "2", NULL, "the diagram", diagram },
	{ 'p', "p", "Pause", "nothing new until it is pressed again", pause_or_go_on },
	{ ' ', NULL, NULL, NULL, pause_or_go_on },
	{ 'h', "h", "Help", "this page", help },
	{ '?', NULL, NULL, NULL, help },
	{ KEY_F(1), NULL, NULL, NULL, help },
	{ 'L' - '@', "^L", NULL, "draw everything anew", draw_anew },
	{ 'q', "q", "Quit", "end; so does Ctrl-C", quit },
	{ KEY_F(10), NULL, NULL, NULL, quit },
	{ 0 },
};
