// SPDX-License-Identifier: GPL-2.0
#include "talks.h"

struct host host;
__u8 frame[FRAME_MAX];
__u64 now;

const struct variant v4 = { "v4", SW_AF_INET, 0, 0, { 1000000000, 3000000000u } };
const struct variant v6 = { "v6", SW_AF_INET6, 0, 0, { 1000000000, 3000000000u } };

#define T(...)                                                                                     \
	.steps = (const struct step[])                                                             \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			.from = END                                                                \
		}                                                                                  \
	}
#define OPEN                                                                                       \
	{ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, SS, SR },                                   \
	{                                                                                          \
		C, ACK, 1, 1, 0, ES, ES                                                            \
	}

/* clang-format off: a row stays a row */
const struct talk talks[] = {
	{ "client closes", T(OPEN, { C, ACK, 1, 1, 100, ES, ES }, { S, ACK, 1, 101, 200, ES, ES },
			     { C, FA, 101, 201, 0, F1, ES }, { S, ACK, 201, 102, 0, F2, CW },
			     { S, FA, 201, 102, 0, TW, LA }, { C, ACK, 102, 202, 0, TW, CL }) },
	{ "server closes", T(OPEN, { S, FA, 1, 1, 50, ES, F1 }, { C, ACK, 1, 52, 0, CW, F2 },
			     { C, FA, 1, 52, 0, LA, TW }, { S, ACK, 52, 2, 0, CL, TW }) },
	{ "FINs cross", T(OPEN, { C, FA, 1, 1, 0, F1, ES }, { S, FA, 1, 1, 0, CI, CI },
			  { S, ACK, 2, 2, 0, TW, CI }, { C, ACK, 2, 2, 0, TW, TW }) },
	{ "simultaneous open", T({ C, SYN, 0, 0, 0, SS, LI }, { S, SYN, 0, 0, 0, SR, SR },
				 { C, SA, 0, 1, 0, SR, ES }, { S, SA, 0, 1, 0, ES, ES },
				 { C, ACK, 1, 1, 9, ES, ES }, { S, ACK, 1, 10, 0, ES, ES }) },
	{ "SYN-ACK again", T(OPEN, { S, SA, 0, 1, 0, ES, SR }, { C, ACK, 1, 1, 10, ES, ES },
			     { S, ACK, 1, 11, 0, ES, ES }) },
	{ "FIN, then the SYN-ACK again", T(OPEN, { C, FA, 1, 1, 0, F1, ES },
			     { S, SA, 0, 1, 0, F1, SR }, { S, ACK, 1, 2, 0, F2, CW } ) },
	{ "Fast Open", T({ C, SYN, 0, 0, 10, SS, LI, .opt = O_FO }, { S, SA, 0, 11, 0, SS, SR },
			 { S, ACK, 1, 11, 100, SS, SR }, { S, FA, 101, 11, 0, SS, F1 },
			 { C, ACK, 11, 102, 0, CW, F2 }, { C, FA, 11, 102, 0, LA, TW },
			 { S, ACK, 102, 12, 0, CL, TW }) },
	{ "reset", T(OPEN, { C, RST, 1, 0, 0, CL, CL }) },
	{ "SYN-ACK first", T({ S, SA, 0, 1, 0, SS, SR }) },
	{ "midstream", T({ C, ACK, 1000, 2000, 100, ES, ES }), .midstream = true },
	{ "nothing", .steps = (const struct step[]){ { .from = END } } },
};
/* clang-format on */
const unsigned int n_talks = sizeof(talks) / sizeof(*talks);

struct step mirrored(struct step st, bool swap)
{
	__u8 c = st.c;

	if (swap) {
		st.from = st.from == C ? S : st.from == S ? C : st.from;
		st.c = st.s;
		st.s = c;
	}
	return st;
}

static void follow(struct numbers *n, const struct step *st)
{
	int i = st->from == S;
	__s32 end = st->seq + st->len + !!(st->flags & SYN) + !!(st->flags & FIN);

	if (end > n->nxt[i])
		n->nxt[i] = end;
	if (st->flags & ACK) {
		n->rcv[i] = st->ack;
		if (st->ack > n->nxt[!i]) /* sent before the talk began */
			n->nxt[!i] = st->ack;
	}
	if (st->flags & SYN && !n->rcv[!i])
		n->rcv[!i] = st->seq + 1;
}

struct sw_flow *find(const struct variant *v, __u32 *client, char *table)
{
	struct sw_key key = variant_key(v, client);

	return host_find(&host, &key, now, table);
}

void states(const struct variant *v, __u8 is[2])
{
	__u32 client;
	char table;
	const struct sw_flow *f = find(v, &client, &table);

	is[0] = host_state(&host, f, client, now);
	is[1] = host_state(&host, f, client ^ 1, now);
	for (int i = 0; i < 2; i++)
		if (is[i] == NO)
			is[i] = CL;
}

void still(const struct variant *v, __u8 c, __u8 s)
{
	__u8 is[2];

	states(v, is);
	if (is[0] != c || is[1] != s)
		fail_msg("%s/%s, expected %s/%s", state_text(is[0]), state_text(is[1]),
			 state_text(c), state_text(s));
}

int say(const struct variant *v, const struct step *st, struct vantage at)
{
	now += (st->ms ? st->ms : 1) * SW_NS_PER_MS;
	return host_frame(&host, frame, frame_build(frame, v, st), at, now);
}

struct sw_pkt packet_of(const struct variant *v, const struct step *st, struct vantage at)
{
	static __u8 bytes[2 + 256] __attribute__((aligned(4)));
	size_t len = frame_build(frame, v, st);
	struct sw_pkt p = { .path = at.path, .sender_local = at.local };

	memcpy(bytes + 2, frame, len); /* the IP header is aligned */
	assert_int_equal(sw_parse_frame(bytes + 2, bytes + 2 + len, len, &p), SW_R_OBSERVED);
	return p;
}

struct numbers begin(const struct talk *t, int cut, const struct variant *v, bool swap,
		     enum view view)
{
	struct numbers n = { 0 };

	host_clear(&host);
	now = 1000 * SW_NS_PER_SEC;
	for (int i = 0; i < cut; i++) {
		struct step st = mirrored(t->steps[i], swap);
		__u8 is[2];

		say(v, &st, vantage_of(view, st.from, IFINDEX));
		follow(&n, &st);
		states(v, is);
		if (!state_fits(st.c, is[0]) || !state_fits(st.s, is[1]))
			fail_msg("%s%s, step %d: %s/%s", t->name, swap ? " swapped" : "", i + 1,
				 state_text(is[0]), state_text(is[1]));
	}
	return n;
}

int length(const struct talk *t)
{
	int n = 0;

	while (t->steps[n].from)
		n++;
	return n;
}

struct copy {
	struct host host;
	struct sw_bucket proven[8], half[8];
	__u64 now;
};

static struct copy saved;

void save(void)
{
	saved.host = host;
	memcpy(saved.proven, host.proven, host.cfg.proven_buckets * sizeof(*host.proven));
	memcpy(saved.half, host.half, host.cfg.half_buckets * sizeof(*host.half));
	saved.now = now;
}

void restore(void)
{
	host = saved.host;
	memcpy(host.proven, saved.proven, host.cfg.proven_buckets * sizeof(*host.proven));
	memcpy(host.half, saved.half, host.cfg.half_buckets * sizeof(*host.half));
	now = saved.now;
}

bool unchanged(void)
{
	return !memcmp(host.proven, saved.proven, host.cfg.proven_buckets * sizeof(*host.proven)) &&
	       !memcmp(host.half, saved.half, host.cfg.half_buckets * sizeof(*host.half)) &&
	       !memcmp(host.listeners, saved.host.listeners, sizeof(host.listeners));
}

int talks_setup(void **state)
{
	(void)state;
	host_init(&host, 8, 8, 63, 30);
	return 0;
}

int talks_teardown(void **state)
{
	(void)state;
	host_free(&host);
	return 0;
}
