// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "explain_flows.h"
#include "fail.h"
#include "hostmirror.h"
#include "journal.h"
#include "out.h"
#include "progress.h"
#include "view.h"

/* What makes a connection worth a look: a whole life first, then what is unusual in it. */
static int score_of(const struct sw_flow *f)
{
	static const struct {
		uint32_t flag;
		int points;
	} worth[] = {
		{ SW_F_COMPLETED, 8 },	  { SW_F_FIN, 4 },	    { SW_F_FIN << 1, 4 },
		{ SW_F_RST, 5 },	  { SW_F_SIMULTANEOUS, 9 }, { SW_F_CROSSED, 9 },
		{ SW_F_HALF_CLOSED, 1 },  { SW_F_AMBIGUOUS, 2 },    { SW_F_SYNACK, 1 },
		{ SW_F_MIDSTREAM, -8 },
	};
	int again = f->syn_rtx + f->synack_rtx + f->fin_rtx, sum = again > 3 ? 6 : 2 * again;

	for (size_t i = 0; i < sizeof(worth) / sizeof(*worth); i++)
		if (f->flags & worth[i].flag)
			sum += worth[i].points;
	return sum;
}

static void put_in_list(struct found_flows *f, const struct found_flow *x)
{
	int least = 0;

	if (f->listed < FLOWS_LISTED) {
		f->list[f->listed++] = *x;
		return;
	}
	for (int i = 1; i < FLOWS_LISTED; i++)
		if (f->list[i].score <= f->list[least].score)
			least = i;
	if (x->score <= f->list[least].score)
		return;
	memmove(&f->list[least], &f->list[least + 1],
		(FLOWS_LISTED - least - 1) * sizeof(*f->list));
	f->list[FLOWS_LISTED - 1] = *x;
}

struct search {
	struct found_flows *to;
	uint64_t wanted;
};

static int take(uint64_t n, const struct flow_view *v, void *arg)
{
	struct search *s = arg;
	struct found_flow x = { .n = n, .score = score_of(&v->f), .v = *v };
	struct found_flows *f = s->to;

	f->count++;
	put_in_list(f, &x);
	if (s->wanted ? n == s->wanted : !f->chosen.n || x.score > f->chosen.score)
		f->chosen = x;
	return 0;
}

/* All frames through the mirror. 0 at the end, -1 with sw_err(); *now: of the last one. */
static int read_all(struct capture *c, struct host *h, struct journal *j, uint64_t *now)
{
	struct capture_frame f;
	struct flow_view v;
	int more;

	while ((more = capture_next(c, &f)) > 0) {
		int parsed = host_parse(h, f.data, f.len, f.wire_len, (struct vantage){ 0 });

		*now = f.time_ns;
		if (!(f.number & 0xffff))
			progress_show(capture_progress(c));
		if (parsed != SW_R_OBSERVED)
			continue;
		journal_before(j, &h->pkt.key);
		host_segment(h, f.data, f.len, false, f.time_ns);
		if (journal_after(j, f.time_ns, &v) < 0)
			return -1;
	}
	progress_end();
	return more;
}

int flows_find(const char *path, uint64_t wanted, struct found_flows *to, bool *whole)
{
	struct search s = { to, wanted };
	struct capture *c = capture_open(path);
	struct journal *j = NULL;
	struct host host = { 0 };
	uint64_t now = 0;
	int ret = -1;

	memset(to, 0, sizeof(*to));
	if (!c)
		return -1;
	if (!host_init(&host, SW_MAX_FLOWS_DEFAULT, SW_MAX_HALF_OPEN_DEFAULT,
		       SW_SYN_TIMEOUT_DEFAULT, SW_MSL_DEFAULT))
		j = journal_new(&host.cfg, host.proven, host.half);
	if (j) {
		*whole = !read_all(c, &host, j, &now);
		ret = now ? journal_end(j, now, take, &s) : -1;
		journal_free(j);
	}
	host_free(&host);
	capture_close(c);
	return ret;
}

static void cell_mark(json_object *row, char *text, size_t size)
{
	snprintf(text, size, "%s", json_object_get_boolean(out_at(row, "chosen")) ? ">" : "");
}

static const struct out_column columns[] = {
	{ " ", NULL, 1, cell_mark },
	{ "FLOW", "flow", 6, NULL },
	{ "CLIENT", NULL, -21, view_cell_client },
	{ "STATE", "client.state", -11, NULL },
	{ "SERVER", NULL, -21, view_cell_server },
	{ "STATE", "server.state", -11, NULL },
	{ "HANDSHAKE", "handshake", -9, NULL },
	{ "NOTES", NULL, -8, view_cell_notes },
	{ 0 },
};

void flows_print(const struct found_flows *f, const char *path)
{
	struct sw_config cfg = { .two_msl_s = 2 * SW_MSL_DEFAULT };
	char all[32];

	out_table_begin(columns);
	for (int i = 0; i < f->listed; i++) {
		const struct found_flow *x = &f->list[i];
		json_object *line = json_object_new_object();

		json_object_object_add(line, "flow", json_object_new_int64(x->n));
		json_object_object_add(line, "chosen", json_object_new_boolean(x->n == f->chosen.n));
		view_flow(line, &cfg, NULL, &x->v);
		json_object_object_add(line, "handshake",
				       json_object_new_string(view_handshake(&x->v.f)));
		out_table_row(line);
	}
	out_table_end("no flow");
	if (f->count > (uint64_t)f->listed) {
		out_thousands(all, sizeof(all), f->count);
		printf("and more, %s in all: synward replay %s\n", all, path);
	}
	printf("\nFlow %" PRIu64 "; another one: --flow N\n\n", f->chosen.n);
}
