// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fail.h"
#include "kflow.h"
#include "sysctl.h"
#include "verify.h"
#include "watch.h"

#define TIME_WAIT_S 60 /* TCP_TIMEWAIT_LEN */
#define SLACK_S 2 /* by how much two clocks may differ about the end of a state */

/* A socket, and what the mirror's entry of its key says. */
struct sock {
	struct kflow k;
	uint64_t cookie;
	uint32_t bound, mark;
	bool unsent; /* its FIN waits behind data, or for a window: nobody can have seen it */
	bool settled;
	int32_t mirror; /* the state there, NO_STATE: not known there */
	uint64_t born, changed;
};

struct look {
	const struct store *store;
	struct watch *watch;
	uint32_t fin_timeout_s;
	bool tw_overflow; /* the kernel has dropped TIME_WAIT sockets for want of room */
	struct kports ports;
	struct sock *sock; /* ordered by key and side, once complete */
	size_t n_socks, max_socks;
	size_t max_differ;
	bool failed;	 /* no memory, while dumping */
	uint64_t ending; /* either is right: not compared */
	struct verdict v;
};

static void *grow(void *array, size_t n, size_t *max, size_t size)
{
	size_t more = *max ? *max * 2 : 1024;

	if (n < *max)
		return array;
	array = reallocarray(array, more, size);
	if (array)
		*max = more;
	else
		sw_err("no memory for %zu connections", more);
	return array;
}

static int add_port(const struct ksock *sk, void *arg)
{
	kports_add(&((struct look *)arg)->ports, sk);
	return 0;
}

static int add_sock(const struct ksock *sk, void *arg)
{
	struct look *l = arg;
	struct kflow k;
	struct sock *more;

	if (!kflow_from(sk, &l->ports, &k))
		return 0;
	more = grow(l->sock, l->n_socks, &l->max_socks, sizeof(*more));
	if (!more) {
		l->failed = true;
		return 1;
	}
	l->sock = more;
	l->sock[l->n_socks++] = (struct sock){
		.k = k,
		.cookie = sk->cookie,
		.bound = sk->ifindex,
		.mark = sk->mark,
		.unsent = sk->notsent,
		.mirror = NO_STATE,
	};
	return 0;
}

static int compare_ends(const struct sw_key *a, uint32_t side_a, const struct sw_key *b,
			uint32_t side_b)
{
	int order = memcmp(a, b, sizeof(*a));

	return order ? order : (int)side_a - (int)side_b;
}

static int compare_socks(const void *a, const void *b)
{
	const struct sock *x = a, *y = b;

	return compare_ends(&x->k.key, x->k.side, &y->k.key, y->k.side);
}

static int compare_differences(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;

	return compare_ends(&x->key, x->side, &y->key, y->side);
}

/* In order, one of each: two of a key are a dump that met a change, or bound to different devices. */
static void sort_socks(struct look *l)
{
	size_t n = 0;

	qsort(l->sock, l->n_socks, sizeof(*l->sock), compare_socks);
	for (size_t i = 0; i < l->n_socks; i++)
		if (!n || compare_socks(&l->sock[n - 1], &l->sock[i]))
			l->sock[n++] = l->sock[i];
	l->n_socks = n;
}

static struct sock *find_sock(const struct look *l, const struct sw_key *key, uint32_t side)
{
	const struct sock want = { .k = { .key = *key, .side = side } };

	return l->n_socks ? bsearch(&want, l->sock, l->n_socks, sizeof(want), compare_socks) : NULL;
}

/* What the segments that a socket has sent tell of it. */
static uint32_t shown(const struct sock *s)
{
	if (!s->unsent)
		return s->k.state;
	switch (s->k.state) {
	case SW_FIN_WAIT_1:
		return SW_ESTABLISHED;
	case SW_CLOSING:
	case SW_LAST_ACK:
		return SW_CLOSE_WAIT;
	default:
		return s->k.state;
	}
}

/* A server that has sent its SYN-ACK and nothing since. */
static bool only_answered(const struct sw_flow *f, uint32_t side)
{
	return side == sw_server(f) && f->flags & SW_F_SYN_SEEN << side &&
	       f->dir[side].max == f->dir[side].iss + 1;
}

/* How long TIME_WAIT lasts where it ends first, less the slack: from there on either may be right. */
static uint32_t time_wait_s(const struct look *l)
{
	uint32_t two_msl_s = l->store->meta.config.two_msl_s;

	return (two_msl_s < TIME_WAIT_S ? two_msl_s : TIME_WAIT_S) - SLACK_S;
}

/* A state that time ends, so near its end that the mirror may have ended it. */
static bool ending(const struct look *l, const struct sock *s)
{
	uint32_t ago_s = s->k.ago_ms / 1000;

	return s->k.state == SW_TIME_WAIT ? ago_s >= time_wait_s(l) :
	       s->k.state == SW_SYN_RCVD  ? ago_s + SLACK_S >= l->store->meta.config.syn_timeout_s :
					    false;
}

/* What the state of an endpoint that has no socket counts as: NULL a difference. */
static uint64_t *without_socket(struct look *l, const struct flow_view *v, uint32_t side)
{
	const struct sw_flow *f = &v->f;

	switch (v->state[side]) {
	case SW_SYN_SENT: /* neither close() nor the end of the retries sends anything */
		return f->flags & SW_F_SYNACK ? NULL : &l->v.silent;
	case SW_SYN_RCVD:
		return f->flags & SW_F_SIMULTANEOUS ? NULL : &l->v.stateless;
	case SW_FIN_WAIT_2:
		return sw_age(v->now, f->last) >= l->fin_timeout_s * SW_NS_PER_SEC ? &l->v.silent :
										    NULL;
	case SW_FIN_WAIT_1:
	case SW_CLOSING:
	case SW_LAST_ACK: /* an orphan whose FIN nobody acknowledges */
		return flow_ambiguous(v) ? &l->v.silent : NULL;
	case SW_TIME_WAIT:
		if (sw_age(v->now, f->changed) >= time_wait_s(l) * SW_NS_PER_SEC)
			return &l->ending;
		return l->tw_overflow ? &l->v.silent : NULL;
	default:
		return NULL;
	}
}

/* And against a socket; NULL a difference. */
static uint64_t *with_socket(struct look *l, const struct flow_view *v, uint32_t side,
			     const struct sock *s)
{
	const struct sw_flow *f = &v->f;
	uint32_t state = v->state[side];

	if (state == s->k.state || state == shown(s))
		return &l->v.agree;
	/* the ACK was put off: TCP_DEFER_ACCEPT, a full accept queue */
	if (s->k.state == SW_SYN_RCVD && state == SW_ESTABLISHED && only_answered(f, side))
		return &l->v.stateless;
	if (s->k.state != SW_TIME_WAIT || state != SW_CLOSED)
		return NULL;
	/* RFC 1337: an RST does not end it */
	if (f->flags & SW_F_AMBIGUOUS)
		return &l->v.agree;
	/* Closed before the other's FIN came, sent its own after it: nobody can tell this from LAST_ACK. */
	return f->flags & SW_F_FIN_ACKED << side && !(f->flags & SW_F_RST) ? &l->v.silent : NULL;
}

/* Takes a difference, if the connection passes where the mirror can see it. */
static int differ(struct look *l, const struct difference *d)
{
	const struct watch_query q = { &d->key, d->side, d->bound, d->mark };
	struct difference *more;

	if (!watch_sees(l->watch, &q)) {
		l->v.elsewhere++;
		return 0;
	}
	if (d->kernel == SW_SYN_SENT && d->mirror == NO_STATE && watch_stuck(l->watch, &q)) {
		l->v.silent++;
		return 0;
	}
	more = grow(l->v.differ, l->v.n, &l->max_differ, sizeof(*d));
	if (!more)
		return -1;
	l->v.differ = more;
	l->v.differ[l->v.n++] = *d;
	return 0;
}

/* One end of one entry. A key can have two: an old connection, and a new one that opens. */
static int compare(struct look *l, const struct flow_view *v, uint32_t side)
{
	const struct sw_flow *f = &v->f;
	struct sock *s = find_sock(l, &f->key, side);
	uint64_t *count;

	if (s) {
		count = with_socket(l, v, side, s);
		if (count && !s->settled)
			++*count;
		s->settled |= !!count;
		if (s->mirror == NO_STATE) {
			s->mirror = v->state[side];
			s->k.server = sw_server(f);
			s->born = f->born;
			s->changed = f->changed;
		}
		return 0;
	}
	if (v->state[side] == SW_CLOSED || v->state[side] == SW_LISTEN ||
	    !(f->flags & SW_F_LOCAL << side))
		return 0;
	count = without_socket(l, v, side);
	if (count) {
		++*count;
		return 0;
	}
	return differ(l, &(struct difference){
		.key = f->key,
		.side = side,
		.server = sw_server(f),
		.mirror = v->state[side],
		.kernel = NO_STATE,
		.born = f->born,
		.changed = f->changed,
	});
}

static int compare_flow(const struct flow_view *v, void *arg)
{
	return compare(arg, v, 0) || compare(arg, v, 1) ? -1 : 0;
}

/* Sockets that no entry agrees with. */
static int left_over(struct look *l, const struct sock *s)
{
	if (s->settled)
		return 0;
	if ((s->mirror == NO_STATE || s->mirror == SW_CLOSED) && ending(l, s))
		return 0;
	return differ(l, &(struct difference){
		.key = s->k.key,
		.side = s->k.side,
		.server = s->k.server,
		.mirror = s->mirror,
		.kernel = s->k.state,
		.born = s->born,
		.changed = s->changed,
		.cookie = s->cookie,
		.bound = s->bound,
		.mark = s->mark,
	});
}

static int look(struct look *l)
{
	int ret = sockdiag_dump(1u << 10, false, add_port, l);

	if (!ret)
		ret = sockdiag_dump(SOCKDIAG_ALL & ~(1u << 10), true, add_sock, l);
	if (!ret && l->failed)
		ret = -1;
	if (ret)
		return ret;
	sort_socks(l);
	ret = snapshot_flows(l->store, compare_flow, l);
	for (size_t i = 0; i < l->n_socks && !ret; i++)
		ret = left_over(l, &l->sock[i]);
	if (l->v.n)
		qsort(l->v.differ, l->v.n, sizeof(*l->v.differ), compare_differences);
	return ret;
}

/* Keeps what differs now as it did before; counts the rest as moving. Both are in order. */
static void keep_same(struct verdict *now, const struct verdict *before)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < now->n; i++) {
		const struct difference *d = &now->differ[i];

		while (k < before->n && compare_differences(&before->differ[k], d) < 0)
			k++;
		if (k < before->n && !memcmp(&before->differ[k], d, sizeof(*d)))
			now->differ[n++] = *d;
	}
	now->moving = now->n - n;
	now->n = n;
}

/* A counter of /proc/net/netstat, whose lines come in pairs of names and numbers; 0: not there. */
static uint64_t netstat(const char *name)
{
	char names[8192], numbers[8192], *n, *v, *next_n, *next_v;
	uint64_t value = 0;
	FILE *f = fopen("/proc/self/net/netstat", "re");

	while (f && fgets(names, sizeof(names), f) && fgets(numbers, sizeof(numbers), f)) {
		n = strtok_r(names, " \n", &next_n);
		v = strtok_r(numbers, " \n", &next_v);
		for (; n && v; n = strtok_r(NULL, " \n", &next_n), v = strtok_r(NULL, " \n", &next_v))
			if (!strcmp(n, name))
				value = strtoull(v, NULL, 10);
	}
	if (f)
		fclose(f);
	return value;
}

static int look_again_until_sure(struct watch *watch, const struct store *s, struct verdict *v)
{
	const struct timespec wait = { .tv_nsec = VERIFY_WAIT_MS * SW_NS_PER_MS };
	struct look l;
	int ret;

	for (int i = 0; i < VERIFY_LOOKS; i++) {
		if (i)
			nanosleep(&wait, NULL);
		l = (struct look){
			.store = s,
			.watch = watch,
			.fin_timeout_s = sysctl_read("net/ipv4/tcp_fin_timeout"),
			.tw_overflow = netstat("TCPTimeWaitOverflow"),
		};
		ret = look(&l);
		free(l.sock);
		if (!ret && i)
			keep_same(&l.v, v);
		free(v->differ);
		*v = l.v;
		if (ret || !v->n)
			return ret;
	}
	return 0;
}

int verify(const struct store *s, struct verdict *v)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct watch watch;
	int ret;

	*v = (struct verdict){ 0 };
	for (int i = 0; i < s->n_devices; i++)
		ifindex[i] = s->device[i].ifindex;
	if (watch_open(&watch, ifindex, s->n_devices))
		return -1;
	ret = look_again_until_sure(&watch, s, v);
	watch_close(&watch);
	return ret;
}
