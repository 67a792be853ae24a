/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_WRAP_H
#define SW_WRAP_H

#include <stddef.h>

/* UTF-8 text in columns; Chinese characters take two. */

size_t text_width(const char *text);

/*
 * The next line of text, of at most width columns, broken at a blank or beside a
 * wide character: its length in bytes. *text moves to what follows; 0 at the end.
 */
size_t text_line(const char **text, size_t width);

#endif
