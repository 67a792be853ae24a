/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TOP_H
#define SW_TOP_H

#include <stdint.h>

#define TOP_LATENCY_INTERVALS 60u /* percentiles are of so many */

/* Draws until it is ended; an exit status, with sw_err(). */
int top_screen(uint64_t interval_s);

#endif
