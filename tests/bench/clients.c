// SPDX-License-Identifier: GPL-2.0
/*
 * Clients that open a connection, ask an HTTP server for "/", read all of the
 * answer and close, again and again: how many got their answer, and how long
 * connecting took. Closes with a reset, so that no TIME_WAIT is left for the
 * next run. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CLIENTS 1024
#define MAX_SAMPLES (1 << 22)

static const char request[] = "GET / HTTP/1.0\r\n\r\n";

static struct client {
	int fd;
	long long began; /* ns */
	int open;
} clients[MAX_CLIENTS];

static struct sockaddr_in server = { .sin_family = AF_INET };
static unsigned int samples[MAX_SAMPLES]; /* us from SYN to established */
static long n_samples, answered, failed;
static int epoll_fd;

static void die(const char *what)
{
	fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void begin(struct client *c)
{
	static const struct linger reset = { 1, 0 };
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->open = 0;
	c->began = now_ns();
	if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) ||
	    (connect(c->fd, (void *)&server, sizeof(server)) && errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev))
		die("connect");
}

static void again(struct client *c, int ok)
{
	close(c->fd);
	answered += ok;
	failed += !ok;
	begin(c);
}

/* The connection is there, or was refused. */
static void opened(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (send(c->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
		again(c, 0);
		return;
	}
	if (n_samples < MAX_SAMPLES)
		samples[n_samples++] = (now_ns() - c->began) / 1000;
	c->open = 1;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev))
		die("epoll_ctl");
}

static void readable(struct client *c)
{
	static int heard[MAX_CLIENTS];
	char buf[4096];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n > 0) {
		heard[c - clients] = 1;
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	again(c, n == 0 && heard[c - clients]);
	heard[c - clients] = 0;
}

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static unsigned int quantile(double q)
{
	return n_samples ? samples[(long)(q * (n_samples - 1))] : 0;
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	long long start, end, now;
	int n;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
		fprintf(stderr, "usage: clients ADDRESS PORT CLIENTS SECONDS\n");
		return 2;
	}
	server.sin_port = htons(atoi(argv[2]));
	n = atoi(argv[3]);
	if (n < 1 || n > MAX_CLIENTS)
		n = 1;
	epoll_fd = epoll_create1(0);
	start = now_ns();
	end = start + (long long)(atof(argv[4]) * 1e9);
	for (int i = 0; i < n; i++)
		begin(&clients[i]);
	while ((now = now_ns()) < end) {
		int ready = epoll_wait(epoll_fd, events, 64, 1 + (end - now) / 1000000);

		for (int i = 0; i < ready; i++) {
			struct client *c = events[i].data.ptr;

			if (c->open)
				readable(c);
			else
				opened(c);
		}
	}
	for (int i = 0; i < n; i++) /* who still waits has waited so long */
		if (!clients[i].open && n_samples < MAX_SAMPLES)
			samples[n_samples++] = (now - clients[i].began) / 1000;
	qsort(samples, n_samples, sizeof(*samples), compare);
	printf("{\"answered\": %ld, \"failed\": %ld, \"per_second\": %.0f, \"p50\": %u, \"p99\": %u, "
	       "\"p999\": %u}\n",
	       answered, failed, answered * 1e9 / (now - start), quantile(0.5), quantile(0.99),
	       quantile(0.999));
	return 0;
}
