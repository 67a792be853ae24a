/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TOP_SCREEN_H
#define SW_TOP_SCREEN_H

#include <sys/types.h>

#include "../alarm.h"
#include "draw.h"
#include "top.h"

struct top;

/* What a key does. code: as getch() tells it. */
struct key {
	int code;
	const char *cap;   /* as it is written; NULL: another key for the one above */
	const char *label; /* on the bottom line; NULL: in the help only */
	const char *help;
	void (*act)(struct top *t);
};

/* A page: everything between the title and the keys. */
struct screen {
	const char *name;
	void (*draw)(struct top *t, int y, int end); /* lines y to end - 1 */
	const struct key *keys; /* beside those of every screen; cap and code 0 at the end */
};
extern const struct screen screen_overview, screen_diagram, screen_flows, screen_help;

/* A question over a screen; it has the keys until it is gone (t->dialog NULL). */
struct dialog {
	void (*draw)(struct top *t);
	void (*key)(struct top *t, int code);
};

struct top {
	struct live live;
	uint64_t interval_ns;
	uint64_t due; /* CLOCK_MONOTONIC ns: the next look */
	bool paused, quit;
	char trouble[256]; /* why there is nothing new, "" none */
	char said[256];	   /* an answer to the last key */
	uint64_t said_until;

	const struct screen *screen, *back; /* back: where help was asked for */
	const struct dialog *dialog;

	/* listeners: those that match, sorted */
	char filter[32];
	int sort;
	char picked[LISTENER_TEXT]; /* the name of the selected one */
	struct live_listener **row;
	size_t rows, picked_row, first_row;

	/* guard dialog */
	char guarded[LISTENER_TEXT];
	int choice;
	bool sure; /* asks for y or n */
	pid_t setter; /* sets it, 0 none; says at answer_fd why it failed, then closes that */
	int answer_fd;
	char answer[256];
	size_t answer_len;

	/* flows of a listener */
	struct live_listener of;
	struct flow_view *flow;
	size_t flows, first_flow;
	uint64_t all_flows;
	int flow_sort;
};

/* An answer on the line above the keys, for some seconds. */
void top_say(struct top *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Figures of all listeners, each on a line; the next free one. */
int draw_rates_line(const struct trend *t, int y);
int draw_latency_line(const struct trend *t, int y);
int draw_verdicts_line(const struct trend *t, int y);
/* The same as tables; verdicts only where there is room for two of them. */
#define FIGURES_TWO 100 /* columns */
void draw_figures(const struct trend *t, int y, int end, int x, int width);

/* The selected listener; NULL when there is none. */
struct live_listener *list_picked(struct top *t);
/* After each look: which listeners are shown, in which order. */
void list_arrange(struct top *t);
void list_draw(struct top *t, int y, int end);
extern const struct key list_keys[];

/* After each look, and before the flows are shown for the first time. */
void flows_collect(struct top *t);
void flows_open(struct top *t, const struct live_listener *of);

extern const struct dialog dialog_filter, dialog_guard;
void dialog_guard_open(struct top *t);
/* An empty frame in the middle of the screen; where its first line begins. */
void dialog_frame(int lines, int width, const char *title, int *y, int *x);

/* While there is a setter: answer_fd can be read. */
void guard_answered(struct top *t);
/* It is not waited for any more; had it done its work? */
bool guard_end(struct top *t);

/* Keys of every screen. */
extern const struct key common_keys[];

#endif
