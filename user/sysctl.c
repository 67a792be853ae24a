// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>

#include "sysctl.h"

uint32_t sysctl_read(const char *name)
{
	char path[128];
	uint32_t value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu32, &value) != 1)
		value = 0;
	fclose(f);
	return value;
}
