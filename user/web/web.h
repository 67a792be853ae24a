/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_WEB_H
#define SW_WEB_H

#include "../live.h"

/* Metrics and page of the agent: its pictures, served by HTTP. */
struct web;

/* False in a build without libmicrohttpd (make HTTP=0): web_start() fails then. */
extern const bool web_built;

/* At an address and port, as listener_parse() tells them; family 0: loopback. NULL with sw_err().
 */
struct web *web_start(const struct sw_listener *at, const struct live *live);
void web_stop(struct web *w);

/* After each live_update(); attached: whether it could. */
void web_tick(struct web *w, bool attached);

/* Readable when there is something to do. */
int web_fd(const struct web *w);
void web_work(struct web *w);

#endif
