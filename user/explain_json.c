// SPDX-License-Identifier: GPL-2.0
#include "explain.h"
#include "out.h"
#include "snapshot.h"

static struct explain_head head;

static int begin(const struct explain_head *h)
{
	head = *h;
	return 0;
}

static json_object *options(const struct sw_pkt *p)
{
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "mss", out_maybe(p->opts & SW_OPT_MSS, p->mss));
	json_object_object_add(doc, "wscale", out_maybe(p->opts & SW_OPT_WSCALE, p->wscale));
	json_object_object_add(doc, "sack", json_object_new_boolean(p->opts & SW_OPT_SACK));
	json_object_object_add(doc, "timestamps", json_object_new_boolean(p->opts & SW_OPT_TS));
	return doc;
}

static json_object *maybe_string(bool present, const char *text)
{
	return present ? json_object_new_string(text) : NULL;
}

/* In a lab: what a program did. */
static int event(const struct explain_row *r)
{
	json_object *doc = json_object_new_object();

	json_object_object_add(doc, "event", json_object_new_string(r->event));
	json_object_object_add(doc, "time", out_time(r->time_ns));
	json_object_object_add(doc, "from", json_object_new_string(r->from ? "server" : "client"));
	json_object_object_add(doc, "client_state", json_object_new_string(state_name(r->state[0])));
	json_object_object_add(doc, "server_state", json_object_new_string(state_name(r->state[1])));
	out_doc(doc, NULL);
	return 0;
}

static int row(const struct explain_row *r)
{
	static const char *const parts[] = { "whole", "sent", "arrived", "lost" };
	static const char *const reasons[] = {
#define SW_X(name, text, meaning) text,
		SW_REASONS(SW_X)
#undef SW_X
	};
	const char *where = note_where(r->note);
	json_object *doc;
	char flags[64];

	if (r->event)
		return event(r);
	doc = json_object_new_object();
	json_object_object_add(doc, "packet", json_object_new_int64(r->packet));
	json_object_object_add(doc, "time", out_time(r->time_ns));
	json_object_object_add(doc, "from", json_object_new_string(r->from ? "server" : "client"));
	json_object_object_add(doc, "flags", json_object_new_string(explain_flags(
						     r->pkt.flags, " ", flags, sizeof(flags))));
	json_object_object_add(doc, "seq", json_object_new_int64(r->seq));
	json_object_object_add(doc, "ack", out_maybe(r->pkt.flags & SW_TH_ACK, r->ack));
	json_object_object_add(doc, "len", json_object_new_int64(r->pkt.len));
	json_object_object_add(doc, "relative", json_object_new_boolean(!head.absolute));
	json_object_object_add(doc, "client_state", json_object_new_string(state_name(r->state[0])));
	json_object_object_add(doc, "server_state", json_object_new_string(state_name(r->state[1])));
	json_object_object_add(doc, "note", json_object_new_string(note_text(r->note, head.lang)));
	json_object_object_add(doc, "retransmit", json_object_new_boolean(r->retransmit));
	json_object_object_add(doc, "ignored",
			       maybe_string(r->reason != SW_R_OBSERVED, reasons[r->reason]));
	json_object_object_add(doc, "rfc", maybe_string(*where, where));
	json_object_object_add(doc, "window", json_object_new_int(r->pkt.win));
	json_object_object_add(doc, "options", r->pkt.flags & SW_TH_SYN ? options(&r->pkt) : NULL);
	json_object_object_add(doc, "part", json_object_new_string(parts[r->part]));
	json_object_object_add(doc, "flow", out_maybe(head.flow, head.flow));
	out_doc(doc, NULL);
	return 0;
}

static int end(void)
{
	return 0;
}

const struct explain_view explain_json = { .every = true, .begin = begin, .row = row, .end = end };
