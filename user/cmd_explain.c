// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "commands.h"
#include "explain.h"
#include "explain_flows.h"
#include "fail.h"
#include "out.h"

enum { PORT = OPT_FIRST_OWN, PEER, DEV, FLOW, ABSOLUTE, ASCII, LANG, SVG };

static const struct option options[] = {
	{ "port", required_argument, 0, PORT },	  { "peer", required_argument, 0, PEER },
	{ "dev", required_argument, 0, DEV },	  { "flow", required_argument, 0, FLOW },
	{ "absolute", no_argument, 0, ABSOLUTE }, { "ascii", no_argument, 0, ASCII },
	{ "lang", required_argument, 0, LANG },	  { "svg", required_argument, 0, SVG },
	COMMON_OPTIONS,
};

static struct {
	const char *path, *peer, *dev, *svg;
	uint64_t port, flow;
} want;

static struct explain_options how = { .view = &explain_text };

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static int feed(struct explain *e, const struct capture_frame *f)
{
	struct explain_frame frame = { .number = f->number,   .time_ns = f->time_ns,
				       .data = f->data,	      .len = f->len,
				       .wire_len = f->wire_len, .ifindex = f->ifindex };

	return explain_frame(e, &frame);
}

/* The chosen connection, from the same file once more. Damage was reported by the first reading. */
static int explain_flow(const char *path, const struct found_flow *chosen)
{
	struct capture *c = capture_open(path);
	struct explain *e;
	struct capture_frame f;
	int ret = -1;

	if (!c)
		return -1;
	how.key = &chosen->v.f.key;
	how.born = chosen->v.f.born;
	how.flow = chosen->n;
	e = explain_new(&how);
	if (e) {
		ret = 0;
		while (!ret && capture_next(c, &f) > 0)
			ret = feed(e, &f);
		if (explain_end(e))
			ret = -1;
		explain_free(e);
	}
	capture_close(c);
	return ret;
}

static int explain_file(const char *path)
{
	struct found_flows flows;
	char damage[512] = "";
	bool whole;

	if (flows_find(path, want.flow, &flows, &whole))
		return -1;
	if (!whole)
		snprintf(damage, sizeof(damage), "%s", sw_err_text());
	if (!flows.count)
		return sw_err("%s", whole ? "no TCP connection in there" : damage);
	if (!flows.chosen.n)
		return sw_err("there is no flow %llu; the last one is %llu",
			      (unsigned long long)want.flow, (unsigned long long)flows.count);
	if (!out.json && !want.svg && flows.count > 1)
		flows_print(&flows, want.path);
	if (explain_flow(path, &flows.chosen))
		return -1;
	return whole ? 0 : sw_err("%s", damage);
}

/* Standard input is read twice: keep it. */
static int explain_stdin(void)
{
	FILE *copy = tmpfile();
	char buf[1 << 16], path[32];
	size_t n;
	int ret;

	if (!copy)
		return sw_err("cannot make a temporary file: %s", strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), stdin)) && fwrite(buf, 1, n, copy) == n)
		;
	if (fflush(copy) || ferror(copy) || ferror(stdin)) {
		fclose(copy);
		return sw_err("cannot copy standard input: %s; TMPDIR may be full", strerror(errno));
	}
	snprintf(path, sizeof(path), "/dev/fd/%d", fileno(copy));
	ret = explain_file(path);
	fclose(copy);
	return ret;
}

/* Both ends are through: what may come is a FIN that is sent again. */
static bool is_over(const struct explain *e)
{
	uint8_t state[2];

	if (!explain_states(e, state))
		return false;
	for (int i = 0; i < 2; i++)
		if (state[i] != SW_CLOSED && state[i] != SW_TIME_WAIT)
			return false;
	return true;
}

static int follow(struct capture *c, struct explain *e)
{
	struct capture_frame f;
	int quiet = 0, ret;

	while (!stopped) {
		ret = capture_next(c, &f);
		if (ret < 0)
			return -1;
		if (ret) {
			quiet = 0;
			if (feed(e, &f))
				return -1;
			fflush(stdout);
			continue;
		}
		/* for a second: a run of data is drawn, and what is over is done with */
		if (++quiet < 5)
			continue;
		if (explain_flush(e))
			return -1;
		fflush(stdout);
		if (is_over(e))
			break;
	}
	return 0;
}

static int explain_live(void)
{
	struct sigaction act = { .sa_handler = stop };
	struct capture *c;
	struct explain *e;
	char filter[128];
	int ret;

	snprintf(filter, sizeof(filter), "tcp port %u%s%s", (unsigned int)want.port,
		 want.peer ? " and host " : "", want.peer ? want.peer : "");
	c = capture_live(want.dev, filter);
	if (!c)
		return -1;
	e = explain_new(&how);
	if (!e) {
		capture_close(c);
		return -1;
	}
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "waiting for the next connection on port %u\n",
			(unsigned int)want.port);
	ret = follow(c, e);
	if (explain_end(e))
		ret = -1;
	explain_free(e);
	capture_close(c);
	return ret;
}

static bool is_address(const char *text)
{
	uint8_t addr[16];

	return inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
}

static int parse(int argc, char **argv)
{
	static const char *const langs[] = { "en", "zh", NULL };
	bool ascii = false;
	int c, word;

	while ((c = opts_next(&cmd_explain, argc, argv, options)) >= 0) {
		switch (c) {
		case PORT:
			if (!opts_number("--port", optarg, 1, 65535, &want.port))
				return EXIT_USAGE;
			break;
		case PEER:
			want.peer = optarg;
			if (!is_address(optarg))
				return opts_bad(&cmd_explain, "--peer wants an address, not '%s'", optarg);
			break;
		case DEV:
			want.dev = optarg;
			break;
		case FLOW:
			if (!opts_number("--flow", optarg, 1, UINT64_MAX / 2, &want.flow))
				return EXIT_USAGE;
			break;
		case ABSOLUTE:
			how.absolute = true;
			break;
		case ASCII:
			ascii = true;
			break;
		case LANG:
			word = opts_word("--lang", optarg, langs);
			if (word < 0)
				return EXIT_USAGE;
			how.lang = word;
			break;
		case SVG:
			want.svg = optarg;
		}
	}
	if (c == OPT_DONE)
		return opts_status() ? opts_status() : -1;
	if (optind + 1 < argc)
		return opts_bad(&cmd_explain, "unexpected '%s'", argv[optind + 1]);
	want.path = argv[optind];
	if (!want.path == !want.port)
		return opts_bad(&cmd_explain, "give a capture file, or --port for a live connection");
	if (want.path && (want.peer || want.dev))
		return opts_bad(&cmd_explain, "%s is for a live connection, with --port",
				want.peer ? "--peer" : "--dev");
	if (want.port && want.flow)
		return opts_bad(&cmd_explain, "--flow is for a capture file");
	if (want.svg && out.json)
		return opts_bad(&cmd_explain, "--svg and --json");
	explain_text_ascii(ascii);
	if (want.svg) {
		explain_svg_path(want.svg);
		how.view = &explain_svg;
	} else if (out.json) {
		how.view = &explain_json;
	}
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	int status = parse(argc, argv);

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (want.port)
		return explain_live() ? EXIT_FAILED : EXIT_DONE;
	if (!strcmp(want.path, "-"))
		return explain_stdin() ? EXIT_FAILED : EXIT_DONE;
	return explain_file(want.path) ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_explain = {
	.name = "explain",
	.summary = "One connection, segment by segment, with both states",
	.usage = "FILE | --port P [OPTION]...",
	.help = "FILE is a capture as for replay, \"-\" standard input; no root. Of several connections the\n"
		"list comes first and the most interesting one is explained. Data segments and ACKs in\n"
		"a row are one line. With --json each segment is a line.\n\n"
		"      --flow N             that connection of the file, numbered as replay does\n"
		"      --port P             live: the next connection that opens on this port, until it is\n"
		"                           over or Ctrl-C; as root\n"
		"      --peer ADDR          live: with this address at one end\n"
		"      --dev DEV            live: on this device (default: all)\n"
		"      --absolute           sequence numbers as on the wire, not from 0\n"
		"      --svg FILE           the ladder as a drawing, \"-\" to standard output\n"
		"      --lang en|zh         of the sentences (default en)\n"
		"      --ascii              no Unicode (default: as the locale says)\n\n"
		"Example:\n      tcpdump -w - -c 100 port 80 | synward explain -\n\n",
	.run = run,
};
