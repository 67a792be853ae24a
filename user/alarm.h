/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_ALARM_H
#define SW_ALARM_H

#include "live.h"

/* What the person on call should know first. The greater, the worse. */
enum alarm_level { ALARM_NONE, ALARM_NOTE, ALARM_WARN, ALARM_ATTACK };

struct alarm {
	enum alarm_level level;
	char text[160];
};

/* Is it armed, and are most of the handshakes of the last seconds not completed? */
bool alarm_attack(const struct live *v, const struct live_listener *l);

/* Into at, at most size of them, the worst first; how many there are. */
size_t alarms(const struct live *v, struct alarm *at, size_t size);

#endif
