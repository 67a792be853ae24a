// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "commands.h"
#include "fail.h"
#include "hostmirror.h"
#include "journal.h"
#include "kernelmirror.h"
#include "out.h"
#include "progress.h"
#include "view.h"

enum { IN_KERNEL = OPT_FIRST_OWN, MAX_FLOWS, MAX_HALF_OPEN, SYN_TIMEOUT, MSL };

static const struct option options[] = {
	{ "in-kernel", no_argument, 0, IN_KERNEL },
	{ "max-flows", required_argument, 0, MAX_FLOWS },
	{ "max-half-open", required_argument, 0, MAX_HALF_OPEN },
	{ "syn-timeout", required_argument, 0, SYN_TIMEOUT },
	{ "msl", required_argument, 0, MSL },
	COMMON_OPTIONS,
};

static struct {
	const char *path;
	bool in_kernel;
	uint64_t max_flows, max_half_open, syn_timeout_s, msl_s;
} want = {
	.max_flows = SW_MAX_FLOWS_DEFAULT,
	.max_half_open = SW_MAX_HALF_OPEN_DEFAULT,
	.syn_timeout_s = SW_SYN_TIMEOUT_DEFAULT,
	.msl_s = SW_MSL_DEFAULT,
};

/* The mirror that a capture goes through: the host's parses for both. */
struct replay {
	struct host host;
	struct kernel_mirror kernel;
	struct journal *journal;
	uint64_t packets, now;
};

static int open_mirror(struct replay *r)
{
	if (host_init(&r->host, want.in_kernel ? SW_MAX_FLOWS_MIN : want.max_flows,
		      want.in_kernel ? SW_MAX_HALF_OPEN_MIN : want.max_half_open,
		      want.syn_timeout_s, want.msl_s))
		return -1;
	if (want.in_kernel) {
		struct sw_config cfg = r->host.cfg;

		cfg.proven_buckets = sw_buckets_for(want.max_flows);
		cfg.half_buckets = sw_buckets_for(want.max_half_open);
		if (kernel_mirror_open(&r->kernel, &cfg))
			return -1;
		r->journal = journal_new(&cfg, r->kernel.proven, r->kernel.half);
	} else {
		r->journal = journal_new(&r->host.cfg, r->host.proven, r->host.half);
	}
	return r->journal ? 0 : -1;
}

static void close_mirror(struct replay *r)
{
	if (r->journal)
		journal_free(r->journal);
	if (r->kernel.skel)
		kernel_mirror_close(&r->kernel);
	host_free(&r->host);
}

static int observe(struct replay *r, const struct capture_frame *f, int parsed)
{
	if (want.in_kernel)
		return kernel_mirror_packet(&r->kernel, f->data, f->len, f->wire_len, f->time_ns);
	if (parsed == SW_R_OBSERVED)
		parsed = host_segment(&r->host, f->data, f->len, false, f->time_ns);
	r->host.reasons[parsed]++;
	return 0;
}

static void print_change(uint64_t packet, const struct flow_view *v)
{
	int server = sw_server(&v->f);
	json_object *line;

	if (!out.json)
		return;
	line = json_object_new_object();
	json_object_object_add(line, "packet", json_object_new_int64(packet));
	json_object_object_add(line, "client", view_side(v, server ^ 1));
	json_object_object_add(line, "server", view_side(v, server));
	out_doc(line, NULL);
}

static int replay_frame(struct replay *r, const struct capture_frame *f)
{
	int parsed = host_parse(&r->host, f->data, f->len, f->wire_len, (struct vantage){ 0 });
	struct flow_view v;
	int changed;

	r->packets = f->number;
	r->now = f->time_ns;
	if (parsed != SW_R_OBSERVED)
		return observe(r, f, parsed);
	journal_before(r->journal, &r->host.pkt.key);
	if (observe(r, f, parsed))
		return -1;
	changed = journal_after(r->journal, f->time_ns, &v);
	if (changed > 0)
		print_change(f->number, &v);
	return changed < 0 ? -1 : 0;
}

static int replay_all(struct replay *r, struct capture *c)
{
	struct capture_frame f;
	int more;

	while ((more = capture_next(c, &f)) > 0) {
		more = replay_frame(r, &f);
		if (more)
			break;
		if (!(f.number & 0xffff))
			progress_show(capture_progress(c));
	}
	progress_end();
	return more;
}

static const struct out_column columns[] = {
	{ "FLOW", "flow", 6, NULL },
	{ "CLIENT", NULL, -21, view_cell_client },
	{ "STATE", "client.state", -11, NULL },
	{ "SERVER", NULL, -21, view_cell_server },
	{ "STATE", "server.state", -11, NULL },
	{ "HANDSHAKE", "handshake", -9, NULL },
	{ "SRV-US", "server_us", 7, NULL },
	{ "CLI-US", "client_us", 7, NULL },
	{ "NOTES", NULL, -8, view_cell_notes },
	{ 0 },
};

static int print_flow(uint64_t n, const struct flow_view *v, void *arg)
{
	const struct replay *r = arg;
	json_object *line = json_object_new_object();

	json_object_object_add(line, "flow", json_object_new_int64(n));
	view_flow(line, &r->host.cfg, NULL, v);
	json_object_object_add(line, "handshake", json_object_new_string(view_handshake(&v->f)));
	if (out.json)
		out_doc(line, NULL);
	else
		out_table_row(line);
	return 0;
}

/* What kind of packet a reason speaks of. */
enum kind { TCP, SKIPPED, MALFORMED, KINDS };

static enum kind kind_of(enum sw_reason reason)
{
	switch (reason) {
	case SW_R_NOT_IP:
	case SW_R_NOT_TCP:
	case SW_R_UNPARSED:
	case SW_R_FRAGMENT:
		return SKIPPED;
	case SW_R_TRUNCATED:
	case SW_R_BAD_IP:
	case SW_R_BAD_TCP:
	case SW_R_BAD_CHECKSUM:
		return MALFORMED;
	default:
		return TCP;
	}
}

static void print_summary(json_object *doc)
{
	static const char *const fields[] = { "packets", "tcp", "skipped", "malformed", "flows" };
	char text[32];

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		out_thousands(text, sizeof(text), out_int(out_at(doc, "summary"), fields[i]));
		printf("%s%s %s", i ? ", " : "", text, fields[i]);
	}
	putchar('\n');
}

static int summarize(struct replay *r)
{
	json_object *doc = json_object_new_object(), *sum = json_object_new_object();
	const uint64_t *reasons = r->host.reasons;
	uint64_t count[KINDS] = { 0 }, kernel[SW_R_COUNT];

	if (want.in_kernel) {
		if (kernel_mirror_reasons(&r->kernel, kernel))
			return -1;
		reasons = kernel;
	}
	for (int i = 0; i < SW_R_COUNT; i++)
		count[kind_of(i)] += reasons[i];
	json_object_object_add(doc, "summary", sum);
	json_object_object_add(sum, "packets", json_object_new_int64(r->packets));
	json_object_object_add(sum, "tcp", json_object_new_int64(count[TCP]));
	json_object_object_add(sum, "skipped", json_object_new_int64(count[SKIPPED]));
	json_object_object_add(sum, "malformed", json_object_new_int64(count[MALFORMED]));
	json_object_object_add(sum, "flows", json_object_new_int64(journal_flows(r->journal)));
	json_object_object_add(sum, "reasons", view_reasons(reasons));
	out_doc(doc, print_summary);
	return 0;
}

/* What the packets so far add up to. */
static int print_flows(struct replay *r)
{
	if (!out.json)
		out_table_begin(columns);
	if (journal_end(r->journal, r->now, print_flow, r))
		return -1;
	if (!out.json)
		out_table_end("no flow");
	return summarize(r);
}

static int parse(int argc, char **argv)
{
	int c;

	while ((c = opts_next(&cmd_replay, argc, argv, options)) >= 0) {
		bool good = true;

		switch (c) {
		case IN_KERNEL:
			want.in_kernel = true;
			break;
		case MAX_FLOWS:
			good = opts_number("--max-flows", optarg, SW_MAX_FLOWS_MIN,
					   SW_MAX_FLOWS_MAX, &want.max_flows);
			break;
		case MAX_HALF_OPEN:
			good = opts_number("--max-half-open", optarg, SW_MAX_HALF_OPEN_MIN,
					   SW_MAX_HALF_OPEN_MAX, &want.max_half_open);
			break;
		case SYN_TIMEOUT:
			good = opts_number("--syn-timeout", optarg, SW_SYN_TIMEOUT_MIN,
					   SW_SYN_TIMEOUT_MAX, &want.syn_timeout_s);
			break;
		case MSL:
			good = opts_number("--msl", optarg, SW_MSL_MIN, SW_MSL_MAX, &want.msl_s);
		}
		if (!good)
			return EXIT_USAGE;
	}
	if (c == OPT_DONE)
		return opts_status() ? opts_status() : -1;
	if (optind == argc)
		return opts_bad(&cmd_replay, "no capture file given");
	if (optind + 1 < argc)
		return opts_bad(&cmd_replay, "unexpected '%s'", argv[optind + 1]);
	want.path = argv[optind];
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	int status = parse(argc, argv);
	struct replay r = { 0 };
	struct capture *c;
	char why[512];

	if (status)
		return status < 0 ? EXIT_DONE : status;
	c = capture_open(want.path);
	if (!c)
		return EXIT_FAILED;
	if (open_mirror(&r)) {
		status = EXIT_FAILED;
	} else if (replay_all(&r, c)) {
		/* what was read before the damage is shown all the same */
		snprintf(why, sizeof(why), "%s", sw_err_text());
		if (r.packets && !print_flows(&r))
			sw_err("%s", why);
		status = EXIT_FAILED;
	} else if (print_flows(&r)) {
		status = EXIT_FAILED;
	}
	close_mirror(&r);
	capture_close(c);
	return status;
}

const struct command cmd_replay = {
	.name = "replay",
	.summary = "Mirror a capture: pcap or pcapng; no root",
	.usage = "FILE [OPTION]...",
	.help = "FILE is Ethernet, raw IP, Linux cooked or loopback, \"-\" standard input. The capture's\n"
		"clock is the clock, its last packet is the present. A flow is shown from its first\n"
		"packet on; with --json each packet that changes a state is a line, then each flow,\n"
		"then a summary.\n\n"
		"      --in-kernel          through the BPF programs, by test runs; as root\n"
		"      --max-flows N        proven connections held at a time (default 262144)\n"
		"      --max-half-open N    handshakes held at a time (default 65536)\n"
		"      --syn-timeout SEC    a half-open handshake ends after it (default 63)\n"
		"      --msl SEC            TIME_WAIT lasts two of them (default 30)\n\n"
		"Example:\n      tcpdump -w - -c 1000 tcp | synward replay -\n\n",
	.run = run,
};
