/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ATTACH_H
#define SW_ATTACH_H

#include "loader.h"

/* What attaching several devices came to. */
struct attached {
	struct attach_result result[SW_MAX_DEVICES]; /* in the order of the names */
	uint32_t listeners, flows;		     /* imported */
};

/* Are these devices there, named once, and can be attached together? -1 with sw_err(). */
int attach_check(const struct dev_list *all, int n, char *const *names);

/*
 * Attach all of them, then import what is open already. The caller holds the
 * pin lock and has checked the names. A failure undoes everything; -1 with sw_err().
 */
int attach_devices(const struct dev_list *all, int n, char *const *names,
		   const struct attach_options *opts, struct attached *done);

/* Undo it: devices that were attached before stay. */
void attach_undo(const struct dev_list *all, int n, char *const *names, const struct attached *done);

/*
 * Detach devices by name; with the last one nothing stays. The caller holds the
 * pin lock. -1 with sw_err(), nothing done: one of them is not attached.
 */
int detach_devices(const struct dev_list *all, int n, char *const *names);

#endif
