// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <string.h>

#include "policy.h"
#include "snapshot.h"

/* A deadline that is over: "then" holds. */
#define PAST 1

static const struct sw_guard *in_force(const struct guard *g, uint32_t index)
{
	const struct sw_guard *e = &g->guards[index];

	return e->own ? e : &g->guards[0];
}

static struct sw_policy changed(struct sw_policy p, const struct policy_change *c)
{
	if (c->mode >= 0)
		p.mode = c->mode;
	if (c->dry_run >= 0)
		p.dry_run = c->dry_run;
	if (c->method >= 0)
		p.method = c->method;
	if (c->high >= 0)
		p.high = c->high;
	if (c->low >= 0)
		p.low = c->low;
	if (c->hold_s >= 0)
		p.hold_s = c->hold_s;
	return p;
}

struct sw_policy policy_after(const struct guard *g, uint32_t index, const struct policy_change *c)
{
	return changed(*sw_policy_of(&g->guards[index], &g->guards[0], snapshot_now()), c);
}

/* What holds once no deadline is pending. */
static struct sw_policy lasting(const struct guard *g, uint32_t index, uint64_t now)
{
	const struct sw_guard *from = in_force(g, index);

	return from->until_ns > now ? from->then :
				      *sw_policy_of(&g->guards[index], &g->guards[0], now);
}

bool policy_lasts(const struct guard *g, uint32_t index, const struct policy_change *c)
{
	struct sw_policy is = lasting(g, index, snapshot_now()), to = changed(is, c);

	return (!index || g->guards[index].own) && !memcmp(&is, &to, sizeof(is));
}

static void store32(uint32_t *to, uint32_t value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

static void store64(__u64 *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

/*
 * A policy that is not in force. A program may have looked at until_ns just
 * before: mode, dry run and method change in one store, so that it never sees a
 * new mode without its dry run.
 */
static void fill(struct sw_policy *to, const struct sw_policy *p)
{
	uint32_t head;

	_Static_assert(offsetof(struct sw_policy, high) == sizeof(head), "one word");
	memcpy(&head, p, sizeof(head));
	store32(&to->high, p->high);
	store32(&to->low, p->low);
	store32(&to->hold_s, p->hold_s);
	store32((uint32_t *)to, head);
}

void policy_set(struct guard *g, uint32_t index, const struct policy_change *change)
{
	struct sw_guard *e = &g->guards[index];
	struct sw_policy after = policy_after(g, index, change);
	uint64_t now = snapshot_now();
	struct sw_policy before = lasting(g, index, now);

	g->control->active = 1; /* no later than the policy; guard_refresh() knows better */
	if (e->until_ns && e->until_ns <= now) {
		fill(&e->now, &e->then);
		store64(&e->until_ns, 0);
	}
	/* one of the two policies is filled while until_ns says that the other holds */
	fill(&e->then, change->for_ns ? &before : &after);
	store64(&e->until_ns, PAST);
	fill(&e->now, &after);
	store64(&e->since_ns, now);
	store64(&e->until_ns, change->for_ns ? now + change->for_ns : 0);
	if (index)
		__atomic_store_n(&e->own, 1, __ATOMIC_SEQ_CST);
}
