/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EPISODE_USER_H
#define SW_EPISODE_USER_H

#include <json-c/json.h>

#include "guard.h"
#include "store.h"

/*
 * Place i of map "episodes": the episode whose number is i modulo SW_EPISODES,
 * with its numbers until now or its end. False: there has been none.
 */
bool episode_get(const struct store *s, const struct guard *g, uint32_t i, uint64_t now,
		 struct sw_episode *e);

/* An entry of `attacks`. */
json_object *episode_view(const struct store *s, const struct sw_episode *e);

#endif
