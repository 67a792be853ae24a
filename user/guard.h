/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_GUARD_USER_H
#define SW_GUARD_USER_H

#include "loader.h"
#include "store.h"

/*
 * The guard's pinned maps of the current network namespace, mapped for writing.
 * User space writes policies (struct sw_policy, until_ns, own), backlogs and the
 * rates of struct sw_control; the programs write everything else, so single
 * fields are stored, never whole entries.
 */
struct guard {
	struct sw_guard *guards;     /* SW_MAX_LISTENERS, by index of the listener */
	struct sw_control *control;
	struct sw_episode *episodes; /* SW_EPISODES */
	struct sw_served *served;    /* SW_SERVED */
};

/* -1 with sw_err(): nothing attached here. */
int guard_open(struct guard *g);
void guard_close(struct guard *g);

/* What control is at first: rates, and what this host's sysctls offer. */
struct sw_control guard_control(void);

/*
 * At the first attach: policy of all listeners, rates, what this host offers,
 * and the secret. -1 with sw_err().
 */
int guard_init(const struct attach_options *o);

/*
 * A secret that other hosts share: a file of 32 hexadecimal digits, white space
 * apart. -1 with sw_err().
 */
int guard_read_secret(const char *path, struct sw_secret *to);

/* Whether any policy or list needs the programs to look: control->active anew. */
void guard_refresh(struct guard *g);

/* What serves a listener, or would if it were armed. */
enum guard_serves { SERVES_COOKIE, SERVES_FIRST_SYN, SERVES_DROP, SERVES_NONE };

struct guard_state {
	struct sw_policy policy; /* that holds now */
	uint64_t until_ns;	 /* deadline of it, 0 none; CLOCK_MONOTONIC */
	uint32_t high, low;	 /* resolved */
	bool armed;
	uint64_t armed_for_ms;
	enum guard_serves serves;
	const char *why;	 /* it is served so, or is not armed; static text */
	uint32_t challenged;
};

/* The state of a listener at this moment: the programs' own functions decide. */
struct guard_state guard_state(const struct guard *g, const struct store *s, uint32_t listener,
			       uint64_t now);

/* An address of the listener on which the kernel was seen to answer; NULL: none. nat: and NAT to look at it. */
const struct sw_served *guard_served(const struct guard *g, const struct sw_listener *l, bool nat);

/* "cookie", "first-syn", "drop", "none"; and of policies. */
const char *guard_serves_name(enum guard_serves serves);
const char *guard_mode_name(uint8_t mode);
const char *guard_method_name(uint8_t method);
/* All words of modes and methods. */
extern const char *const guard_modes[], *const guard_methods[];

#endif
