/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TOP_TTY_H
#define SW_TOP_TTY_H

#include <stdbool.h>

/* The terminal: taken over, and given back as it was whatever ends the program. */

/* What a text is; how that looks depends on the terminal, and never only on its colours. */
enum style {
	PLAIN,
	STRONG,
	FAINT,
	BAND,	/* title, heads of tables */
	PICKED, /* the selected line */
	CLIENT, /* the client's end, and its way through the states */
	SERVER,
	GOOD,
	WARN,
	BAD,
	ALARM,
	STYLES
};

extern struct tty {
	bool unicode; /* else bars and lines are of ASCII */
	bool colour;
} tty;

/* -1 with sw_err(): not a terminal that can be drawn on. */
int tty_open(void);
void tty_close(void);

/* For what is drawn from here on. */
void tty_style(enum style style);

#endif
