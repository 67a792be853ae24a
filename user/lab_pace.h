/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LAB_PACE_H
#define SW_LAB_PACE_H

#include "explain.h"

/*
 * A view that shows the rows of another one slowly: the scenario goes on at the
 * kernel's pace, whose timers do not wait, and its rows stand in a queue. On a
 * terminal a key shows the next one at once.
 */
extern const struct explain_view pace_view;

/* From now on rows are shown by *view; slowly or as they come. */
void pace_begin(const struct explain_view *view, bool slow);
/* The terminal as it was. */
void pace_end(void);

/* Where keys come from, -1: from nowhere. */
int pace_key_fd(void);
/* Milliseconds until the next row has to be shown, -1: none waits. */
int pace_due_ms(void);
/* Show what is due; key: there is one to be read. -1 with sw_err(). */
int pace_show(bool key);

/* A signal wants an end. */
bool pace_stopped(void);

#endif
