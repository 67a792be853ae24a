/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_GUARD_H
#define SW_GUARD_H

#include "cookie.h"
#include "listener.h"

/*
 * When a listener is under guard, and when that ends. Pure: the state of an
 * entry of map "guards" and the time decide, so that the BPF programs and a
 * view come to the same answer, and disarming needs neither a timer nor a
 * process: it is found out by whoever looks next, a SYN or a reader.
 */
enum sw_mode { SW_MODE_OFF, SW_MODE_AUTO, SW_MODE_ON };
enum sw_method { SW_METHOD_COOKIE, SW_METHOD_FIRST_SYN, SW_METHOD_DROP };

/* What is asked for. Writer: user space. */
struct sw_policy {
	__u8 mode;    /* enum sw_mode */
	__u8 dry_run; /* decide and count, touch nothing */
	__u8 method;  /* enum sw_method */
	__u8 pad;
	__u32 high;   /* arm at so many half-open; 0: half of the backlog */
	__u32 low;    /* disarm below; 0: a quarter of high */
	__u32 hold_s; /* for so long */
};

/* Seconds that a rate remembers; more than judging them late needs. A power of two. */
#define SW_RATE_RING 16

/* Why a listener is not armed though it is to be (sw_guard.why). */
enum sw_why {
	SW_WHY_NONE,
	SW_WHY_ADMISSION, /* half of the last admitted connections did not come to be */
	SW_WHY_REFUSED,	  /* the kernel refused to take a cookie's connection: MPTCP, a sysctl */
};

#define SW_BACKOFF_S 60u  /* how long such a listener is left alone */
#define SW_JUDGED 16u	  /* admissions that the breaker remembers */
#define SW_JUDGED_BAD 8u  /* of these failed: it opens */
#define SW_FAILED 32u	  /* prefixes whose failures it remembers; a power of two */
#define SW_AGAIN_S 5u	  /* one of them counts again when nobody succeeded for so long */

/*
 * A listener's guard. Key: index of the listener; entry 0 holds the policy of
 * all that have none of their own. Lifetime: until detach. Writers: user space
 * (first part), any CPU (the rest; counters are atomic adds).
 */
struct sw_guard {
	struct sw_policy now;  /* policy until the deadline */
	struct sw_policy then; /* and after it */
	__u64 until_ns;	       /* CLOCK_MONOTONIC; 0: no deadline */
	__u64 since_ns;	       /* CLOCK_MONOTONIC: when the policy was set */
	__u32 backlog;	       /* that binds, as user space found it; 0: not known */
	__u8 own;	       /* not the policy of entry 0 */
	__u8 mptcp;	       /* its socket speaks MPTCP: no cookies */
	__u8 pad[2];

	__u64 armed_ns;	    /* since when, by a flood; 0: not, or by mode on alone */
	__u32 judged_s;	    /* the last second that was judged calm or not */
	__u32 calm_s;	    /* so many calm ones in a row */
	__s32 owed;	    /* handshakes begun in these and not completed */
	__u32 open;	    /* half-open handshakes, roughly: never too few */
	__u32 backoff_s;    /* second of the breaker's opening; 0: closed */
	__u32 why;	    /* enum sw_why, with backoff_s */
	__u32 judged;	    /* last SW_JUDGED admissions, a bit each: 1 failed */
	__u32 n_failed;	    /* failures counted since the breaker was closed */
	__u32 episode;	    /* number of the episode that arming began, from 1 */
	__u32 last_armed_s; /* second until which it was armed: cookies may still come back */
	__u32 failed[SW_FAILED]; /* whose they were: hashes of prefixes */
	__u32 heard_s;	    /* second of the last success, or of a failure that counted again */
	__u32 pad2;

	__u64 kept_off;	      /* SYNs that did not reach the listener */
	__u64 passed;	      /* SYNs that were let through while armed */
	__u64 dropped;	      /* segments dropped, SYNs included */
	__u64 would_keep_off; /* dry run: kept_off, had it been live */
	__u64 cookies_sent;
	__u64 cookies_ok;     /* connections that the kernel has, as its own segment showed */
	__u64 cookies_bad;    /* wrong cookies, and admissions that came to nothing */

	__u64 asked[SW_RATE_RING]; /* by second: handshakes that the kernel answered, or that were dropped */
	__u64 done[SW_RATE_RING];  /* by second: handshakes completed */
	__u64 sent[SW_RATE_RING];  /* by second: cookies sent */
	__u64 proved[SW_RATE_RING]; /* by second: cookies that came back */
};

#define SW_BACKLOG_DEFAULT 128u /* of a listener that nobody has told of */
#define SW_HOLD_DEFAULT 10u
#define SW_CHALLENGE_S 4u /* a client answers a cookie within this, or not at all */

/* Count in the slot of a second; a slot of another second is taken over. */
static sw_inline void sw_rate_add(__u64 *ring, __u32 second)
{
	__u64 *slot = &ring[second & (SW_RATE_RING - 1)];

	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)slot;

		if (old >> 32 == second) {
			__sync_fetch_and_add(slot, 1);
			return;
		}
		if (sw_cas(slot, old, (__u64)second << 32 | 1))
			return;
	}
}

static sw_inline __u32 sw_rate_of(const __u64 *ring, __u32 second)
{
	__u64 slot = *(volatile const __u64 *)&ring[second & (SW_RATE_RING - 1)];
	__u64 of_it = ((slot >> 32 ^ second) - 1) >> 63; /* no branch */

	sw_hide(of_it);
	return (__u32)slot & -(__u32)of_it;
}

/* Cookies sent lately that nobody has answered: approximate. */
static sw_inline __u32 sw_challenged(const struct sw_guard *g, __u32 now_s)
{
	__u32 sent = 0, proved = 0;

	for (__u32 i = 0; i < SW_CHALLENGE_S; i++) {
		sent += sw_rate_of(g->sent, now_s - i);
		proved += sw_rate_of(g->proved, now_s - i);
	}
	return sent > proved ? sent - proved : 0;
}

/* The same of all handshakes, whoever answers. */
static sw_inline __u32 sw_unanswered(const struct sw_guard *g, __u32 now_s)
{
	__u32 begun = 0, done = 0;

	for (__u32 i = 0; i < SW_CHALLENGE_S; i++) {
		begun += sw_rate_of(g->asked, now_s - i) + sw_rate_of(g->sent, now_s - i);
		done += sw_rate_of(g->done, now_s - i);
	}
	return begun > done ? begun - done : 0;
}

/* The policy that holds for a listener; all: entry 0. */
static sw_inline const struct sw_policy *sw_policy_of(const struct sw_guard *g,
						      const struct sw_guard *all, __u64 now)
{
	const struct sw_guard *from = g->own ? g : all;

	return from->until_ns && now >= from->until_ns ? &from->then : &from->now;
}

static sw_inline __u32 sw_high(const struct sw_guard *g, const struct sw_policy *p)
{
	__u32 backlog = g->backlog ? g->backlog : SW_BACKLOG_DEFAULT;

	return p->high ? p->high : backlog > 1 ? backlog / 2 : 1;
}

static sw_inline __u32 sw_low(const struct sw_guard *g, const struct sw_policy *p)
{
	__u32 high = sw_high(g, p);

	return p->low ? p->low : high > 3 ? high / 4 : 1;
}

/* The breaker is open: the guard would hurt. */
static sw_inline bool sw_backing_off(const struct sw_guard *g, __u32 now_s)
{
	return g->backoff_s && sw_since(now_s, g->backoff_s) < SW_BACKOFF_S;
}

/* In a BPF program it lies in a map: the verifier does not follow each value. */
struct sw_calm {
	volatile __u32 judged_s, calm_s;
	volatile __s32 owed;
	volatile __u32 peak, attack; /* of the seconds judged now: most asked; less than half done */
};

/*
 * Judge the seconds that are over, each one second late so that what was asked
 * in it could be answered: calm, if no more handshakes were begun than
 * completed, but for low per timeout. What is under way when a second ends is
 * owed by it and paid to the next, else a busy listener would never be calm: so
 * a debt is carried over, and as much allowed as is under way when clients
 * answer within a quarter of a second.
 */
static sw_inline void sw_judge_calm(const struct sw_guard *g, __u32 low, __u32 timeout_s,
				    __u32 now_s, struct sw_calm *c)
{
	__u32 limit = low / timeout_s ? low / timeout_s : 1, last = now_s - 2;

	if (last - c->judged_s > 0x7fffffff)
		return; /* judged already, by a CPU whose clock is ahead */
	for (int i = 0; i < SW_RATE_RING && c->judged_s != last; i++) {
		__u32 behind = last - c->judged_s, second, asked, done;
		__s64 owed, under_way;
		bool calm;

		/* the last SYN had all but two seconds judged; long after it nothing was asked */
		if (i == 2 && behind > SW_RATE_RING - 3) {
			c->calm_s += behind - (SW_RATE_RING - 3);
			c->judged_s = last - (SW_RATE_RING - 3);
			c->owed = 0;
		}
		second = c->judged_s + 1;
		asked = sw_rate_of(g->asked, second) + sw_rate_of(g->sent, second);
		done = sw_rate_of(g->done, second);
		under_way = done / 4;
		owed = (__s64)c->owed + asked - done;
		calm = owed < limit + under_way;
		c->judged_s = second;
		c->calm_s = calm ? c->calm_s + 1 : 0;
		if (owed > 0) /* low per timeout is forgiven */
			owed = owed > limit - 1 ? owed - (limit - 1) : 0;
		c->owed = !calm ? 0 : owed < -under_way ? -under_way : owed;
		if (asked > c->peak)
			c->peak = asked;
		if (!c->calm_s && done * 2 < asked)
			c->attack++;
	}
}

/* Is the listener armed at this moment? *c: what was found out on the way. */
static sw_inline bool sw_armed(const struct sw_guard *g, const struct sw_policy *p,
			       __u32 timeout_s, __u64 now, struct sw_calm *c)
{
	__u32 now_s = now / SW_NS_PER_SEC;

	c->judged_s = g->judged_s;
	c->calm_s = g->calm_s;
	c->owed = g->owed;
	c->peak = c->attack = 0;
	if (p->mode == SW_MODE_OFF || sw_backing_off(g, now_s))
		return false;
	if (!g->armed_ns)
		return p->mode == SW_MODE_ON;
	sw_judge_calm(g, sw_low(g, p), timeout_s, now_s, c);
	return p->mode == SW_MODE_ON || c->calm_s < p->hold_s;
}

/* Has the episode that armed_ns began ended? In mode on the listener is armed all the same. */
static sw_inline bool sw_over(const struct sw_policy *p, bool armed, const struct sw_calm *c)
{
	return !armed || c->calm_s >= p->hold_s;
}

/*
 * What is the same for all listeners. Map "control", one entry. Writer: user
 * space, but for armed_s, live_s and spent.
 */
struct sw_control {
	__u32 active;	   /* some policy is not off, or some list is not empty */
	__u32 lists;	   /* entries of map "lists" */
	__u32 armed_s;	   /* programs: last second in which a listener was armed */
	__u32 live_s;	   /* programs: the same of one without dry run */
	__u32 reply_rate;  /* answers to SYNs per second to one source prefix */
	__u32 total_rate;  /* and to all of them */
	__u32 reset_rate;  /* SYNs to closed ports per second that the kernel may answer */
	__u32 source_rate; /* method drop: SYNs per second of a single source */
	__u32 prefix_rate; /* and of its prefix */
	__u8 prefix_bits[2]; /* of it: IPv4, IPv6 */
	__u8 source_bits[2]; /* of a single source: IPv6 hosts have more than one address */
	__u8 offers;	     /* SW_OPT_* that this host agrees to, as far as nobody has seen it */
	__u8 ecn;	     /* the same of ECN */
	__u8 pad[2];
	__u32 core_rate;   /* answers per second of one CPU; to known sources beyond that; 0: no limit */
	__u64 spent;	   /* programs: second << 32 | answers in it, all together */
};

static sw_inline void sw_note_armed(struct sw_control *c, __u32 now_s, bool dry)
{
	if (c->armed_s != now_s)
		c->armed_s = now_s;
	if (!dry && c->live_s != now_s)
		c->live_s = now_s;
}

#define SW_REPLY_RATE_DEFAULT 50000u
#define SW_TOTAL_RATE_DEFAULT 4000000u
#define SW_CORE_RATE_DEFAULT 400000u
#define SW_CORE_BURST_NS (SW_NS_PER_SEC / 10) /* as many as in that time may come at once */
#define SW_CORE_DROPS 8 /* take the time of an answer */
#define SW_RESET_RATE_DEFAULT 1000u
#define SW_OBSCURED_RATE 8u /* a second: a queue of 512 does not fill in the 63 s that a SYN stays */
#define SW_SOURCE_RATE_DEFAULT 10u
#define SW_PREFIX_RATE_DEFAULT 100u
#define SW_CAME_BACK_S (2 * SW_COOKIE_EPOCH_S) /* cookies are taken so long after disarming */

/*
 * An address on which the kernel itself was seen to answer SYNs, and with
 * what: a cookie offers the same. Map "served", key: hash of address and port,
 * and one of SW_SERVED_WAYS. Writer: the SYN-ACK path; port 0 while it is
 * written. Another address takes over the slot that was not seen the longest.
 */
struct sw_served {
	__u32 addr[4];	/* network byte order, as in sw_key */
	__u16 port;	/* network byte order; 0: free */
	__u8 family;
	__u8 opts;	/* SW_OPT_* that it agrees to */
	__u8 wscale;	/* its own */
	__u8 ecn;	/* agrees to ECN */
	__u16 mss;	/* its own */
	__u16 win;	/* of its SYN-ACK, not scaled */
	__u8 conntrack; /* connections to it are tracked by nf_conntrack */
	__u8 nat;	/* and by NAT, which takes a cookie's socket off its packet */
	__u16 vlan;	/* that it answers on, 0 none */
	__u8 ttl;	/* of its SYN-ACK */
	__u8 tos;	/* the same; IPv6: the traffic class */
	__u32 seen_s;
	__u32 pad;	/* values of a map that is mapped are multiples of 8 bytes */
};

/* Allow and deny: map "lists", the longest prefix wins. Writer: user space. */
struct sw_list_key {
	__u32 bits;	/* of addr: IPv4 as ::ffff:a.b.c.d, 96 bits more */
	__u32 addr[4];	/* network byte order */
};

struct sw_list_entry {
	__u64 until_ns;	      /* CLOCK_MONOTONIC, 0: for good */
	__u64 since_us : 55;  /* CLOCK_REALTIME */
	__u64 bits : 8;	      /* of its key: once it has expired, a shorter one holds */
	__u64 deny : 1;	      /* else allow */
}; /* a node of the trie is one cache line with these 16 bytes, two with more */

#define SW_MAX_LIST 65536u
#define SW_LIST_TRIES 4 /* entries, one within the other, of which the longer ones have expired */
#define SW_V4_BITS 96  /* where IPv4 begins */
#define SW_SERVED 4096u	  /* powers of two, all of these */
#define SW_SERVED_WAYS 4u
#define SW_REPLIES 4096u  /* counters of prefixes that SYNs are answered to */
#define SW_SOURCES 65536u /* counters of source prefixes: those that collide share one */
#define SW_FIRSTS 262144u /* first SYNs that wait for their retransmission */
#define SW_KNOWN 65536u	  /* sources that completed a handshake */
#define SW_KNOWN_S 600u	  /* lately */
#define SW_FIRST_MIN_MS 500u /* a retransmission comes after this (RFC 6298: 1 s, Linux the same) */
#define SW_FIRST_MAX_MS 64000u

/*
 * From arming to disarming. Map "episodes", key: number modulo SW_EPISODES.
 * Writer: the programs. Times are CLOCK_MONOTONIC ns. Until end_ns is set, the
 * listener's own counters minus these are what happened.
 */
#define SW_EPISODES 64u
#define SW_TOP 8

struct sw_episode {
	__u64 start_ns, end_ns;
	__u32 number; /* from 1 */
	__u32 listener;
	__u32 peak_syn; /* per second */
	__u32 attack;	/* seconds in which less than half of the handshakes were completed */
	__u64 syn, completed, kept_off, admitted; /* at the start; then their growth */
	struct {
		__u32 addr[4]; /* /24 or /64 of sources, as in sw_list_key */
		__u32 syn;     /* sampled, one in SW_SAMPLE (Misra, Gries) */
		__u32 pad;
	} top[SW_TOP];
};
#define SW_SAMPLE 64u

/* What a listener's counters say, for the beginning and the end of an episode. */
static sw_inline void sw_episode_count(struct sw_episode *e, const struct sw_listener *l,
				       const struct sw_guard *g)
{
	e->syn = l->syn + g->kept_off - e->syn;
	e->completed = l->completed - e->completed;
	e->kept_off = g->kept_off + g->would_keep_off - e->kept_off;
	e->admitted = g->cookies_ok - e->admitted;
}

/*
 * When a listener that sw_armed() finds disarmed became so, however late that
 * is noticed. *c: what sw_armed() found out.
 */
static sw_inline __u64 sw_disarmed_ns(const struct sw_guard *g, const struct sw_guard *all,
				      __u64 now, const struct sw_calm *c)
{
	const struct sw_guard *from = g->own ? g : all;
	const struct sw_policy *p = sw_policy_of(g, all, now);
	__u64 end;

	if (p->mode == SW_MODE_OFF)
		end = from->until_ns && now >= from->until_ns ? from->until_ns : from->since_ns;
	else if (sw_backing_off(g, now / SW_NS_PER_SEC))
		end = (__u64)g->backoff_s * SW_NS_PER_SEC;
	else /* a second is judged when the next one is over */
		end = (__u64)(c->judged_s + 2 - (c->calm_s - p->hold_s)) * SW_NS_PER_SEC;
	return end < g->armed_ns ? g->armed_ns : end > now ? now : end;
}

/*
 * An admission was judged. True: the breaker opens. A source that a ruleset
 * drops fails as often as it likes, and would without the guard: so a prefix
 * fails once, and again only while nobody succeeds: all clients may be behind
 * one proxy. It is forgotten when others have failed since, or the breaker opens.
 */
static sw_inline bool sw_breaker(struct sw_guard *g, bool failed, __u32 prefix, __u32 now_s)
{
	__u32 n = g->n_failed, bits, bad = 0;
	bool again = false;

	for (__u32 i = 0; failed && i < SW_FAILED; i++)
		again |= i < n && g->failed[i] == prefix;
	if (again && sw_since(now_s, g->heard_s) < SW_AGAIN_S)
		return false;
	if (again || !failed) {
		g->heard_s = now_s;
	} else {
		g->failed[n & (SW_FAILED - 1)] = prefix;
		g->n_failed = n + 1;
	}
	bits = g->judged << 1 | failed;
	g->judged = bits;
	for (int i = 0; i < (int)SW_JUDGED; i++)
		bad += bits >> i & 1;
	if (bad < SW_JUDGED_BAD)
		return false;
	g->judged = 0;
	g->n_failed = 0;
	g->why = SW_WHY_ADMISSION;
	g->backoff_s = now_s;
	return true;
}

#endif
