/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_COMMANDS_H
#define SW_COMMANDS_H

#include "opts.h"

/* One file per command: cmd_NAME.c. */
extern const struct command cmd_attach, cmd_detach, cmd_status, cmd_states, cmd_flows,
	cmd_listeners, cmd_guard, cmd_allow, cmd_deny, cmd_attacks, cmd_top, cmd_events, cmd_run,
	cmd_replay, cmd_verify, cmd_doctor, cmd_explain, cmd_lab;

#endif
