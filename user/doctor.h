/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_DOCTOR_H
#define SW_DOCTOR_H

#include <json-c/json.h>

#include "dev.h"
#include "guard.h"
#include "listeners.h"
#include "selftest.h"

/* What `doctor` has found out so far, and from what. */
struct doctor {
	json_object *checks;
	struct dev_list devs;
	struct store store; /* when attached; else what it would be */
	struct guard guard; /* the same */
	bool attached;
	bool can_load;	    /* privilege and kernel allow the BPF object */
	struct selftest self;
	bool self_ran;
};

enum verdict { OK, WARN, FAIL };

/*
 * One line: check is its short name, about the device, listener or NULL that
 * it is of; todo what to do about it, NULL for nothing.
 */
void doctor_say(struct doctor *d, enum verdict verdict, const char *check, const char *about,
		const char *todo, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* The parts, in this order. */
void doctor_kernel(struct doctor *d);
void doctor_sysctls(struct doctor *d);
void doctor_device(struct doctor *d, const struct dev *dev);
void doctor_selftest(struct doctor *d);
void doctor_ruleset(struct doctor *d);
void doctor_listeners(struct doctor *d);

#endif
