/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_REPORT_H
#define SW_TEST_REPORT_H

/* What the tests of whole programs found: a line for each of the first failures, one for each part. */
#include <stdarg.h>
#include <stdio.h>

static unsigned int failures;

static inline void fails(const char *fmt, ...)
{
	va_list ap;

	if (++failures > 20)
		return;
	fputs("  ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* A part of the test is over; before: what failures was when it began. */
static inline void report(const char *what, unsigned int before)
{
	printf("%s %s\n", failures == before ? "ok" : "FAIL", what);
}

#endif
