// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "fail.h"
#include "guard.h"
#include "lab.h"
#include "lab_pace.h"
#include "out.h"
#include "snapshot.h"
#include "sockdiag.h"
#include "wrap.h"

/* The queue that fills up before one's eyes. */
#define QUEUE 16
#define QUEUE_SYNS 24
#define QUEUE_EACH_MS 60

/* The floods: bounded in rate and time. */
#define BACKLOG 128
#define RATE 2000 /* SYNs per second */
#define STEP_MS 5
#define WARM_UP_MS 500
#define SETTLE_MS 100
#define CLIENTS 10
#define CLIENT_MS 3000 /* a client's patience */
#define HOPELESS_MS 250 /* where nobody gets in anyway */

#define BAR 16

/* A SYN as Linux sends it; addresses, port, number and sums are put in. */
static const uint8_t syn[] = {
	2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,			    /* Ethernet */
	0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2, /* IPv4 */
	0, 0, 0, LAB_SERVER_PORT, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0, 0, 0, 0, 0, /* TCP */
	2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x30, 0x39, 0, 0, 0, 0, 1, 3, 3, 7, /* its options */
};
#define IP 14
#define TCP 34

static uint32_t add(uint32_t sum, const uint8_t *at, size_t n)
{
	for (; n; n -= 2, at += 2)
		sum += at[0] << 8 | at[1];
	return sum;
}

static void put_sum(uint8_t *to, uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	to[0] = sum >> 8;
	to[1] = sum;
}

/* A SYN from a source of its own. */
static int spoof(struct lab *l, uint32_t number)
{
	uint32_t from = htonl(LAB_SPOOFED + 1 + number % 0x1fffe), seq = number * 2654435761u;
	uint16_t port = htons(1024 + number * 7 % 60000);
	uint8_t frame[sizeof(syn)];

	memcpy(frame, syn, sizeof(frame));
	memcpy(frame + IP + 12, &from, 4);
	memcpy(frame + TCP, &port, 2);
	memcpy(frame + TCP + 4, &seq, 4);
	put_sum(frame + IP + 10, add(0, frame + IP, 20));
	put_sum(frame + TCP + 16, add(SW_IPPROTO_TCP + sizeof(frame) - TCP, frame + IP + 12,
				      sizeof(frame) - IP - 12));
	return lab_arrive(l, frame, sizeof(frame), CLIENT);
}

/* What the server's kernel holds for the listener. */
struct queue {
	uint64_t half_open, backlog, accept_queue;
};

static int count(const struct ksock *sk, void *arg)
{
	struct queue *q = arg;

	if (sk->sport != LAB_SERVER_PORT)
		return 0;
	if (sk->state == 10) { /* TCP_LISTEN */
		q->backlog = sk->wqueue;
		q->accept_queue = sk->rqueue;
	} else if (sk->state == 3) { /* TCP_SYN_RECV */
		q->half_open++;
	}
	return 0;
}

static struct queue look(struct lab *l)
{
	struct queue q = { 0 };

	lab_net_enter(&l->net, SERVER);
	sockdiag_dump(SOCKDIAG_ALL, false, count, &q);
	lab_net_enter(&l->net, -1);
	return q;
}

/*
 * The gauge: a line that is drawn over and over on a terminal while it moves,
 * and stays when there is something to say.
 */
static void gauge(struct lab *l, const char *en, const char *zh)
{
	static const char *const name[LANG_COUNT] = { "SYN queue", "半连接队列" };
	const char *say = l->lang == LANG_ZH ? zh : en;
	struct queue q = look(l);
	uint64_t used;
	char bar[128];

	if (out.json) {
		json_object *doc;

		if (!en)
			return;
		doc = json_object_new_object();
		json_object_object_add(doc, "gauge", json_object_new_string(say));
		json_object_object_add(doc, "half_open", json_object_new_int64(q.half_open));
		json_object_object_add(doc, "backlog", json_object_new_int64(q.backlog));
		json_object_object_add(doc, "accept_queue", json_object_new_int64(q.accept_queue));
		out_doc(doc, NULL);
		return;
	}
	if (!en && !out.terminal)
		return;
	used = q.half_open < q.backlog ? q.half_open : q.backlog; /* Linux 6.18 takes one more */
	if (explain_text_is_ascii())
		snprintf(bar, sizeof(bar), "%.*s", (int)(q.backlog ? used * BAR / q.backlog : 0),
			 "################");
	else
		out_bar(bar, sizeof(bar), used, q.backlog, BAR);
	printf("%s%s %3" PRIu64 "/%-3" PRIu64 " %s", out.terminal ? "\r\033[K" : "", name[l->lang],
	       q.half_open, q.backlog, bar);
	if (en)
		printf("%*s  %s\n", (int)(BAR - text_width(bar)), "", say);
	fflush(stdout);
}

/* ... with up to two numbers in the text. */
static void gauge_of(struct lab *l, const char *en, const char *zh, uint64_t a, uint64_t b)
{
	char text[LANG_COUNT][160];

	snprintf(text[LANG_EN], sizeof(text[LANG_EN]), en, a, b);
	snprintf(text[LANG_ZH], sizeof(text[LANG_ZH]), zh, a, b);
	gauge(l, text[LANG_EN], text[LANG_ZH]);
}

/* Time to read, when shown slowly. */
static int rest(struct lab *l)
{
	return l->slow ? lab_wait(l, 1000) : 0;
}

static int dropped_client(struct lab *l)
{
	uint64_t begin = snapshot_now();

	if (lab_connect(l, CLIENT) || lab_wait(l, 300))
		return -1;
	if (lab_kernel(l, CLIENT) != SW_SYN_SENT)
		return sw_err("the full queue took a client");
	gauge(l, "a client's SYN finds no room either: it stays in SYN_SENT",
	      "真实客户端的 SYN 也没有位置：停在 SYN_SENT");
	while (lab_kernel(l, CLIENT) != SW_ESTABLISHED) {
		if (lab_wait(l, 50))
			return -1;
		gauge(l, NULL, NULL);
		if (snapshot_now() - begin > 20 * SW_NS_PER_SEC)
			return sw_err("the client never got in");
	}
	gauge(l, "requests that nobody completed have expired; the client's SYN, sent again, gets in: "
		 "ESTABLISHED",
	      "无人完成的请求已过期；客户端重传的 SYN 得到应答：ESTABLISHED");
	return 0;
}

int lab_play_queue(struct lab *l)
{
	struct queue q;

	lab_net_sysctl(&l->net, SERVER, "tcp_syncookies", "0");
	/* a request lives three seconds; seven, for those who read */
	lab_net_sysctl(&l->net, SERVER, "tcp_synack_retries", l->slow ? "2" : "1");
	if (lab_listen(l, QUEUE))
		return -1;
	gauge(l, "LISTEN, and nobody asks", "LISTEN，没有请求");
	for (uint32_t i = 1; i <= QUEUE_SYNS; i++) {
		if (spoof(l, i) || lab_wait(l, QUEUE_EACH_MS))
			return -1;
		gauge(l, NULL, NULL);
		if (i == QUEUE / 4)
			gauge_of(l, "%" PRIu64 " SYNs, answered: each waits in SYN_RCVD for an ACK",
				 "%" PRIu64 " 个 SYN，已应答：各自在 SYN_RCVD 等待 ACK", i, 0);
		if (i == QUEUE)
			gauge_of(l, "%" PRIu64 " SYNs: as many as the backlog", "%" PRIu64 " 个 SYN：达到 backlog", i, 0);
		if ((i == QUEUE / 4 || i == QUEUE) && rest(l))
			return -1;
	}
	q = look(l);
	if (q.half_open < QUEUE || q.half_open > QUEUE + 1)
		return sw_err("%" PRIu64 " half-open, not %d", q.half_open, QUEUE);
	gauge_of(l, "%" PRIu64 " SYNs: %" PRIu64 " found no room and were dropped without an answer",
		 "%" PRIu64 " 个 SYN：%" PRIu64 " 个没有位置，被丢弃，没有应答", QUEUE_SYNS,
		 QUEUE_SYNS - q.half_open);
	return rest(l) || dropped_client(l) ? -1 : 0;
}

/* A flood, and clients that want in one after another. */
struct flood {
	uint32_t sent;
	uint64_t begin;
	int clients, served, fd, patience_ms;
	uint64_t since; /* of the client at work */
};

static void accept_all(struct lab *l)
{
	int fd;

	while ((fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

/* 1: connected, -1: given up, 0: not yet. */
static int client_done(const struct flood *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, 0) == 1) {
		getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		return error ? -1 : 1;
	}
	return snapshot_now() - f->since > f->patience_ms * SW_NS_PER_MS ? -1 : 0;
}

static int next_client(struct lab *l, struct flood *f)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(LAB_SERVER_PORT),
				  .sin_addr.s_addr = inet_addr(LAB_SERVER) };

	f->fd = lab_socket(l, CLIENT);
	f->since = snapshot_now();
	if (f->fd < 0)
		return -1;
	if (connect(f->fd, (void *)&to, sizeof(to)) && errno != EINPROGRESS)
		return sw_err("cannot connect: %s", strerror(errno));
	return 0;
}

static int flood(struct lab *l, struct flood *f, int patience_ms)
{
	int done;

	*f = (struct flood){ .begin = snapshot_now(), .fd = -1,
			     .patience_ms = patience_ms };
	while (f->clients < CLIENTS) {
		uint64_t age = snapshot_now() - f->begin;

		while (f->sent < age * RATE / SW_NS_PER_SEC)
			if (spoof(l, f->sent++))
				return -1;
		if (lab_pump(l, STEP_MS))
			return -1;
		accept_all(l);
		gauge(l, NULL, NULL);
		if (age < WARM_UP_MS * SW_NS_PER_MS)
			continue;
		if (f->fd < 0 && next_client(l, f))
			return -1;
		done = client_done(f);
		if (!done)
			continue;
		f->served += done > 0;
		f->clients++;
		close(f->fd);
		f->fd = -1;
	}
	accept_all(l); /* the last one; and its end */
	return lab_wait(l, SETTLE_MS);
}

static void tell_clients(struct lab *l, const struct flood *f)
{
	gauge_of(l, "%" PRIu64 " of %" PRIu64 " clients got in", "%" PRIu64 " 个客户端连接成功，共 %" PRIu64 " 个",
		 f->served, f->clients);
}

/* Before the flood a client gets in, whatever guards. */
static int first_client(struct lab *l)
{
	struct flood f = { .patience_ms = CLIENT_MS };
	int done;

	gauge(l, "LISTEN, and nobody asks", "LISTEN，没有请求");
	if (rest(l) || next_client(l, &f))
		return -1;
	while (!(done = client_done(&f)))
		if (lab_pump(l, STEP_MS))
			return -1;
	close(f.fd);
	accept_all(l);
	return done > 0 ? 0 : sw_err("a client did not get in before the flood");
}

int lab_play_flood(struct lab *l)
{
	struct flood f;

	lab_net_sysctl(&l->net, SERVER, "tcp_syncookies", "0");
	if (lab_listen(l, BACKLOG) || first_client(l) || flood(l, &f, HOPELESS_MS))
		return -1;
	gauge_of(l, "%" PRIu64 " SYNs from spoofed addresses: the queue is full",
		 "%" PRIu64 " 个来自伪造地址的 SYN：队列已满", f.sent, 0);
	tell_clients(l, &f);
	return f.served ? sw_err("clients got in without a guard") : 0;
}

int lab_play_flood_cookies(struct lab *l)
{
	struct flood f;

	if (lab_listen(l, BACKLOG) || first_client(l) || flood(l, &f, CLIENT_MS))
		return -1;
	gauge_of(l, "%" PRIu64 " SYNs: the queue is full, the stack answers with cookies, %" PRIu64 " so far",
		 "%" PRIu64 " 个 SYN：队列已满，协议栈用 cookie 应答，已发 %" PRIu64 " 个", f.sent, l->answers);
	tell_clients(l, &f);
	return f.served == CLIENTS ? 0 : sw_err("only %d of %d clients got in", f.served, CLIENTS);
}

/* A command of this program at the server, in a process of its own; what it complains of is our error. */
static int command(struct lab *l, const struct command *cmd, char **argv)
{
	int argc = 0, status = 0, null, fds[2];
	char why[512];
	pid_t child;
	ssize_t n;

	if (pipe(fds))
		return sw_err("cannot make a pipe: %s", strerror(errno));
	while (argv[argc])
		argc++;
	fflush(stdout);
	child = fork();
	if (!child) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		optind = 1;
		/* never at home: it would be this host's own */
		status = lab_net_enter(&l->net, SERVER) ? cmd->run(argc, argv) : EXIT_FAILED;
		if (status && write(fds[1], sw_err_text(), strlen(sw_err_text())) < 0)
			status = EXIT_FAILED;
		_exit(status);
	}
	close(fds[1]);
	n = read(fds[0], why, sizeof(why) - 1);
	close(fds[0]);
	if (child > 0 && waitpid(child, &status, 0) == child && !status)
		return 0;
	why[n > 0 ? n : 0] = 0;
	return sw_err("synward %s at the server: %s", cmd->name, why);
}

/* Pins outlive a process: another one waits for our end, and removes them. */
static int janitor(struct lab *l, pid_t *child)
{
	static char *argv[] = { "detach", "--all", NULL };
	int fds[2];
	char none;

	if (pipe(fds))
		return sw_err("cannot make a pipe: %s", strerror(errno));
	fflush(stdout);
	*child = fork();
	if (*child < 0)
		return sw_err("cannot fork: %s", strerror(errno));
	if (*child) {
		close(fds[0]);
		return fds[1]; /* it sees its end when this is closed */
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close(fds[1]);
	while (read(fds[0], &none, 1) < 0 && errno == EINTR)
		;
	_exit(command(l, &cmd_detach, argv) ? EXIT_FAILED : EXIT_DONE);
}

/* What the guard has done at the listener. */
static int tell_guard(struct lab *l, const struct flood *f)
{
	struct store s;
	struct guard g;
	uint64_t kept_off = 0, ok = 0;
	bool armed = false;
	int ret = -1;

	lab_net_enter(&l->net, SERVER);
	if (!store_open(&s)) {
		if (!guard_open(&g)) {
			for (uint32_t i = 1; i <= s.n_listeners; i++) {
				kept_off += g.guards[i].kept_off;
				ok += g.guards[i].cookies_ok;
				armed |= guard_state(&g, &s, i, snapshot_now()).armed;
			}
			guard_close(&g);
			ret = 0;
		}
		store_close(&s);
	}
	lab_net_enter(&l->net, -1);
	if (ret)
		return -1;
	if (!armed || !kept_off)
		return sw_err("the guard did not arm");
	gauge_of(l, "%" PRIu64 " SYNs: armed at half of the queue, %" PRIu64 " were kept off",
		 "%" PRIu64 " 个 SYN：队列过半时启动防护，挡住 %" PRIu64 " 个", f->sent, kept_off);
	tell_clients(l, f);
	gauge_of(l, "%" PRIu64 " of them by a cookie of synward", "其中 %" PRIu64 " 个经由 synward 的 cookie", ok,
		 0);
	return f->served == CLIENTS ? 0 : sw_err("only %d of %d clients got in", f->served, CLIENTS);
}

int lab_play_flood_synward(struct lab *l)
{
	static char *attach[] = { "attach", "s0", "--guard", "auto", "--live", NULL };
	struct flood f;
	pid_t child = -1;
	int end, ret = -1;

	if (lab_listen(l, BACKLOG))
		return -1;
	end = janitor(l, &child);
	if (end < 0)
		return -1;
	if (!command(l, &cmd_attach, attach) && !first_client(l) && !flood(l, &f, CLIENT_MS))
		ret = tell_guard(l, &f);
	close(end);
	waitpid(child, NULL, 0);
	return ret;
}
