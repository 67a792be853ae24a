// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "fail.h"
#include "lab.h"
#include "lab_pace.h"
#include "out.h"
#include "snapshot.h"
#include "wrap.h"

#define BACKLOG 16

enum { SLOW = OPT_FIRST_OWN, ABSOLUTE, ASCII, LANG, SVG };

static const struct option options[] = {
	{ "slow", no_argument, 0, SLOW },	  { "absolute", no_argument, 0, ABSOLUTE },
	{ "ascii", no_argument, 0, ASCII },	  { "lang", required_argument, 0, LANG },
	{ "svg", required_argument, 0, SVG },	  COMMON_OPTIONS,
};

static struct {
	const struct lab_scenario *scenario;
	const char *svg;
	bool slow;
} want;

static struct explain_options how;

static const struct lab_scenario *find(const char *name)
{
	for (const struct lab_scenario *s = lab_scenarios; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static void list(void)
{
	json_object *row;

	if (out.json)
		putchar('[');
	for (const struct lab_scenario *s = lab_scenarios; s->name; s++) {
		if (!out.json) {
			printf("%s%-20s%s %s%*s %s\n", out_bold(), s->name, out_plain(), s->title[how.lang],
			       (int)(41 - text_width(s->title[how.lang])), "", s->teaches[how.lang]);
			continue;
		}
		row = json_object_new_object();
		json_object_object_add(row, "scenario", json_object_new_string(s->name));
		json_object_object_add(row, "title", json_object_new_string(s->title[how.lang]));
		json_object_object_add(row, "teaches", json_object_new_string(s->teaches[how.lang]));
		printf("%s%s", s == lab_scenarios ? "" : ",\n",
		       json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN));
		json_object_put(row);
	}
	if (out.json)
		puts("]");
}

/* The last line: what the sockets have come to. */
static int conclude(struct lab *l)
{
	uint8_t kernel[2], shown[2] = { 0 };
	bool agrees = lab_agrees(l, kernel);

	explain_states(l->e, shown);
	if (out.json) {
		json_object *doc = json_object_new_object();

		json_object_object_add(doc, "scenario", json_object_new_string(want.scenario->name));
		json_object_object_add(doc, "client_socket", json_object_new_string(state_name(kernel[0])));
		json_object_object_add(doc, "server_socket", json_object_new_string(state_name(kernel[1])));
		out_doc(doc, NULL);
	} else if (!want.svg) {
		printf(how.lang == LANG_ZH ? "\n内核中的套接字：客户端 %s，服务器 %s\n" :
					     "\nThe kernel's sockets: client %s, server %s\n",
		       state_name(kernel[0]), state_name(kernel[1]));
	}
	fflush(stdout);
	return agrees ? 0 :
			sw_err("the ladder says %s and %s, the kernel %s and %s", state_name(shown[0]),
			       state_name(shown[1]), state_name(kernel[0]), state_name(kernel[1]));
}

static int play(void)
{
	const struct lab_scenario *s = want.scenario;
	const struct explain_view *view = want.svg ? &explain_svg :
					  out.json ? &explain_json : &explain_text;
	struct lab l = { .slow = want.slow, .lang = how.lang };
	int ret;

	how.view = &pace_view;
	how.listens = s->listens;
	if (lab_open(&l, s->gauges ? NULL : &how))
		return -1;
	pace_begin(view, want.slow);
	if (!out.json && !want.svg)
		printf("%s%s%s: %s\n\n", out_bold(), s->title[how.lang], out_plain(), s->teaches[how.lang]);
	ret = s->listens && !s->gauges ? lab_listen(&l, BACKLOG) : 0;
	if (!ret)
		ret = s->play(&l) ? -1 : 0;
	if (!ret)
		ret = lab_drain(&l);
	if (!ret && l.e)
		ret = conclude(&l);
	pace_end();
	lab_close(&l);
	return ret;
}

static int parse(int argc, char **argv)
{
	static const char *const langs[] = { "en", "zh", NULL };
	bool ascii = false;
	int c, word;

	while ((c = opts_next(&cmd_lab, argc, argv, options)) >= 0) {
		switch (c) {
		case SLOW:
			want.slow = true;
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
		return opts_bad(&cmd_lab, "unexpected '%s'", argv[optind + 1]);
	if (want.svg && (out.json || want.slow))
		return opts_bad(&cmd_lab, "--svg and %s", out.json ? "--json" : "--slow");
	if (argv[optind]) {
		want.scenario = find(argv[optind]);
		if (!want.scenario)
			return opts_bad(&cmd_lab, "no scenario '%s'; `synward lab` lists them",
					argv[optind]);
		if (want.svg && want.scenario->gauges)
			return opts_bad(&cmd_lab, "%s has no ladder to draw", argv[optind]);
	}
	explain_text_ascii(ascii);
	if (want.svg)
		explain_svg_path(want.svg);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	int status = parse(argc, argv);

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (want.scenario)
		return play() ? EXIT_FAILED : EXIT_DONE;
	list();
	return EXIT_DONE;
}

const struct command cmd_lab = {
	.name = "lab",
	.summary = "Play a TCP scenario between two private namespaces and explain it",
	.usage = "[SCENARIO] [OPTION]...",
	.help = "Without SCENARIO: lists them. With one, as root: real sockets in two network namespaces\n"
		"that exist only for it, and the wire between them, explained as it happens. Nothing of\n"
		"this host is touched.\n\n"
		"      --slow               a second for each segment; on a terminal a key steps on\n"
		"      --absolute           sequence numbers as on the wire, not from 0\n"
		"      --svg FILE           the ladder as a drawing, \"-\" to standard output\n"
		"      --lang en|zh         of the sentences (default en)\n"
		"      --ascii              no Unicode (default: as the locale says)\n\n"
		"Example:\n      synward lab close --slow\n\n",
	.run = run,
};
