// SPDX-License-Identifier: GPL-2.0
/* In place of the others in a build without libmicrohttpd: make HTTP=0. */
#include "../fail.h"
#include "web.h"

const bool web_built = false;

struct web *web_start(const struct sw_listener *at, const struct live *live)
{
	(void)at;
	(void)live;
	sw_err("this synward was built without HTTP (make HTTP=0); use --http off");
	return NULL;
}

void web_stop(struct web *w)
{
	(void)w;
}

void web_tick(struct web *w, bool attached)
{
	(void)w;
	(void)attached;
}

int web_fd(const struct web *w)
{
	(void)w;
	return -1;
}

void web_work(struct web *w)
{
	(void)w;
}
