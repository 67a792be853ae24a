// SPDX-License-Identifier: GPL-2.0
/* In place of the screen: make TUI=0. */
#include "../fail.h"
#include "../opts.h"
#include "top.h"

int top_screen(uint64_t interval_s)
{
	(void)interval_s;
	sw_err("built without ncurses (make TUI=0); try: synward top --json, or synward states "
	       "--watch");
	return EXIT_FAILED;
}
