/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PROGRESS_H
#define SW_PROGRESS_H

/*
 * A bar on stderr, when that is a terminal and the work has taken a while.
 * done: 0 to 1; below 0 it cannot be told, and there is no bar.
 */
void progress_show(double done);

/* Take the bar away. */
void progress_end(void);

#endif
