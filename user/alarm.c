// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "alarm.h"
#include "out.h"

#define RECENT 3u      /* intervals that decide */
#define ATTACK_SYNS 10 /* per second: fewer are no attack */

struct list {
	struct alarm *at;
	size_t n, size;
};

/* Kept in order, so that what does not fit is the least. */
static void say(struct list *list, enum alarm_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void say(struct list *list, enum alarm_level level, const char *fmt, ...)
{
	struct alarm one = { .level = level };
	size_t i = list->n < list->size ? list->n : list->size;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(one.text, sizeof(one.text), fmt, ap);
	va_end(ap);
	list->n++;
	for (; i && list->at[i - 1].level < level; i--)
		if (i < list->size)
			list->at[i] = list->at[i - 1];
	if (i < list->size)
		list->at[i] = one;
}

static double recent(const struct live *v, const struct live_listener *l, enum trend_rate rate)
{
	return l->l.index ? trend_mean(v->trend, v->trend->rate[l->l.index][rate], RECENT) : 0;
}

bool alarm_attack(const struct live *v, const struct live_listener *l)
{
	double syn = recent(v, l, TREND_SYN);

	return l->guard.armed && syn >= ATTACK_SYNS && recent(v, l, TREND_COMPLETED) * 2 < syn;
}

/* Its guard is at work, or would be. */
static void armed(struct list *list, const struct live *v, const struct live_listener *l)
{
	const struct guard_state *g = &l->guard;
	double syn = recent(v, l, TREND_SYN), done = recent(v, l, TREND_COMPLETED);
	char since[32], rate[32];

	out_duration(since, sizeof(since), g->armed_for_ms);
	out_thousands(rate, sizeof(rate), syn);
	if (alarm_attack(v, l) && g->policy.dry_run)
		say(list, ALARM_ATTACK,
		    "%s under attack: %s SYN/s, %.0f %% completed; dry run, none kept off", l->name,
		    rate, 100 * done / syn);
	else if (alarm_attack(v, l))
		say(list, ALARM_ATTACK, "%s under attack: %s SYN/s, %.0f %% completed; %s armed %s",
		    l->name, rate, 100 * done / syn, guard_serves_name(g->serves), since);
	else if (g->policy.mode == SW_MODE_AUTO)
		say(list, ALARM_NOTE, "%s: %s %s, %s SYN/s", l->name,
		    g->policy.dry_run ? "dry run, would be armed for" : "armed for", since, rate);
}

static void look_at(struct list *list, const struct live *v, const struct live_listener *l)
{
	uint64_t half = l->tally.tracked + l->tally.untracked;
	const struct guard_state *g = &l->guard;

	if (g->armed)
		armed(list, v, l);
	else if (l->backlog && half >= l->backlog)
		say(list, ALARM_ATTACK,
		    "%s: %" PRIu64 " half-open, its backlog is %u; the guard is %s", l->name, half,
		    l->backlog,
		    g->why[0] && g->policy.mode ? g->why : guard_mode_name(g->policy.mode));
	else if (sw_backing_off(&v->guard.guards[l->l.index], v->sample.now / SW_NS_PER_SEC))
		say(list, ALARM_WARN, "%s: %s", l->name, g->why);
	if (l->l.socket && l->l.backlog && l->l.accept_queue >= l->l.backlog)
		say(list, ALARM_WARN,
		    "%s: accept queue full, %u of %u: the application is slow, no guard helps that",
		    l->name, l->l.accept_queue, l->l.backlog);
}

size_t alarms(const struct live *v, struct alarm *at, size_t size)
{
	struct list list = { .at = at, .size = size };

	for (size_t i = 0; i < v->n; i++)
		look_at(&list, v, &v->listener[i]);
	return list.n;
}
