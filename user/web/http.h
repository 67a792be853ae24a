/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_HTTP_H
#define SW_HTTP_H

#include "../shared.h"

/*
 * The agent's HTTP: GET only, and nothing that it is asked changes anything.
 *   /         the page
 *   /metrics  for Prometheus
 *   /live     what the page shows, as server-sent events
 * It runs within the agent's loop and never waits for a client: one that does
 * not read, or says nothing, is let go.
 */
struct http;

/* What is served, asked for when it is needed. Allocated texts; NULL: not known at the moment. */
struct http_content {
	char *(*metrics)(void *arg, bool openmetrics);
	char *(*history)(void *arg); /* the first event of who begins to watch */
	void *arg;
};

/* At an address and port, as listener_parse() tells them; family 0: loopback. NULL with sw_err().
 */
struct http *http_start(const struct sw_listener *at, const struct http_content *content);
void http_stop(struct http *h);

/* Readable when there is something to do; and once a second there is. */
int http_fd(const struct http *h);
void http_work(struct http *h);

/*
 * An event for all who watch, "data: ..."; takes the text. Who has not taken
 * the last one yet gets the newest when it has.
 */
void http_publish(struct http *h, char *text);
/* Is there anybody? */
bool http_watched(const struct http *h);

#endif
