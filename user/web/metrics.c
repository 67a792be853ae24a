// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../alarm.h"
#include "../version.h"
#include "../view.h"
#include "metrics.h"

struct page {
	FILE *f;
	bool openmetrics;
	const char *name; /* of the family at hand */
};

/* A counter's family is named without the _total of its samples; before OpenMetrics, with it. */
static void family(struct page *p, const char *name, const char *type, const char *help)
{
	const char *suffix = !strcmp(type, "counter") ? "_total" : "";

	fprintf(p->f, "# HELP synward_%s%s %s\n# TYPE synward_%s%s %s\n", name,
		p->openmetrics ? "" : suffix, help, name, p->openmetrics ? "" : suffix, type);
	p->name = name;
}

/*
 * A name that this host did not choose: a device's may hold any byte but a slash
 * and white space. What is not plain ASCII is spelt out.
 */
static void put_label(FILE *f, const char *value)
{
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if (*c == '\\' || *c == '"')
			fprintf(f, "\\%c", *c);
		else if (*c < ' ' || *c >= 0x7f)
			fprintf(f, "\\\\x%02x", *c);
		else
			fputc(*c, f);
	}
}

/* Labels are pairs of name and value, ended by NULL. */
static void sample(struct page *p, const char *suffix, double value, ...)
{
	const char *label, *before = "{";
	va_list ap;

	fprintf(p->f, "synward_%s%s", p->name, suffix);
	va_start(ap, value);
	while ((label = va_arg(ap, const char *))) {
		fprintf(p->f, "%s%s=\"", before, label);
		put_label(p->f, va_arg(ap, const char *));
		fputc('"', p->f);
		before = ",";
	}
	va_end(ap);
	fprintf(p->f, "%s %.17g\n", *before == ',' ? "}" : "", value);
}

static void put_states(struct page *p, const struct picture *pic)
{
	const struct histogram *h = &pic->live->sample.states;

	family(p, "flows", "gauge", "Connections by the state of an end.");
	for (int i = 0; i < SW_STATE_COUNT; i++) {
		int state = view_nth_state(i);

		sample(p, "", h->client[state], "side", "client", "state", state_name(state), NULL);
		sample(p, "", h->server[state], "side", "server", "state", state_name(state), NULL);
	}
	family(p, "transitions", "counter", "Ends that a segment took from one state to another.");
	for (int i = 0; i < SW_STATE_COUNT * SW_STATE_COUNT; i++) {
		int from = i / SW_STATE_COUNT, to = i % SW_STATE_COUNT;

		for (int role = 0; role < SW_ROLES; role++)
			if (pic->live->sample.moves.n[role][from][to])
				sample(p, "_total", pic->live->sample.moves.n[role][from][to],
				       "side", role == SW_CLIENT ? "client" : "server", "from",
				       state_name(from), "to", state_name(to), NULL);
	}
}

/* A number of each listener. */
struct column {
	const char *name, *type, *help;
	double (*value)(const struct picture *pic, const struct live_listener *l);
	bool socket; /* only of those that have one on this host */
};

static double half_open(const struct picture *pic, const struct live_listener *l)
{
	(void)pic;
	return l->tally.tracked + l->tally.untracked;
}

/* As its episode says, until that is over; one that is always armed has none. */
static double attacked(const struct picture *pic, const struct live_listener *l)
{
	for (size_t i = 0; i < pic->n_episodes; i++)
		if (l->l.index && pic->episode[i].listener == l->l.index && !pic->episode[i].end_ns)
			return pic->episode[i].attack || alarm_attack(pic->live, l);
	return alarm_attack(pic->live, l);
}

#define COLUMN(fn, expression)                                                                     \
	static double fn(const struct picture *pic, const struct live_listener *l)                 \
	{                                                                                          \
		(void)pic;                                                                         \
		return expression;                                                                 \
	}
COLUMN(kernel_half_open, l->l.kernel_half_open)
COLUMN(pending, l->tally.pending)
COLUMN(challenged, l->tally.challenged)
COLUMN(syn_backlog, l->backlog)
COLUMN(accept_queue, l->l.accept_queue)
COLUMN(accept_max, l->l.backlog)
COLUMN(syn, l->tally.syn)
COLUMN(kept_off, l->tally.kept_off)
COLUMN(would_keep_off, l->tally.would_keep_off)
COLUMN(synack_rtx, l->tally.synack_rtx)
COLUMN(armed, l->guard.armed)
COLUMN(dry_run, l->guard.policy.dry_run)

/* A counter of a listener, told apart by one more label. */
static void by(struct page *p, const struct live_listener *l, const char *label, const char *value,
	       uint64_t n)
{
	sample(p, "_total", n, "listener", l->name, label, value, NULL);
}

static void put_listeners(struct page *p, const struct picture *pic)
{
	static const struct column columns[] = {
		{ "half_open", "gauge", "Handshakes answered, whose last ACK is missing.",
		  half_open, false },
		{ "kernel_half_open", "gauge", "Requests in the kernel's queue.", kernel_half_open,
		  true },
		{ "pending", "gauge", "SYNs that are not answered.", pending, false },
		{ "challenged", "gauge", "Cookies sent lately that have not come back.", challenged,
		  false },
		{ "syn_backlog", "gauge", "Half-open handshakes that the listener has room for.",
		  syn_backlog, true },
		{ "accept_queue", "gauge", "Connections that wait for accept().", accept_queue,
		  true },
		{ "accept_queue_max", "gauge", "Connections that may wait for accept().",
		  accept_max, true },
		{ "syn", "counter", "SYNs, retransmissions apart.", syn, false },
		{ "synack_retransmits", "counter", "SYN-ACKs sent again.", synack_rtx, false },
		{ "kept_off", "counter",
		  "SYNs that did not reach the listener, thanks to the guard.", kept_off, false },
		{ "would_keep_off", "counter", "The same of a dry run, which let them pass.",
		  would_keep_off, false },
		{ "guard_armed", "gauge", "Whether the guard is armed.", armed, false },
		{ "guard_dry_run", "gauge", "Whether it would only count.", dry_run, false },
		{ "attack", "gauge", "Whether it is armed, and most handshakes are not completed.",
		  attacked, false },
	};
	const struct live *v = pic->live;

	for (size_t c = 0; c < sizeof(columns) / sizeof(*columns); c++) {
		const char *suffix = strcmp(columns[c].type, "counter") ? "" : "_total";

		family(p, columns[c].name, columns[c].type, columns[c].help);
		for (size_t i = 0; i < v->n; i++)
			if (v->listener[i].l.socket || !columns[c].socket)
				sample(p, suffix, columns[c].value(pic, &v->listener[i]),
				       "listener", v->listener[i].name, NULL);
	}
	family(p, "handshakes", "counter", "Handshakes by their outcome.");
	for (size_t i = 0; i < v->n; i++) {
		const struct live_listener *l = &v->listener[i];

		by(p, l, "outcome", "completed", l->tally.completed);
		by(p, l, "outcome", "refused", l->tally.refused);
		by(p, l, "outcome", "aborted", l->tally.aborted);
		by(p, l, "outcome", "timed_out", pic->timed_out[l->l.index]);
	}
	family(p, "cookies", "counter", "SYN cookies by what became of them.");
	for (size_t i = 0; i < v->n; i++) {
		const struct live_listener *l = &v->listener[i];

		by(p, l, "result", "sent", l->tally.cookies_sent);
		by(p, l, "result", "ok", l->tally.cookies_ok);
		by(p, l, "result", "bad", l->tally.cookies_bad);
	}
}

/* Buckets as they are counted: up to powers of two, from 2 us to 67 s. */
static void put_latency(struct page *p, const struct picture *pic)
{
	static const char *const parts[] = { "server", "client" };
	const struct sw_latency *l = &pic->live->sample.latency;

	family(p, "handshake_seconds", "histogram",
	       "SYN to SYN-ACK (server), SYN-ACK to ACK (client), at the place of observation.");
	for (int part = 0; part < SW_PARTS; part++) {
		uint64_t sum = 0;
		char le[32];

		for (int i = 0; i < SW_LATENCY_BUCKETS; i++) {
			sum += l->bucket[part][i];
			snprintf(le, sizeof(le), "%g", (2u << i) / 1e6);
			if (i <= 25)
				sample(p, "_bucket", sum, "part", parts[part], "le", le, NULL);
		}
		sample(p, "_bucket", sum, "part", parts[part], "le", "+Inf", NULL);
		sample(p, "_count", sum, "part", parts[part], NULL);
		sample(p, "_sum", l->sum_us[part] / 1e6, "part", parts[part], NULL);
	}
}

static void put_devices(struct page *p, const struct picture *pic)
{
	family(p, "packets", "counter", "Packets by what became of them.");
	for (int i = 0; i < pic->n_devices; i++) {
		char name[SW_DEV_NAME_LEN + 1];

		snprintf(name, sizeof(name), "%.*s", SW_DEV_NAME_LEN, pic->device[i].dev.name);
		for (int reason = 0; reason < SW_R_COUNT; reason++)
			sample(p, "_total", pic->device[i].reasons[reason], "dev", name, "reason",
			       view_reason(reason), NULL);
	}
}

static void put_tables(struct page *p, const struct picture *pic)
{
	const struct live *v = pic->live;
	const struct histogram *h = &v->sample.states;

	family(p, "table_entries", "gauge", "Entries of a table.");
	sample(p, "", h->flows - h->unproven, "table", "flows", NULL);
	sample(p, "", h->unproven, "table", "half_open", NULL);
	family(p, "table_max_entries", "gauge", "Entries that a table has room for.");
	sample(p, "", v->store.meta.config.proven_buckets * SW_WAYS, "table", "flows", NULL);
	sample(p, "", v->store.meta.config.half_buckets * SW_WAYS, "table", "half_open", NULL);
	family(p, "evicted_flows", "counter", "Live connections that a full table gave up.");
	sample(p, "_total", v->store.evicted, NULL);
	family(p, "events_lost", "counter", "Events that a reader did not get.");
	sample(p, "_total", pic->events_lost, NULL);
}

char *metrics_text(const struct picture *pic, bool openmetrics)
{
	struct page p = { .openmetrics = openmetrics };
	char *text = NULL;
	size_t len;

	p.f = open_memstream(&text, &len);
	if (!p.f)
		return NULL;
	family(&p, "build_info", "gauge", "The agent's version.");
	sample(&p, "", 1, "version", SW_VERSION, NULL);
	family(&p, "attached", "gauge", "Whether anything is watched.");
	sample(&p, "", pic->attached, NULL);
	if (pic->attached) {
		put_states(&p, pic);
		put_listeners(&p, pic);
		put_latency(&p, pic);
		put_devices(&p, pic);
		put_tables(&p, pic);
	}
	fputs("# EOF\n", p.f);
	return fclose(p.f) ? NULL : text;
}
