/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_CAPTURE_H
#define SW_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A pcap or pcapng file, whatever its link layer, as Ethernet frames: those of
 * raw IP, Linux cooked (1 and 2) and loopback captures get an Ethernet header
 * with the type that the file gives.
 */
struct capture;

struct capture_frame {
	uint64_t number; /* in file order, from 1 */
	uint64_t time_ns; /* the capture's clock; never 0 */
	const uint8_t *data; /* until the next one is read */
	size_t len;	  /* bytes that are here */
	size_t wire_len;  /* bytes that there were */
	uint32_t ifindex; /* of a cooked (2) capture, as on all devices; else 0 */
};

/* path "-" is standard input. NULL with sw_err(): not there, no capture, an unsupported link layer. */
struct capture *capture_open(const char *path);

/*
 * What passes by now, on dev or (NULL) on all devices, and matches a pcap-filter(7).
 * NULL with sw_err().
 */
struct capture *capture_live(const char *dev, const char *filter);

/*
 * 1: *f is the next frame; 0: the end, or nothing for a fifth of a second (live);
 * -1 with sw_err(): damaged from here on.
 */
int capture_next(struct capture *c, struct capture_frame *f);

/* How much of the file has been read, 0 to 1; below 0 when that cannot be told. */
double capture_progress(const struct capture *c);

void capture_close(struct capture *c);

#endif
