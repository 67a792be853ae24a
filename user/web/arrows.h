/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ARROWS_H
#define SW_ARROWS_H

#include "../sample.h"

/*
 * The arrows of the state diagram (RFC 9293 figure 5), in its order, top to bottom.
 *   X(from, to)
 */
#define SW_ARROWS(X)                                                                               \
	X(CLOSED, LISTEN)                                                                          \
	X(LISTEN, CLOSED)                                                                          \
	X(CLOSED, SYN_SENT)                                                                        \
	X(SYN_SENT, CLOSED)                                                                        \
	X(LISTEN, SYN_RCVD)                                                                        \
	X(SYN_RCVD, LISTEN)                                                                        \
	X(LISTEN, SYN_SENT)                                                                        \
	X(SYN_SENT, SYN_RCVD)                                                                      \
	X(SYN_RCVD, ESTABLISHED)                                                                   \
	X(SYN_SENT, ESTABLISHED)                                                                   \
	X(SYN_RCVD, FIN_WAIT_1)                                                                    \
	X(ESTABLISHED, FIN_WAIT_1)                                                                 \
	X(ESTABLISHED, CLOSE_WAIT)                                                                 \
	X(FIN_WAIT_1, FIN_WAIT_2)                                                                  \
	X(FIN_WAIT_1, CLOSING)                                                                     \
	X(CLOSE_WAIT, LAST_ACK)                                                                    \
	X(FIN_WAIT_2, TIME_WAIT)                                                                   \
	X(CLOSING, TIME_WAIT)                                                                      \
	X(LAST_ACK, CLOSED)                                                                        \
	X(TIME_WAIT, CLOSED)

enum arrow {
#define SW_X(from, to) ARROW_##from##_##to,
	SW_ARROWS(SW_X)
#undef SW_X
	ARROW_COUNT
};

/* Endpoints per second on each arrow, clients and servers; and what the diagram has no arrow for. */
struct arrow_rates {
	double on[ARROW_COUNT][SW_ROLES];
	double reset[SW_ROLES]; /* of open connections */
	double other[SW_ROLES]; /* picked up in the middle, an ACK that was lost */
};

/*
 * From one sample to a later one. A segment that takes an endpoint along several
 * arrows counts on each; one that opens by a cookie came the usual way. What
 * ends by time is no segment's doing: so many left a state without one. The
 * first sample of a trend, whose now is 0, has no rates.
 */
void arrows_between(const struct sample *then, const struct sample *now, struct arrow_rates *to);

/* The ends of an arrow. */
enum sw_state arrow_from(enum arrow a);
enum sw_state arrow_to(enum arrow a);

#endif
