/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LISTENERS_H
#define SW_LISTENERS_H

#include "guard.h"
#include "store.h"

/* What the kernel says of a listener, and where the mirror counts for it. */
struct listener {
	struct sw_listener key;	 /* address, port, family, flags of the bound socket */
	uint32_t index;		 /* in maps listeners and guards; 0: never seen by the mirror */
	bool socket;
	uint32_t inode, backlog, accept_queue;
	uint64_t kernel_half_open;
	uint64_t dev_half_open;	 /* for whoever counts by device */
};

struct listener_list {
	struct listener *l; /* by port and address */
	size_t n, size;
};

/* All of the current network namespace; -1 with sw_err(). */
int listeners_get(const struct store *s, struct listener_list *list);
void listeners_free(struct listener_list *list);

/* "addr:port", "[v6]:port"; buf holds LISTENER_TEXT. */
#define LISTENER_TEXT 64
const char *listener_text(const struct sw_listener *l, char *buf);

/*
 * "443", "192.0.2.1:443", "[2001:db8::1]:443": fills in port, and family and
 * address, family 0 where only a port is given. False with sw_err(), naming the option.
 */
bool listener_parse(const char *name, const char *text, struct sw_listener *to);
/* Does a listener have that port and, where one was given, that address? */
bool listener_is(const struct sw_listener *l, const struct sw_listener *wanted);

/* Its guard; of one that the mirror has not seen, what it would be. */
struct guard_state listener_guard(const struct guard *g, const struct store *s,
				  const struct listener *l, uint64_t now);

/* Is it served as its policy asks? One whose mode is off asks for nothing. */
bool listener_served(const struct guard_state *state);

/*
 * Says on stderr, in one line, when a live guard does not serve what is wanted
 * (NULL: all) as asked.
 */
void listeners_warn(const struct store *s, const struct guard *g, const struct listener_list *list,
		    bool (*wanted)(const struct sw_listener *l));

#endif
