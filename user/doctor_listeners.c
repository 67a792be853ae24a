// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backlog.h"
#include "doctor.h"
#include "fail.h"
#include "snapshot.h"
#include "sockdiag.h"

static int find_mptcp(const struct ksock *sk, void *arg)
{
	const struct listener_list *list = ((void **)arg)[0];
	struct sw_guard *guards = ((void **)arg)[1];

	for (size_t i = 0; i < list->n && i + 1 < SW_MAX_LISTENERS; i++)
		if (list->l[i].inode == sk->inode)
			guards[i + 1].mptcp |= sk->mptcp;
	return 0;
}

/* An index for each listener, as attach would give it. */
static int as_attached(struct doctor *d, struct listener_list *list)
{
	void *arg[] = { list, d->guard.guards };

	for (size_t i = 0; i < list->n && i + 1 < SW_MAX_LISTENERS; i++) {
		list->l[i].index = i + 1;
		d->guard.guards[i + 1].backlog = list->l[i].backlog;
		backlog_limit(&d->guard.guards[i + 1].backlog);
	}
	return sockdiag_dump(1u << 10, true, find_mptcp, arg);
}

static void listener(struct doctor *d, const struct listener *l, const char *process)
{
	struct guard_state state = listener_guard(&d->guard, &d->store, l, snapshot_now());
	uint32_t backlog = l->backlog;
	const char *limit = backlog_limit(&backlog);
	char about[LISTENER_TEXT + 24], text[LISTENER_TEXT];

	snprintf(about, sizeof(about), "%s%s%s", listener_text(&l->key, text), process ? " " : "",
		 process ? process : "");
	if (!l->socket) {
		doctor_say(d, OK, "listener", about, NULL, "its socket is not on this host");
		return;
	}
	if (l->accept_queue > l->backlog)
		doctor_say(d, WARN, "listener", about,
			   "look at the application, or give it a larger backlog",
			   "its accept queue is full, which no guard helps against");
	else if (!listener_served(&state))
		doctor_say(d, WARN, "listener", about,
			   "change that, or set --method first-syn for it",
			   "backlog %" PRIu32 " (%s); served by %s: %s", backlog, limit,
			   guard_serves_name(state.serves), state.why);
	else
		doctor_say(d, OK, "listener", about, NULL, "backlog %" PRIu32 " (%s); %s%s",
			   backlog, limit,
			   state.policy.mode == SW_MODE_OFF ? "guard off" : "can be served by ",
			   state.policy.mode == SW_MODE_OFF ? "" : guard_serves_name(state.serves));
}

void doctor_listeners(struct doctor *d)
{
	struct procs *procs = procs_scan();
	struct listener_list list;

	if (listeners_get(&d->store, &list)) {
		doctor_say(d, WARN, "listener", NULL, NULL, "%s", sw_err_text());
	} else {
		if (!d->attached && as_attached(d, &list))
			doctor_say(d, WARN, "listener", NULL, NULL, "%s", sw_err_text());
		for (size_t i = 0; i < list.n; i++)
			listener(d, &list.l[i],
				 procs && list.l[i].socket ? procs_name(procs, list.l[i].inode) :
							     NULL);
		if (!list.n)
			doctor_say(d, OK, "listener", NULL, NULL, "nothing listens here");
		listeners_free(&list);
	}
	procs_free(procs);
}
