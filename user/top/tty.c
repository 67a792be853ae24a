// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../fail.h"
#include "../out.h"
#include "tty.h"

struct tty tty;

static struct {
	short colour; /* -1: the terminal's own */
	attr_t attr;  /* besides it */
	attr_t mono;  /* without colours */
} styles[STYLES] = {
	[PLAIN] = { -1, A_NORMAL, A_NORMAL },
	[STRONG] = { -1, A_BOLD, A_BOLD },
	[FAINT] = { -1, A_DIM, A_DIM },
	[BAND] = { -1, A_REVERSE, A_REVERSE },
	[PICKED] = { COLOR_CYAN, A_REVERSE, A_REVERSE | A_BOLD },
	[CLIENT] = { COLOR_CYAN, A_NORMAL, A_NORMAL },
	[SERVER] = { COLOR_YELLOW, A_NORMAL, A_NORMAL },
	[GOOD] = { COLOR_GREEN, A_NORMAL, A_NORMAL },
	[WARN] = { COLOR_YELLOW, A_BOLD, A_BOLD },
	[BAD] = { COLOR_RED, A_BOLD, A_BOLD },
	[ALARM] = { COLOR_RED, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD },
};

static SCREEN *screen;

/* What gives the terminal back, kept for a handler, which may call next to nothing. */
static struct termios before;
static char leave[128];
static size_t leave_len;

static void keep(const char *capability)
{
	const char *text = tigetstr(capability);

	if (text && text != (char *)-1 && leave_len + strlen(text) < sizeof(leave)) {
		memcpy(leave + leave_len, text, strlen(text));
		leave_len += strlen(text);
	}
}

/* A fault: the terminal first, then as it would have been. */
static void on_fault(int sig)
{
	if (write(STDOUT_FILENO, leave, leave_len) >= 0)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	raise(sig); /* SA_RESETHAND: the default now */
}

static void catch_faults(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_RESETHAND };

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigaction(faults[i], &action, NULL);
}

static void init_styles(void)
{
	if (out.colour && has_colors() && start_color() == OK && use_default_colors() == OK)
		tty.colour = true;
	for (int i = 0; i < STYLES; i++) {
		if (!tty.colour)
			styles[i].attr = styles[i].mono;
		else if (styles[i].colour >= 0 && init_pair(i, styles[i].colour, -1) == OK)
			styles[i].attr |= COLOR_PAIR(i);
	}
}

void tty_close(void)
{
	endwin();
	delscreen(screen);
}

int tty_open(void)
{
	const char *type = getenv("TERM");

	setlocale(LC_CTYPE, "");
	tty.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	tcgetattr(STDIN_FILENO, &before);
	screen = newterm(NULL, stdout, stdin);
	if (screen && !tigetstr("cup")) { /* the cursor cannot be moved */
		tty_close();
		screen = NULL;
	}
	if (!screen)
		return sw_err("cannot draw on a terminal of type '%s'; try: TERM=xterm synward top",
			      type ? type : "");
	keep("sgr0");
	keep("rmkx");
	keep("cnorm");
	keep("rmcup");
	catch_faults();
	init_styles();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	return 0;
}

void tty_style(enum style style)
{
	attrset(styles[style].attr);
}
