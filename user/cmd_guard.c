// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "fail.h"
#include "import.h"
#include "listeners.h"
#include "out.h"
#include "pin.h"
#include "policy.h"
#include "sockdiag.h"
#include "view.h"

enum {
	DRY_RUN = OPT_FIRST_OWN,
	LIVE,
	LISTENER,
	METHOD,
	HIGH,
	LOW,
	HOLD,
	FOR,
	CHECK,
	SOURCE_RATE,
	PREFIX_RATE,
	REPLY_RATE,
	CORE_RATE,
	TOTAL_RATE,
	PREFIX,
};

static const struct option options[] = {
	{ "dry-run", no_argument, 0, DRY_RUN },
	{ "live", no_argument, 0, LIVE },
	{ "listener", required_argument, 0, LISTENER },
	{ "method", required_argument, 0, METHOD },
	{ "high", required_argument, 0, HIGH },
	{ "low", required_argument, 0, LOW },
	{ "hold", required_argument, 0, HOLD },
	{ "for", required_argument, 0, FOR },
	{ "check", no_argument, 0, CHECK },
	{ "source-rate", required_argument, 0, SOURCE_RATE },
	{ "prefix-rate", required_argument, 0, PREFIX_RATE },
	{ "reply-rate", required_argument, 0, REPLY_RATE },
	{ "core-rate", required_argument, 0, CORE_RATE },
	{ "total-rate", required_argument, 0, TOTAL_RATE },
	{ "prefix", required_argument, 0, PREFIX },
	COMMON_OPTIONS,
};

static struct {
	struct policy_change change;
	struct {
		int64_t source_rate, prefix_rate, reply_rate, core_rate, total_rate; /* -1: as it is */
		uint8_t prefix_bits[2]; /* 0: as it is */
	} limits;
	bool set, set_limits, check;
	const char *listener; /* as given, NULL: all */
	struct sw_listener only; /* parsed: port, and family 0 for any address */
} want = { .change = POLICY_UNCHANGED, .limits = { -1, -1, -1, -1, -1, { 0 } } };

static bool is_wanted(const struct sw_listener *l)
{
	return !want.listener || listener_is(l, &want.only);
}

static json_object *make(const struct store *s, const struct guard *g,
			 const struct listener_list *list)
{
	json_object *doc = json_object_new_object(), *rows = json_object_new_array();
	struct procs *procs = procs_scan();
	uint64_t now = snapshot_now();
	int64_t unserved = 0;

	json_object_object_add(doc, "guard", view_guard_all(g, s, now));
	json_object_object_add(doc, "listeners", rows);
	for (size_t i = 0; i < list->n; i++) {
		const struct listener *l = &list->l[i];
		struct guard_state state = listener_guard(g, s, l, now);
		const char *process = l->socket ? procs_name(procs, l->inode) : NULL;
		json_object *row;
		char text[LISTENER_TEXT];

		if (!is_wanted(&l->key))
			continue;
		row = json_object_new_object();
		json_object_object_add(row, "listener",
				       json_object_new_string(listener_text(&l->key, text)));
		json_object_object_add(row, "process",
				       process ? json_object_new_string(process) : NULL);
		json_object_object_add(row, "own",
				       json_object_new_boolean(l->index && g->guards[l->index].own));
		json_object_object_add(row, "guard", view_guard(&state, now));
		if (want.check) {
			json_object_object_add(row, "served",
					       json_object_new_boolean(listener_served(&state)));
			json_object_object_add(row, "seen",
					       json_object_new_boolean(!!guard_served(g, &l->key, false)));
			unserved += !listener_served(&state);
		}
		json_object_array_add(rows, row);
	}
	if (want.check)
		json_object_object_add(doc, "unserved", json_object_new_int64(unserved));
	procs_free(procs);
	return doc;
}

static const char *dry(json_object *guard)
{
	return json_object_get_boolean(out_at(guard, "dry_run")) ? " dry-run" : "";
}

static void cell_mode(json_object *row, char *text, size_t size)
{
	json_object *guard = out_at(row, "guard");

	snprintf(text, size, "%s%s%s", out_str(guard, "mode"), dry(guard),
		 json_object_get_boolean(out_at(row, "own")) ? " *" : "");
}

static void cell_armed(json_object *row, char *text, size_t size)
{
	if (json_object_get_boolean(out_at(row, "guard.armed")))
		out_duration(text, size, out_int(row, "guard.armed_for_ms"));
	else
		snprintf(text, size, "-");
}

static void cell_note(json_object *row, char *text, size_t size)
{
	const char *why = out_str(row, "guard.why");

	if (out_at(row, "guard.until"))
		snprintf(text, size, "%s%suntil %.19sZ", why, *why ? "; " : "",
			 out_str(row, "guard.until"));
	else
		snprintf(text, size, "%s", why);
}

static const struct out_column columns[] = {
	{ "LISTENER", "listener", -22, NULL },	{ "PROCESS", "process", -10, NULL },
	{ "MODE", NULL, -14, cell_mode },	{ "ARMED", NULL, 6, cell_armed },
	{ "METHOD", "guard.method", -9, NULL },	{ "SERVES", "guard.serves", -9, NULL },
	{ "HIGH", "guard.high", 6, NULL },	{ "LOW", "guard.low", 6, NULL },
	{ "HOLD", "guard.hold_s", 4, NULL },	{ "NOTE", NULL, -4, cell_note },
	{ 0 },
};

static void cell_served(json_object *row, char *text, size_t size)
{
	snprintf(text, size, "%s", json_object_get_boolean(out_at(row, "served")) ? "yes" : "NO");
}

static void cell_why(json_object *row, char *text, size_t size)
{
	const char *why = out_str(row, "guard.why");
	bool seen = json_object_get_boolean(out_at(row, "seen"));

	snprintf(text, size, "%s%s%s", why, *why && !seen ? "; " : "",
		 seen ? "" : "its kernel was not seen to answer yet: SYNs pass until then");
}

static const struct out_column check_columns[] = {
	{ "LISTENER", "listener", -22, NULL },	{ "PROCESS", "process", -10, NULL },
	{ "MODE", NULL, -14, cell_mode },	{ "METHOD", "guard.method", -9, NULL },
	{ "SERVES", "guard.serves", -9, NULL },	{ "SERVED", NULL, -6, cell_served },
	{ "WHY", NULL, -3, cell_why },		{ 0 },
};

static void print(json_object *doc)
{
	json_object *rows = out_at(doc, "listeners"), *all = out_at(doc, "guard");
	size_t n = json_object_array_length(rows);

	printf("all listeners (but *): %s%s, method %s, hold %s s%s%.19s%s\n\n", out_str(all, "mode"),
	       dry(all), out_str(all, "method"), out_str(all, "hold_s"),
	       out_at(all, "until") ? ", until " : "",
	       out_at(all, "until") ? out_str(all, "until") : "", out_at(all, "until") ? "Z" : "");
	out_table_begin(want.check ? check_columns : columns);
	for (size_t i = 0; i < n; i++)
		out_table_row(json_object_get(json_object_array_get_idx(rows, i)));
	out_table_end("nothing listens in this network namespace");
}

static void set_limit(uint32_t *to, int64_t value)
{
	if (value >= 0)
		__atomic_store_n(to, value, __ATOMIC_RELAXED);
}

/* What is the same for all listeners, now and in each policy. */
static void set_limits(struct sw_control *c)
{
	set_limit(&c->source_rate, want.limits.source_rate);
	set_limit(&c->prefix_rate, want.limits.prefix_rate);
	set_limit(&c->reply_rate, want.limits.reply_rate);
	set_limit(&c->core_rate, want.limits.core_rate);
	set_limit(&c->total_rate, want.limits.total_rate);
	if (want.limits.prefix_bits[0])
		memcpy(c->prefix_bits, want.limits.prefix_bits, sizeof(c->prefix_bits));
}

/* All entries that the command is about, before and then for good. */
static int set(const struct store *s, struct guard *g)
{
	bool found = !want.listener;

	for (int write = 0; write < 2; write++) {
		for (uint32_t i = 0; i <= s->n_listeners; i++) {
			struct sw_policy p;

			if (want.listener ? !i || !(s->listeners[i].flags & SW_L_USED) ||
						    !is_wanted(&s->listeners[i]) :
					    i && !g->guards[i].own)
				continue;
			found = true;
			p = policy_after(g, i, &want.change);
			if (p.high && p.low >= p.high)
				return sw_err("--low %u is not below --high %u", p.low, p.high);
			if (write)
				policy_set(g, i, &want.change);
		}
		if (!found)
			return sw_err("nothing listens on %s; see: synward listeners", want.listener);
	}
	guard_refresh(g);
	return 0;
}

static int number(const char *name, uint64_t min, uint64_t max, int64_t *value)
{
	uint64_t n;

	if (!opts_number(name, optarg, min, max, &n))
		return EXIT_USAGE;
	*value = n;
	return EXIT_DONE;
}

static int word(const char *name, const char *text, const char *const *words, int *value)
{
	*value = opts_word(name, text, words);
	return *value < 0 ? EXIT_USAGE : EXIT_DONE;
}

/* A bucket of SW_CORE_BURST_NS holds one answer at least. */
static int core_rate(void)
{
	int64_t least = SW_NS_PER_SEC / SW_CORE_BURST_NS, *rate = &want.limits.core_rate;
	int status = number("--core-rate", 0, INT32_MAX, rate);

	if (status || !*rate || *rate >= least)
		return status;
	sw_err("--core-rate wants at least %lld, or 0 for no limit, not '%s'", (long long)least, optarg);
	return EXIT_USAGE;
}

/* V4,V6: lengths of prefixes. */
static int prefix_lengths(const char *text, uint8_t bits[2])
{
	const char *comma = strchr(text, ',');
	char v4[4];
	uint64_t n;

	snprintf(v4, sizeof(v4), "%.*s", comma ? (int)(comma - text) : 0, text);
	if (!comma || comma - text > 2 || !opts_number("", v4, 1, 32, &n)) {
		sw_err("--prefix wants lengths for IPv4 and IPv6 such as 24,48 (at most 32,64), not '%s'", text);
		return EXIT_USAGE;
	}
	bits[0] = n;
	if (!opts_number("--prefix", comma + 1, 1, 64, &n))
		return EXIT_USAGE;
	bits[1] = n;
	return EXIT_DONE;
}

static int parse(int argc, char **argv)
{
	struct policy_change *change = &want.change;
	int c, status = EXIT_DONE;

	while (!status && (c = opts_next(&cmd_guard, argc, argv, options)) >= 0) {
		want.set |= c != LISTENER && c < CHECK;
		want.set_limits |= c > CHECK;
		switch (c) {
		case DRY_RUN:
		case LIVE:
			if (change->dry_run == (c == LIVE))
				return opts_bad(&cmd_guard, "--dry-run and --live");
			change->dry_run = c == DRY_RUN;
			break;
		case LISTENER:
			want.listener = optarg;
			status = listener_parse("--listener", optarg, &want.only) ? EXIT_DONE :
										    EXIT_USAGE;
			break;
		case METHOD:
			status = word("--method", optarg, guard_methods, &change->method);
			break;
		case HIGH:
			status = number("--high", 0, INT32_MAX, &change->high);
			break;
		case LOW:
			status = number("--low", 0, INT32_MAX, &change->low);
			break;
		case HOLD:
			status = number("--hold", 1, 86400, &change->hold_s);
			break;
		case FOR:
			status = opts_duration("--for", optarg, &change->for_ns) ? EXIT_DONE :
										   EXIT_USAGE;
			break;
		case CHECK:
			want.check = true;
			break;
		case SOURCE_RATE:
			status = number("--source-rate", 1, INT32_MAX, &want.limits.source_rate);
			break;
		case PREFIX_RATE:
			status = number("--prefix-rate", 1, INT32_MAX, &want.limits.prefix_rate);
			break;
		case REPLY_RATE:
			status = number("--reply-rate", 1, INT32_MAX, &want.limits.reply_rate);
			break;
		case CORE_RATE:
			status = core_rate();
			break;
		case TOTAL_RATE:
			status = number("--total-rate", SW_SAMPLE, INT32_MAX, &want.limits.total_rate);
			break;
		case PREFIX:
			status = prefix_lengths(optarg, want.limits.prefix_bits);
		}
	}
	if (status)
		return status;
	if (c == OPT_DONE)
		return opts_status() ? opts_status() : -1;
	if (optind < argc) {
		want.set = true;
		status = word("the mode", argv[optind++], guard_modes, &change->mode);
	}
	if (status)
		return status;
	if (optind < argc)
		return opts_bad(&cmd_guard, "unexpected '%s'", argv[optind]);
	if (change->for_ns && change->mode < 0 && change->dry_run < 0 && change->method < 0 &&
	    change->high < 0 && change->low < 0 && change->hold_s < 0)
		return opts_bad(&cmd_guard, "--for needs a mode or another setting");
	if (want.set_limits && want.listener)
		return opts_bad(&cmd_guard, "rates and prefixes are for all listeners, not for --listener");
	if (change->high > 0 && change->low >= change->high)
		return opts_bad(&cmd_guard, "--low %" PRId64 " is not below --high %" PRId64,
				change->low, change->high);
	return EXIT_DONE;
}

static int act(struct store *s, struct guard *g)
{
	struct listener_list list;
	json_object *doc;
	int status;

	if (want.set && set(s, g))
		return EXIT_FAILED;
	set_limits(g->control);
	if (listeners_get(s, &list))
		return EXIT_FAILED;
	doc = make(s, g, &list);
	status = want.check && out_int(doc, "unserved") ? EXIT_NO : EXIT_DONE;
	if (want.listener && !json_object_array_length(out_at(doc, "listeners"))) {
		sw_err("nothing listens on %s; see: synward listeners", want.listener);
		json_object_put(doc);
		status = EXIT_FAILED;
	} else {
		if (want.set)
			listeners_warn(s, g, &list, is_wanted);
		out_doc(doc, print);
	}
	listeners_free(&list);
	return status;
}

static int run(int argc, char **argv)
{
	int status = parse(argc, argv), lock = -2;
	struct guard g;
	struct store s;

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (want.set || want.set_limits) {
		lock = pin_lock(false);
		if (lock == -1)
			return EXIT_FAILED;
	}
	status = EXIT_FAILED;
	if (!store_open(&s)) {
		/* one that has begun to listen since attach can be given a policy */
		if (!want.set || (!import_listeners() && !store_reload(&s))) {
			if (!guard_open(&g)) {
				status = act(&s, &g);
				guard_close(&g);
			}
		}
		store_close(&s);
	}
	pin_unlock(lock);
	return status;
}

const struct command cmd_guard = {
	.name = "guard",
	.summary = "Show or set what keeps SYN floods from the listeners",
	.usage = "[off|auto|on] [OPTION]...",
	.help = "Without an option: shows. Else sets what is given, and shows the outcome.\n\n"
		"      off|auto|on          never armed; armed by a flood; always armed. Keeps dry run\n"
		"      --dry-run            decide and count, touch nothing (default after attach: auto)\n"
		"      --live               for real\n"
		"      --listener [ADDR:]PORT\n"
		"                           these only, which then have a policy of their own (shown as *);\n"
		"                           default: all, those with their own as well\n"
		"      --method cookie|first-syn|drop\n"
		"                           answer SYNs with cookies (default); drop a client's first SYN;\n"
		"                           drop what is more than a source's share\n"
		"      --high N             auto: armed at so many half-open (default 0: half the backlog)\n"
		"      --low N              calm below (default 0: a quarter of high)\n"
		"      --hold SEC           disarmed after so many calm seconds (default 10)\n"
		"      --for DURATION       90s, 10m, 2h: then back to the policy before, with no process\n"
		"                           needed; the next setting without it is for good\n"
		"      --prefix V4,V6, --source-rate N, --prefix-rate N\n"
		"                           drop: more SYNs per second than N of a source (default 10; IPv6:\n"
		"                           a /64), or than N of a prefix of these lengths (24,48; 100)\n"
		"      --reply-rate N, --total-rate N\n"
		"                           cookie: at most N answers per second to a /24 or /64 (default\n"
		"                           50000), and to all (4000000)\n"
		"      --core-rate N        cookie: N answers per second of one CPU (default 400000, 0: no\n"
		"                           limit; fewer, the more it has to drop), beyond which only those\n"
		"                           are answered that completed a handshake lately.\n"
		"                           These six are for all listeners\n"
		"      --check              what serves each listener, and why not cookies; exit 3 when one\n"
		"                           is not served as its policy asks (mode off asks for nothing)\n\n"
		"Examples:\n"
		"      synward guard auto --live\n"
		"      synward guard on --live --listener 443 --for 10m\n\n",
	.run = run,
};
