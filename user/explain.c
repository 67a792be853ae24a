// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "fail.h"
#include "hostmirror.h"
#include "view.h"

#define FLOWS 64	 /* of one pair of ports: its generations */
#define SYN_TIMEOUT_S 128 /* nobody needs the room: as long as a client tries */
#define PLAIN 2		 /* so many plain segments in a row are shown one by one */

/* The entry of the connection in a mirror, at one moment. */
struct sighting {
	bool there, half;
	struct sw_place at;
	struct sw_flow f;
};

/* A mirror, and what a segment was to it. */
struct eye {
	struct host host;
	struct sighting before, after;
	int reason;
	uint32_t what;
};

struct explain {
	struct explain_options opts;
	struct eye eye[2];
	int eyes;
	struct sw_key key;
	bool keyed, begun, over;
	uint32_t client;	 /* endpoint of the key */
	uint8_t state[2];	 /* of client, server, as shown last */
	uint64_t last_ns;
	enum explain_note last_note;
	int last_from;
	uint32_t ifindex[2];	 /* by endpoint of the key: where its segments are taken from */
	uint32_t base[2];	 /* of client, server: the number shown as 0 */
	bool based[2];
	struct explain_row plain[PLAIN], run;
	int n_plain;
};

struct explain *explain_new(const struct explain_options *o)
{
	struct explain *e = calloc(1, sizeof(*e));

	if (!e) {
		sw_err("no memory");
		return NULL;
	}
	e->opts = *o;
	e->eyes = o->both_ends ? 2 : 1;
	for (int i = 0; i < e->eyes; i++) {
		if (!host_init(&e->eye[i].host, FLOWS, FLOWS, SYN_TIMEOUT_S, SW_MSL_DEFAULT))
			continue;
		explain_free(e);
		return NULL;
	}
	if (o->key) {
		e->key = *o->key;
		e->keyed = true;
	}
	return e;
}

void explain_free(struct explain *e)
{
	for (int i = 0; i < e->eyes; i++)
		host_free(&e->eye[i].host);
	free(e);
}

/* The newest entry of the connection: the handshake under way, else what is proven. */
static void sight(struct eye *y, const struct sw_key *key, uint64_t now, struct sighting *s)
{
	struct sw_hash hash = sw_hash_key(key, &y->host.cfg);
	struct sw_tables t = host_tables(&y->host, hash);

	*s = (struct sighting){ .at = sw_find(t.half, hash.tag, key), .half = true };
	if (s->at.bucket && sw_expired(SW_HALF, s->at.bucket->stamp[s->at.slot],
				       now / SW_NS_PER_SEC, &y->host.cfg))
		s->at.bucket = NULL;
	if (!s->at.bucket) {
		s->at = sw_find(t.proven, hash.tag, key);
		s->half = false;
	}
	s->there = s->at.bucket;
	if (s->there)
		s->f = *sw_flow_of(s->at);
}

/* Let a mirror see the segment; local: it stands at the sender. */
static void observe(struct explain *e, struct eye *y, const struct sw_pkt *p, int parsed,
		    const struct explain_frame *f, bool local)
{
	struct sighting *b = &y->before, *a = &y->after;

	sight(y, &e->key, f->time_ns, b);
	y->host.pkt = *p;
	if (e->eyes > 1) {
		y->host.pkt.sender_local = local;
		y->host.pkt.path = 1 << 1 | local;
	}
	memset(&y->host.change, 0, sizeof(y->host.change));
	y->reason = parsed != SW_R_OBSERVED ? parsed :
					      host_segment(&y->host, f->data, f->len, local, f->time_ns);
	y->what = y->host.change.what;
	sight(y, &e->key, f->time_ns, a);
	/* it took its entry out of the table: the slot still holds its last words */
	if (b->there && b->half && !(a->there && a->f.born == b->f.born) &&
	    !b->at.bucket->tag[b->at.slot]) {
		*a = *b;
		a->f = *sw_flow_of(b->at);
	} else if (!a->there && b->there && y->reason != SW_R_OBSERVED) {
		*a = *b;
	}
}

/* An end's state: without an entry it rests. */
static uint8_t state_of(const struct explain *e, const struct sighting *s, int side, uint64_t now)
{
	uint8_t state = side && e->opts.listens ? SW_LISTEN : SW_CLOSED;

	if (s->there)
		state = sw_state_at(&s->f, e->client ^ side, now, &e->eye[0].host.cfg);
	/* to a mirror an end that has not answered may listen; here it is known */
	return state == SW_LISTEN && e->opts.both_ends && !e->opts.listens ? SW_CLOSED : state;
}

static bool sent_before(const struct eye *y, const struct sw_pkt *p)
{
	const struct sighting *b = &y->before;
	uint32_t s = p->from & 1;

	if (y->what & (SW_CH_SYN_RTX | SW_CH_SYNACK_RTX))
		return true;
	if (p->flags & (SW_TH_SYN | SW_TH_RST) || !b->there || !(b->f.flags & SW_F_SEQ << s))
		return false;
	if (p->flags & SW_TH_FIN)
		return b->f.flags & SW_F_FIN << s && p->seq + p->len + 1 == b->f.dir[s].fin;
	if (p->len <= 1 && p->seq == b->f.dir[s].nxt - 1) /* keep-alive */
		return false;
	return p->len && !sw_after(p->seq + p->len, b->f.dir[s].nxt);
}

/* The number that an end's sequence numbers are counted from. */
static void learn_bases(struct explain *e, const struct explain_row *r)
{
	const struct sw_pkt *p = &r->pkt;

	if (r->reason != SW_R_OBSERVED)
		return;
	if (p->flags & SW_TH_SYN) {
		e->base[r->from] = p->seq;
		e->based[r->from] = true;
	} else if (!e->based[r->from] && !(p->flags & SW_TH_RST)) {
		e->base[r->from] = p->seq - 1;
		e->based[r->from] = true;
	}
	if (!e->based[r->from ^ 1] && p->flags & SW_TH_ACK) {
		e->base[r->from ^ 1] = p->ack - 1;
		e->based[r->from ^ 1] = true;
	}
}

static void put_numbers(struct explain *e, struct explain_row *r)
{
	const struct sw_pkt *p = &r->pkt;

	learn_bases(e, r);
	r->seq = p->seq;
	r->ack = p->ack;
	if (e->opts.absolute)
		return;
	/* an RST in answer to a segment without ACK has sequence number 0, whatever the stream's are */
	if (e->based[r->from] && !(p->flags & SW_TH_RST && p->flags & SW_TH_ACK && !p->seq))
		r->seq -= e->base[r->from];
	if (e->based[r->from ^ 1] && p->flags & SW_TH_ACK)
		r->ack -= e->base[r->from ^ 1];
}

static int begin(struct explain *e, uint64_t now)
{
	struct explain_head h = {
		.flow = e->opts.flow,
		.lang = e->opts.lang,
		.absolute = e->opts.absolute,
		.coarse = e->opts.both_ends,
	};
	const struct eye *y = &e->eye[0];
	const struct sighting *known = y->after.there ? &y->after : &y->before;
	char addr[INET6_ADDRSTRLEN];

	e->begun = true;
	if (e->opts.both_ends)
		e->client = 0;
	else if (known->there)
		e->client = sw_server(&known->f) ^ 1;
	else
		e->client = sw_ntohs(e->key.port[0]) < sw_ntohs(e->key.port[1]);
	for (int side = 0; side < 2; side++) {
		uint32_t i = e->client ^ side;

		y = &e->eye[side % e->eyes];
		view_endpoint(h.end[side], sizeof(h.end[side]),
			      view_addr(e->key.family, e->key.addr[i], addr),
			      sw_ntohs(e->key.port[i]));
		e->state[side] = state_of(e, &y->before, side, now);
		/* a listener was there before the SYN; what is picked up midstream was so before */
		if (!y->before.there && y->after.there &&
		    (state_of(e, &y->after, side, now) == SW_LISTEN ||
		     y->after.f.flags & SW_F_MIDSTREAM))
			e->state[side] = state_of(e, &y->after, side, now);
		h.state[side] = e->state[side];
	}
	return e->opts.view->begin(&h);
}

int explain_flush(struct explain *e)
{
	int ret = 0;

	if (explain_is_run(&e->run))
		ret = e->opts.view->row(&e->run);
	for (int i = 0; i < e->n_plain && !ret; i++)
		ret = e->opts.view->row(&e->plain[i]);
	e->n_plain = 0;
	memset(&e->run, 0, sizeof(e->run));
	return ret;
}

static void count(struct explain_row *run, const struct explain_row *r)
{
	run->segments[r->from]++;
	run->bytes[r->from] += r->pkt.len;
	if (r->note == NOTE_DATA_HALF_CLOSED)
		run->note = r->note;
}

static void add_to_run(struct explain *e, const struct explain_row *r)
{
	if (!explain_is_run(&e->run)) {
		e->run = e->plain[0];
		for (int i = 1; i < e->n_plain; i++)
			count(&e->run, &e->plain[i]);
		e->n_plain = 0;
	}
	count(&e->run, r);
}

/* Nothing that a run of data would hide. */
static bool is_plain(const struct explain_row *r)
{
	return r->reason == SW_R_OBSERVED && r->part == PART_WHOLE && !r->retransmit &&
	       !r->moved[0] && !r->moved[1] &&
	       (r->note == NOTE_DATA || r->note == NOTE_ACK || r->note == NOTE_DATA_HALF_CLOSED);
}

static int draw(struct explain *e, const struct explain_row *r)
{
	if (e->opts.view->every)
		return e->opts.view->row(r);
	if (!is_plain(r))
		return explain_flush(e) ? -1 : e->opts.view->row(r);
	if (explain_is_run(&e->run) || e->n_plain == PLAIN)
		add_to_run(e, r);
	else
		e->plain[e->n_plain++] = *r;
	return 0;
}

static bool waits(const struct sighting *s)
{
	return s->there && (s->f.ctl.state[0] == SW_TIME_WAIT || s->f.ctl.state[1] == SW_TIME_WAIT);
}

static int row(struct explain *e, const struct explain_frame *f, const struct sw_pkt *p,
	       const struct eye *sender, const struct eye *judge)
{
	struct explain_row r = {
		.packet = f->number,
		.time_ns = f->time_ns,
		.since_ns = e->last_ns ? sw_age(f->time_ns, e->last_ns) : 0,
		.pkt = *p,
		.part = f->part,
		.from = (p->from & 1) != e->client,
		.reason = judge->reason,
		.retransmit = sent_before(sender, p),
	};
	struct note_case c = {
		.pkt = p,
		.from = r.from,
		.reason = judge->reason,
		.before = judge->before.there ? &judge->before.f : NULL,
		.after = judge->after.there ? &judge->after.f : NULL,
		.what = judge->what,
		.retransmit = r.retransmit,
		.sent_only = f->part == PART_SENT,
		.arrives = f->part == PART_ARRIVED,
		.lost = f->part == PART_LOST,
		.challenged = note_challenges(e->last_note) && e->last_from != r.from,
		.reuses = judge->what & SW_CH_SYN && waits(&judge->before),
	};

	for (int side = 0; side < 2; side++) {
		const struct eye *y = &e->eye[side % e->eyes];
		bool sees = y == judge || y == sender;

		c.was[side] = sees ? state_of(e, &y->before, side, f->time_ns) : e->state[side];
		c.is[side] = sees ? state_of(e, &y->after, side, f->time_ns) : e->state[side];
		r.state[side] = c.is[side];
		r.moved[side] = c.is[side] != e->state[side];
		e->state[side] = c.is[side];
	}
	r.note = note_for(&c);
	r.segments[r.from] = 1;
	r.bytes[r.from] = p->len;
	put_numbers(e, &r);
	e->last_ns = f->time_ns;
	e->last_note = r.note;
	e->last_from = r.from;
	return draw(e, &r);
}

int explain_frame(struct explain *e, const struct explain_frame *f)
{
	struct eye *sender = &e->eye[0], *judge = &e->eye[0];
	struct sw_pkt p;
	int parsed = host_parse(&sender->host, f->data, f->len, f->wire_len, (struct vantage){ 0 });

	/* flags that no TCP sends are a segment of the connection, too */
	if (parsed == SW_R_BAD_FLAGS && sw_sort_key(&sender->host.pkt) != SW_R_OBSERVED)
		return 0;
	if (parsed != SW_R_OBSERVED && parsed != SW_R_BAD_FLAGS)
		return 0;
	p = sender->host.pkt;
	if (!e->keyed && (p.flags & (SW_TH_SYN | SW_TH_ACK | SW_TH_RST)) == SW_TH_SYN) {
		e->key = p.key;
		e->keyed = true;
	}
	if (!e->keyed || e->over || !sw_key_equal(&p.key, &e->key))
		return 0;
	if (!e->ifindex[p.from & 1])
		e->ifindex[p.from & 1] = f->ifindex;
	if (e->ifindex[p.from & 1] != f->ifindex) /* the same again, on its way through this host */
		return 0;
	if (e->eyes > 1) {
		sender = &e->eye[p.from & 1];
		judge = &e->eye[(p.from & 1) ^ 1];
	}
	if (f->part != PART_ARRIVED)
		observe(e, sender, &p, parsed, f, e->eyes > 1);
	else
		sender = judge;
	if (f->part == PART_SENT || f->part == PART_LOST)
		judge = sender;
	else if (judge != sender || f->part == PART_ARRIVED)
		observe(e, judge, &p, parsed, f, false);
	if (f->time_ns < e->opts.born)
		return 0;
	if (e->opts.born && judge->what & SW_CH_STORED && judge->after.there &&
	    judge->after.f.born > e->opts.born) {
		e->over = true; /* the ports have gone to the next connection */
		return 0;
	}
	if (!e->begun && begin(e, f->time_ns))
		return -1;
	return row(e, f, &p, sender, judge);
}

int explain_event(struct explain *e, int end, const char *what, int becomes, uint64_t now)
{
	struct explain_row r = { .time_ns = now, .from = end, .event = what };

	if (explain_flush(e) || (!e->begun && begin(e, now)))
		return -1;
	r.since_ns = e->last_ns ? sw_age(now, e->last_ns) : 0;
	if (becomes >= 0) {
		r.moved[end] = becomes != e->state[end];
		e->state[end] = becomes;
	}
	memcpy(r.state, e->state, sizeof(r.state));
	e->last_ns = now;
	return e->opts.view->row(&r);
}

int explain_end(struct explain *e)
{
	return e->begun && (explain_flush(e) || e->opts.view->end()) ? -1 : 0;
}

bool explain_states(const struct explain *e, uint8_t state[2])
{
	memcpy(state, e->state, sizeof(e->state));
	return e->begun;
}
