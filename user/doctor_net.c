// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>

#include "doctor.h"
#include "fail.h"
#include "kernelfeatures.h"
#include "nat.h"
#include "sysctl.h"

/* A sysctl that takes something from cookies, or from those who connect by them. */
static void sysctl_on(struct doctor *d, const char *check, const char *path, const char *name,
		      const char *else_what)
{
	uint32_t value = sysctl_read(path);
	char todo[96];

	snprintf(todo, sizeof(todo), "sysctl -w %s=1", name);
	if (value)
		doctor_say(d, OK, check, NULL, NULL, "%s is %" PRIu32, name, value);
	else
		doctor_say(d, WARN, check, NULL, todo, "%s is 0: %s", name, else_what);
}

void doctor_sysctls(struct doctor *d)
{
	sysctl_on(d, "syncookies", "net/ipv4/tcp_syncookies", "net.ipv4.tcp_syncookies",
		  "the kernel takes no cookie's connection; first-syn serves instead");
	sysctl_on(d, "timestamps", "net/ipv4/tcp_timestamps", "net.ipv4.tcp_timestamps",
		  "connections have none, by cookie or not");
	sysctl_on(d, "sack", "net/ipv4/tcp_sack", "net.ipv4.tcp_sack",
		  "connections have none, by cookie or not");
	sysctl_on(d, "window-scaling", "net/ipv4/tcp_window_scaling", "net.ipv4.tcp_window_scaling",
		  "windows are 64 KiB at most, by cookie or not");
}

void doctor_selftest(struct doctor *d)
{
	const struct selftest *t = &d->self;

	if (!d->can_load)
		return;
	if (selftest_run(&d->self)) {
		doctor_say(d, t->refused ? FAIL : WARN, "self-test", NULL, NULL, "%s",
			   sw_err_text());
		return;
	}
	d->self_ran = true;
	doctor_say(d, OK, "tc", NULL, NULL, "%s", t->tcx ? "tcx links" : "clsact filters (no tcx)");
	if (!t->connected) {
		doctor_say(d, WARN, "self-test", NULL,
			   "nothing, if only known devices are let in; cookies could not be tried then",
			   "the ruleset lets no handshake in from a new device");
		return;
	}
	if (t->mirrored)
		doctor_say(d, OK, "self-test", NULL, NULL,
			   "a handshake with port %u went through the ruleset, and was mirrored",
			   t->port);
	else
		doctor_say(d, FAIL, "self-test", NULL, "please report it",
			   "a handshake went through the ruleset, and was not mirrored");
	if (!t->cookies)
		return;
	if (t->cookie_opened && t->cookie_sent)
		doctor_say(d, OK, "self-cookie", NULL, NULL,
			   "so did one whose SYN was answered with a cookie");
	else if (t->cookie_sent)
		doctor_say(d, WARN, "self-cookie", NULL, "synward guard --method first-syn",
			   "the connection of a cookie did not come to be: the ruleset drops a "
			   "client's ACK when it has not seen the SYN");
	else
		doctor_say(d, WARN, "self-cookie", NULL, "synward guard --method first-syn",
			   "the SYN was left to the kernel%s",
			   t->nat ? ": NAT looks at the connection, which a cookie's socket does "
				    "not survive" :
				    "");
}

void doctor_ruleset(struct doctor *d)
{
	char chains[200];

	if (d->self_ran && d->self.connected && features_get()->conntrack)
		doctor_say(d, OK, "conntrack", NULL, NULL, "%s",
			   d->self.tracked ? "connections are tracked; it is told of cookies'" :
					     "connections are not tracked");
	if (nat_chains(chains, sizeof(chains)))
		doctor_say(d, WARN, "nat", NULL,
			   "cookies are not sent for connections that it looks at; use --method "
			   "first-syn, or notrack for their ports",
			   "%s", chains);
	else
		doctor_say(d, OK, "nat", NULL, NULL, "no chains");
}
