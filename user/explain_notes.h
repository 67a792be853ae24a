/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EXPLAIN_NOTES_H
#define SW_EXPLAIN_NOTES_H

#include "shared.h"

/*
 * Every sentence that explain says, in one table. x and y are the initial
 * sequence numbers of client and server, shown as 0.
 *
 *   X(NAME, where it is written, English, Chinese)
 */
#define EXPLAIN_NOTES(X) \
	X(NONE, "", "", "") \
	/* opening */ \
	X(SYN, "RFC 9293 section 3.5", \
	  "Asks to open. seq = x, the client's initial sequence number, shown as 0.", \
	  "请求建立连接。seq = x 是客户端的初始序列号，显示为 0。") \
	X(SYN_SERVER, "RFC 9293 section 3.5", \
	  "Asks to open. seq is its own initial sequence number, shown as 0.", \
	  "请求建立连接。seq 是它自己的初始序列号，显示为 0。") \
	X(SYN_AGAIN, "RFC 9293 section 3.8.1", "The same SYN again: no answer came in time.", \
	  "重传同一个 SYN：没有及时收到应答。") \
	X(SYN_NEW, "RFC 9293 section 3.5", "A new attempt, with another initial sequence number.", \
	  "换了一个初始序列号，重新尝试。") \
	X(SYN_REUSES, "RFC 9293 section 3.6.1, RFC 6191", \
	  "The ports of a connection in TIME_WAIT again: allowed, as a higher number or a newer " \
	  "timestamp tells its segments from the old ones.", \
	  "再次使用处于 TIME_WAIT 的端口对：序列号更大或时间戳更新，新旧报文段不会混淆，所以允许。") \
	X(SYN_CROSSES, "RFC 9293 section 3.5, figure 7", \
	  "Crosses the other end's SYN: a simultaneous open. Whoever has sent one SYN and " \
	  "received one is in SYN_RCVD; nobody needs LISTEN.", \
	  "与对方的 SYN 交错：同时打开。既发出又收到 SYN 的一端进入 SYN_RCVD，双方都不需要 LISTEN。") \
	X(SYNACK, "RFC 9293 section 3.5", \
	  "Agrees: seq = y is the server's own, and ack = x+1: the SYN occupies one sequence " \
	  "number.", \
	  "同意建立：seq = y 是服务器自己的初始序列号；ack = x+1，因为 SYN 占用一个序列号。") \
	X(SYNACK_AGAIN, "RFC 9293 section 3.8.1", \
	  "The SYN-ACK again: the last ACK of the handshake did not arrive, or found the accept " \
	  "queue full.", \
	  "重传 SYN-ACK：握手的最后一个 ACK 没有到达，或者全连接队列已满。") \
	X(SYNACK_CROSSES, "RFC 9293 section 3.5, figure 7", \
	  "Repeats its SYN and acknowledges the other one: whose SYN is acknowledged is " \
	  "ESTABLISHED.", \
	  "再次发出自己的 SYN 并确认对方的 SYN：自己的 SYN 得到确认的一端进入 ESTABLISHED。") \
	X(SYNACK_LEAVES, "RFC 9293 section 3.5, figure 7", \
	  "Repeats its SYN, and acknowledges the other one.", "再次发出自己的 SYN，并确认对方的 SYN。") \
	X(SYNACK_ARRIVES, "RFC 9293 section 3.5, figure 7", \
	  "The receiver's SYN is acknowledged: ESTABLISHED.", "接收方的 SYN 得到确认：ESTABLISHED。") \
	X(SYNACK_ALONE, "", "Answers a SYN that is not in the capture.", "它应答的 SYN 不在抓包文件中。") \
	X(ACK_OPENS, "RFC 9293 section 3.5", \
	  "ack = y+1: both ends know now that the other one hears them. The handshake is " \
	  "complete.", \
	  "ack = y+1：双方都知道对方能收到自己的报文段，三次握手完成。") \
	X(ACK_OPENS_DATA, "RFC 9293 section 3.5", \
	  "ack = y+1 completes the handshake, and the first data comes with it.", \
	  "ack = y+1 完成三次握手，并且同时带来第一批数据。") \
	X(MIDSTREAM, "", "Picked up midstream: the handshake is not in the capture.", \
	  "从中途开始：握手不在抓包文件中。") \
	/* data */ \
	X(DATA, "RFC 9293 section 3.4", "Data: each byte has a number; the ack to expect is seq + len.", \
	  "数据：每个字节都有编号，期待的确认号是 seq + len。") \
	X(DATA_AGAIN, "RFC 9293 section 3.8.1", "Bytes that were sent before: their ACK did not come in time.", \
	  "重传以前发过的字节：没有及时收到它们的 ACK。") \
	X(DATA_GAP, "RFC 9293 section 3.10.7.4", "Bytes before these are missing here: lost, or overtaken.", \
	  "前面的字节还没有出现：丢失了，或者被后面的报文段赶超了。") \
	X(DATA_FILLS, "RFC 9293 section 3.10.7.4", "Fills the gap: bytes that come after later ones.", \
	  "补上缺口：这些字节比后面的字节晚到。") \
	X(DATA_HALF_CLOSED, "RFC 9293 section 3.6", \
	  "Half-closed: the end that has received a FIN may still send.", \
	  "半关闭：收到 FIN 的一端仍然可以发送数据。") \
	X(ACK, "RFC 9293 section 3.4", "All bytes before the number ack have arrived.", \
	  "确认号 ack 之前的所有字节都已收到。") \
	X(CHALLENGE, "RFC 5961 section 3.2", \
	  "Challenge ACK: whoever really meant it will answer with the exact number.", \
	  "挑战 ACK：如果对方真有此意，会用正确的序列号再次应答。") \
	X(KEEPALIVE, "RFC 9293 section 3.8.4", \
	  "Keep-alive: a number already acknowledged, so that the other end has to answer.", \
	  "保活探测：故意使用已经确认过的序列号，使对方必须应答。") \
	X(ZERO_WINDOW, "RFC 9293 section 3.8.6", "Window 0: no room for more data now.", \
	  "窗口为 0：目前没有空间接收更多数据。") \
	/* closing */ \
	X(FIN, "RFC 9293 section 3.6", "Will send no more. The FIN occupies one sequence number, too.", \
	  "不再发送数据。FIN 也占用一个序列号。") \
	X(FIN_GAP, "RFC 9293 section 3.10.7.4", \
	  "A FIN, but bytes before it are missing: it counts when they have arrived.", \
	  "FIN 到了，但前面还缺少字节：补齐以后才生效。") \
	X(FIN_AGAIN, "RFC 9293 section 3.8.1", "The FIN again: its ACK did not come in time.", \
	  "重传 FIN：没有及时收到它的 ACK。") \
	X(FIN_AGAIN_TW, "RFC 9293 section 3.10.7.8", \
	  "The FIN again: the last ACK was lost. TIME_WAIT is there to repeat it; its 2 MSL " \
	  "begin anew.", \
	  "重传 FIN：最后的 ACK 丢失了。TIME_WAIT 正是为了再发一次 ACK，2 MSL 重新计时。") \
	X(FIN_SECOND, "RFC 9293 section 3.6", \
	  "The other end has nothing more to say either. TIME_WAIT: waits 2 MSL so that a lost " \
	  "last ACK can be repeated.", \
	  "另一端也不再发送数据。TIME_WAIT：等待 2 MSL，以便最后的 ACK 丢失时可以重发。") \
	X(FIN_WITH_ACK, "RFC 9293 section 3.6", \
	  "FIN, and the ACK of the other FIN, in one segment: three segments close instead of " \
	  "four. TIME_WAIT: waits 2 MSL so that a lost last ACK can be repeated.", \
	  "FIN 和对另一个 FIN 的 ACK 合在一个报文段里：四次挥手变成三次。TIME_WAIT：等待 2 MSL，" \
	  "以便最后的 ACK 丢失时可以重发。") \
	X(FIN_CROSSES, "RFC 9293 section 3.6, figure 13", \
	  "Crosses the other end's FIN: a simultaneous close. Each end waits for the ACK of its " \
	  "own FIN: CLOSING.", \
	  "与对方的 FIN 交错：同时关闭。双方各自等待自己的 FIN 的 ACK：CLOSING。") \
	X(ACK_FIN, "RFC 9293 section 3.6", "ack covers the FIN: half-closed, the server may still send.", \
	  "ack 覆盖了 FIN：半关闭，服务器仍然可以发送数据。") \
	X(ACK_FIN_CLIENT, "RFC 9293 section 3.6", \
	  "ack covers the FIN: half-closed, the client may still send.", \
	  "ack 覆盖了 FIN：半关闭，客户端仍然可以发送数据。") \
	X(ACK_CROSSED, "RFC 9293 section 3.6, figure 13", \
	  "Acknowledges the FIN that crossed: whose FIN is acknowledged goes to TIME_WAIT.", \
	  "确认交错的 FIN：自己的 FIN 得到确认的一端进入 TIME_WAIT。") \
	X(ACK_LAST, "RFC 9293 section 3.6", \
	  "The last ACK: whoever receives it is through. Who closed first stays in TIME_WAIT.", \
	  "最后的 ACK：收到它的一端关闭。只有先关闭的一端留在 TIME_WAIT。") \
	/* resets */ \
	X(RST_REFUSED, "RFC 9293 section 3.10.7.1", \
	  "Refused: nobody listens there. ack = x+1 shows that it answers this SYN.", \
	  "拒绝：该端口没有监听。ack = x+1 表明它应答的正是这个 SYN。") \
	X(RST_OPENING, "RFC 9293 section 3.10.7.4", "Gives the handshake up.", "放弃这次握手。") \
	X(RST, "RFC 9293 section 3.5.3", \
	  "Aborts: both ends forget the connection at once. No FIN, no TIME_WAIT.", \
	  "中止：双方立即丢弃连接，没有 FIN，也没有 TIME_WAIT。") \
	X(RST_TIME_WAIT, "RFC 1337", \
	  "A reset ends TIME_WAIT early (Linux, with tcp_rfc1337=0); RFC 1337 advises not to " \
	  "believe it.", \
	  "RST 提前结束 TIME_WAIT（Linux，tcp_rfc1337=0）；RFC 1337 建议不要相信它。") \
	X(RST_UNBELIEVED, "RFC 5961 section 3", \
	  "Talks on after a reset: whoever was to be reset has not believed it.", \
	  "RST 之后仍在通信：应被复位的一端没有相信它。") \
	/* segments that count for nothing */ \
	X(NO_SYN, "RFC 5961 section 4", "A SYN on an open connection is not believed; a challenge ACK asks back.", \
	  "已有连接上的 SYN 不被采信；对方会用挑战 ACK 询问。") \
	X(NO_SYN_OPENING, "RFC 9293 section 3.10.7.4", "Another SYN while the first one is being answered.", \
	  "第一个 SYN 正在应答时又来了另一个 SYN。") \
	X(NO_SYN_TW, "RFC 9293 section 3.6.1", \
	  "A SYN to TIME_WAIT with an old number or timestamp: it may be a duplicate.", \
	  "发给 TIME_WAIT 的 SYN，序列号或时间戳太旧：可能是迟到的副本。") \
	X(NO_SYNACK, "RFC 9293 section 3.10.7.3", \
	  "Acknowledges no SYN of this connection: an old duplicate, answered with an RST.", \
	  "没有确认本连接的 SYN：旧的副本，用 RST 应答。") \
	X(NO_SYNACK_OPEN, "RFC 5961 section 4", "A SYN-ACK on an open connection changes nothing.", \
	  "已有连接上的 SYN-ACK 不改变任何状态。") \
	X(NO_ACK, "RFC 5961 section 5", "Acknowledges what was never sent, or too long ago.", \
	  "确认了从未发送的数据，或者太旧的数据。") \
	X(NO_ACK_SYN_SENT, "RFC 9293 section 3.5.1", \
	  "An ACK instead of a SYN-ACK: the other end holds an old connection; an RST will end it.", \
	  "应答不是 SYN-ACK 而是 ACK：对方还保留着旧连接，RST 会结束它。") \
	X(NO_ACK_SYN_RCVD, "RFC 9293 section 3.10.7.4", \
	  "Does not acknowledge the SYN-ACK as sent: no handshake, answered with an RST.", \
	  "没有正确确认 SYN-ACK：握手不成立，用 RST 应答。") \
	X(NO_SEQ, "RFC 9293 section 3.10.7.4", "Outside of the window: dropped, and answered with an ACK.", \
	  "在窗口之外：丢弃，并用 ACK 应答。") \
	X(NO_SEQ_OLD, "RFC 9293 section 3.10.7.4", \
	  "All of it had arrived before: dropped, and acknowledged again.", \
	  "内容早已全部收到：丢弃，并再次确认。") \
	X(NO_SEQ_ACK, "RFC 9293 section 3.10.7.4", \
	  "All of it had arrived before, but its ACK is new: that counts.", \
	  "内容早已全部收到，但它的确认是新的：确认有效。") \
	X(NO_PAWS, "RFC 7323 section 5", "Its timestamp is older than the last one: a late duplicate.", \
	  "时间戳比上一个旧：迟到的副本。") \
	X(NO_FIN, "RFC 9293 section 3.10.7.4", "A FIN at another place than the stream's end.", \
	  "FIN 的位置不是数据流的末尾。") \
	X(NO_RST, "RFC 5961 section 3.2", \
	  "Outside of the window: whoever sent this RST does not know the connection.", \
	  "在窗口之外：发出这个 RST 的一方不了解该连接。") \
	X(NO_RST_WINDOW, "RFC 5961 section 3.2", \
	  "In the window, but not exactly the next number: a challenge ACK asks whether it is " \
	  "meant.", \
	  "在窗口之内，但不是正好的下一个序列号：用挑战 ACK 询问是否属实。") \
	X(NO_RST_SYN_SENT, "RFC 9293 section 3.10.7.3", "An RST that does not acknowledge the SYN: not believed.", \
	  "没有确认 SYN 的 RST：不被采信。") \
	X(NO_RST_AUTH, "RFC 5925", "Signed (TCP-MD5 or TCP-AO): without the key nobody can judge it.", \
	  "带签名（TCP-MD5 或 TCP-AO）：没有密钥无法判断。") \
	X(NO_AFTER_RST, "RFC 9293 section 3.10.7.1", "Was on its way when the connection was reset.", \
	  "连接被复位时它还在路上。") \
	X(NO_FLOW, "RFC 9293 section 3.10.7.1", "Belongs to no connection.", "不属于任何连接。") \
	X(NO_CHECKSUM, "RFC 9293 section 3.1", "The checksum is wrong: dropped without a word.", \
	  "校验和错误：直接丢弃。") \
	X(NO_FLAGS, "RFC 9293 section 3.10.7", "Flags that no TCP sends together: dropped.", \
	  "没有 TCP 会这样组合标志位：丢弃。") \
	X(NO_OTHER, "", "Counts for nothing.", "不起作用。") \
	/* of a wire that is under control: lab */ \
	X(LOST, "", "Lost on the way: the other end never sees it.", "在途中丢失：对方没有收到。")

enum explain_note {
#define SW_X(name, where, en, zh) NOTE_##name,
	EXPLAIN_NOTES(SW_X)
#undef SW_X
	NOTE_COUNT
};

enum explain_lang { LANG_EN, LANG_ZH, LANG_COUNT };

const char *note_text(enum explain_note note, enum explain_lang lang);

/* The RFC and section that say so; "" when there is none. */
const char *note_where(enum explain_note note);

/* What happened with a segment; [2]: of client and server. */
struct note_case {
	const struct sw_pkt *pkt;
	int from;		/* 0 the client, 1 the server */
	int reason;		/* enum sw_reason */
	uint8_t was[2], is[2];	/* states before and after it */
	const struct sw_flow *before, *after; /* NULL: there was no entry, is none */
	uint32_t what;		/* SW_CH_* */
	bool retransmit;
	bool challenged;	/* the other end has just sent what is answered by a challenge ACK */
	bool reuses;		/* opens anew what was in TIME_WAIT */
	bool sent_only;		/* has not arrived yet */
	bool arrives;		/* was seen when it was sent */
	bool lost;
};

/* The sentence for it. */
enum explain_note note_for(const struct note_case *c);

/* A segment with this sentence is answered by a challenge ACK. */
bool note_challenges(enum explain_note note);

#endif
