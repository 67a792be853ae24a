/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LAB_H
#define SW_LAB_H

#include "explain.h"

/*
 * Two private network namespaces and the wire between them. The namespaces have
 * no name and the devices (taps) no owner but this process: whatever ends it,
 * they are gone. Every frame passes through its hands, so that it can lose some,
 * let some cross, and knows which have arrived.
 */
enum { CLIENT, SERVER };

#define LAB_CLIENT "10.0.0.1"
#define LAB_SERVER "10.0.0.2"
#define LAB_CLIENT_PORT 40000
#define LAB_SERVER_PORT 80
#define LAB_SPOOFED 0xc6120000u /* 198.18.0.0/15: the server's way there is the wire */

struct lab_net {
	int home, ns[2]; /* network namespaces */
	int tap[2];
};

/* -1 with sw_err(). */
int lab_net_open(struct lab_net *n);
void lab_net_close(struct lab_net *n);
/* Be in the namespace of an end; -1: back home. False with sw_err(): still where it was. */
bool lab_net_enter(const struct lab_net *n, int end);
/* A number of an end's namespace, below /proc/sys/net/ipv4. False: this kernel has none such. */
bool lab_net_sysctl(const struct lab_net *n, int end, const char *name, const char *value);

struct lab_frame {
	uint8_t *data;
	size_t len;
	int from;
};
#define LAB_HELD 8

struct lab {
	struct lab_net net;
	struct explain *e;	/* NULL: no ladder */
	bool slow;		/* a second for each row; a key steps on */
	enum explain_lang lang;
	int listener, sock[2];	/* -1: none */
	uint64_t frames;
	/* what the wire does */
	struct {
		int from, n; /* loses the next n segments of that end */
	} lose;
	bool hold;
	struct lab_frame held[LAB_HELD];
	int n_held;
	struct {
		int from;
		uint16_t flags;
		int (*fn)(struct lab *l);
	} then; /* once, right after a segment with these flags has arrived */
	uint64_t answers; /* SYN-ACKs to spoofed addresses */
};

/* How it is shown; NULL: no ladder in this scenario. -1 with sw_err(). */
int lab_open(struct lab *l, const struct explain_options *how);
void lab_close(struct lab *l);
/* Show what is still to be shown. */
int lab_drain(struct lab *l);

/* Let the wire work for at most so long. -1 with sw_err(): broken, or interrupted. */
int lab_pump(struct lab *l, int ms);
int lab_wait(struct lab *l, int ms);

/* What the programs at both ends do; each is told in the ladder. -1 with sw_err(). */
int lab_listen(struct lab *l, int backlog);
int lab_connect(struct lab *l, int end); /* from the other's port, which need not listen */
int lab_accept(struct lab *l);
int lab_send(struct lab *l, int end, size_t bytes); /* until it is acknowledged */
int lab_shutdown(struct lab *l, int end);
int lab_close_end(struct lab *l, int end);
int lab_abort(struct lab *l, int end);
/* Until connect() has failed with this error. */
int lab_fails(struct lab *l, int end, int error);

/* Until both kernels say so (SW_CLOSED: no such socket), and the mirrors too. */
int lab_until(struct lab *l, uint8_t client, uint8_t server);
/* What the kernel of an end has for the connection; SW_CLOSED when nothing. */
uint8_t lab_kernel(struct lab *l, int end);
/* Does the ladder say the same? A kernel without socket may be LISTEN there. */
bool lab_agrees(struct lab *l, uint8_t kernel[2]);

/* The wire holds back segments until there are n, and sorts them: the client's first. */
int lab_gather(struct lab *l, int n);
/* They cross: both are on their way before any arrives. */
int lab_cross(struct lab *l);
/* They arrive. */
int lab_pass(struct lab *l);

/* A frame arrives at the other end, whoever made it. */
int lab_arrive(struct lab *l, const uint8_t *data, size_t len, int from);

/* A socket of an end, not blocking; -1 with sw_err(). */
int lab_socket(struct lab *l, int end);

struct lab_scenario {
	const char *name;
	const char *title[LANG_COUNT];
	const char *teaches[LANG_COUNT];
	bool listens;	/* the server has a listening socket from the start */
	bool gauges;	/* no ladder: numbers that move */
	int (*play)(struct lab *l);
};
extern const struct lab_scenario lab_scenarios[]; /* ends with name NULL */

/* lab_flood.c: the scenarios with gauges. */
int lab_play_queue(struct lab *l);
int lab_play_flood(struct lab *l);
int lab_play_flood_cookies(struct lab *l);
int lab_play_flood_synward(struct lab *l);

#endif
