// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "trend.h"

struct trend *trend_new(void)
{
	struct trend *t = calloc(1, sizeof(*t));

	if (!t)
		sw_err("no memory");
	return t;
}

void trend_free(struct trend *t)
{
	free(t);
}

/* What was never reached is 0 still; the rest of the memory is left untouched. */
void trend_clear(struct trend *t)
{
	uint32_t used = t->last.n_listeners + 1;

	memset(t->rate, 0, used * sizeof(t->rate[0]));
	memset(t->listener_half_open, 0, used * sizeof(t->listener_half_open[0]));
	memset(t->last.listener, 0, used * sizeof(t->last.listener[0]));
	t->last.n_listeners = 0;
	t->n = 0;
	t->any = false;
}

static double per_second(uint64_t before, uint64_t after, double seconds)
{
	return after > before ? (after - before) / seconds : 0;
}

static uint64_t counter(const struct tally *t, enum trend_rate rate)
{
	static const size_t offset[] = {
#define SW_X(name, field) offsetof(struct tally, field),
		TREND_RATES(SW_X)
#undef SW_X
	};

	return *(const uint64_t *)((const char *)t + offset[rate]);
}

static void add_listeners(struct trend *t, const struct sample *s, double seconds, uint32_t at)
{
	for (int r = 0; r < TREND_RATE_COUNT; r++)
		t->rate[0][r][at] = 0;
	for (uint32_t i = 1; i <= s->n_listeners; i++) {
		/* one that is new has counted from 0 */
		const struct tally *before = &t->last.listener[i], *after = &s->listener[i];

		t->listener_half_open[i][at] = after->tracked + after->untracked;
		for (int r = 0; r < TREND_RATE_COUNT; r++) {
			double rate = per_second(counter(before, r), counter(after, r), seconds);

			t->rate[i][r][at] = rate;
			t->rate[0][r][at] += rate;
		}
	}
}

static void add_latency(struct sw_latency *to, const struct sw_latency *before,
			const struct sw_latency *after)
{
	const __u64 *x = &before->bucket[0][0], *y = &after->bucket[0][0];
	__u64 *z = &to->bucket[0][0];

	for (size_t i = 0; i < sizeof(*to) / sizeof(*z); i++)
		z[i] = y[i] > x[i] ? y[i] - x[i] : 0;
}

void trend_add(struct trend *t, const struct sample *s)
{
	uint32_t at = t->n % TREND_LEN, used = s->n_listeners + 1;
	double seconds;

	if (t->any && s->now <= t->last.now)
		return;
	if (t->any) {
		seconds = (double)(s->now - t->last.now) / SW_NS_PER_SEC;
		t->seconds[at] = seconds;
		add_listeners(t, s, seconds, at);
		for (int r = 0; r < SW_R_COUNT; r++)
			t->reason[r][at] = per_second(t->last.reasons[r], s->reasons[r], seconds);
		for (int i = 0; i < SW_STATE_COUNT; i++) {
			t->client[i][at] = s->states.client[i];
			t->server[i][at] = s->states.server[i];
		}
		t->half_open[at] = s->half_open;
		t->pending[at] = s->pending;
		t->challenged[at] = s->challenged;
		add_latency(&t->latency[at], &t->last.latency, &s->latency);
		t->n++;
	}
	memcpy(&t->last, s, offsetof(struct sample, listener) + used * sizeof(s->listener[0]));
	t->any = true;
}

uint32_t trend_length(const struct trend *t)
{
	return t->n < TREND_LEN ? t->n : TREND_LEN;
}

double trend_at(const struct trend *t, const trend_ring ring, uint32_t ago)
{
	return ago < trend_length(t) ? ring[(t->n - 1 - ago) % TREND_LEN] : 0;
}

double trend_mean(const struct trend *t, const trend_ring ring, uint32_t n)
{
	double sum = 0, seconds = 0;

	for (uint32_t i = 0; i < n && i < trend_length(t); i++) {
		double interval = trend_at(t, t->seconds, i);

		sum += trend_at(t, ring, i) * interval;
		seconds += interval;
	}
	return seconds > 0 ? sum / seconds : 0;
}

struct sw_latency trend_latency(const struct trend *t, uint32_t n)
{
	struct sw_latency sum = { 0 };
	__u64 *to = &sum.bucket[0][0];

	for (uint32_t i = 0; i < n && i < trend_length(t); i++) {
		const __u64 *from = &t->latency[(t->n - 1 - i) % TREND_LEN].bucket[0][0];

		for (size_t k = 0; k < sizeof(sum) / sizeof(*to); k++)
			to[k] += from[k];
	}
	return sum;
}

uint64_t latency_count(const struct sw_latency *l, enum sw_part part)
{
	uint64_t n = 0;

	for (int i = 0; i < SW_LATENCY_BUCKETS; i++)
		n += l->bucket[part][i];
	return n;
}

/* Within a bucket they are taken to be spread evenly. */
double latency_quantile(const struct sw_latency *l, enum sw_part part, double q)
{
	double rank = q * latency_count(l, part), below = 0;

	for (int i = 0; i < SW_LATENCY_BUCKETS; i++) {
		double here = l->bucket[part][i], low = i ? (double)(1ull << i) : 0;

		if (here > 0 && below + here >= rank)
			return low + ((double)(2ull << i) - low) * (rank - below) / here;
		below += here;
	}
	return 0;
}
