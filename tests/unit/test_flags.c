// SPDX-License-Identifier: GPL-2.0
/* Every combination of flags in every pair of states, against a table of what may come of it. */
#include "talks.h"

/*
 * All that a segment may do to the states of its sender and its receiver, and
 * the numbers that it needs for it. What is not here must not happen.
 *
 * seq: X the next one (RCV.NXT), B one before it (a FIN again, keep-alive), I 100
 * on, in the window, 0 the ISN, L and H far below and above.
 * ack: A all that the other end has sent, P all but the last number, Z the same when
 * that was its SYN, 1 its SYN only, F 100 beyond, O far below. NULL: any.
 * What the own stack sends is not doubted for its numbers (own: only it may).
 */
/* clang-format off */
static const struct allowed {
	__u16 flags;
	__u8 s, r, s2, r2;
	const char *seq, *ack;
	bool own;
} table[] = {
	/* SYN: opens (figure 6), crosses (figure 7), else a challenge ACK (RFC 5961 section 4) */
	{ SYN, CL, CL, SS, LI },
	{ SYN, LI, SS, SR, SR },
	{ SYN, SR, SS, SR, SR, "0B" },
	/* RFC 9293 3.6.1, 3.10.7.4: TIME_WAIT ends for a higher number; CLOSED knows nothing */
	{ SYN, CL, TW, SS, LI, "IH" },
	{ SYN, LA, TW, SS, LI, "IH" },
	{ SYN, CI, TW, SS, LI, "IH" },
	{ SYN, TW, TW, SS, LI, "IH" },
	{ SYN, TW, CL, SS, LI },
	/* the own stack has forgotten the old connection */
	{ SYN, ES, ES, SS, LI, .own = 1 },
	{ SYN, ES, SR, SS, LI, .own = 1 },
	{ SYN, SR, ES, SS, LI, .own = 1 },
	{ SYN, ES, F1, SS, LI, .own = 1 },
	{ SYN, F1, ES, SS, LI, .own = 1 },
	{ SYN, F1, SR, SS, LI, .own = 1 },
	{ SYN, SR, F1, SS, LI, .own = 1 },
	{ SYN, F2, CW, SS, LI, .own = 1 },
	{ SYN, CW, F2, SS, LI, .own = 1 },
	{ SYN, CI, CI, SS, LI, .own = 1 },
	{ SYN, TW, LA, SS, LI, .own = 1 },
	{ SYN, TW, CI, SS, LI, .own = 1 },

	/* SYN-ACK: in answer to the SYN, again (row 8), or the SYN itself was missed (row 32) */
	{ SA, CL, CL, SR, SS },
	{ SA, LI, SS, SR, SS, NULL, "A1P" },
	{ SA, SR, SR, SR, ES, NULL, "A1P" },
	{ SA, ES, SR, ES, ES, "0B", "A1" }, /* the second one of figure 7 */
	{ SA, ES, ES, SR, ES, "0B", "A1P" },
	{ SA, ES, F1, SR, F1, "0B", "A1P" },
	{ SA, F1, SR, SR, SS, .own = 1 },
	{ SA, SR, F1, SR, SS, .own = 1 },
	{ SA, SS, LI, SR, ES, "0B", NULL }, /* to a SYN that was not believed (row 28) */
	{ SA, ES, ES, SR, SS, .own = 1 },
	{ SA, ES, SR, SR, SS, .own = 1 },
	{ SA, SR, ES, SR, SS, .own = 1 },
	{ SA, ES, F1, SR, SS, .own = 1 },
	{ SA, F1, ES, SR, SS, .own = 1 },
	{ SA, F2, CW, SR, SS, .own = 1 },
	{ SA, CW, F2, SR, SS, .own = 1 },
	{ SA, CI, CI, SR, SS, .own = 1 },
	{ SA, LA, TW, SR, SS, .own = 1 },
	{ SA, TW, LA, SR, SS, .own = 1 },
	{ SA, TW, CI, SR, SS, .own = 1 },
	{ SA, CI, TW, SR, SS, .own = 1 },
	{ SA, TW, TW, SR, SS, .own = 1 },
	{ SA, CL, TW, SR, SS, .own = 1 },
	{ SA, TW, CL, SR, SS, .own = 1 },

	/* ACK of the SYN */
	{ ACK, CL, CL, ES, ES }, /* midstream (row 34) */
	{ ACK, SS, SR, ES, ES, "XI", "A1P" },
	{ ACK, SR, SR, SR, ES, "XI", "A1P" },
	{ ACK, ES, SR, ES, ES, "XIB", "A1PZ" },
	{ ACK, SS, LI, ES, ES, "X" }, /* one direction only (row 35) */
	{ ACK, SS, F1, ES, F1, "XI", "1P" }, /* the server has closed already (Fast Open) */
	{ ACK, SS, F1, CW, F2, "XI", "A" },
	{ ACK, F1, SR, F1, ES, "XIB0", "A1P" }, /* after its SYN-ACK came again (row 68) */
	/* ACK of the FIN: "if our FIN is now acknowledged" (3.10.7.4); old segments count (row 50) */
	{ ACK, ES, F1, CW, F2, "XIB0", "A" },
	{ ACK, SR, F1, CW, F2, "XIB0", "A" },
	{ ACK, CI, CI, CI, TW, "XIB0", "A" },
	{ ACK, TW, CI, TW, TW, "XIB0", "A" },
	{ ACK, TW, LA, TW, CL, "XIB0", "A" },

	/* FIN: CLOSE in SYN_RCVD (3.10.4); else what the ACK does, and the FIN when nothing is missing before it (row 69) */
	{ FA, CL, CL, F1, ES },
	{ FA, SR, SS, F1, SS, "XI", "A1P" },
	{ FA, SS, SR, F1, ES, "XI", "A1P" },
	{ FA, SS, SR, ES, ES, "XIB", "A1P" }, /* the ACK counts, the FIN waits for what is missing */
	{ FA, SR, SR, F1, ES, "XI", "A1P" },
	{ FA, SR, SR, SR, ES, "XIB", "A1P" },
	{ FA, SS, LI, F1, ES, "X" },
	{ FA, SR, ES, F1, ES, "XI", "A1PZ" },
	{ FA, ES, SR, F1, ES, "XI", "A1PZ" },
	{ FA, ES, SR, ES, ES, "XIB", "A1PZ" },
	{ FA, ES, ES, F1, ES, "XI", "A1PZ" },
	{ FA, ES, F1, CI, CI, "XI", "P1Z" },
	{ FA, ES, F1, F1, F1, "I", "P1Z" },
	{ FA, ES, F1, LA, TW, "XI", "A" },
	{ FA, ES, F1, LA, F2, "I", "A" },
	{ FA, ES, F1, CW, F2, "IB0", "A" },
	{ FA, F1, SR, F1, ES, "XIB0", "A1P" },
	{ FA, SR, F1, CI, CI, "XI", "P1Z" },
	{ FA, SR, F1, F1, F1, "I", "P1Z" },
	{ FA, SR, F1, LA, TW, "XI", "A" },
	{ FA, SR, F1, LA, F2, "I", "A" },
	{ FA, SR, F1, CW, F2, "IB0", "A" },
	{ FA, SS, F1, ES, F1, "IB", "P1" },
	{ FA, SS, F1, CW, F2, "IB", "A" },
	{ FA, SS, F1, CI, CI, "XI", "P1" },
	{ FA, SS, F1, F1, F1, "I", "P1" },
	{ FA, SS, F1, LA, TW, "XI", "A" },
	{ FA, SS, F1, LA, F2, "I", "A" },
	{ FA, CW, F2, LA, TW, "XI", "AP1Z" },
	{ FA, CW, F2, LA, F2, "I", "AP1Z" },
	{ FA, CI, CI, CI, TW, "XIB0", "A" },
	{ FA, TW, CI, TW, TW, "XIB0", "A" },
	{ FA, TW, LA, TW, CL, "XIB0", "A" },
	{ FA, CL, TW, LA, TW, "B", "AP1Z" }, /* the last ACK was lost (row 73) */

	/* RST: RFC 5961 section 3.2, RFC 9293 3.10.7.3 */
	{ RST, SS, LI, CL, CL, "X0B" },
	{ RA, SS, LI, CL, CL, "X0B" },
	{ RA, LI, SS, CL, CL, NULL, "A1P" },
	{ RST, SR, SS, CL, CL, "X" },
	{ RA, SR, SS, CL, CL, "X", "A1P" },
	{ RST, SS, SR, CL, CL, "X" },
	{ RA, SS, SR, CL, CL, "X" },
	{ RST, SR, SR, CL, CL, "X" },
	{ RA, SR, SR, CL, CL, "X" },
	{ RST, SR, ES, CL, CL, "X" },
	{ RA, SR, ES, CL, CL, "X" },
	{ RST, ES, SR, CL, CL, "X" },
	{ RA, ES, SR, CL, CL, "X" },
	{ RST, ES, ES, CL, CL, "X" },
	{ RA, ES, ES, CL, CL, "X" },
	/* sent, not seen acknowledged: RCV.NXT is before it or behind it; and Linux believes the
	 * number of an acknowledged FIN (tcp_reset_check) */
	{ RST, F1, ES, CL, CL, "XB" },
	{ RA, F1, ES, CL, CL, "XB" },
	{ RST, ES, F1, CL, CL, "X" },
	{ RA, ES, F1, CL, CL, "X" },
	{ RST, F1, SR, CL, CL, "XB" },
	{ RA, F1, SR, CL, CL, "XB" },
	{ RST, SR, F1, CL, CL, "X" },
	{ RA, SR, F1, CL, CL, "X" },
	{ RST, F1, SS, CL, CL, "X" },
	{ RA, F1, SS, CL, CL, "X", "AP1" },
	{ RST, SS, F1, CL, CL, "X" },
	{ RA, SS, F1, CL, CL, "X" },
	{ RST, F2, CW, CL, CL, "XB" },
	{ RA, F2, CW, CL, CL, "XB" },
	{ RST, CW, F2, CL, CL, "X" },
	{ RA, CW, F2, CL, CL, "X" },
	{ RST, CI, CI, CL, CL, "XB" },
	{ RA, CI, CI, CL, CL, "XB" },
	{ RST, LA, TW, CL, CL, "XB" },
	{ RA, LA, TW, CL, CL, "XB" },
	{ RST, TW, LA, CL, CL, "XB" },
	{ RA, TW, LA, CL, CL, "XB" },
	{ RST, TW, CI, CL, CL, "XB" },
	{ RA, TW, CI, CL, CL, "XB" },
	{ RST, CI, TW, CL, CL, "XB" },
	{ RA, CI, TW, CL, CL, "XB" },
	{ RST, TW, TW, CL, CL, "X" },
	{ RA, TW, TW, CL, CL, "X" },
	{ RST, CL, TW, CL, CL, "X" }, /* what Linux does; RFC 1337 keeps it */
	{ RA, CL, TW, CL, CL, "X" },
	{ RST, TW, CL, CL, CL, "X" },
	{ RA, TW, CL, CL, CL, "X" },
};

/* clang-format on */
#define N_ALLOWED (sizeof(table) / sizeof(*table))
static bool used[N_ALLOWED];

/* The flags that choose a row of the table; 0: no TCP sends them (nf_conntrack's table). */
static unsigned int kind_of(unsigned int flags)
{
	switch (flags & (FIN | SYN | RST | ACK | URG)) {
	case SYN:
	case SYN | URG:
		return SYN;
	case SA:
		return SA;
	case ACK:
	case ACK | URG:
		return ACK;
	case FA:
	case FA | URG:
		return FA;
	case RST:
		return RST;
	case RA:
		return RA;
	}
	return 0;
}

struct number {
	char name;
	__s32 value;
};

/* Is the number one of those that the row allows? Two names may mean one number. */
static bool fits(const char *want, const struct number *all, int n, __s32 value)
{
	if (!want)
		return true;
	for (int i = 0; i < n; i++)
		if (all[i].value == value && strchr(want, all[i].name))
			return true;
	return false;
}

struct context {
	const struct talk *talk;
	int cut;
	const struct variant *v;
	bool swap;
	enum view view;
	__u8 was[2]; /* of C, S */
	struct number seq[6], ack[5];
};

static bool may(const struct context *x, const struct step *st, const __u8 is[2], bool own)
{
	int i = st->from == S;
	/* of a flow that was picked up midstream, one direction's numbers are not known */
	bool any = own || (x->talk->midstream && !(st->flags & RST));
	bool allowed = is[0] == x->was[0] && is[1] == x->was[1];

	for (unsigned int n = 0; !allowed && n < N_ALLOWED; n++) {
		const struct allowed *a = &table[n];

		if (a->flags != kind_of(st->flags) || a->s != x->was[i] || a->r != x->was[!i] ||
		    a->s2 != is[i] || a->r2 != is[!i] || (a->own && !own))
			continue;
		used[n] = true;
		allowed = any || (fits(a->seq, x->seq, 6, st->seq) &&
				  (!(st->flags & ACK) || fits(a->ack, x->ack, 5, st->ack)));
	}
	return allowed;
}

static unsigned int wrong, tried, moved, n_told;
static __u64 told[40];

static void one_segment(const struct context *x, struct step st)
{
	struct vantage at = vantage_of(x->view, st.from, IFINDEX);
	__u64 what;
	__u8 is[2];
	int reason;

	restore();
	reason = say(x->v, &st, at);
	states(x->v, is);
	tried++;
	moved += is[0] != x->was[0] || is[1] != x->was[1];
	if (!kind_of(st.flags) ? reason == SW_R_BAD_FLAGS && unchanged() :
				 may(x, &st, is, at.local))
		return;
	/* each kind is told once */
	what = kind_of(st.flags) | (__u64)x->was[0] << 16 | x->was[1] << 24 | (__u64)is[0] << 32 |
	       (__u64)is[1] << 40 | (__u64)at.local << 48;
	wrong++;
	for (unsigned int i = 0; i < n_told; i++)
		if (told[i] == what)
			return;
	if (n_told < sizeof(told) / sizeof(*told)) {
		told[n_told++] = what;
		print_error("%s%s, after %d steps [%s, %s]: %s makes of %s/%s %s/%s (%s)\n",
			    x->talk->name, x->swap ? " swapped" : "", x->cut, x->v->name,
			    view_name(x->view), step_text(&st), state_text(x->was[0]),
			    state_text(x->was[1]), state_text(is[0]), state_text(is[1]),
			    reason_text(reason));
	}
}

static void flags_in_context(struct context *x)
{
	struct numbers n = begin(x->talk, x->cut, x->v, x->swap, x->view);

	states(x->v, x->was);
	now += SW_NS_PER_MS;
	save();
	for (int from = C; from <= S; from++) {
		int i = from == S;
		const struct number seq[6] = {
			{ 'X', n.nxt[i] },
			{ 'B', n.nxt[i] - 1 },
			{ 'I', n.nxt[i] + 100 },
			{ '0', 0 },
			{ 'L', n.nxt[i] - 100000000 },
			{ 'H', n.nxt[i] + 100000000 },
		};
		const struct number ack[5] = {
			{ 'A', n.nxt[!i] },
			{ n.nxt[!i] > 1 ? 'P' : 'Z', n.nxt[!i] - 1 },
			{ '1', 1 },
			{ 'F', n.nxt[!i] + 100 },
			{ 'O', n.nxt[!i] - 100000000 },
		};

		memcpy(x->seq, seq, sizeof(seq));
		memcpy(x->ack, ack, sizeof(ack));
		for (unsigned int f = 0; f < 512; f++) {
			struct step st = { from, f, seq[0].value, ack[0].value, f & PSH ? 10 : 0 };
			bool core = !(f & ~(FIN | SYN | RST | ACK | URG));

			one_segment(x, st);
			for (int s = 0; core && kind_of(f) && s < 6; s++)
				for (int a = 0; a < (f & ACK ? 5 : 1); a++) {
					st.seq = seq[s].value;
					st.ack = ack[a].value;
					one_segment(x, st);
				}
		}
	}
}

static void all_flags_in_all_states(void **state)
{
	static const struct variant ways[] = {
		{ "v4", SW_AF_INET, 0, 0, { 1000000000, 3000000000u } },
		{ "v4 wrap, swapped", SW_AF_INET, 0, 1, { 0xffffffff, 0xffffff80 } },
		{ "v6 wrap", SW_AF_INET6, 0, 0, { 0xfffffffe, 0x7fffffff } },
	};

	(void)state;
	wrong = tried = moved = 0;
	for (size_t t = 0; t < n_talks; t++)
		for (int cut = 0; cut <= length(&talks[t]); cut++)
			for (unsigned int way = 0; way < 3 * 2 * 3; way++) {
				static const enum view views[] = { V_SERVER, V_CLIENT, V_ROUTER };
				struct context x = { &talks[t], cut, &ways[way % 3], way / 3 % 2,
						     views[way / 6] };

				flags_in_context(&x);
			}
	print_message("%u segments, %u moved a state\n", tried, moved);
	if (wrong)
		fail_msg("%u of %u segments did what the table does not allow", wrong, tried);
	for (unsigned int n = 0; n < N_ALLOWED; n++)
		if (!used[n])
			fail_msg("the table allows what never happens: %s %s/%s to %s/%s",
				 step_text(&(struct step){ C, table[n].flags }),
				 state_text(table[n].s), state_text(table[n].r),
				 state_text(table[n].s2), state_text(table[n].r2));
}

/* The conversations pass through every pair of states that the scripts reach. */
static void talks_reach_what_scripts_reach(void **state)
{
	bool reached[SW_STATE_COUNT][SW_STATE_COUNT] = { { 0 } };

	(void)state;
	for (size_t t = 0; t < n_talks; t++)
		for (const struct step *st = talks[t].steps; st->from; st++)
			reached[st->c][st->s] = reached[st->s][st->c] = true;
	reached[CL][CL] = true;
	for (const struct script *sc = scripts; sc->row; sc++)
		for (const struct step *st = sc->steps; st->from; st++) {
			__u8 c = st->c == NO ? CL : st->c, s = st->s == NO ? CL : st->s;

			if (c != ANY && s != ANY && !reached[c][s])
				fail_msg("row %s, %s: no conversation reaches %s/%s", sc->row,
					 sc->what, state_text(c), state_text(s));
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks_reach_what_scripts_reach),
		cmocka_unit_test(all_flags_in_all_states),
	};

	return cmocka_run_group_tests_name("flags", tests, talks_setup, talks_teardown);
}
