// SPDX-License-Identifier: GPL-2.0
/* Blind sweeps over the sequence space: a sender off the path, in the name of either end (RFC 5961). */
#include "talks.h"

/* Are these numbers what a sweep may not guess? Who has them is not blind. */
static bool guessed(const struct numbers *n, int i, __u16 flags, __s32 seq, __s32 ack,
		    const __u8 was[2])
{
	if (flags & RST) {
		if (seq == n->nxt[i] || seq == n->rcv[!i])
			return true; /* RCV.NXT: believed */
		if (was[!i] == LI && !seq)
			return true; /* the SYN's own number */
		if (seq == n->rcv[!i] - 1 && (was[!i] == CW || was[!i] == CI || was[!i] == LA))
			return true; /* the acknowledged FIN's: Linux believes it */
		return was[!i] == SS && flags & ACK && ack > 0 && ack <= n->nxt[!i];
	}
	if (flags == SYN && !seq)
		return true; /* counted as sent again */
	if (was[i] == SS && was[!i] == LI && (seq == !(flags & SYN) || seq == n->nxt[i]))
		return true; /* one direction only, or a SYN that was not believed (rows 35, 28) */
	if (flags & ACK)     /* between SND.UNA - MAX.WND and SND.NXT: one in 65,536 */
		return ack > n->rcv[i] - 70000 && ack <= n->nxt[!i];
	return false;
}

/* What a forged SYN can bring about by RFC 9293: a crossing, a reopening, another attempt. */
static bool syn_is_taken(int i, const __u8 was[2])
{
	__u8 s = was[i], r = was[!i];

	return r == SS || s == SS || r == TW || r == CL;
}

struct sweep {
	struct numbers n;
	const struct variant *v;
	struct sw_pkt template[2];
	struct sw_flow *f;
	struct sw_flow before;
	__u8 was[2];
	unsigned int sent;
};

static void forge(struct sweep *x, int i, __u16 flags, __s32 seq, __s32 ack)
{
	__u8 is[2];

	if (guessed(&x->n, i, flags, seq, ack, x->was) || (flags == SYN && syn_is_taken(i, x->was)))
		return;
	host.pkt = x->template[i];
	host.pkt.flags = flags;
	host.pkt.seq = x->v->isn[i] + seq;
	host.pkt.ack = flags & ACK ? x->v->isn[!i] + ack : 0;
	host_segment(&host, NULL, 0, false, now);
	x->sent++;
	states(x->v, is);
	if (is[0] != x->was[0] || is[1] != x->was[1])
		fail_msg("%s forged at %s/%s: %s/%s",
			 step_text(&(struct step){ i ? S : C, flags, seq, ack }),
			 state_text(x->was[0]), state_text(x->was[1]), state_text(is[0]),
			 state_text(is[1]));
}

static void sweep_at(struct sweep *x, __u32 in_window)
{
	static const __u16 kinds[] = { RST, RA, SYN, FA, ACK, SA };
	__u32 client;
	char table;

	states(x->v, x->was);
	for (int i = 0; i < 2; i++) {
		struct step st = { i ? S : C, ACK };

		x->template[i] = packet_of(x->v, &st, (struct vantage){ IFINDEX << 1 });
	}
	x->f = find(x->v, &client, &table);
	if (x->f)
		x->before = *x->f;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			__u16 flags = kinds[k];

			for (__s32 by = -2048; by < 2048; by++) /* around, with any ACK */
				forge(x, i, flags, x->n.nxt[i] + by, rnd());
			for (__u32 by = 0; by < in_window; by++) /* all of the window */
				forge(x, i, flags, x->n.nxt[i] + by * 8, rnd());
			forge(x, i, flags, -x->v->isn[i], rnd()); /* 0 is no number either */
			for (int by = 0; by < 1024; by++) /* anywhere */
				forge(x, i, flags, rnd(), rnd());
			for (__s32 by = -512; flags & ACK && by < 512; by++)
				forge(x, i, flags, rnd(), x->n.nxt[!i] + by);
		}
	if (!x->f)
		return;
	/* the flow is the same, but for a flag that says that somebody tried */
	assert_ptr_equal(find(x->v, &client, &table), x->f);
	x->before.flags |= x->f->flags & SW_F_AMBIGUOUS;
	x->before.last = x->f->last;
	if (memcmp(x->f, &x->before, sizeof(x->before)))
		fail_msg("forged segments left a trace at %s/%s", state_text(x->was[0]),
			 state_text(x->was[1]));
	assert_int_equal(host.evicted, 0);
}

/* At each point of each conversation; what is genuine must go on as if nothing had been. */
static void blind_sweeps(void **state)
{
	static const __u32 any[4];
	unsigned int sent = 0;

	(void)state;
	for (size_t t = 0; t < n_talks; t++)
		for (int cut = 1; cut <= length(&talks[t]); cut++)
			for (int swap = 0; swap < 2; swap++) {
				struct sweep x = { .v = t & 1 ? &v6 : &v4 };

				if (talks[t].midstream)
					continue;
				x.n = begin(&talks[t], cut, x.v, swap, V_SERVER);
				host_listener_add(&host, x.v->family, any, htons(SERVER_PORT), 0);
				sweep_at(&x, cut == 3 ? 8192 : 0);
				sent += x.sent;
				for (int i = cut; i < length(&talks[t]); i++) {
					struct step st = mirrored(talks[t].steps[i], swap);
					int reason = say(x.v, &st,
							 vantage_of(V_SERVER, st.from, IFINDEX));
					__u8 is[2];

					states(x.v, is);
					if (reason != SW_R_OBSERVED || !state_fits(st.c, is[0]) ||
					    !state_fits(st.s, is[1]))
						fail_msg(
							"%s%s, forged after %d steps, step %d, %s: "
							"%s/%s (%s)",
							talks[t].name, swap ? " swapped" : "", cut,
							i + 1, step_text(&st), state_text(is[0]),
							state_text(is[1]), reason_text(reason));
				}
			}
	print_message("%u forged segments\n", sent);
}

/* A SYN in the client's name changes what is expected next; the own stack's answer decides. */
static void forged_syns_hide_no_handshake(void **state)
{
	static const __u32 any[4];
	static const struct step genuine[] = {
		{ C, SYN, 0, 0, 0, SS, LI }, { S, SA, 0, 1, 0, ANY, SR },
		{ C, ACK, 1, 1, 0, ES, ES }, { C, FA, 1, 1, 0, F1, ES },
		{ S, ACK, 1, 2, 0, F2, CW }, { S, FA, 1, 2, 0, TW, LA },
		{ C, ACK, 2, 2, 0, TW, CL },
	};

	(void)state;
	for (int who = C; who <= S; who++) {
		__u32 now_s;

		host_clear(&host);
		now = 1000 * SW_NS_PER_SEC;
		host_listener_add(&host, SW_AF_INET, any, htons(SERVER_PORT), 0);
		for (size_t i = 0; i < sizeof(genuine) / sizeof(*genuine); i++) {
			__u8 is[2];

			assert_int_equal(say(&v4, &genuine[i],
					     vantage_of(V_SERVER, genuine[i].from, IFINDEX)),
					 SW_R_OBSERVED);
			states(&v4, is);
			assert_true(state_fits(genuine[i].c, is[0]));
			assert_int_equal(genuine[i].s, is[1]);
			now_s = now / SW_NS_PER_SEC;
			assert_int_equal(sw_gauge_read(&host.listeners[1].half, now_s, 63), i == 1);
			for (int n = 0; n < 1000 && i < 2; n++) {
				struct step st = { who, SYN, rnd() };

				say(&v4, &st, vantage_of(V_SERVER, C, IFINDEX));
				now -= SW_NS_PER_MS;
			}
		}
		assert_int_equal(host.listeners[1].completed, 1);
	}
}

/* A SYN in the own stack's name waits for an answer only until the stack sends its own. */
static void forged_own_syn_does_not_stay_pending(void **state)
{
	static const __u32 any[4];
	struct sw_listener *l = &host.listeners[1];

	(void)state;
	host_clear(&host);
	now = 1000 * SW_NS_PER_SEC;
	host_listener_add(&host, SW_AF_INET, any, htons(SERVER_PORT), 0);
	say(&v4, &(struct step){ C, SYN, 77 }, (struct vantage){ IFINDEX << 1 });
	assert_int_equal(sw_gauge_read(&l->pending, now / SW_NS_PER_SEC, 63), 1);
	say(&v4, &(struct step){ C, SYN, 0 }, vantage_of(V_CLIENT, C, IFINDEX));
	assert_int_equal(sw_gauge_read(&l->pending, now / SW_NS_PER_SEC, 63), 0);
	still(&v4, SS, LI);
}

/* RFC 5961 section 3.2: one number resets, and it does. */
static void exact_rst_resets(void **state)
{
	(void)state;
	for (int from = C; from <= S; from++)
		for (__s32 by = -70000; by <= 70000; by += by > -3 && by < 3 ? 1 : 97) {
			struct numbers n = begin(&talks[0], 5, &v4, false, V_ROUTER);
			struct step st = { from, RST, n.nxt[from == S] + by };
			__u8 is[2];

			say(&v4, &st, vantage_of(V_ROUTER, from, IFINDEX));
			states(&v4, is);
			/* the server's data is sent, not acknowledged: RCV.NXT may be before it */
			if ((is[0] == CL) != (!by || (from == S && by == -200)))
				fail_msg("%s: %s/%s", step_text(&st), state_text(is[0]),
					 state_text(is[1]));
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blind_sweeps),
		cmocka_unit_test(forged_syns_hide_no_handshake),
		cmocka_unit_test(forged_own_syn_does_not_stay_pending),
		cmocka_unit_test(exact_rst_resets),
	};

	return cmocka_run_group_tests_name("forged", tests, talks_setup, talks_teardown);
}
