// SPDX-License-Identifier: GPL-2.0
/* From counted moves to rates on the arrows of the state diagram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/web/arrows.h"

static struct sample then, now;
static struct arrow_rates r;

static int setup(void **state)
{
	(void)state;
	memset(&then, 0, sizeof(then));
	memset(&now, 0, sizeof(now));
	then.now = 100 * SW_NS_PER_SEC;
	now.now = 105 * SW_NS_PER_SEC;
	return 0;
}

static void near(double value, double wanted)
{
	if (value < wanted - 1e-9 || value > wanted + 1e-9)
		fail_msg("%f, not %f", value, wanted);
}

/* The only rates of a role are these arrows', each as given; ARROW_COUNT ends the list. */
static void only(enum sw_role_of role, double rate, ...)
{
	double wanted[ARROW_COUNT] = { 0 };
	va_list ap;
	int a;

	va_start(ap, rate);
	while ((a = va_arg(ap, int)) != ARROW_COUNT)
		wanted[a] = rate;
	va_end(ap);
	for (a = 0; a < ARROW_COUNT; a++)
		near(r.on[a][role], wanted[a]);
	near(r.reset[role], 0);
	near(r.other[role], 0);
}

/* So many endpoints went from one state to another, and are in the second one. */
static void move(enum sw_role_of role, int from, int to, int n)
{
	uint64_t *count = role == SW_CLIENT ? now.states.client : now.states.server;

	now.moves.n[role][from][to] += n;
	count[from] -= n;
	count[to] += n;
}

static void test_arrow(void **state)
{
	(void)state;
	for (int a = 0; a < ARROW_COUNT; a++) {
		setup(NULL);
		then.states.client[arrow_from(a)] = now.states.client[arrow_from(a)] = 50;
		move(SW_CLIENT, arrow_from(a), arrow_to(a), 10);
		arrows_between(&then, &now, &r);
		only(SW_CLIENT, 2, a, ARROW_COUNT);
		only(SW_SERVER, 0, ARROW_COUNT);
	}
}

/* A segment that takes an endpoint along several arrows: FIN and ACK of a FIN in one. */
static void test_several(void **state)
{
	(void)state;
	now.states.server[SW_ESTABLISHED] = now.states.client[SW_FIN_WAIT_1] = 50;
	then.states = now.states;
	move(SW_SERVER, SW_ESTABLISHED, SW_LAST_ACK, 5);
	move(SW_CLIENT, SW_FIN_WAIT_1, SW_TIME_WAIT, 5);
	arrows_between(&then, &now, &r);
	only(SW_SERVER, 1, ARROW_ESTABLISHED_CLOSE_WAIT, ARROW_CLOSE_WAIT_LAST_ACK, ARROW_COUNT);
	only(SW_CLIENT, 1, ARROW_FIN_WAIT_1_FIN_WAIT_2, ARROW_FIN_WAIT_2_TIME_WAIT, ARROW_COUNT);
}

/* A cookie's connection, which appears when it is complete. */
static void test_cookie(void **state)
{
	(void)state;
	move(SW_SERVER, SW_CLOSED, SW_ESTABLISHED, 5);
	move(SW_CLIENT, SW_CLOSED, SW_ESTABLISHED, 5);
	arrows_between(&then, &now, &r);
	only(SW_SERVER, 1, ARROW_CLOSED_LISTEN, ARROW_LISTEN_SYN_RCVD, ARROW_SYN_RCVD_ESTABLISHED,
	     ARROW_COUNT);
	only(SW_CLIENT, 1, ARROW_CLOSED_SYN_SENT, ARROW_SYN_SENT_ESTABLISHED, ARROW_COUNT);
}

static void test_reset(void **state)
{
	static const uint8_t open[] = { SW_ESTABLISHED, SW_FIN_WAIT_1, SW_FIN_WAIT_2, SW_CLOSE_WAIT,
					SW_CLOSING };

	(void)state;
	for (size_t i = 0; i < sizeof(open); i++) {
		now.states.client[open[i]] = then.states.client[open[i]] = 50;
		move(SW_CLIENT, open[i], SW_CLOSED, 5);
	}
	move(SW_SERVER, SW_SYN_RCVD, SW_CLOSED, 5); /* passive: back to where it began */
	arrows_between(&then, &now, &r);
	near(r.reset[SW_CLIENT], 5);
	near(r.reset[SW_SERVER], 0);
	near(r.on[ARROW_SYN_RCVD_LISTEN][SW_SERVER], 1);
	for (int a = 0; a < ARROW_COUNT; a++)
		near(r.on[a][SW_CLIENT], 0);
}

/* Back from ESTABLISHED, because an ACK was lost: the diagram has no arrow for it. */
static void test_other(void **state)
{
	(void)state;
	then.states.server[SW_ESTABLISHED] = now.states.server[SW_ESTABLISHED] = 50;
	move(SW_SERVER, SW_ESTABLISHED, SW_SYN_RCVD, 5);
	arrows_between(&then, &now, &r);
	near(r.other[SW_SERVER], 1);
	for (int a = 0; a < ARROW_COUNT; a++)
		near(r.on[a][SW_SERVER], 0);
}

/* Who is not there any more, and was taken away by no segment. */
static void test_time(void **state)
{
	(void)state;
	then.states.client[SW_TIME_WAIT] = 40;
	now.states.client[SW_TIME_WAIT] = 30;
	now.moves.n[SW_CLIENT][SW_FIN_WAIT_2][SW_TIME_WAIT] = 15; /* came meanwhile */
	then.states.server[SW_SYN_RCVD] = 5;
	then.states.client[SW_SYN_SENT] = 5;
	arrows_between(&then, &now, &r);
	near(r.on[ARROW_TIME_WAIT_CLOSED][SW_CLIENT], 5);
	near(r.on[ARROW_FIN_WAIT_2_TIME_WAIT][SW_CLIENT], 3);
	near(r.on[ARROW_SYN_SENT_CLOSED][SW_CLIENT], 1);
	near(r.on[ARROW_SYN_RCVD_LISTEN][SW_SERVER], 1);
	near(r.on[ARROW_TIME_WAIT_CLOSED][SW_SERVER], 0);
}

/* More than came by segments: found by import; less than before: other maps. No rate is negative. */
static void test_never_negative(void **state)
{
	(void)state;
	now.states.server[SW_TIME_WAIT] = 20;
	then.moves.n[SW_CLIENT][SW_SYN_SENT][SW_ESTABLISHED] = 100;
	arrows_between(&then, &now, &r);
	only(SW_CLIENT, 0, ARROW_COUNT);
	only(SW_SERVER, 0, ARROW_COUNT);
	then.now = 0;
	move(SW_CLIENT, SW_SYN_SENT, SW_ESTABLISHED, 1000);
	arrows_between(&then, &now, &r);
	only(SW_CLIENT, 0, ARROW_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_arrow, setup),   cmocka_unit_test_setup(test_several, setup),
		cmocka_unit_test_setup(test_cookie, setup),  cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_other, setup),   cmocka_unit_test_setup(test_time, setup),
		cmocka_unit_test_setup(test_never_negative, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
