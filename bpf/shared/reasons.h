/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_REASONS_H
#define SW_REASONS_H

/*
 * What became of a packet: exactly one reason for each packet that a hook
 * saw, counted per device and CPU. The guard's are at the end: those from COOKIE
 * on did not pass, those from WOULD_COOKIE on would not have but for a dry run.
 *
 *   X(NAME, "name in every view", "what it means")
 */
#define SW_REASONS(X)                                                                              \
	X(OBSERVED, "observed", "a TCP segment that belongs to a flow")                            \
	X(NOT_IP, "not-ip", "neither IPv4 nor IPv6")                                               \
	X(NOT_TCP, "not-tcp", "IP, but not TCP")                                                   \
	X(UNPARSED, "unparsed", "encapsulated: PPPoE, MPLS, over two VLAN tags, IPsec, deep IPv6") \
	X(FRAGMENT, "fragment", "a fragment without the whole TCP header")                         \
	X(TRUNCATED, "truncated", "ends before its headers do")                                    \
	X(BAD_IP, "bad-ip", "IP header with an impossible length or version")                      \
	X(BAD_TCP, "bad-tcp", "TCP data offset or option with an impossible length")               \
	X(BAD_CHECKSUM, "bad-checksum", "IP or TCP checksum wrong on ingress")                     \
	X(BAD_ADDRESS, "bad-address", "multicast, broadcast, port 0, or sent to itself (LAND)")    \
	X(BAD_FLAGS, "bad-flags", "flags no TCP sends: NULL, XMAS, SYN+FIN, SYN+RST, bare FIN")    \
	X(FORWARDED, "forwarded", "seen before, when it came in on another attached device")       \
	X(NO_FLOW, "no-flow", "belongs to no flow and opens none")                                 \
	X(TABLE_FULL, "table-full", "no slot was free or could be freed")                          \
	X(CONTENDED, "contended", "another CPU held the entry")                                    \
	X(SYN_IGNORED, "syn-ignored", "SYN on a live connection (RFC 5961 section 4)")             \
	X(SYNACK_IGNORED, "synack-ignored", "SYN-ACK that acknowledges no SYN of this flow")       \
	X(ACK_IGNORED, "ack-ignored", "acknowledges what was never sent (RFC 5961 section 5)")     \
	X(SEQ_IGNORED, "seq-ignored", "sequence number outside the window")                        \
	X(FIN_IGNORED, "fin-ignored", "FIN that does not fit the stream")                          \
	X(RST_IGNORED, "rst-ignored", "RST that RFC 9293 or RFC 5961 section 3 does not believe")  \
	X(AFTER_RST, "after-rst", "in flight when the connection was reset")                       \
	X(UNVERIFIED, "unverified", "imported connection whose sequence numbers are not known yet") \
	X(COOKIE, "cookie", "SYN answered with a cookie")                                          \
	X(FIRST_SYN, "first-syn", "first SYN dropped: to be sent again")                           \
	X(LIMITED, "limited", "SYN dropped: more than the share of its source")                    \
	X(DENIED, "denied", "SYN dropped: its source is on the deny list")                         \
	X(BUDGET, "reply-budget", "SYN dropped: its source prefix, this CPU, or all have had their answers") \
	X(STRAY, "stray", "dropped: neither connection nor cookie, to an armed listener")          \
	X(CLOSED_PORT, "closed-port", "SYN dropped: more of them to closed ports than resets")     \
	X(OBSCURED, "obscured", "SYN or unknown, dropped: more in fragments or deep IPv6 than pass under guard") \
	X(NOT_ADMITTED, "not-admitted", "dropped: its cookie is right, but there is no room yet, or the kernel refused") \
	X(WOULD_COOKIE, "would-cookie", "dry run: a cookie")                                       \
	X(WOULD_FIRST_SYN, "would-first-syn", "dry run: dropped as first SYN")                     \
	X(WOULD_LIMITED, "would-limited", "dry run: dropped as limited")                           \
	X(WOULD_BUDGET, "would-reply-budget", "dry run: dropped for the reply budget")             \
	X(WOULD_STRAY, "would-stray", "dry run: dropped as stray")                                 \
	X(WOULD_CLOSED_PORT, "would-closed-port", "dry run: dropped as closed-port")              \
	X(WOULD_OBSCURED, "would-obscured", "dry run: dropped as obscured")                        \
	X(INTERNAL, "internal", "a map lookup that cannot fail failed")

enum sw_reason {
#define SW_X(name, text, meaning) SW_R_##name,
	SW_REASONS(SW_X)
#undef SW_X
	SW_R_COUNT
};

#endif
