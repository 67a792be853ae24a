/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TCP_FSM_H
#define SW_TCP_FSM_H

#include "types.h"

/*
 * The state machine of RFC 9293 section 3.3.2, for both endpoints at once, as
 * data. An observer does not see an endpoint's state, it sees what the
 * endpoint sends. The proof rule: an endpoint moves when it sends evidence
 * (the sender's rows), or when a segment that it must believe reaches it (the
 * receiver's rows). Which event a segment is, and whether its sequence numbers
 * allow to believe it, is decided in observe.h.
 *
 *   X(NAME) in the order that every view prints; CLOSED is 0.
 */
#define SW_STATES(X)                                                                               \
	X(CLOSED)                                                                                  \
	X(LISTEN)                                                                                  \
	X(SYN_SENT)                                                                                \
	X(SYN_RCVD)                                                                                \
	X(ESTABLISHED)                                                                             \
	X(FIN_WAIT_1)                                                                              \
	X(FIN_WAIT_2)                                                                              \
	X(CLOSE_WAIT)                                                                              \
	X(CLOSING)                                                                                 \
	X(LAST_ACK)                                                                                \
	X(TIME_WAIT)

enum sw_state {
#define SW_X(name) SW_##name,
	SW_STATES(SW_X)
#undef SW_X
	SW_STATE_COUNT
};

enum sw_event {
	SW_EV_SYN,	/* SYN without ACK */
	SW_EV_SYNACK,	/* SYN-ACK that acknowledges the receiver's SYN */
	SW_EV_ACKSYN,	/* non-SYN segment that acknowledges the receiver's SYN */
	SW_EV_FIN,	/* FIN; the receiver's own FIN, if any, is acknowledged by now */
	SW_EV_FINX,	/* FIN that crosses the receiver's unacknowledged FIN */
	SW_EV_ACKFIN,	/* segment that acknowledges the receiver's FIN */
	SW_EV_RST,	/* RST that the receiver believes */
	SW_EVENT_COUNT
};

enum sw_role { SW_SENDER, SW_RECEIVER };

/*
 * next state = table[role << 7 | event << 4 | state]. In the rows:
 *   CL CLOSED  LI LISTEN  SS SYN_SENT  SR SYN_RCVD  ES ESTABLISHED
 *   F1 FIN_WAIT_1  F2 FIN_WAIT_2  CW CLOSE_WAIT  CI CLOSING  LA LAST_ACK  TW TIME_WAIT
 * A state that names itself stays. (A flat, constant array with a masked index:
 * the verifier of 6.1 takes it, and a compiler needs no jump table for it.)
 */
#define SW_ROW(role, ev, cl, li, ss, sr, es, f1, f2, cw, ci, la, tw)                               \
	[(role) << 7 | (ev) << 4 | SW_CLOSED] = SW_##cl,                                           \
	[(role) << 7 | (ev) << 4 | SW_LISTEN] = SW_##li,                                           \
	[(role) << 7 | (ev) << 4 | SW_SYN_SENT] = SW_##ss,                                         \
	[(role) << 7 | (ev) << 4 | SW_SYN_RCVD] = SW_##sr,                                         \
	[(role) << 7 | (ev) << 4 | SW_ESTABLISHED] = SW_##es,                                      \
	[(role) << 7 | (ev) << 4 | SW_FIN_WAIT_1] = SW_##f1,                                       \
	[(role) << 7 | (ev) << 4 | SW_FIN_WAIT_2] = SW_##f2,                                       \
	[(role) << 7 | (ev) << 4 | SW_CLOSE_WAIT] = SW_##cw,                                       \
	[(role) << 7 | (ev) << 4 | SW_CLOSING] = SW_##ci,                                          \
	[(role) << 7 | (ev) << 4 | SW_LAST_ACK] = SW_##la,                                         \
	[(role) << 7 | (ev) << 4 | SW_TIME_WAIT] = SW_##tw

/* Short names for the rows only. */
#define SW_CL SW_CLOSED
#define SW_LI SW_LISTEN
#define SW_SS SW_SYN_SENT
#define SW_SR SW_SYN_RCVD
#define SW_ES SW_ESTABLISHED
#define SW_F1 SW_FIN_WAIT_1
#define SW_F2 SW_FIN_WAIT_2
#define SW_CW SW_CLOSE_WAIT
#define SW_CI SW_CLOSING
#define SW_LA SW_LAST_ACK
#define SW_TW SW_TIME_WAIT

static const __u8 sw_fsm[256] = {
	/*
	 * SYN. The first sender becomes SYN_SENT, the other end LISTEN: nothing
	 * proves yet that it will answer. A SYN from the LISTEN side is a
	 * simultaneous open: both have sent and received one (figure 7).
	 *
	 *                              CL  LI  SS  SR  ES  F1  F2  CW  CI  LA  TW
	 */
	SW_ROW(SW_SENDER, SW_EV_SYN,    SS, SR, SS, SR, ES, F1, F2, CW, CI, LA, TW),
	SW_ROW(SW_RECEIVER, SW_EV_SYN,  LI, LI, SR, SR, ES, F1, F2, CW, CI, LA, TW),
	/*
	 * SYN-ACK. The sender has received a SYN: SYN_RCVD. From ESTABLISHED it
	 * says that the final ACK did not arrive (or the accept queue is full).
	 * The receiver stays SYN_SENT until it answers; after a simultaneous open
	 * it is in SYN_RCVD, and the acknowledgment of its SYN is what it waited for.
	 */
	SW_ROW(SW_SENDER, SW_EV_SYNACK, CL, SR, SR, SR, SR, F1, F2, CW, CI, LA, TW),
	SW_ROW(SW_RECEIVER, SW_EV_SYNACK, CL, LI, SS, ES, ES, F1, F2, CW, CI, LA, TW),
	/*
	 * ACK of a SYN. A client that sends it has seen the SYN-ACK; a server
	 * that receives it is through. A server that sends it (data before the
	 * final ACK, RFC 7413) has proved nothing about the client.
	 */
	SW_ROW(SW_SENDER, SW_EV_ACKSYN, CL, LI, ES, SR, ES, F1, F2, CW, CI, LA, TW),
	SW_ROW(SW_RECEIVER, SW_EV_ACKSYN, CL, LI, SS, ES, ES, F1, F2, CW, CI, LA, TW),
	/*
	 * FIN. The sender has closed. The receiver's move to CLOSE_WAIT waits for
	 * its acknowledgment; FIN_WAIT_2 becomes TIME_WAIT at once (figure 12).
	 */
	SW_ROW(SW_SENDER, SW_EV_FIN,    CL, LI, SS, F1, F1, F1, F2, LA, CI, LA, TW),
	SW_ROW(SW_RECEIVER, SW_EV_FIN,  CL, LI, SS, SR, ES, F1, TW, CW, CI, LA, TW),
	/* FINs that cross (figure 13): both ends are CLOSING. */
	SW_ROW(SW_SENDER, SW_EV_FINX,   CL, LI, SS, CI, CI, CI, F2, LA, CI, LA, TW),
	SW_ROW(SW_RECEIVER, SW_EV_FINX, CL, LI, SS, SR, ES, CI, TW, CW, CI, LA, TW),
	/* ACK of a FIN: proof that the sender received it, and news to the receiver. */
	SW_ROW(SW_SENDER, SW_EV_ACKFIN, CL, LI, SS, SR, CW, CI, TW, CW, CI, LA, TW),
	SW_ROW(SW_RECEIVER, SW_EV_ACKFIN, CL, LI, SS, SR, ES, F2, F2, CW, TW, CL, TW),
	/* RST. A passive opener goes back to LISTEN, which is no flow: CLOSED here. */
	SW_ROW(SW_SENDER, SW_EV_RST,    CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL),
	SW_ROW(SW_RECEIVER, SW_EV_RST,  CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL),
};

#undef SW_CL
#undef SW_LI
#undef SW_SS
#undef SW_SR
#undef SW_ES
#undef SW_F1
#undef SW_F2
#undef SW_CW
#undef SW_CI
#undef SW_LA
#undef SW_TW

static sw_inline __u8 sw_next(enum sw_role role, enum sw_event event, __u8 state)
{
	return sw_fsm[sw_bounded(role << 7 | event << 4 | state, 255)];
}

#endif
