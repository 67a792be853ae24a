// SPDX-License-Identifier: GPL-2.0
/* Rates, histories and percentiles from samples that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/trend.h"

static struct trend *t;
static struct sample *s;

static int setup(void **state)
{
	(void)state;
	t = trend_new();
	s = calloc(1, sizeof(*s));
	s->now = 1000 * SW_NS_PER_SEC;
	s->n_listeners = 2;
	return !t || !s;
}

static int teardown(void **state)
{
	(void)state;
	trend_free(t);
	free(s);
	return 0;
}

static void near(double value, double wanted)
{
	if (value < wanted - 1e-6 || value > wanted + 1e-6)
		fail_msg("%f, not %f", value, wanted);
}

/* The next sample, so many seconds later. */
static void later(double seconds)
{
	s->now += seconds * SW_NS_PER_SEC;
	trend_add(t, s);
}

static void rates_per_second(void **state)
{
	(void)state;
	s->listener[1].syn = 1000000; /* since attach: no rate */
	later(0);
	assert_int_equal(trend_length(t), 0);
	s->listener[1].syn += 500;
	s->listener[1].completed += 30;
	s->listener[2].syn += 10;
	s->reasons[SW_R_COOKIE] += 7;
	later(0.5);
	assert_int_equal(trend_length(t), 1);
	near(trend_at(t, t->rate[1][TREND_SYN], 0), 1000);
	near(trend_at(t, t->rate[1][TREND_COMPLETED], 0), 60);
	near(trend_at(t, t->rate[2][TREND_SYN], 0), 20);
	near(trend_at(t, t->rate[0][TREND_SYN], 0), 1020);
	near(trend_at(t, t->rate[0][TREND_KEPT_OFF], 0), 0);
	near(trend_at(t, t->reason[SW_R_COOKIE], 0), 14);
	later(2);
	near(trend_at(t, t->rate[0][TREND_SYN], 0), 0);
	near(trend_at(t, t->rate[0][TREND_SYN], 1), 1020);
	near(trend_at(t, t->rate[0][TREND_SYN], 2), 0);
}

/* Every series takes its own field. */
static void every_counter(void **state)
{
	(void)state;
	later(0);
#define SW_X(name, field) s->listener[1].field += 10 + TREND_##name;
	TREND_RATES(SW_X)
#undef SW_X
	later(1);
	for (int r = 0; r < TREND_RATE_COUNT; r++) {
		near(trend_at(t, t->rate[1][r], 0), 10 + r);
		near(trend_at(t, t->rate[0][r], 0), 10 + r);
	}
}

static void gauges_as_they_were(void **state)
{
	(void)state;
	later(0);
	for (int i = 1; i <= 3; i++) {
		s->half_open = 100 * i;
		s->states.client[SW_SYN_SENT] = i;
		s->states.server[SW_SYN_RCVD] = 2 * i;
		s->listener[2].tracked = 3 * i;
		s->listener[2].untracked = i;
		later(1);
	}
	for (int ago = 0; ago < 3; ago++) {
		near(trend_at(t, t->half_open, ago), 100 * (3 - ago));
		near(trend_at(t, t->client[SW_SYN_SENT], ago), 3 - ago);
		near(trend_at(t, t->server[SW_SYN_RCVD], ago), 2 * (3 - ago));
		near(trend_at(t, t->listener_half_open[2], ago), 4 * (3 - ago));
	}
}

static void less_is_no_rate(void **state)
{
	(void)state;
	s->reasons[SW_R_OBSERVED] = 1000;
	later(0);
	s->reasons[SW_R_OBSERVED] = 10; /* its device was detached */
	later(1);
	near(trend_at(t, t->reason[SW_R_OBSERVED], 0), 0);
	s->reasons[SW_R_OBSERVED] = 15;
	later(1);
	near(trend_at(t, t->reason[SW_R_OBSERVED], 0), 5);
}

static void same_moment_is_left_out(void **state)
{
	(void)state;
	later(0);
	s->listener[1].syn = 5;
	later(0);
	s->now -= SW_NS_PER_SEC;
	trend_add(t, s);
	assert_int_equal(trend_length(t), 0);
	s->now += SW_NS_PER_SEC;
	later(1);
	near(trend_at(t, t->rate[1][TREND_SYN], 0), 5);
}

static void new_listener_counts_from_zero(void **state)
{
	(void)state;
	later(0);
	s->n_listeners = SW_MAX_LISTENERS - 1;
	s->listener[SW_MAX_LISTENERS - 1].syn = 40;
	later(1);
	near(trend_at(t, t->rate[SW_MAX_LISTENERS - 1][TREND_SYN], 0), 40);
	near(trend_at(t, t->rate[SW_MAX_LISTENERS - 1][TREND_SYN], 1), 0);
	near(trend_at(t, t->rate[0][TREND_SYN], 0), 40);
}

static void remembers_so_many(void **state)
{
	(void)state;
	later(0);
	for (uint32_t i = 0; i < 3 * TREND_LEN + 7; i++) {
		s->listener[1].syn += i;
		later(1);
		assert_int_equal(trend_length(t), i + 1 < TREND_LEN ? i + 1 : TREND_LEN);
	}
	for (uint32_t ago = 0; ago < TREND_LEN; ago++)
		near(trend_at(t, t->rate[1][TREND_SYN], ago), 3 * TREND_LEN + 6 - ago);
	near(trend_at(t, t->rate[1][TREND_SYN], TREND_LEN), 0);
}

/* A mean is what was counted by the time that it took, however unequal the intervals. */
static void mean_is_weighed(void **state)
{
	(void)state;
	later(0);
	near(trend_mean(t, t->rate[1][TREND_SYN], 10), 0);
	s->listener[1].syn += 100;
	later(1);
	s->listener[1].syn += 20;
	later(9);
	near(trend_mean(t, t->rate[1][TREND_SYN], 2), 12);
	near(trend_mean(t, t->rate[1][TREND_SYN], 10), 12);
	near(trend_mean(t, t->rate[1][TREND_SYN], 1), 20. / 9);
}

static void cleared_is_as_new(void **state)
{
	(void)state;
	later(0);
	for (int i = 0; i < 5; i++) {
		s->listener[2].syn += 3;
		s->listener[2].tracked = 9;
		later(1);
	}
	trend_clear(t);
	assert_int_equal(trend_length(t), 0);
	memset(s->listener, 0, sizeof(s->listener));
	s->n_listeners = 1;
	later(1);
	s->n_listeners = 2;
	s->listener[2].syn = 4;
	later(1);
	near(trend_at(t, t->rate[2][TREND_SYN], 0), 4);
	near(trend_at(t, t->rate[2][TREND_SYN], 1), 0);
	near(trend_at(t, t->listener_half_open[2], 1), 0);
}

static void buckets(void **state)
{
	struct sw_latency l = { 0 };

	(void)state;
	for (int i = 0; i < 32; i++) {
		assert_int_equal(sw_log2(1u << i), i);
		assert_int_equal(sw_log2((1u << i) + ((1u << i) - 1)), i);
	}
	assert_int_equal(sw_log2(0), 0);
	sw_latency_count(&l, 0, 1);
	sw_latency_count(&l, 1000, SW_UNSEEN);
	sw_latency_count(&l, SW_UNSEEN, SW_UNSEEN);
	sw_latency_count(&l, SW_UNSEEN - 1, 1023);
	assert_int_equal(latency_count(&l, SW_PART_SERVER), 3);
	assert_int_equal(latency_count(&l, SW_PART_CLIENT), 2);
	assert_int_equal(l.bucket[SW_PART_SERVER][0], 1);
	assert_int_equal(l.bucket[SW_PART_SERVER][9], 1);
	assert_int_equal(l.bucket[SW_PART_SERVER][31], 1);
	assert_int_equal(l.bucket[SW_PART_CLIENT][0], 1);
	assert_int_equal(l.bucket[SW_PART_CLIENT][9], 1);
	assert_int_equal(l.sum_us[SW_PART_SERVER], 1000ull + SW_UNSEEN - 1);
	assert_int_equal(l.sum_us[SW_PART_CLIENT], 1024);
}

/* A percentile is right to within its bucket, and never falls as q rises. */
static void quantiles(void **state)
{
	struct sw_latency l = { 0 };
	double before = 0;

	(void)state;
	near(latency_quantile(&l, SW_PART_SERVER, 0.5), 0);
	for (__u32 us = 1; us <= 1000; us++)
		sw_latency_count(&l, us, 700);
	for (int i = 1; i <= 100; i++) {
		double q = latency_quantile(&l, SW_PART_SERVER, i / 100.), exact = 10 * i;

		assert_true(q >= before);
		assert_true(q >= exact / 2 && q <= exact * 2);
		before = q;
	}
	assert_true(latency_quantile(&l, SW_PART_CLIENT, 0.01) >= 512);
	near(latency_quantile(&l, SW_PART_CLIENT, 1), 1024);
}

static void latency_of_intervals(void **state)
{
	struct sw_latency l;

	(void)state;
	sw_latency_count(&s->latency, 10, 10);
	later(0);
	sw_latency_count(&s->latency, 100, 10);
	sw_latency_count(&s->latency, 100, 10);
	later(1);
	sw_latency_count(&s->latency, 1000, 10);
	later(1);
	l = trend_latency(t, 1);
	assert_int_equal(latency_count(&l, SW_PART_SERVER), 1);
	assert_int_equal(l.bucket[SW_PART_SERVER][9], 1);
	l = trend_latency(t, 60);
	assert_int_equal(latency_count(&l, SW_PART_SERVER), 3);
	assert_int_equal(l.sum_us[SW_PART_SERVER], 1200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(rates_per_second),
		TEST(every_counter),
		TEST(gauges_as_they_were),
		TEST(less_is_no_rate),
		TEST(same_moment_is_left_out),
		TEST(new_listener_counts_from_zero),
		TEST(remembers_so_many),
		TEST(mean_is_weighed),
		TEST(cleared_is_as_new),
		TEST(buckets),
		TEST(quantiles),
		TEST(latency_of_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
