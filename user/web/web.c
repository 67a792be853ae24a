// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "../fail.h"
#include "http.h"
#include "metrics.h"
#include "pagedoc.h"
#include "web.h"

struct web {
	struct http *http;
	struct picture picture;
};

const bool web_built = true;

static char *give_metrics(void *arg, bool openmetrics)
{
	struct web *w = arg;

	return metrics_text(&w->picture, openmetrics);
}

static char *give_history(void *arg)
{
	struct web *w = arg;

	return pagedoc_history(&w->picture);
}

struct web *web_start(const struct sw_listener *at, const struct live *live)
{
	struct web *w = calloc(1, sizeof(*w));

	if (!w) {
		sw_err("no memory");
		return NULL;
	}
	w->picture.live = live;
	w->http = http_start(at, &(struct http_content){ give_metrics, give_history, w });
	if (w->http)
		return w;
	free(w);
	return NULL;
}

void web_stop(struct web *w)
{
	if (!w)
		return;
	http_stop(w->http);
	free(w);
}

void web_tick(struct web *w, bool attached)
{
	picture_take(&w->picture, w->picture.live, attached);
	if (http_watched(w->http))
		http_publish(w->http, pagedoc_now(&w->picture));
	else
		http_work(w->http);
}

int web_fd(const struct web *w)
{
	return http_fd(w->http);
}

void web_work(struct web *w)
{
	http_work(w->http);
}
