/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_FOLLOW_H
#define SW_FOLLOW_H

#include "config.h"

/*
 * Keeps the configured devices attached: those that come, and those that come
 * back. One that somebody detaches meanwhile is left alone. The caller of what
 * attaches or detaches holds the pin lock.
 */
struct follow {
	struct mnl_socket *nl;	  /* tells that a device has changed */
	int seen[SW_MAX_DEVICES]; /* ifindex, by place in config->devices; 0: it is not there */
};

/*
 * Attach what is there and is not attached; without any device configured, those
 * that are attached are taken for it. -1 with sw_err(): nothing was changed.
 */
int follow_start(struct follow *f, struct config *c);
void follow_stop(struct follow *f);

/* Readable when some device has changed. True: one of the configuration, for follow_attach(). */
int follow_fd(const struct follow *f);
bool follow_read(struct follow *f, const struct config *c);
void follow_attach(struct follow *f, const struct config *c);

/* Another configuration: what is in the old one only is detached, the rest attached again. */
void follow_config(struct follow *f, const struct config *old, const struct config *c);

/* Detach all of the configuration that is attached; with the last one nothing stays. */
void follow_detach(const struct config *c);

#endif
