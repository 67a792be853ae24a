// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "fail.h"
#include "out.h"
#include "version.h"

static const struct command *const commands[] = {
	&cmd_attach, &cmd_detach, &cmd_status, &cmd_states,  &cmd_flows,  &cmd_listeners,
	&cmd_guard,  &cmd_allow,  &cmd_deny,   &cmd_attacks, &cmd_top,	  &cmd_events,
	&cmd_run,    &cmd_doctor, &cmd_verify, &cmd_replay,  &cmd_explain, &cmd_lab,
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static void help(void)
{
	puts("usage: synward COMMAND [OPTION]...\n\n"
	     "Watches every TCP handshake that crosses this host's interfaces, and keeps SYN floods from its sockets.\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	puts("\n`synward COMMAND --help` tells its options and gives examples.");
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return sw_err("no command; see `synward --help`"), EXIT_USAGE;
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return help(), EXIT_DONE;
	if (!strcmp(argv[1], "--version"))
		return printf("synward %s\n", SW_VERSION), EXIT_DONE;
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i]->name))
			return commands[i]->run(argc - 1, argv + 1);
	return sw_err("no command '%s'; see `synward --help`", argv[1]), EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int status;

	signal(SIGPIPE, SIG_DFL); /* a closed pipe ends a stream quietly */
	out_init();
	status = run(argc, argv);
	if (status == EXIT_DONE || status == EXIT_NO)
		return fflush(stdout) ? perror("synward: stdout"), EXIT_FAILED : status;
	/* a usage error may come before --json was reached */
	for (int i = 1; i < argc; i++)
		out.json |= !strcmp(argv[i], "--json");
	fflush(stdout);
	fprintf(stderr, "synward: %s\n", sw_err_text());
	if (status == EXIT_SAID)
		return EXIT_FAILED;
	if (out.json) {
		json_object *doc = json_object_new_object();

		json_object_object_add(doc, "error", json_object_new_string(sw_err_text()));
		out_doc(doc, NULL);
	}
	return status;
}
