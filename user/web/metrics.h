/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_METRICS_H
#define SW_METRICS_H

#include "picture.h"

/*
 * The picture for Prometheus: OpenMetrics 1.0, or the text format 0.0.4 that was
 * before it. No label holds what a client could choose. An allocated text, NULL: no memory.
 */
char *metrics_text(const struct picture *p, bool openmetrics);

#endif
