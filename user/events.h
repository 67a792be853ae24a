/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EVENTS_H
#define SW_EVENTS_H

#include "shared.h"

/*
 * One of the SW_READERS places for those who are told of changed states. It is
 * owned by the lock on a directory beside the pins, so it ends with the
 * process, however that ends: the next reader finds the lock free and replaces
 * the ring that the last one left behind.
 */
struct events;

/* The directories; attach makes them, under the pin lock. 0, or -1 with sw_err(). */
int events_make_places(void);

/* NULL with sw_err(): nothing attached here, or all places are taken. */
struct events *events_open(const struct sw_filter *filter, uint32_t rate);
void events_close(struct events *e);

/*
 * Hands over what has come since the last time; to be called often, nothing
 * wakes the caller up. Until the next call *lost is how many more there were;
 * *more: and others, since the programs had given up on a caller that did not
 * come for SW_READER_GONE_S.
 */
typedef void (*events_fn)(const struct sw_record *r, void *arg);
void events_read(struct events *e, events_fn fn, void *arg, uint64_t *lost, bool *more);

/* How many readers there are, and what all that there were have lost since attach. -1 with sw_err(). */
int events_status(int *readers, uint64_t *lost);

#endif
