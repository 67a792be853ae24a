// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../fail.h"
#include "../opts.h"
#include "../view.h"
#include "screen.h"

#define SAID_NS (5 * SW_NS_PER_SEC)
#define SHARE 100 /* looking takes at most one part in so many of the time */

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

void top_say(struct top *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->said, sizeof(t->said), fmt, ap);
	va_end(ap);
	t->said_until = snapshot_now() + SAID_NS;
}

static uint64_t cpu_now(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * SW_NS_PER_SEC + used.tv_nsec;
}

/* Everything anew. Where tables are so large that a look is dear, the next one is later. */
static void look(struct top *t)
{
	uint64_t begin = snapshot_now(), before = cpu_now(), took;

	t->trouble[0] = 0;
	if (live_update(&t->live))
		snprintf(t->trouble, sizeof(t->trouble), "%s", sw_err_text());
	list_arrange(t);
	if (t->screen == &screen_flows || t->back == &screen_flows)
		flows_collect(t);
	took = (cpu_now() - before) * SHARE;
	t->due = begin + (took > t->interval_ns ? took : t->interval_ns);
}

static void draw_title(const struct top *t)
{
	static const struct screen *const tabs[] = { &screen_overview, &screen_diagram };
	const struct store *s = &t->live.store;
	char text[64], clock[16];
	time_t now = time(NULL);
	struct tm tm;
	int x;

	put_band(0, BAND);
	x = 1 + put(0, 1, COLS, BAND, "synward ");
	for (size_t i = 0; i < sizeof(tabs) / sizeof(*tabs); i++)
		x += put(0, x, COLS, t->screen == tabs[i] ? PICKED : BAND, " %zu %s ", i + 1,
			 tabs[i]->name);
	if (t->screen != &screen_overview && t->screen != &screen_diagram)
		x += put(0, x, COLS, PICKED, " %s ", t->screen->name);
	strftime(clock, sizeof(clock), "%H:%M:%SZ", gmtime_r(&now, &tm));
	text[0] = 0;
	if (t->live.open && s->n_devices)
		snprintf(text, sizeof(text), "%.15s", s->device[0].dev.name);
	if (t->live.open && s->n_devices > 1)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " and %d more",
			 s->n_devices - 1);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "  %s ", clock);
	if (t->paused)
		x += put(0, x + 1, COLS, ALARM, " PAUSED ") + 1;
	if (COLS - x > (int)strlen(text))
		put_right(0, x, COLS - x, BAND, text);
}

/* The bottom line: what the keys do here. */
static void draw_keys(const struct top *t)
{
	const struct key *sets[] = { t->screen->keys, common_keys };
	int x = 0;

	put_band(LINES - 1, PLAIN);
	for (int s = 0; s < 2; s++)
		for (const struct key *k = sets[s]; k->code; k++) {
			if (!k->label)
				continue;
			x += put(LINES - 1, x, COLS, STRONG, "%s", k->cap);
			x += put(LINES - 1, x, COLS, BAND, " %s", k->label);
			x++;
		}
}

static void draw(struct top *t)
{
	erase();
	draw_title(t);
	t->screen->draw(t, 1, LINES - 1);
	if (t->trouble[0]) {
		put_band(LINES - 2, ALARM);
		put(LINES - 2, 1, COLS - 2, ALARM, "%s", t->trouble);
	} else if (t->said[0] && (t->setter || snapshot_now() < t->said_until)) {
		put_band(LINES - 2, BAND);
		put(LINES - 2, 1, COLS - 2, BAND, "%s", t->said);
	}
	draw_keys(t);
	if (t->dialog)
		t->dialog->draw(t);
	refresh();
}

static void press(struct top *t, int code)
{
	const struct key *sets[] = { t->screen->keys, common_keys };

	if (code == KEY_RESIZE)
		return;
	if (t->dialog)
		return t->dialog->key(t, code);
	for (int s = 0; s < 2; s++)
		for (const struct key *k = sets[s]; k->code; k++)
			if (k->code == code)
				return k->act(t);
}

/* Until a key, or time for something: the clock of the title moves each second. */
static int wait_for_keys(struct top *t)
{
	struct pollfd in[] = { { STDIN_FILENO, POLLIN, 0 }, { t->answer_fd, POLLIN, 0 } };
	uint64_t now = snapshot_now(), next = now + SW_NS_PER_SEC - now % SW_NS_PER_SEC;

	if (!t->paused && t->due < next)
		next = t->due > now ? t->due : now;
	if (poll(in, t->setter ? 2 : 1, (next - now) / SW_NS_PER_MS + 1) < 0)
		return errno == EINTR ? 0 : sw_err("cannot wait for keys: %s", strerror(errno));
	/* the terminal is gone; what there was is read still */
	t->quit |= !!(in[0].revents & (POLLHUP | POLLERR | POLLNVAL));
	if (t->setter && in[1].revents)
		guard_answered(t);
	return 0;
}

static int run(struct top *t)
{
	int ret = 0, code;

	while (!stop && !t->quit && !ret) {
		draw(t);
		ret = wait_for_keys(t);
		while (!ret && (code = getch()) != ERR)
			press(t, code);
		if (!t->paused && snapshot_now() >= t->due)
			look(t);
	}
	return ret;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
}

int top_screen(uint64_t interval_s)
{
	struct top *t = calloc(1, sizeof(*t));
	int ret = -1;

	if (!t)
		return sw_err("no memory"), EXIT_FAILED;
	t->interval_ns = interval_s * SW_NS_PER_SEC;
	t->screen = &screen_overview;
	if (!live_open(&t->live)) {
		catch_signals();
		if (!tty_open()) {
			look(t);
			ret = run(t);
			tty_close();
			if (t->setter)
				guard_end(t);
		}
		live_close(&t->live);
	}
	free(t->row);
	free(t->flow);
	free(t);
	return ret ? EXIT_FAILED : EXIT_DONE;
}
