/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_PINWAIT_H
#define SW_PINWAIT_H

#include <stdbool.h>

/*
 * The pin lock for who must not stand still while another command has it: a
 * thread waits in its place, in the queue like everybody.
 */
struct pin_wait {
	int event; /* readable: the lock has come, pin_wait_lock() hands it over */
	int dir;   /* whose lock the thread waits for */
	bool waits;
};

/* -1 with sw_err(). */
int pin_wait_init(struct pin_wait *w);

/* As pin_lock(); -3: not yet. To be called again when the event has come. */
int pin_wait_lock(struct pin_wait *w, bool make);
/* As pin_lock(), which may not be called beside: the thread may have the lock already. */
int pin_wait_for(struct pin_wait *w, bool make);

#endif
