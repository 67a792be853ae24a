// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>

#include "backend.h"
#include "fail.h"
#include "kernelfeatures.h"
#include "sysctl.h"

/* tcp_get_syncookie_mss wants 2; of timestamps, 1 has a secret offset, 0 has none (secure_tcp_ts_off). */
static const char *helper_lacks(void)
{
	uint32_t cookies = sysctl_read("net/ipv4/tcp_syncookies");
	uint32_t timestamps = sysctl_read("net/ipv4/tcp_timestamps");
	static char text[160];

	if (cookies == 2 && timestamps != 1)
		return NULL;
	snprintf(text, sizeof(text),
		 "net.ipv4.tcp_syncookies is %" PRIu32 " and net.ipv4.tcp_timestamps %" PRIu32
		 "; the kernel's cookies need 2 and 2",
		 cookies, timestamps);
	return text;
}

const char *backend_lacks(uint32_t backend)
{
	bool assign = features_get()->assign;

	switch (backend) {
	case SW_BACKEND_ASSIGN:
		return !assign ? "this kernel lacks bpf_sk_assign_tcp_reqsk (6.9)" :
		       sysctl_read("net/ipv4/tcp_syncookies") ? NULL :
								"net.ipv4.tcp_syncookies is 0";
	case SW_BACKEND_HELPER:
		return helper_lacks();
	default:
		return assign ? "attached with --cookie-backend none" :
				"this kernel lacks bpf_sk_assign_tcp_reqsk (6.9), and the attach "
				"was without --cookie-backend helper";
	}
}

int backend_pick(enum backend_asked asked, uint32_t *backend)
{
	bool assign = features_get()->assign;

	switch (asked) {
	case BACKEND_AUTO:
		*backend = assign	       ? SW_BACKEND_ASSIGN :
			   !helper_lacks() ? SW_BACKEND_HELPER :
					     SW_BACKEND_NONE;
		return 0;
	case BACKEND_ASSIGN:
		*backend = SW_BACKEND_ASSIGN;
		return assign ? 0 :
				sw_err("%s, which --cookie-backend assign needs; use "
				       "--cookie-backend auto",
				       backend_lacks(*backend));
	case BACKEND_HELPER:
		*backend = SW_BACKEND_HELPER;
		return !helper_lacks() ?
			       0 :
			       sw_err("%s, which touches every listener of the host: sysctl -w "
				      "net.ipv4.tcp_syncookies=2 net.ipv4.tcp_timestamps=2",
				      helper_lacks());
	case BACKEND_NONE:
		break;
	}
	*backend = SW_BACKEND_NONE;
	return 0;
}

const char *backend_name(uint32_t backend)
{
	static const char *const names[] = { "none", "assign", "helper" };

	return backend < 3 ? names[backend] : "?";
}
