// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fail.h"
#include "../listeners.h"
#include "http.h"

#define CONNECTIONS 256
#define WATCHERS 64
#define IDLE_S 10u /* a client that says or takes nothing for so long is let go */

/* The page: user/page/, made one file by the Makefile. */
__asm__(".section .rodata\n"
	"http_page: .incbin \"build/page.html\"\n"
	"http_page_end: .byte 0\n"
	".previous\n");
extern const char http_page[], http_page_end[];

/* One event, shared by all who have not taken it whole. */
struct event {
	unsigned int users;
	size_t len;
	char *text;
};

/* Who reads /live. */
struct watcher {
	struct watcher *next;
	struct http *http;
	struct MHD_Connection *connection;
	struct event *now;    /* on its way */
	size_t at;	      /* so much of it is gone */
	struct event *newest; /* to follow */
	bool waits;	      /* suspended: has everything */
};

struct http {
	struct MHD_Daemon *daemon;
	struct http_content content;
	struct watcher *watchers;
	unsigned int n_watchers;
	bool loopback, stops;
};

static struct event *event_new(char *text)
{
	struct event *e = text ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		free(text);
		return NULL;
	}
	*e = (struct event){ .users = 1, .len = strlen(text), .text = text };
	return e;
}

static void event_put(struct event *e)
{
	if (e && !--e->users) {
		free(e->text);
		free(e);
	}
}

static void wake(struct watcher *w)
{
	if (!w->waits)
		return;
	w->waits = false;
	MHD_resume_connection(w->connection);
}

static ssize_t read_events(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct watcher *w = arg;
	size_t n;

	(void)pos;
	if (w->http->stops)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!w->now) {
		w->waits = true;
		MHD_suspend_connection(w->connection);
		return 0;
	}
	n = w->now->len - w->at < max ? w->now->len - w->at : max;
	memcpy(buf, w->now->text + w->at, n);
	w->at += n;
	if (w->at == w->now->len) {
		event_put(w->now);
		w->now = w->newest;
		w->newest = NULL;
		w->at = 0;
	}
	return n;
}

static void forget(void *arg)
{
	struct watcher *w = arg, **at = &w->http->watchers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->http->n_watchers--;
	event_put(w->now);
	event_put(w->newest);
	free(w);
}

/* Headers of every answer: it is of this moment, and stands for itself. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, const char *type,
			      struct MHD_Response *r)
{
	static const char *const headers[][2] = {
		{ "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Content-Security-Policy",
		  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
		  "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
		  "frame-ancestors 'none'" },
		{ "Referrer-Policy", "no-referrer" },
	};
	enum MHD_Result ret;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		MHD_add_response_header(r, headers[i][0], headers[i][1]);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned int status, const char *text)
{
	return answer(c, status, "text/plain; charset=utf-8",
		      MHD_create_response_from_buffer(strlen(text), (void *)text,
						      MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result serve_page(struct http *h, struct MHD_Connection *c)
{
	(void)h;
	return answer(c, MHD_HTTP_OK, "text/html; charset=utf-8",
		      MHD_create_response_from_buffer(http_page_end - http_page, (void *)http_page,
						      MHD_RESPMEM_PERSISTENT));
}

/* OpenMetrics for who asks for it; for others the text format that was before it. */
static enum MHD_Result serve_metrics(struct http *h, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	bool openmetrics = accept && strstr(accept, "application/openmetrics-text");
	char *text = h->content.metrics(h->content.arg, openmetrics);

	if (!text)
		return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "nothing is attached\n");
	return answer(c, MHD_HTTP_OK,
		      openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
				    "text/plain; version=0.0.4; charset=utf-8",
		      MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result serve_live(struct http *h, struct MHD_Connection *c)
{
	struct watcher *w;

	if (h->n_watchers == WATCHERS)
		return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many watch\n");
	w = calloc(1, sizeof(*w));
	if (!w)
		return MHD_NO;
	w->http = h;
	w->connection = c;
	w->now = event_new(h->content.history(h->content.arg));
	w->next = h->watchers;
	h->watchers = w;
	h->n_watchers++;
	return answer(
		c, MHD_HTTP_OK, "text/event-stream",
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_events, w, forget));
}

/*
 * On loopback a page of any other host could be made to ask, under a name that
 * it lets point here: only addresses and localhost are names of this one.
 */
static bool named_well(const struct http *h, struct MHD_Connection *c)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
	size_t n;

	if (!h->loopback || !host || host[0] == '[')
		return true;
	n = strcspn(host, ":");
	return strspn(host, "0123456789.") >= n || (n == 9 && !strncasecmp(host, "localhost", n));
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **state)
{
	static const struct {
		const char *url;
		enum MHD_Result (*serve)(struct http *h, struct MHD_Connection *c);
	} paths[] = { { "/", serve_page }, { "/metrics", serve_metrics }, { "/live", serve_live } };
	static int seen;

	(void)version;
	(void)data;
	if (!*state) { /* the headers are there; an answer now would close the connection */
		*state = &seen;
		return MHD_YES;
	}
	if (*data_len) { /* what a client sends is not looked at */
		*data_len = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "this is for reading\n");
	if (!named_well(arg, c))
		return say(c, MHD_HTTP_FORBIDDEN, "by address or localhost only\n");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!strcmp(url, paths[i].url))
			return paths[i].serve(arg, c);
	return say(c, MHD_HTTP_NOT_FOUND, "not here; see / and /metrics\n");
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_of(const struct sw_listener *at, union address *to)
{
	memset(to, 0, sizeof(*to));
	if (at->family == SW_AF_INET6) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = at->port;
		memcpy(&to->v6.sin6_addr, at->addr, sizeof(to->v6.sin6_addr));
		return sizeof(to->v6);
	}
	to->v4.sin_family = AF_INET;
	to->v4.sin_port = at->port;
	to->v4.sin_addr.s_addr = at->family ? at->addr[0] : htonl(INADDR_LOOPBACK);
	return sizeof(to->v4);
}

static bool is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
}

static int listen_at(const struct sw_listener *at, const union address *a, socklen_t len)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
	struct sw_listener shown = *at;
	char text[LISTENER_TEXT];

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (fd >= 0 && a->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (fd >= 0 && !bind(fd, &a->any, len) && !listen(fd, CONNECTIONS))
		return fd;
	shown.family = a->any.sa_family;
	if (!at->family)
		shown.addr[0] = a->v4.sin_addr.s_addr;
	sw_err("cannot serve HTTP at %s: %s; %s", listener_text(&shown, text), strerror(errno),
	       errno == EADDRINUSE ? "choose another port with --http, or --http off" :
				     "see --http");
	if (fd >= 0)
		close(fd);
	return -1;
}

struct http *http_start(const struct sw_listener *at, const struct http_content *content)
{
	struct http *h = calloc(1, sizeof(*h));
	union address a;
	socklen_t len = address_of(at, &a);
	int fd;

	if (!h) {
		sw_err("no memory");
		return NULL;
	}
	h->content = *content;
	h->loopback = is_loopback(&a);
	fd = listen_at(at, &a, len);
	if (fd >= 0) {
		h->daemon = MHD_start_daemon(
			MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, h,
			MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
			MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			(size_t)32768, MHD_OPTION_END);
		if (h->daemon)
			return h;
		sw_err("cannot start libmicrohttpd");
		close(fd);
	}
	free(h);
	return NULL;
}

void http_stop(struct http *h)
{
	h->stops = true;
	for (struct watcher *w = h->watchers; w; w = w->next)
		wake(w);
	http_work(h);
	MHD_stop_daemon(h->daemon);
	free(h);
}

int http_fd(const struct http *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void http_work(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	/* again while something is ready that no descriptor tells of; but not for ever */
	for (int i = 0; i < 16; i++) {
		MHD_run(h->daemon);
		if (MHD_get_timeout(h->daemon, &timeout) != MHD_YES || timeout)
			return;
	}
}

void http_publish(struct http *h, char *text)
{
	struct event *e = event_new(text);

	for (struct watcher *w = h->watchers; w && e; w = w->next) {
		struct event **at = w->now ? &w->newest : &w->now;

		event_put(*at);
		*at = e;
		e->users++;
		wake(w);
	}
	event_put(e);
	http_work(h);
}

bool http_watched(const struct http *h)
{
	return h->watchers;
}
