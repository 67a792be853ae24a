/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_NOTIFY_H
#define SW_NOTIFY_H

/*
 * Tell the service manager, by the protocol of sd_notify(3): lines as
 * "READY=1" to the socket that $NOTIFY_SOCKET names. Nothing happens where
 * there is none, nor when nobody reads it.
 */
void notify(const char *lines);

/* Seconds within which "WATCHDOG=1" is due, 0 when nobody waits for it. */
unsigned int notify_watchdog_s(void);

#endif
