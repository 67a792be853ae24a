/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TOP_DRAW_H
#define SW_TOP_DRAW_H

#include "../trend.h"
#include "tty.h"

/*
 * Pieces of a screen. Each draws from a place to the right, never beyond width
 * columns or the edge, and below or beside the screen nothing.
 */

/* Text; the columns that it took. */
int put(int y, int x, int width, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The same, ending at the right end of its width. */
void put_right(int y, int x, int width, enum style style, const char *text);
/* A whole line of one style, with nothing in it yet. */
void put_band(int y, enum style style);

/* value/max of width columns; "[###   ]" with both ends for a gauge. */
void put_bar(int y, int x, int width, enum style style, uint64_t value, uint64_t max);
void put_gauge(int y, int x, int width, enum style style, uint64_t value, uint64_t max);

/* The newest values of a series, the newest at the right end; as high as its greatest. */
void put_history(int y, int x, int width, enum style style, const struct trend *t,
		 const trend_ring ring);

/* Numbers: 1,234,567; what does not fit is 1.23M. 1.2/s; 21us, 1.2ms, 3.4s. */
const char *number_text(char *text, size_t size, double value, int width);
const char *rate_text(char *text, size_t size, double per_second, int width);
const char *us_text(char *text, size_t size, double us);
#define NUMBER_TEXT 32

#endif
