// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lab.h"

#define BACKLOG 16
#define SYNS_LOST 100 /* all of them */

/* A connection, accepted; the start of most. */
static int open_one(struct lab *l)
{
	return lab_connect(l, CLIENT) || lab_until(l, SW_ESTABLISHED, SW_ESTABLISHED) ||
	       lab_accept(l);
}

static int play_refused(struct lab *l)
{
	return lab_connect(l, CLIENT) || lab_fails(l, CLIENT, ECONNREFUSED) ||
	       lab_until(l, SW_CLOSED, SW_CLOSED);
}

static int play_dropped(struct lab *l)
{
	int tries = 2;

	l->lose.from = CLIENT;
	l->lose.n = SYNS_LOST;
	if (lab_connect(l, CLIENT))
		return -1;
	setsockopt(l->sock[CLIENT], IPPROTO_TCP, TCP_SYNCNT, &tries, sizeof(tries));
	return lab_until(l, SW_SYN_SENT, SW_CLOSED) || lab_fails(l, CLIENT, ETIMEDOUT) ||
	       lab_until(l, SW_CLOSED, SW_CLOSED);
}

static int play_close(struct lab *l)
{
	return open_one(l) || lab_close_end(l, CLIENT) ||
	       lab_until(l, SW_FIN_WAIT_2, SW_CLOSE_WAIT) || lab_close_end(l, SERVER) ||
	       lab_until(l, SW_TIME_WAIT, SW_CLOSED);
}

static int server_closes(struct lab *l)
{
	return lab_close_end(l, SERVER);
}

static int play_close_three(struct lab *l)
{
	if (open_one(l))
		return -1;
	/* at once, while the ACK of the client's FIN is still put off */
	l->then.from = CLIENT;
	l->then.flags = SW_TH_FIN;
	l->then.fn = server_closes;
	return lab_close_end(l, CLIENT) || lab_until(l, SW_TIME_WAIT, SW_CLOSED);
}

static int play_half_close(struct lab *l)
{
	return open_one(l) || lab_shutdown(l, CLIENT) ||
	       lab_until(l, SW_FIN_WAIT_2, SW_CLOSE_WAIT) || lab_send(l, SERVER, 1000) ||
	       lab_close_end(l, SERVER) || lab_until(l, SW_TIME_WAIT, SW_CLOSED);
}

static int play_simultaneous_open(struct lab *l)
{
	return lab_connect(l, CLIENT) || lab_connect(l, SERVER) || lab_gather(l, 2) ||
	       lab_cross(l) || lab_gather(l, 2) || lab_cross(l) ||
	       lab_until(l, SW_ESTABLISHED, SW_ESTABLISHED);
}

static int play_simultaneous_close(struct lab *l)
{
	return open_one(l) || lab_close_end(l, CLIENT) || lab_close_end(l, SERVER) ||
	       lab_gather(l, 2) || lab_cross(l) || lab_gather(l, 2) || lab_pass(l) ||
	       lab_until(l, SW_TIME_WAIT, SW_TIME_WAIT);
}

static int play_lost_ack(struct lab *l)
{
	if (open_one(l) || lab_close_end(l, CLIENT) || lab_until(l, SW_FIN_WAIT_2, SW_CLOSE_WAIT))
		return -1;
	l->lose.from = CLIENT;
	l->lose.n = 1;
	return lab_close_end(l, SERVER) || lab_until(l, SW_TIME_WAIT, SW_LAST_ACK) ||
	       lab_until(l, SW_TIME_WAIT, SW_CLOSED);
}

static int play_reset(struct lab *l)
{
	return open_one(l) || lab_abort(l, CLIENT) || lab_until(l, SW_CLOSED, SW_CLOSED);
}

static int play_reuse(struct lab *l)
{
	return open_one(l) || lab_close_end(l, SERVER) ||
	       lab_until(l, SW_CLOSE_WAIT, SW_FIN_WAIT_2) || lab_close_end(l, CLIENT) ||
	       lab_until(l, SW_CLOSED, SW_TIME_WAIT) || open_one(l);
}

const struct lab_scenario lab_scenarios[] = {
	{ "handshake",
	  { "three-way handshake", "三次握手" },
	  { "why three segments are needed, and no more", "为什么需要三个报文段，而且三个就够" },
	  .listens = true, .play = open_one },
	{ "refused",
	  { "nobody listens", "端口没有监听" },
	  { "what a closed port answers: RST", "关闭的端口如何应答：RST" },
	  .play = play_refused },
	{ "dropped",
	  { "every SYN is lost", "所有 SYN 都丢失" },
	  { "retransmission with waiting times that double, and the timeout",
	    "重传间隔逐次加倍，最后超时" },
	  .listens = true, .play = play_dropped },
	{ "close",
	  { "four-segment close", "四次挥手" },
	  { "each direction is closed by itself; who closes first keeps TIME_WAIT",
	    "两个方向各自关闭；先关闭的一端留在 TIME_WAIT" },
	  .listens = true, .play = play_close },
	{ "close-three",
	  { "three-segment close", "三次挥手" },
	  { "FIN and ACK share a segment when the other end closes at once",
	    "对方立即关闭时，FIN 和 ACK 合并为一个报文段" },
	  .listens = true, .play = play_close_three },
	{ "half-close",
	  { "half-close with data", "半关闭后继续传数据" },
	  { "shutdown(): no more to say, but still listening", "shutdown()：不再发送，但仍然接收" },
	  .listens = true, .play = play_half_close },
	{ "simultaneous-open",
	  { "simultaneous open", "同时打开" },
	  { "two SYNs cross: one connection, and no server", "两个 SYN 交错：一个连接，没有服务器" },
	  .play = play_simultaneous_open },
	{ "simultaneous-close",
	  { "simultaneous close", "同时关闭" },
	  { "two FINs cross: CLOSING, and TIME_WAIT at both ends",
	    "两个 FIN 交错：CLOSING，两端都进入 TIME_WAIT" },
	  .listens = true, .play = play_simultaneous_close },
	{ "lost-ack",
	  { "the last ACK is lost", "最后的 ACK 丢失" },
	  { "what TIME_WAIT is for", "TIME_WAIT 的用途" },
	  .listens = true, .play = play_lost_ack },
	{ "reset",
	  { "reset", "复位" },
	  { "RST: both ends forget the connection at once", "RST：两端立即丢弃连接" },
	  .listens = true, .play = play_reset },
	{ "reuse",
	  { "the same ports again, in TIME_WAIT", "在 TIME_WAIT 中再次使用相同端口" },
	  { "when a new SYN may end TIME_WAIT", "新的 SYN 何时可以结束 TIME_WAIT" },
	  .listens = true, .play = play_reuse },
	{ "syn-queue",
	  { "the SYN queue fills up", "半连接队列被填满" },
	  { "LISTEN, SYN_RCVD, and what a full queue does to a client",
	    "LISTEN、SYN_RCVD，以及队列已满时客户端的遭遇" },
	  .listens = true, .gauges = true, .play = lab_play_queue },
	{ "flood",
	  { "SYN flood, no guard", "SYN 洪泛，没有防护" },
	  { "spoofed SYNs keep everybody out", "伪造的 SYN 把所有人挡在门外" },
	  .listens = true, .gauges = true, .play = lab_play_flood },
	{ "flood-cookies",
	  { "SYN flood, the kernel's SYN cookies", "SYN 洪泛，内核的 SYN cookie" },
	  { "clients get in, each SYN costs the host an answer of its stack",
	    "客户端可以连接，但每个 SYN 都要协议栈应答" },
	  .listens = true, .gauges = true, .play = lab_play_flood_cookies },
	{ "flood-synward",
	  { "SYN flood, synward", "SYN 洪泛，synward" },
	  { "answered at XDP: the stack and its queue see only clients that exist",
	    "在 XDP 应答：协议栈和队列只见到真实的客户端" },
	  .listens = true, .gauges = true, .play = lab_play_flood_synward },
	{ 0 },
};
