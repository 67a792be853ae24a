// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>

#include "flowsort.h"

static uint64_t key_age(const struct flow_view *v)
{
	return sw_age(v->now, v->f.born);
}

static uint64_t key_idle(const struct flow_view *v)
{
	return sw_age(v->now, v->f.last);
}

static uint64_t key_server_us(const struct flow_view *v)
{
	return v->f.server_us == SW_UNSEEN ? 0 : v->f.server_us;
}

static uint64_t key_client_us(const struct flow_view *v)
{
	return v->f.client_us == SW_UNSEEN ? 0 : v->f.client_us;
}

static uint64_t key_retransmits(const struct flow_view *v)
{
	return v->f.syn_rtx + v->f.synack_rtx + v->f.fin_rtx;
}

static uint64_t key_state(const struct flow_view *v)
{
	return v->state[sw_server(&v->f)] * 16 + v->state[sw_server(&v->f) ^ 1];
}

const char *const flow_sort_names[] = { "age",	 "idle",  "server_us", "client_us",
					"retransmits", "state", NULL };

uint64_t flow_sort_key(int sort, const struct flow_view *v)
{
	static uint64_t (*const keys[])(const struct flow_view *v) = {
		key_age, key_idle, key_server_us, key_client_us, key_retransmits, key_state,
	};

	return keys[sort](v);
}
