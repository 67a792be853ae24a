// SPDX-License-Identifier: GPL-2.0
/* The scripts through the core: each in every variant, from every place to observe from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hostmirror.h"

#define IFINDEX 2

static struct host host;
static __u8 frame[FRAME_MAX];
static bool quiet;

#define complain(...)                                                                              \
	do {                                                                                       \
		if (!quiet)                                                                        \
			print_error(__VA_ARGS__);                                                  \
	} while (0)

static bool step_holds(const struct step *st, const struct variant *v, int reason, __u64 now)
{
	__u32 client;
	struct sw_key key = variant_key(v, &client);
	char table;
	const struct sw_flow *f = host_find(&host, &key, now, &table);
	__u8 c = host_state(&host, f, client, now), s = host_state(&host, f, client ^ 1, now);

	if (!state_fits(st->c, c) || !state_fits(st->s, s))
		complain("expected %s/%s, is %s/%s (%s)", state_text(st->c), state_text(st->s),
			 state_text(c), state_text(s), reason_text(reason));
	else if (st->why && st->why != reason)
		complain("expected reason %s, is %s", reason_text(st->why), reason_text(reason));
	else if (st->amb && f && !(f->flags & SW_F_AMBIGUOUS))
		complain("is not marked ambiguous");
	else if (st->table && st->table != table)
		complain("expected in table %c, is in %c", st->table, table ? table : '-');
	else
		return true;
	return false;
}

static bool script_holds(const struct script *sc, const struct variant *v, enum view view)
{
	__u64 now = 1000 * SW_NS_PER_SEC + 123456789;
	__u32 client;
	struct sw_key key = variant_key(v, &client);
	const struct sw_flow *f;
	int n = 1;
	char table;

	host_clear(&host);
	if (sc->import.side) {
		struct sw_import in = host_import_of(sc, v);

		host_import(&host, &in, now);
	}
	for (const struct step *st = sc->steps; st->from; st++, n++) {
		int reason = SW_R_OBSERVED;

		now += (st->ms ? st->ms : 1) * SW_NS_PER_MS;
		if (st->from != WAIT)
			reason = host_frame(&host, frame, frame_build(frame, v, st),
					    vantage_of(view, st->from, IFINDEX), now);
		if (!step_holds(st, v, reason, now)) {
			complain(" at step %d, %s [%s, %s]\n", n, step_text(st), v->name,
				 view_name(view));
			return false;
		}
	}
	f = host_find(&host, &key, now, &table);
	if (sc->check && (!f || !sc->check(f, client))) {
		complain("the check at the end fails [%s, %s]\n", v->name, view_name(view));
		return false;
	}
	return true;
}

static void run(void **state)
{
	const struct script *sc = *state;
	unsigned int in = sc->in ? sc->in : IN_ALL, wrong = 0, ways = 0;

	for (unsigned int i = 0; i < n_variants; i++)
		for (int view = 0; view < V_COUNT; view++) {
			if (!(in & IN(view)))
				continue;
			ways++;
			quiet = wrong; /* the first one tells */
			wrong += !script_holds(sc, &variants[i], view);
		}
	if (wrong)
		fail_msg("wrong in %u of %u ways to run it", wrong, ways);
}

/* Every cell of the state machine is a state, and what is closed stays so. */
static void fsm_is_sane(void **state)
{
	(void)state;
	for (int role = 0; role < 2; role++)
		for (int ev = 0; ev < SW_EVENT_COUNT; ev++)
			for (int st = 0; st < SW_STATE_COUNT; st++) {
				__u8 next = sw_next(role, ev, st);

				assert_true(next < SW_STATE_COUNT);
				if (ev == SW_EV_RST)
					assert_int_equal(next, SW_CLOSED);
				if (st == SW_CLOSED && ev != SW_EV_SYN)
					assert_int_equal(next, SW_CLOSED);
				if (st == SW_TIME_WAIT && ev != SW_EV_RST)
					assert_int_equal(next, SW_TIME_WAIT);
				/* nothing but a SYN leads back before ESTABLISHED */
				if (st > SW_ESTABLISHED && next)
					assert_true(next > SW_ESTABLISHED);
				if (st >= SW_ESTABLISHED && ev > SW_EV_SYNACK && next)
					assert_true(next >= SW_ESTABLISHED);
			}
}

/* The own stack's word: a listener is known, gauges go up and down. */
static void gauges_follow(void **state)
{
	static const struct step steps[] = {
		{ C, SYN, 0, 0, 0, .c = 1, .s = 0 }, /* c: pending, s: half-open, after it */
		{ C, SYN, 0, 0, 0, .c = 1, .s = 0 },	{ S, SA, 0, 1, 0, .c = 0, .s = 1 },
		{ S, SA, 0, 1, 0, .c = 0, .s = 1 },	{ C, ACK, 1, 7, 0, .c = 0, .s = 1 },
		{ C, ACK, 1, 1, 0, .c = 0, .s = 0 },	{ S, SA, 0, 1, 0, .c = 0, .s = 0 },
		{ C, ACK, 1, 1, 0, .c = 0, .s = 0 },	{ C, RST, 1, 0, 0, .c = 0, .s = 0 },
		{ C, SYN, 9000, 0, 0, .c = 1, .s = 0 }, { S, SA, 8000, 9001, 0, .c = 0, .s = 1 },
		{ C, RST, 9001, 0, 0, .c = 0, .s = 0 }, { C, SYN, 5000, 0, 0, .c = 1, .s = 0 },
		{ S, RA, 0, 5001, 0, .c = 0, .s = 0 },	{ END },
	};
	const struct variant *v = &variants[0];
	__u64 now = 5000 * SW_NS_PER_SEC;
	__u32 client, any[4] = { 0 };
	struct sw_key key = variant_key(v, &client);
	struct sw_listener *l = &host.listeners[1];
	int n = 0;

	(void)state;
	(void)key;
	host_clear(&host);
	assert_int_equal(host_listener_add(&host, SW_AF_INET, any, htons(SERVER_PORT), 0), 1);
	for (const struct step *st = steps; st->from; st++, n++) {
		__u32 now_s = (now += 400 * SW_NS_PER_MS) / SW_NS_PER_SEC;

		host_frame(&host, frame, frame_build(frame, v, st),
			   vantage_of(V_SERVER, st->from, IFINDEX), now);
		if (sw_gauge_read(&l->pending, now_s, 63) != st->c ||
		    sw_gauge_read(&l->half, now_s, 63) != st->s)
			fail_msg("step %d, %s: pending %llu, half-open %llu", n + 1, step_text(st),
				 (unsigned long long)sw_gauge_read(&l->pending, now_s, 63),
				 (unsigned long long)sw_gauge_read(&l->half, now_s, 63));
	}
	assert_int_equal(l->syn, 3);
	assert_int_equal(l->syn_rtx, 1);
	assert_int_equal(l->answered, 2);
	assert_int_equal(l->synack_rtx, 2);
	assert_int_equal(l->completed, 1);
	assert_int_equal(l->aborted, 1);
	assert_int_equal(l->refused, 1);
}

int main(void)
{
	static struct CMUnitTest tests[256];
	static char names[256][120];
	size_t n = 0;
	int failed;

	for (const struct script *sc = scripts; sc->row && n < 250; sc++, n++) {
		snprintf(names[n], sizeof(names[n]), "row %s: %s", sc->row, sc->what);
		tests[n] = (struct CMUnitTest){ names[n], run, NULL, NULL, (void *)sc };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(fsm_is_sane);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(gauges_follow);
	host_init(&host, 64, 64, 63, 30);
	failed = _cmocka_run_group_tests("core", tests, n, NULL, NULL);
	host_free(&host);
	return !!failed;
}
