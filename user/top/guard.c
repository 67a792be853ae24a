// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* pipe2 */
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fail.h"
#include "screen.h"

/* Switching the guard of the selected listener: a choice, then a question, then it is set. */

static const struct {
	const char *name;
	enum sw_mode mode;
	int dry_run; /* -1: as it was */
	const char *meaning;
} choices[] = {
	{ "off", SW_MODE_OFF, -1, "never armed" },
	{ "auto, dry run", SW_MODE_AUTO, 1, "armed by a flood; counts, touches nothing" },
	{ "auto, live", SW_MODE_AUTO, 0, "armed by a flood, disarmed when it is over" },
	{ "on, dry run", SW_MODE_ON, 1, "always armed; counts, touches nothing" },
	{ "on, live", SW_MODE_ON, 0, "always armed" },
};
#define N_CHOICES (int)(sizeof(choices) / sizeof(*choices))

void dialog_guard_open(struct top *t)
{
	const struct live_listener *l = list_picked(t);

	if (!l || t->setter)
		return;
	snprintf(t->guarded, sizeof(t->guarded), "%s", l->name);
	t->sure = false;
	t->choice = 0;
	for (int i = 0; i < N_CHOICES; i++)
		if (choices[i].mode == l->guard.policy.mode &&
		    (choices[i].dry_run < 0 || choices[i].dry_run == l->guard.policy.dry_run))
			t->choice = i;
	t->dialog = &dialog_guard;
}

static void draw_guard(struct top *t)
{
	int y, x;

	if (t->sure) {
		dialog_frame(1, 70, "Guard", &y, &x);
		put(y, x, 70, STRONG, "Set the guard of %s to %s? (y or n)", t->guarded,
		    choices[t->choice].name);
		return;
	}
	dialog_frame(N_CHOICES, 62, t->guarded, &y, &x);
	for (int i = 0; i < N_CHOICES; i++) {
		enum style style = i == t->choice ? PICKED : PLAIN;

		put(y + i, x, 62, style, "%s%-14s %-47s", i == t->choice ? ">" : " ",
		    choices[i].name, choices[i].meaning);
	}
}

/* What holds now, and whether that is what was meant. */
static void say_set(struct top *t, const struct live_listener *l)
{
	struct guard_state state =
		listener_guard(&t->live.guard, &t->live.store, &l->l, snapshot_now());

	if (!l->l.index || listener_served(&state))
		top_say(t, "the guard of %s is %s now", l->name, choices[t->choice].name);
	else
		top_say(t, "the guard of %s is %s now, by %s: %s", l->name, choices[t->choice].name,
			guard_serves_name(state.serves), state.why);
}

static const struct live_listener *guarded(const struct top *t)
{
	for (size_t i = 0; i < t->live.n; i++)
		if (!strcmp(t->live.listener[i].name, t->guarded))
			return &t->live.listener[i];
	return NULL;
}

/* In a process of its own, as it waits for other commands: the screen goes on meanwhile. */
static void set_in_child(struct top *t, const struct live_listener *l, int answer)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL); /* ends while it waits; then pin_lock() holds them off */
	if (live_set_guard(&t->live, l, choices[t->choice].mode, choices[t->choice].dry_run))
		_exit(1 + (write(answer, sw_err_text(), strlen(sw_err_text())) < 0));
	_exit(0);
}

static void set(struct top *t)
{
	const struct live_listener *l = guarded(t);
	int fd[2];

	if (!l) {
		top_say(t, "nothing listens on %s any more", t->guarded);
		return;
	}
	if (pipe2(fd, O_CLOEXEC)) {
		top_say(t, "cannot set it: %s", strerror(errno));
		return;
	}
	t->setter = fork();
	if (!t->setter)
		set_in_child(t, l, fd[1]);
	top_say(t, "setting the guard of %s", t->guarded);
	close(fd[1]);
	t->answer_fd = fd[0];
	t->answer_len = 0;
}

void guard_answered(struct top *t)
{
	const struct live_listener *l = guarded(t);
	ssize_t n = read(t->answer_fd, t->answer + t->answer_len,
			 sizeof(t->answer) - 1 - t->answer_len);
	bool done;

	if (n > 0) {
		t->answer_len += n;
		return;
	}
	t->answer[t->answer_len] = 0;
	done = guard_end(t);
	if (t->answer[0])
		top_say(t, "%s", t->answer);
	else if (!done)
		top_say(t, "the guard of %s was not set", t->guarded);
	else if (l)
		say_set(t, l);
	t->due = 0; /* shown at once */
}

bool guard_end(struct top *t)
{
	int status = -1;

	if (t->setter > 0) { /* else fork() failed */
		kill(t->setter, SIGTERM);
		while (waitpid(t->setter, &status, 0) < 0 && errno == EINTR)
			;
	}
	t->setter = 0;
	close(t->answer_fd);
	return !status;
}

static void key_guard(struct top *t, int code)
{
	if (t->sure) {
		if (code == 'y' || code == 'Y')
			set(t);
		else
			top_say(t, "nothing was changed");
		t->dialog = NULL;
		return;
	}
	switch (code) {
	case KEY_UP:
	case 'k':
		t->choice = (t->choice + N_CHOICES - 1) % N_CHOICES;
		break;
	case KEY_DOWN:
	case 'j':
		t->choice = (t->choice + 1) % N_CHOICES;
		break;
	case '\r':
	case KEY_ENTER:
		t->sure = true;
		break;
	case 27:
	case 'q':
	case 'g':
		t->dialog = NULL;
	}
}

const struct dialog dialog_guard = { draw_guard, key_guard };
