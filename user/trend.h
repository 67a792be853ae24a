/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TREND_H
#define SW_TREND_H

#include "sample.h"

/*
 * From successive samples to rates and their history. No clock, no I/O: whoever
 * takes samples adds them, one per second or so.
 */
#define TREND_LEN 300u /* samples that are remembered */

/* Counters of struct tally whose rates are kept, per listener and summed over all. */
#define TREND_RATES(X)                                                                             \
	X(SYN, syn)                                                                                \
	X(COMPLETED, completed)                                                                    \
	X(REFUSED, refused)                                                                        \
	X(ABORTED, aborted)                                                                        \
	X(TIMED_OUT, timed_out)                                                                    \
	X(KEPT_OFF, kept_off)                                                                      \
	X(WOULD_KEEP_OFF, would_keep_off)                                                          \
	X(PASSED, passed)                                                                          \
	X(DROPPED, dropped)                                                                        \
	X(COOKIES_SENT, cookies_sent)                                                              \
	X(COOKIES_OK, cookies_ok)                                                                  \
	X(COOKIES_BAD, cookies_bad)

enum trend_rate {
#define SW_X(name, field) TREND_##name,
	TREND_RATES(SW_X)
#undef SW_X
	TREND_RATE_COUNT
};

/* One series: the last TREND_LEN values, at number % TREND_LEN. */
typedef double trend_ring[TREND_LEN];

struct trend {
	uint32_t n; /* values in each series so far: samples, but for the first */
	struct sample last;
	trend_ring seconds; /* from one sample to the next */
	/* per second; listener 0: of all */
	trend_ring rate[SW_MAX_LISTENERS][TREND_RATE_COUNT];
	trend_ring listener_half_open[SW_MAX_LISTENERS];
	trend_ring reason[SW_R_COUNT]; /* packets per second */
	/* as they were */
	trend_ring half_open, pending, challenged;
	trend_ring client[SW_STATE_COUNT], server[SW_STATE_COUNT];
	struct sw_latency latency[TREND_LEN]; /* handshakes of each interval */
	bool any;			      /* last is one */
};

/* Large, and mostly never touched. NULL with sw_err(). */
struct trend *trend_new(void);
void trend_free(struct trend *t);

/* Forget everything: the next sample is of other maps. */
void trend_clear(struct trend *t);

/*
 * The first one only begins. A counter that has become less (a device was
 * detached, and what it counted went with it) has a rate of 0. One that is no
 * later than the last is left out.
 */
void trend_add(struct trend *t, const struct sample *s);

/* How many values a series has: up to TREND_LEN. */
uint32_t trend_length(const struct trend *t);

/* The value of so many samples ago; 0, the newest. 0 where there is none. */
double trend_at(const struct trend *t, const trend_ring ring, uint32_t ago);

/* The mean of the newest n values, weighed by how long each interval was. */
double trend_mean(const struct trend *t, const trend_ring ring, uint32_t n);

/* Handshakes of the newest n intervals. */
struct sw_latency trend_latency(const struct trend *t, uint32_t n);

/* How many there were; and what q (0 to 1) of them did not exceed, in us: 0 when there are none. */
uint64_t latency_count(const struct sw_latency *l, enum sw_part part);
double latency_quantile(const struct sw_latency *l, enum sw_part part, double q);

#endif
