/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_POLICY_H
#define SW_POLICY_H

#include "guard.h"

/* What of a policy is to change; -1: nothing. */
struct policy_change {
	int mode, dry_run, method;
	int64_t high, low, hold_s;
	uint64_t for_ns; /* then back to the policy before; 0: for good */
};
#define POLICY_UNCHANGED { -1, -1, -1, -1, -1, -1, 0 }

/* What the policy in force of an entry of map "guards" would become. */
struct sw_policy policy_after(const struct guard *g, uint32_t index,
			      const struct policy_change *change);

/* Is it so already, and for good? A deadline that is pending: once it is over. */
bool policy_lasts(const struct guard *g, uint32_t index, const struct policy_change *change);

/*
 * Make it so; a listener gets a policy of its own by that. A program that runs
 * meanwhile, and whoever comes after a kill of this process, finds the policy
 * before or the one after, nothing between. The caller holds the pin lock.
 */
void policy_set(struct guard *g, uint32_t index, const struct policy_change *change);

#endif
