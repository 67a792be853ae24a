/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_OTHERS_H
#define SW_OTHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "NAME (id N)" of a BPF program, into buf. */
const char *program_name(uint32_t id, char *buf, size_t size);

/* The tcx programs of others on both sides of a device: their names, as many as fit. */
bool others_tcx(int ifindex, char *buf, size_t size);

#endif
