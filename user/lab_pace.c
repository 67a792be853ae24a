// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "fail.h"
#include "lab_pace.h"
#include "snapshot.h"

#define EACH_NS SW_NS_PER_SEC

static const struct explain_view *view;
static struct explain_row *rows;
static size_t first, n, room;
static bool slow, keys;
static uint64_t due;
static struct termios before;
static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

bool pace_stopped(void)
{
	return stopped;
}

void pace_begin(const struct explain_view *v, bool slowly)
{
	struct sigaction act = { .sa_handler = stop };
	struct termios raw;

	view = v;
	slow = slowly;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	if (!slow || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before))
		return;
	raw = before;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	keys = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void pace_end(void)
{
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	keys = false;
	free(rows);
	rows = NULL;
	first = n = room = 0;
}

int pace_key_fd(void)
{
	return keys ? STDIN_FILENO : -1;
}

int pace_due_ms(void)
{
	uint64_t now = snapshot_now();

	if (first == n && due <= now) /* the last one, too, has its second */
		return -1;
	return due > now ? (due - now + SW_NS_PER_MS - 1) / SW_NS_PER_MS : 0;
}

static int draw(const struct explain_row *r)
{
	int ret = view->row(r);

	fflush(stdout);
	return ret;
}

int pace_show(bool key)
{
	char typed[16];

	if (key && read(STDIN_FILENO, typed, sizeof(typed)) > 0)
		due = 0;
	if (first == n || due > snapshot_now())
		return 0;
	due = snapshot_now() + EACH_NS;
	/* what a program does belongs to the segment that it causes */
	do {
		if (draw(&rows[first++]))
			return -1;
	} while (first < n && rows[first - 1].event && !rows[first].event);
	return 0;
}

static int begin(const struct explain_head *h)
{
	return view->begin(h);
}

static int row(const struct explain_row *r)
{
	if (!slow)
		return draw(r);
	if (n == room) {
		struct explain_row *more = realloc(rows, (room * 2 + 16) * sizeof(*rows));

		if (!more)
			return sw_err("no memory");
		rows = more;
		room = room * 2 + 16;
	}
	rows[n++] = *r;
	return pace_show(false);
}

static int end(void)
{
	return slow ? 0 : view->end();
}

const struct explain_view pace_view = { .begin = begin, .row = row, .end = end };
