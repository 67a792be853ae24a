// SPDX-License-Identifier: GPL-2.0
/* synward allow and synward deny: two sides of one table. */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "fail.h"
#include "guard.h"
#include "out.h"
#include "pin.h"
#include "prefix.h"
#include "view.h"

enum { TTL = OPT_FIRST_OWN, FORCE };
enum action { ADD, DEL, LIST, FLUSH };

static const struct option options[] = {
	{ "ttl", required_argument, 0, TTL },
	{ "force", no_argument, 0, FORCE },
	COMMON_OPTIONS,
};

static struct {
	bool deny;
	enum action action;
	struct prefix prefix;
	uint64_t ttl_ns;
	bool force;
} want;

static const char *verdict(bool deny)
{
	return deny ? "deny" : "allow";
}

/* What the map holds, without what has expired. */
struct entry {
	struct sw_list_key key;
	struct sw_list_entry value;
};

struct table {
	int fd;
	struct guard guard;
	struct entry *entry;
	size_t n;
};

/* The programs ask the map only while it holds something. */
static void tell(struct table *t, size_t n)
{
	__atomic_store_n(&t->guard.control->lists, n, __ATOMIC_SEQ_CST);
	guard_refresh(&t->guard);
}

static int read_entries(struct table *t)
{
	struct sw_list_key key, *prev = NULL;
	size_t size = 0;

	for (t->n = 0; !bpf_map_get_next_key(t->fd, prev, &key); prev = &key) {
		struct entry *e;

		if (t->n == size) {
			size = size ? size * 2 : 256;
			e = realloc(t->entry, size * sizeof(*e));
			if (!e)
				return sw_err("no memory");
			t->entry = e;
		}
		e = &t->entry[t->n];
		e->key = key;
		if (!bpf_map_lookup_elem(t->fd, &key, &e->value))
			t->n++;
	}
	return 0;
}

static void drop_expired(struct table *t)
{
	uint64_t now = snapshot_now();
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct entry *e = &t->entry[i];

		if (e->value.until_ns && e->value.until_ns <= now)
			bpf_map_delete_elem(t->fd, &e->key);
		else
			t->entry[n++] = *e;
	}
	t->n = n;
	tell(t, n);
}

static int open_table(struct table *t)
{
	char path[PATH_MAX];

	*t = (struct table){ .fd = -1 };
	if (guard_open(&t->guard))
		return -1;
	pin_path(path, sizeof(path), "lists");
	t->fd = bpf_obj_get(path);
	if (t->fd < 0)
		return sw_err("cannot open %s: %s", path, strerror(errno));
	if (read_entries(t))
		return -1;
	drop_expired(t);
	return 0;
}

static void close_table(struct table *t)
{
	if (t->fd >= 0)
		close(t->fd);
	guard_close(&t->guard);
	free(t->entry);
}

static const struct entry *find(const struct table *t, const struct sw_list_key *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!memcmp(&t->entry[i].key, key, sizeof(*key)))
			return &t->entry[i];
	return NULL;
}

static json_object *make(const struct entry *e)
{
	struct prefix p = prefix_from_key(&e->key);
	json_object *doc = json_object_new_object();
	char text[PREFIX_TEXT];

	json_object_object_add(doc, "prefix", json_object_new_string(prefix_text(&p, text)));
	json_object_object_add(doc, "verdict", json_object_new_string(verdict(e->value.deny)));
	json_object_object_add(doc, "since", out_time(e->value.since_us * SW_NS_PER_US));
	json_object_object_add(doc, "expires",
			       e->value.until_ns ? view_time(e->value.until_ns) : NULL);
	return doc;
}

/* Would it lock out who types this? */
static bool holds_ssh_peer(const struct prefix *p, char *peer, size_t size)
{
	const char *connection = getenv("SSH_CONNECTION");
	struct prefix one;

	if (!connection)
		return false;
	snprintf(peer, size, "%.*s", (int)strcspn(connection, " %"), connection);
	return prefix_parse("", peer, &one) && prefix_holds(p, one.family, one.addr);
}

static void print_add(json_object *doc)
{
	printf("%s %s%s%s\n", out_str(doc, "added.verdict"), out_str(doc, "added.prefix"),
	       out_at(doc, "added.expires") ? " until " : "",
	       out_at(doc, "added.expires") ? out_str(doc, "added.expires") : "");
}

static int add(struct table *t)
{
	struct entry e = { .key = prefix_to_key(&want.prefix) };
	const struct entry *old = find(t, &e.key);
	json_object *doc;
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	e.value.since_us = (wall.tv_sec * SW_NS_PER_SEC + wall.tv_nsec) / SW_NS_PER_US;
	e.value.until_ns = want.ttl_ns ? snapshot_now() + want.ttl_ns : 0;
	e.value.deny = want.deny;
	e.value.bits = e.key.bits;
	tell(t, t->n + !old); /* before: killed here, the programs look once too often */
	if (bpf_map_update_elem(t->fd, &e.key, &e.value, BPF_ANY)) {
		int why = errno;

		tell(t, t->n);
		return why == ENOSPC ?
			       sw_err("allow and deny hold %u prefixes already, no more is possible; "
				      "remove some: synward %s del PREFIX",
				      SW_MAX_LIST, verdict(want.deny)) :
			       sw_err("cannot write map lists: %s", strerror(why));
	}
	doc = json_object_new_object();
	json_object_object_add(doc, "added", make(&e));
	json_object_object_add(doc, "replaced",
			       old ? json_object_new_string(verdict(old->value.deny)) : NULL);
	out_doc(doc, print_add);
	return 0;
}

static void print_del(json_object *doc)
{
	printf("removed %s\n", out_str(doc, "deleted.prefix"));
}

static int del(struct table *t)
{
	struct sw_list_key key = prefix_to_key(&want.prefix);
	const struct entry *e = find(t, &key);
	json_object *doc;
	char text[PREFIX_TEXT];

	if (!e || e->value.deny != want.deny)
		return sw_err("%s is not on the %s list%s; see: synward %s list",
			      prefix_text(&want.prefix, text), verdict(want.deny),
			      e ? " but on the other" : "", verdict(e ? !want.deny : want.deny));
	if (bpf_map_delete_elem(t->fd, &key))
		return sw_err("cannot write map lists: %s", strerror(errno));
	tell(t, t->n - 1);
	doc = json_object_new_object();
	json_object_object_add(doc, "deleted", make(e));
	out_doc(doc, print_del);
	return 0;
}

static void print_flush(json_object *doc)
{
	printf("removed %s\n", out_str(doc, "flushed"));
}

static int flush(struct table *t)
{
	json_object *doc;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->entry[i].value.deny == want.deny &&
		     !bpf_map_delete_elem(t->fd, &t->entry[i].key);
	tell(t, t->n - n);
	doc = json_object_new_object();
	json_object_object_add(doc, "flushed", json_object_new_int64(n));
	out_doc(doc, print_flush);
	return 0;
}

static const struct out_column columns[] = {
	{ "PREFIX", "prefix", -24, NULL },
	{ "VERDICT", "verdict", -7, NULL },
	{ "SINCE", "since", -27, NULL },
	{ "EXPIRES", "expires", -7, NULL },
	{ 0 },
};

static int list(struct table *t)
{
	out_table_begin(columns);
	for (size_t i = 0; i < t->n; i++)
		if (t->entry[i].value.deny == want.deny)
			out_table_row(make(&t->entry[i]));
	out_table_end(want.deny ? "no prefix is denied" : "no prefix is allowed");
	return 0;
}

static int parse(const struct command *cmd, int argc, char **argv)
{
	static const char *const actions[] = { "add", "del", "list", "flush", NULL };
	int c, action;

	while ((c = opts_next(cmd, argc, argv, options)) >= 0) {
		if (c == FORCE)
			want.force = true;
		else if (!opts_duration("--ttl", optarg, &want.ttl_ns))
			return EXIT_USAGE;
	}
	if (c == OPT_DONE)
		return opts_status() ? opts_status() : -1;
	if (optind == argc)
		return opts_bad(cmd, "add, del, list or flush?");
	action = opts_word("what to do", argv[optind++], actions);
	if (action < 0)
		return EXIT_USAGE;
	want.action = action;
	if (action == ADD || action == DEL) {
		if (optind == argc)
			return opts_bad(cmd, "no prefix given");
		if (!prefix_parse(actions[action], argv[optind++], &want.prefix))
			return EXIT_USAGE;
	}
	if (optind < argc)
		return opts_bad(cmd, "unexpected '%s'", argv[optind]);
	if (action != ADD && (want.ttl_ns || want.force))
		return opts_bad(cmd, "--ttl and --force are for add");
	return EXIT_DONE;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static int (*const actions[])(struct table *t) = { add, del, list, flush };
	char peer[64], text[PREFIX_TEXT];
	int status = parse(cmd, argc, argv), lock;
	struct table t;
	struct store s;

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (want.action == ADD && want.deny && !want.force &&
	    holds_ssh_peer(&want.prefix, peer, sizeof(peer)))
		return sw_err("%s holds %s, from where you are connected ($SSH_CONNECTION); deny it "
			      "all the same: --force",
			      prefix_text(&want.prefix, text), peer),
		       EXIT_FAILED;
	lock = pin_lock(false);
	if (lock == -1)
		return EXIT_FAILED;
	status = EXIT_FAILED;
	if (!store_open(&s)) { /* whole, and of this version */
		store_close(&s);
		if (!open_table(&t) && !actions[want.action](&t))
			status = EXIT_DONE;
		close_table(&t);
	}
	pin_unlock(lock);
	return status;
}

static int run_allow(int argc, char **argv)
{
	return run(&cmd_allow, argc, argv);
}

static int run_deny(int argc, char **argv)
{
	want.deny = true;
	return run(&cmd_deny, argc, argv);
}

#define USAGE "add PREFIX [--ttl DURATION] [--force] | del PREFIX | list | flush"
#define HELP                                                                                       \
	"      --ttl DURATION       add: for so long (90s, 10m, 2h, 7d); default: until removed\n"  \
	"      --force              deny add: even a prefix that you are connected from\n\n"        \
	"Allow and deny are one table, where the longest prefix wins; adding a prefix to one takes\n" \
	"it from the other. For SYNs that come in only: open connections go on. Both hold whether\n" \
	"or not the guard is on.\n"

const struct command cmd_allow = {
	.name = "allow",
	.summary = "Sources whose SYNs the guard lets through",
	.usage = USAGE,
	.help = HELP "Example:\n      synward allow add 192.0.2.0/24 --ttl 2h\n\n",
	.run = run_allow,
};

const struct command cmd_deny = {
	.name = "deny",
	.summary = "Sources whose SYNs are dropped",
	.usage = USAGE,
	.help = HELP "Example:\n      synward deny add 2001:db8:bad::/48 --ttl 10m\n\n",
	.run = run_deny,
};
