/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TEST_TALKS_H
#define SW_TEST_TALKS_H

/*
 * Conversations that lead one flow of the host's mirror to every pair of states;
 * what tests then send there, and what becomes of it. One mirror for all.
 */
#include "check.h"
#include "hostmirror.h"

#define IFINDEX 2
#define ETH 14

extern struct host host;
extern __u8 frame[FRAME_MAX]; /* the last one that was built */
extern __u64 now;	      /* ns */

/* Without tags, with ordinary ISNs. */
extern const struct variant v4, v6;

/* Its steps, up to one from END, say which states both ends have then. midstream: its beginning is not seen. */
struct talk {
	const char *name;
	const struct step *steps;
	bool midstream;
};

extern const struct talk talks[];
extern const unsigned int n_talks;

/* What the ends have sent and acknowledged, as the steps tell: relative numbers. [0]: C. */
struct numbers {
	__s32 nxt[2], rcv[2];
};

/* Of cmocka's group: the mirror, and its end. */
int talks_setup(void **state);
int talks_teardown(void **state);

/* The first `cut` steps in a new mirror; each must do what it says. */
struct numbers begin(const struct talk *t, int cut, const struct variant *v, bool swap,
		     enum view view);
/* How many steps it has. */
int length(const struct talk *t);
/* A step with the roles of both ends swapped: the port 80 opens. */
struct step mirrored(struct step st, bool swap);

/* A step through the mirror, a while after the last one; the reason. */
int say(const struct variant *v, const struct step *st, struct vantage at);
/* A step as the parser tells it, for what sends millions of them. */
struct sw_pkt packet_of(const struct variant *v, const struct step *st, struct vantage at);

/* The flow, as host_find(); *client: which of its endpoints is C. */
struct sw_flow *find(const struct variant *v, __u32 *client, char *table);
/* States of C and S that a view shows; CLOSED when there is no flow. */
void states(const struct variant *v, __u8 is[2]);
/* Fails when they are others. */
void still(const struct variant *v, __u8 c, __u8 s);

/* The mirror and the clock as they are now; back to that; is the mirror still the same? */
void save(void);
void restore(void);
bool unchanged(void);

#endif
