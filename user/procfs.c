// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "procfs.h"

unsigned long long proc_field(const char *path, const char *fmt)
{
	unsigned long long value = 0;
	char line[128];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, fmt, &value) == 1)
			break;
	if (f)
		fclose(f);
	return value;
}
