// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"
#include "kflow.h"
#include "lab.h"
#include "lab_pace.h"
#include "snapshot.h"

#define FRAME_MAX 2048
#define PATIENCE_MS 15000 /* for what takes long: retransmissions by timers */

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SW_NS_PER_SEC + t.tv_nsec;
}

static struct sw_key key_of_lab(void)
{
	/* the client's address is the lesser one: endpoint 0 */
	return (struct sw_key){
		.family = SW_AF_INET,
		.addr = { { inet_addr(LAB_CLIENT) }, { inet_addr(LAB_SERVER) } },
		.port = { htons(LAB_CLIENT_PORT), htons(LAB_SERVER_PORT) },
	};
}

int lab_open(struct lab *l, const struct explain_options *how)
{
	struct explain_options o;
	struct sw_key key = key_of_lab();

	l->listener = l->sock[0] = l->sock[1] = -1;
	if (lab_net_open(&l->net))
		return -1;
	if (!how)
		return 0;
	o = *how;
	o.both_ends = true;
	o.key = &key;
	l->e = explain_new(&o);
	if (l->e)
		return 0;
	lab_net_close(&l->net);
	return -1;
}

void lab_close(struct lab *l)
{
	int fds[] = { l->listener, l->sock[0], l->sock[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (int i = 0; i < l->n_held; i++)
		free(l->held[i].data);
	if (l->e)
		explain_free(l->e);
	lab_net_close(&l->net);
}

/* What the wire wants to know of a frame. False: no TCP over IPv4. */
static bool look_at(const uint8_t *data, size_t len, uint32_t *to, uint8_t *flags)
{
	size_t tcp;

	if (len < ETH_HLEN + sizeof(struct iphdr) || data[12] != 8 || data[13] ||
	    data[ETH_HLEN + 9] != SW_IPPROTO_TCP)
		return false;
	memcpy(to, data + ETH_HLEN + 16, sizeof(*to));
	tcp = ETH_HLEN + (data[ETH_HLEN] & 0xf) * 4;
	if (len < tcp + sizeof(struct tcphdr))
		return false;
	*flags = data[tcp + 13];
	return true;
}

static int tell(struct lab *l, const uint8_t *data, size_t len, enum explain_part part)
{
	struct explain_frame f = { .number = part == PART_ARRIVED ? l->frames : ++l->frames,
				   .time_ns = clock_ns(), .data = data, .len = len,
				   .wire_len = len, .part = part };

	return l->e ? explain_frame(l->e, &f) : 0;
}

int lab_arrive(struct lab *l, const uint8_t *data, size_t len, int from)
{
	int (*then)(struct lab *) = NULL;
	uint32_t to;
	uint8_t flags;

	if (write(l->net.tap[from ^ 1], data, len) != (ssize_t)len)
		return sw_err("the wire is broken: %s", strerror(errno));
	if (l->then.fn && l->then.from == from && look_at(data, len, &to, &flags) &&
	    (flags & l->then.flags) == l->then.flags) {
		then = l->then.fn;
		l->then.fn = NULL;
	}
	return then ? then(l) : 0;
}

static int carry(struct lab *l, const uint8_t *data, size_t len, int from)
{
	uint32_t to;
	uint8_t flags;

	if (!look_at(data, len, &to, &flags)) /* nothing that is explained here: other protocols do as they like */
		return lab_arrive(l, data, len, from);
	if ((ntohl(to) & 0xfffe0000) == LAB_SPOOFED) {
		l->answers += (flags & (SW_TH_SYN | SW_TH_ACK)) == (SW_TH_SYN | SW_TH_ACK);
		return 0;
	}
	if (l->lose.n && l->lose.from == from) {
		l->lose.n--;
		return tell(l, data, len, PART_LOST);
	}
	if (l->hold && l->n_held < LAB_HELD) {
		struct lab_frame *h = &l->held[l->n_held++];

		*h = (struct lab_frame){ malloc(len), len, from };
		if (!h->data)
			return sw_err("no memory");
		memcpy(h->data, data, len);
		return 0;
	}
	return tell(l, data, len, PART_WHOLE) || lab_arrive(l, data, len, from) ? -1 : 0;
}

int lab_pump(struct lab *l, int ms)
{
	struct pollfd fds[3] = { { .fd = l->net.tap[0], .events = POLLIN },
				 { .fd = l->net.tap[1], .events = POLLIN },
				 { .fd = pace_key_fd(), .events = POLLIN } };
	int until_due = pace_due_ms();
	uint8_t frame[FRAME_MAX];

	if (until_due >= 0 && until_due < ms)
		ms = until_due;
	if (poll(fds, 3, ms) < 0 && errno != EINTR)
		return sw_err("poll: %s", strerror(errno));
	if (pace_stopped())
		return sw_err("interrupted");
	for (int end = 0; end < 2; end++)
		for (int n = 0; n < 64; n++) {
			ssize_t len = read(l->net.tap[end], frame, sizeof(frame));

			if (len <= 0)
				break;
			if (carry(l, frame, len, end))
				return -1;
		}
	return pace_show(fds[2].revents & POLLIN);
}

int lab_wait(struct lab *l, int ms)
{
	uint64_t end = snapshot_now() + ms * SW_NS_PER_MS;

	while (snapshot_now() < end)
		if (lab_pump(l, 5))
			return -1;
	return 0;
}

int lab_drain(struct lab *l)
{
	if (l->e && explain_end(l->e))
		return -1;
	while (pace_due_ms() >= 0)
		if (lab_pump(l, 100))
			return -1;
	return 0;
}

/* The programs */

static int event(struct lab *l, int end, const char *what)
{
	return l->e ? explain_event(l->e, end, what, -1, clock_ns()) : 0;
}

static struct sockaddr_in at(int end)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr(end == CLIENT ? LAB_CLIENT : LAB_SERVER),
		.sin_port = htons(end == CLIENT ? LAB_CLIENT_PORT : LAB_SERVER_PORT),
	};
}

int lab_socket(struct lab *l, int end)
{
	int fd;

	if (!lab_net_enter(&l->net, end))
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	lab_net_enter(&l->net, -1);
	return fd < 0 ? sw_err("cannot make a socket: %s", strerror(errno)) : fd;
}

static int bound(struct lab *l, int end)
{
	struct sockaddr_in here = at(end);
	int fd = lab_socket(l, end), one = 1;

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, (void *)&here, sizeof(here)))
		return fd;
	close(fd);
	return sw_err("cannot bind: %s", strerror(errno));
}

int lab_listen(struct lab *l, int backlog)
{
	l->listener = bound(l, SERVER);
	if (l->listener < 0)
		return -1;
	return listen(l->listener, backlog) ? sw_err("cannot listen: %s", strerror(errno)) : 0;
}

int lab_connect(struct lab *l, int end)
{
	struct sockaddr_in there = at(end ^ 1);

	if (l->sock[end] >= 0)
		close(l->sock[end]);
	l->sock[end] = bound(l, end);
	if (l->sock[end] < 0 || event(l, end, "connect()"))
		return -1;
	if (connect(l->sock[end], (void *)&there, sizeof(there)) && errno != EINPROGRESS)
		return sw_err("cannot connect: %s", strerror(errno));
	return 0;
}

int lab_accept(struct lab *l)
{
	if (l->sock[SERVER] >= 0)
		close(l->sock[SERVER]);
	l->sock[SERVER] = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (l->sock[SERVER] < 0)
		return sw_err("cannot accept: %s", strerror(errno));
	return event(l, SERVER, "accept()");
}

int lab_send(struct lab *l, int end, size_t bytes)
{
	uint64_t late = snapshot_now() + PATIENCE_MS * SW_NS_PER_MS;
	static const char data[1024];
	int left = 1;

	if (event(l, end, "send()"))
		return -1;
	if (send(l->sock[end], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		return sw_err("cannot send: %s", strerror(errno));
	while (left) {
		if (lab_pump(l, 5) || ioctl(l->sock[end], SIOCOUTQ, &left))
			return -1;
		if (snapshot_now() > late)
			return sw_err("nobody acknowledged the data");
	}
	return 0;
}

int lab_shutdown(struct lab *l, int end)
{
	if (event(l, end, "shutdown(SHUT_WR)"))
		return -1;
	return shutdown(l->sock[end], SHUT_WR) ? sw_err("cannot shut down: %s", strerror(errno)) : 0;
}

int lab_close_end(struct lab *l, int end)
{
	if (event(l, end, "close()"))
		return -1;
	close(l->sock[end]);
	l->sock[end] = -1;
	return 0;
}

int lab_abort(struct lab *l, int end)
{
	struct linger now = { .l_onoff = 1 };

	if (event(l, end, "close(), SO_LINGER 0"))
		return -1;
	setsockopt(l->sock[end], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(l->sock[end]);
	l->sock[end] = -1;
	return 0;
}

int lab_fails(struct lab *l, int end, int error)
{
	uint64_t late = snapshot_now() + PATIENCE_MS * SW_NS_PER_MS;
	int is = 0;
	socklen_t len = sizeof(is);

	while (!is) {
		if (lab_pump(l, 20))
			return -1;
		getsockopt(l->sock[end], SOL_SOCKET, SO_ERROR, &is, &len);
		if (snapshot_now() > late)
			return sw_err("connect() has not failed");
	}
	if (is != error)
		return sw_err("connect() failed otherwise: %s", strerror(is));
	close(l->sock[end]);
	l->sock[end] = -1;
	return explain_event(l->e, end,
			     error == ETIMEDOUT ? "connect() fails: ETIMEDOUT" :
						  "connect() fails: ECONNREFUSED",
			     SW_CLOSED, clock_ns());
}

/* The kernels */

struct question {
	struct sw_key key;
	uint32_t side;
	uint8_t state;
};

static int ask(const struct ksock *sk, void *arg)
{
	static const struct kports none;
	struct question *q = arg;
	struct kflow f;

	if (kflow_from(sk, &none, &f) && f.side == q->side &&
	    !memcmp(&f.key, &q->key, sizeof(f.key)))
		q->state = f.state;
	return 0;
}

uint8_t lab_kernel(struct lab *l, int end)
{
	struct question q = { .key = key_of_lab(), .side = end, .state = SW_CLOSED };

	lab_net_enter(&l->net, end);
	sockdiag_dump(SOCKDIAG_ALL, false, ask, &q);
	lab_net_enter(&l->net, -1);
	return q.state;
}

bool lab_agrees(struct lab *l, uint8_t kernel[2])
{
	uint8_t shown[2];

	kernel[0] = lab_kernel(l, CLIENT);
	kernel[1] = lab_kernel(l, SERVER);
	if (!explain_states(l->e, shown))
		return false;
	for (int end = 0; end < 2; end++)
		if (shown[end] != kernel[end] && !(shown[end] == SW_LISTEN && kernel[end] == SW_CLOSED))
			return false;
	return true;
}

int lab_until(struct lab *l, uint8_t client, uint8_t server)
{
	uint64_t late = snapshot_now() + PATIENCE_MS * SW_NS_PER_MS;
	uint8_t kernel[2];

	for (;;) {
		bool agrees = lab_agrees(l, kernel);

		if (agrees && kernel[0] == client && kernel[1] == server)
			return 0;
		if (snapshot_now() > late)
			return sw_err("the kernel's sockets are in %s and %s, not in %s and %s%s",
				      state_name(kernel[0]), state_name(kernel[1]), state_name(client),
				      state_name(server), agrees ? "" : ", and the ladder differs");
		if (lab_pump(l, 5))
			return -1;
	}
}

/* The wire */

static int client_first(const void *a, const void *b)
{
	return ((const struct lab_frame *)a)->from - ((const struct lab_frame *)b)->from;
}

int lab_gather(struct lab *l, int n)
{
	uint64_t late = snapshot_now() + PATIENCE_MS * SW_NS_PER_MS;

	l->hold = true;
	while (l->n_held < n) {
		if (lab_pump(l, 5))
			return -1;
		if (snapshot_now() > late)
			return sw_err("%d segments are on the wire, not %d", l->n_held, n);
	}
	qsort(l->held, l->n_held, sizeof(*l->held), client_first);
	return 0;
}

static int release(struct lab *l, enum explain_part part)
{
	int n = l->n_held, ret = 0;

	l->hold = false;
	l->n_held = 0;
	for (int i = 0; i < n; i++) {
		struct lab_frame *h = &l->held[i];

		if (!ret)
			ret = tell(l, h->data, h->len, part) || lab_arrive(l, h->data, h->len, h->from) ? -1 : 0;
		free(h->data);
	}
	return ret;
}

int lab_cross(struct lab *l)
{
	for (int i = 0; i < l->n_held; i++)
		if (tell(l, l->held[i].data, l->held[i].len, PART_SENT))
			return -1;
	return release(l, PART_ARRIVED);
}

int lab_pass(struct lab *l)
{
	return release(l, PART_WHOLE);
}
