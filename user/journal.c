// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "journal.h"

enum fate {
	ALIVE,
	OVER, /* both ends closed, or the time was up */
	LOST, /* there was no room for it any more */
};

/* One flow as it was after its last packet. */
struct record {
	uint64_t n;	 /* from 1; 0: the slot holds none */
	uint64_t ends_s; /* half-open table: when its time is up */
	uint8_t table;	 /* enum sw_table */
	uint8_t fate;
	struct sw_flow f;
};

/* A table, and what we know of each of its slots. */
struct shadow {
	const struct sw_bucket *table;
	uint32_t buckets;
	struct record *records; /* SW_WAYS for each bucket */
	bool *used;		/* by bucket: has records */
	struct sw_place before; /* of the packet's flow */
};

struct journal {
	struct sw_config cfg;
	struct shadow shadow[2]; /* by enum sw_table */
	struct sw_key key;
	struct sw_hash hash;
	bool settled; /* the packet's flow, before it */
	uint64_t flows;
	FILE *file; /* record n at (n - 1) * sizeof(struct record) */
};

static int shadow_init(struct shadow *s, const struct sw_bucket *table, uint32_t buckets)
{
	s->table = table;
	s->buckets = buckets;
	s->records = calloc((size_t)buckets * SW_WAYS, sizeof(*s->records));
	s->used = calloc(buckets, sizeof(*s->used));
	return s->records && s->used ? 0 : sw_err("no memory for the flows of a replay");
}

struct journal *journal_new(const struct sw_config *cfg, const struct sw_bucket *proven,
			    const struct sw_bucket *half)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j) {
		sw_err("no memory");
		return NULL;
	}
	j->cfg = *cfg;
	j->file = tmpfile();
	if (!j->file)
		sw_err("cannot make a temporary file: %s", strerror(errno));
	else if (!shadow_init(&j->shadow[SW_PROVEN], proven, cfg->proven_buckets) &&
		 !shadow_init(&j->shadow[SW_HALF], half, cfg->half_buckets))
		return j;
	journal_free(j);
	return NULL;
}

void journal_free(struct journal *j)
{
	for (int t = 0; t < 2; t++) {
		free(j->shadow[t].records);
		free(j->shadow[t].used);
	}
	if (j->file)
		fclose(j->file);
	free(j);
}

uint64_t journal_flows(const struct journal *j)
{
	return j->flows;
}

static struct sw_place find(const struct journal *j, const struct shadow *s)
{
	/* sw_find() does not write: the const is taken away for its signature only */
	struct sw_bucket *b[2] = {
		(struct sw_bucket *)s->table + sw_bucket_index(j->hash.index[0], s->buckets),
		(struct sw_bucket *)s->table + sw_bucket_index(j->hash.index[1], s->buckets),
	};

	return sw_find(b, j->hash.tag, &j->key);
}

static struct record *record_of(struct shadow *s, struct sw_place at)
{
	return &s->records[(at.bucket - s->table) * SW_WAYS + at.slot];
}

static bool same_birth(const struct sw_flow *a, const struct sw_flow *b)
{
	return a->born == b->born && sw_key_equal(&a->key, &b->key);
}

/* The same flow in the same slot. */
static bool same(const struct sw_flow *a, const struct sw_flow *b)
{
	return same_birth(a, b) && a->ctl.gen == b->ctl.gen;
}

static int save(struct journal *j, const struct record *r)
{
	off_t at = (r->n - 1) * sizeof(*r);

	if (pwrite(fileno(j->file), r, sizeof(*r), at) == sizeof(*r))
		return 0;
	return sw_err("cannot write to a temporary file: %s; TMPDIR may be full", strerror(errno));
}

/* The slot is not its own any more. */
static int retire(struct journal *j, struct record *r, enum fate fate)
{
	int ret;

	r->fate = fate;
	ret = save(j, r);
	r->n = 0;
	return ret;
}

/* A flow whose slot went to another: was it over by then, or is this its successor? */
static enum fate fate_of(const struct journal *j, const struct record *r, uint64_t now)
{
	bool over = r->table == SW_HALF ? r->ends_s <= now / SW_NS_PER_SEC :
					  sw_ended(&r->f, now, &j->cfg);

	return over || sw_key_equal(&r->f.key, &j->key) ? OVER : LOST;
}

static bool rests(uint8_t state)
{
	return state == SW_CLOSED || state == SW_TIME_WAIT;
}

static void take(struct journal *j, struct record *r, enum sw_table table, struct sw_place at,
		 uint64_t now)
{
	uint32_t stamp = at.bucket->stamp[at.slot], now_s = now / SW_NS_PER_SEC;

	r->f = *sw_flow_of(at);
	r->table = table;
	r->ends_s = now_s + j->cfg.life_s[SW_HALF][stamp >> 30] - sw_stamp_age(stamp, now_s);
}

static void view(const struct journal *j, const struct record *r, uint64_t now,
		 struct flow_view *v)
{
	*v = (struct flow_view){ .f = r->f, .now = now, .proven = r->table == SW_PROVEN };
	if (r->fate == OVER || (r->fate == ALIVE && !v->proven && r->ends_s <= now / SW_NS_PER_SEC)) {
		/* silence ended it, or it gave way to its successor: no packet said so */
		if (!rests(r->f.ctl.state[0]) || !rests(r->f.ctl.state[1]))
			v->f.flags |= SW_F_AMBIGUOUS;
		v->proven = true; /* nothing that could still expire */
		return;
	}
	if (r->fate == LOST)
		v->f.flags |= SW_F_AMBIGUOUS;
	v->state[0] = sw_state_at(&v->f, 0, now, &j->cfg);
	v->state[1] = sw_state_at(&v->f, 1, now, &j->cfg);
	v->ends_s = v->proven ? 0 : r->ends_s - now / SW_NS_PER_SEC;
}

/* Between two ESTABLISHED ends nothing but their own flow changes, and it stays where it is. */
static bool settled(struct sw_place at)
{
	return at.bucket && sw_flow_of(at)->ctl.state[0] == SW_ESTABLISHED &&
	       sw_flow_of(at)->ctl.state[1] == SW_ESTABLISHED;
}

void journal_before(struct journal *j, const struct sw_key *key)
{
	struct sw_place at;

	j->key = *key;
	j->hash = sw_hash_key(key, &j->cfg);
	at = find(j, &j->shadow[SW_PROVEN]);
	j->settled = settled(at);
	j->shadow[SW_PROVEN].before = at;
	j->shadow[SW_HALF].before = (struct sw_place){ 0 };
	if (!j->settled)
		j->shadow[SW_HALF].before = find(j, &j->shadow[SW_HALF]);
}

/* A flow of this key is in the table: new, known, or moved here. True when a state changed. */
static int follow(struct journal *j, enum sw_table table, struct sw_place at, uint64_t now,
		  struct flow_view *v)
{
	struct shadow *s = &j->shadow[table], *half = &j->shadow[SW_HALF];
	struct record *r = record_of(s, at);
	const struct sw_flow *f = sw_flow_of(at);
	__u8 was[2] = { SW_CLOSED, SW_CLOSED };
	bool fresh = true;

	if (r->n && same(&r->f, f)) {
		memcpy(was, r->f.ctl.state, sizeof(was));
		fresh = false;
	} else {
		if (r->n && retire(j, r, fate_of(j, r, now)))
			return -1;
		if (table == SW_PROVEN && half->before.bucket) {
			struct record *from = record_of(half, half->before);

			if (from->n && same_birth(&from->f, f)) {
				memcpy(was, from->f.ctl.state, sizeof(was));
				r->n = from->n;
				from->n = 0;
				fresh = false;
			}
		}
		if (fresh)
			r->n = ++j->flows;
		r->fate = ALIVE;
		s->used[at.bucket - s->table] = true;
	}
	take(j, r, table, at, now);
	if (!fresh && was[0] == f->ctl.state[0] && was[1] == f->ctl.state[1])
		return 0;
	view(j, r, now, v);
	return 1;
}

/* The packet took its flow out of the table: the slot still holds its last words. */
static int dropped(struct journal *j, enum sw_table table, uint64_t now, struct flow_view *v)
{
	struct shadow *s = &j->shadow[table];
	struct record *r = record_of(s, s->before);
	const struct sw_flow *f = sw_flow_of(s->before);
	__u8 was[2];

	memcpy(was, r->f.ctl.state, sizeof(was));
	if (same(&r->f, f))
		r->f = *f;
	r->fate = OVER;
	view(j, r, now, v);
	if (retire(j, r, OVER))
		return -1;
	return was[0] != r->f.ctl.state[0] || was[1] != r->f.ctl.state[1];
}

int journal_after(struct journal *j, uint64_t now, struct flow_view *v)
{
	struct flow_view other;
	int changed = 0, ret;

	if (j->settled)
		return follow(j, SW_PROVEN, j->shadow[SW_PROVEN].before, now, v);
	for (int t = SW_PROVEN; t <= SW_HALF; t++) {
		struct sw_place at = find(j, &j->shadow[t]);

		ret = at.bucket ? follow(j, t, at, now, &other) : 0;
		if (ret < 0)
			return -1;
		if (ret > 0)
			*v = other;
		changed |= ret;
	}
	for (int t = SW_PROVEN; t <= SW_HALF; t++) {
		struct shadow *s = &j->shadow[t];
		struct record *r;

		if (!s->before.bucket)
			continue;
		r = record_of(s, s->before);
		if (!r->n || !sw_key_equal(&r->f.key, &j->key) ||
		    s->before.bucket->tag[s->before.slot])
			continue;
		ret = dropped(j, t, now, &other);
		if (ret < 0)
			return -1;
		if (ret > 0)
			*v = other;
		changed |= ret;
	}
	return changed;
}

static int save_all(struct journal *j)
{
	for (int t = 0; t < 2; t++) {
		struct shadow *s = &j->shadow[t];

		for (size_t b = 0; b < s->buckets; b++)
			for (int i = 0; s->used[b] && i < SW_WAYS; i++)
				if (s->records[b * SW_WAYS + i].n &&
				    save(j, &s->records[b * SW_WAYS + i]))
					return -1;
	}
	return 0;
}

int journal_end(struct journal *j, uint64_t now,
		int (*fn)(uint64_t n, const struct flow_view *v, void *arg), void *arg)
{
	struct flow_view v;
	struct record r;
	int ret = save_all(j);

	rewind(j->file);
	while (!ret && fread(&r, sizeof(r), 1, j->file) == 1) {
		view(j, &r, now, &v);
		ret = fn(r.n, &v, arg);
	}
	return ret;
}
