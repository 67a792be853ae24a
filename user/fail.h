/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FAIL_H
#define SW_FAIL_H

#include <stddef.h>

/*
 * Errors travel as one line of text. A function that can fail takes no
 * buffer: it calls sw_err() with the line a user should read (what failed and
 * the command to try) and returns -1. The last line set is printed once, by
 * main(), on stderr as "synward: LINE" and, under --json, as {"error": LINE}
 * on stdout. Not thread-safe: synward's commands have one thread.
 */
int sw_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The last line set by sw_err(), "" when none. */
const char *sw_err_text(void);

#endif
