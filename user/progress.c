// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

#define WIDTH 40
#define FIRST_MS 500 /* what takes no longer needs no bar */
#define AGAIN_MS 100

static bool shown;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_show(double done)
{
	static long next;
	static int tty = -1;
	long now;
	int full;

	if (tty < 0) {
		const char *term = getenv("TERM");

		tty = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
		next = now_ms() + FIRST_MS;
	}
	now = now_ms();
	if (!tty || done < 0 || now < next)
		return;
	next = now + AGAIN_MS;
	shown = true;
	full = done < 1 ? done * WIDTH : WIDTH;
	fprintf(stderr, "\r[%.*s%*s] %3d %%", full, "########################################",
		WIDTH - full, "", done < 1 ? (int)(done * 100) : 100);
}

void progress_end(void)
{
	if (shown)
		fprintf(stderr, "\r%*s\r", WIDTH + 8, "");
	shown = false;
}
