// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "episode.h"
#include "events.h"
#include "fail.h"
#include "guardwatch.h"
#include "listeners.h"
#include "out.h"
#include "pin.h"
#include "prefix.h"
#include "view.h"

#define LOOK_MS 50    /* how often the ring is looked at: 10,000 a second fill a twentieth of it */
#define GUARD_LOOKS 5 /* the guard at every fifth of them */

enum { PORT = OPT_FIRST_OWN, PEER, TYPE, RATE };

static const struct option options[] = {
	{ "port", required_argument, 0, PORT },
	{ "peer", required_argument, 0, PEER },
	{ "type", required_argument, 0, TYPE },
	{ "rate", required_argument, 0, RATE },
	COMMON_OPTIONS,
};

static struct {
	struct sw_filter filter;
	struct prefix peer;
	uint32_t rate;
	enum { ALL, STATE, GUARD } type;
} want = { .rate = SW_READER_RATE };

/* What the lines are made of. */
struct source {
	struct store store;
	struct guard guard;
	struct events *events;	   /* NULL: not wanted */
	struct guard_watch *watch; /* the same */
	ino_t pins;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static json_object *listener_name(const struct store *s, uint32_t listener)
{
	char text[LISTENER_TEXT];

	if (!listener || listener >= SW_MAX_LISTENERS)
		return NULL;
	return json_object_new_string(listener_text(&s->listeners[listener], text));
}

/* "SYN+ACK" */
static json_object *flags_text(uint16_t flags)
{
	static const struct {
		uint16_t flag;
		const char *name;
	} names[] = { { SW_TH_SYN, "SYN" }, { SW_TH_FIN, "FIN" }, { SW_TH_RST, "RST" },
		      { SW_TH_ACK, "ACK" } };
	char text[32] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (flags & names[i].flag)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 *text ? "+" : "", names[i].name);
	return json_object_new_string(text);
}

static const char *outcome(uint32_t what)
{
	return what & SW_CH_ADMITTED  ? "admitted" :
	       what & SW_CH_COMPLETED ? "completed" :
	       what & SW_CH_REFUSED   ? "refused" :
	       what & SW_CH_ABORTED   ? "aborted" :
	       what & SW_CH_RESET     ? "reset" :
					NULL;
}

static json_object *side(const struct sw_record *r, int i)
{
	json_object *doc = json_object_new_object();
	char addr[INET6_ADDRSTRLEN];

	json_object_object_add(doc, "addr",
			       json_object_new_string(view_addr(r->key.family, r->key.addr[i], addr)));
	json_object_object_add(doc, "port", json_object_new_int(sw_ntohs(r->key.port[i])));
	json_object_object_add(doc, "state", json_object_new_string(state_name(r->state[i])));
	return doc;
}

static const char *side_name(const struct sw_record *r, int i)
{
	return i == !!(r->ends & SW_E_SERVER) ? "server" : "client";
}

static json_object *latency(const struct sw_record *r, uint32_t with, uint32_t us)
{
	return out_maybe(r->what & with && us != SW_UNSEEN, us);
}

static void text_state(json_object *doc)
{
	char client[64], server[64], note[96] = "";
	size_t n;

	view_cell_client(doc, client, sizeof(client));
	view_cell_server(doc, server, sizeof(server));
	n = snprintf(note, sizeof(note), "%s %s", out_str(doc, "from"), out_str(doc, "flags"));
	if (out_at(doc, "outcome"))
		n += snprintf(note + n, sizeof(note) - n, " %s", out_str(doc, "outcome"));
	if (out_at(doc, "server_us"))
		n += snprintf(note + n, sizeof(note) - n, " server %s us", out_str(doc, "server_us"));
	if (out_at(doc, "client_us"))
		snprintf(note + n, sizeof(note) - n, " client %s us", out_str(doc, "client_us"));
	printf("%s  %-21s %-11s  %-21s %-11s  %s\n", out_str(doc, "time"), client,
	       out_str(doc, "client.state"), server, out_str(doc, "server.state"), note);
}

static void on_record(const struct sw_record *r, void *arg)
{
	const struct source *from = arg;
	json_object *doc = json_object_new_object();
	int server = !!(r->ends & SW_E_SERVER), local = r->ends / SW_E_LOCAL & 3;
	char dev[IF_NAMESIZE];
	const char *name = store_device_name(&from->store, r->ifindex, dev), *what = outcome(r->what);

	json_object_object_add(doc, "time", view_time(r->time));
	json_object_object_add(doc, "type", json_object_new_string("state"));
	json_object_object_add(doc, "client", side(r, server ^ 1));
	json_object_object_add(doc, "server", side(r, server));
	json_object_object_add(doc, "local",
			       local == 1 || local == 2 ?
				       json_object_new_string(side_name(r, local - 1)) :
				       NULL);
	json_object_object_add(doc, "dev", name ? json_object_new_string(name) : NULL);
	json_object_object_add(doc, "listener", listener_name(&from->store, r->listener));
	json_object_object_add(doc, "from", json_object_new_string(side_name(r, r->from & 1)));
	json_object_object_add(doc, "flags", flags_text(r->flags));
	json_object_object_add(doc, "outcome", what ? json_object_new_string(what) : NULL);
	json_object_object_add(doc, "server_us",
			       latency(r, SW_CH_SYNACK | SW_CH_COMPLETED, r->server_us));
	json_object_object_add(doc, "client_us", latency(r, SW_CH_COMPLETED, r->client_us));
	out_doc(doc, text_state);
}

static void text_guard(json_object *doc)
{
	const char *action = out_str(doc, "action"), *why = out_str(doc, "why");

	printf("%s  %s %s%s", out_str(doc, "time"),
	       out_at(doc, "listener") ? out_str(doc, "listener") : "all listeners", action,
	       json_object_get_boolean(out_at(doc, "dry_run")) ? " (dry run)" : "");
	printf("  %s, method %s", out_str(doc, "mode"), out_str(doc, "method"));
	if (!strcmp(action, "armed"))
		printf(", %s half-open", out_str(doc, "half_open"));
	if (out_at(doc, "attack"))
		printf(", %s: %s SYNs, %s completed, %s kept off", out_str(doc, "attack.kind"),
		       out_str(doc, "attack.syn"), out_str(doc, "attack.completed"),
		       out_str(doc, "attack.kept_off"));
	printf("%s%s\n", *why ? "; " : "", why);
}

/* Of an episode that is over: what it came to. */
static json_object *attack(const struct source *from, const struct guard_event *e)
{
	struct sw_episode episode;

	if (e->action != GUARD_DISARMED || !e->episode ||
	    !episode_get(&from->store, &from->guard, e->episode, snapshot_now(), &episode))
		return NULL;
	return episode_view(&from->store, &episode);
}

static void on_guard(const struct guard_event *e, void *arg)
{
	const struct source *from = arg;
	const struct store *s = &from->store;
	struct guard_state state = guard_state(&from->guard, s, e->listener, snapshot_now());
	struct listener_gauges gauges = e->listener ?
						snapshot_gauges(s, &s->listeners[e->listener]) :
						snapshot_all_gauges(s);
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "time", view_time(e->time));
	json_object_object_add(doc, "type", json_object_new_string("guard"));
	json_object_object_add(doc, "listener", listener_name(s, e->listener));
	json_object_object_add(doc, "action", json_object_new_string(guard_action_name(e->action)));
	json_object_object_add(doc, "armed",
			       e->listener ? json_object_new_boolean(e->armed) : NULL);
	json_object_object_add(doc, "half_open",
			       json_object_new_int64(gauges.tracked + gauges.untracked));
	json_object_object_add(doc, "mode",
			       json_object_new_string(guard_mode_name(state.policy.mode)));
	json_object_object_add(doc, "dry_run", json_object_new_boolean(state.policy.dry_run));
	json_object_object_add(doc, "method",
			       json_object_new_string(guard_method_name(state.policy.method)));
	json_object_object_add(doc, "why", json_object_new_string(state.why));
	json_object_object_add(doc, "attack", attack(from, e));
	out_doc(doc, text_guard);
}

static void text_lost(json_object *doc)
{
	printf("%s%s events lost%s%s\n", out_red(), out_str(doc, "count"),
	       out_at(doc, "at_least") ? " and more, while this reader stood still" : "",
	       out_plain());
}

static void tell_lost(uint64_t lost, bool more)
{
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "type", json_object_new_string("lost"));
	json_object_object_add(doc, "count", json_object_new_int64(lost));
	if (more)
		json_object_object_add(doc, "at_least", json_object_new_boolean(true));
	out_doc(doc, text_lost);
}

/* Those of the attach that this began with. */
static ino_t pins_now(void)
{
	char path[PATH_MAX];
	struct stat st;

	pin_path(path, sizeof(path), "readers");
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Until a signal, the end of what reads our output, or a detach; -1 with sw_err(). */
static int follow(struct source *from)
{
	struct pollfd out_fd = { .fd = STDOUT_FILENO };

	for (unsigned int n = 0;; n++) {
		bool last = stop; /* once more, then: what there was until now */

		if (from->events) {
			uint64_t lost;
			bool more;

			events_read(from->events, on_record, from, &lost, &more);
			if (lost || more)
				tell_lost(lost, more);
		}
		if (n % GUARD_LOOKS == 0 || last) {
			if (pins_now() != from->pins)
				return sw_err("what was attached here is detached; see: synward status");
			if (store_reload(&from->store))
				return -1;
			if (from->watch)
				guard_watch_look(from->watch, &from->guard, &from->store, on_guard,
						 from);
		}
		if (fflush(stdout) || last ||
		    (poll(&out_fd, 1, LOOK_MS) > 0 && out_fd.revents & POLLERR))
			break;
	}
	return 0;
}

static int stream(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct source from = { .pins = pins_now() };
	int ret = -1;

	if (store_open(&from.store))
		return -1;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* the place is to be left */
	if (!guard_open(&from.guard)) {
		if (want.type != GUARD)
			from.events = events_open(&want.filter, want.rate);
		if (want.type != STATE)
			from.watch = guard_watch_new(&from.guard, &from.store);
		if ((from.events || want.type == GUARD) && (from.watch || want.type == STATE))
			ret = follow(&from);
		guard_watch_free(from.watch);
		if (from.events)
			events_close(from.events);
		guard_close(&from.guard);
	}
	store_close(&from.store);
	return ret;
}

static int run(int argc, char **argv)
{
	static const char *const types[] = { "all", "state", "guard", NULL };
	uint64_t number;
	int c, word;

	while ((c = opts_next(&cmd_events, argc, argv, options)) >= 0) {
		switch (c) {
		case PORT:
			if (!opts_number("--port", optarg, 1, 65535, &number))
				return EXIT_USAGE;
			want.filter.port = htons(number);
			break;
		case PEER:
			if (!prefix_parse("--peer", optarg, &want.peer))
				return EXIT_USAGE;
			want.filter.family = want.peer.family;
			memcpy(want.filter.peer, want.peer.addr, sizeof(want.filter.peer));
			prefix_mask(&want.peer, want.filter.mask);
			break;
		case TYPE:
			word = opts_word("--type", optarg, types);
			if (word < 0)
				return EXIT_USAGE;
			want.type = word;
			break;
		case RATE:
			if (!opts_number("--rate", optarg, 1, UINT32_MAX, &number))
				return EXIT_USAGE;
			want.rate = number;
		}
	}
	if (c == OPT_DONE)
		return opts_status();
	if (optind < argc)
		return opts_bad(&cmd_events, "unexpected '%s'", argv[optind]);
	return stream() ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_events = {
	.name = "events",
	.summary = "Changes of state and what the guard does, as they happen",
	.usage = "[OPTION]...",
	.help = "A line for each segment that changed a state, with both states after it; for each time\n"
		"that a listener was armed or disarmed, the breaker opened or a policy changed; and for\n"
		"events that were lost. States that end by time alone (TIME_WAIT) make none.\n\n"
		"      --type all|state|guard\n"
		"                           default all\n"
		"      --port P             states: either end has this port\n"
		"      --peer PREFIX        states: the remote end is in it (the client, where that is not\n"
		"                           known)\n"
		"      --rate N             states: so many a second at most (default 10000); more are lost,\n"
		"                           and counted\n\n"
		"Four can run at the same time in a network namespace. What does not pass --port and --peer\n"
		"costs no place in the rate. Example:\n"
		"      synward events --json --port 443 | jq 'select(.outcome == \"completed\")'\n\n",
	.run = run,
};
