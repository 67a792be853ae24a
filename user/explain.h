/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_EXPLAIN_H
#define SW_EXPLAIN_H

#include "explain_notes.h"

/*
 * One connection as a ladder: a row for each segment, with the states of both
 * ends after it and a sentence why. Frames go through the mirror of this process
 * (hostmirror.h); a view draws the rows as they come, and holds none of them.
 */

/* How much of a segment's way a row shows. All but WHOLE need an observer at each end. */
enum explain_part { PART_WHOLE, PART_SENT, PART_ARRIVED, PART_LOST };

/* What is known before the first row. */
struct explain_head {
	char end[2][64];   /* "addr:port" of client, server */
	uint8_t state[2];
	uint64_t flow;	 /* its number in the file, 0 none */
	enum explain_lang lang;
	bool absolute;	 /* sequence numbers as on the wire */
	bool coarse;	 /* times below what a timer of TCP waits at least are noise */
};

struct explain_row {
	uint64_t packet, time_ns;
	uint64_t since_ns; /* since the last segment, 0 for the first */
	struct sw_pkt pkt;
	enum explain_part part;
	int from;	   /* 0 the client, 1 the server */
	const char *event; /* no segment: what this end's program did, as "close()" */
	uint32_t seq, ack; /* as to be shown */
	uint8_t state[2];  /* of client and server, after it */
	bool moved[2];	   /* they were others before */
	bool retransmit;
	int reason;	   /* enum sw_reason: SW_R_OBSERVED, or why it counts for nothing */
	enum explain_note note;
	/* of client, server. More than one: the row stands for a run of data segments and ACKs. */
	uint64_t segments[2], bytes[2];
};

static inline bool explain_is_run(const struct explain_row *r)
{
	return r->segments[0] + r->segments[1] > 1;
}

/* A way to draw. -1 with sw_err() ends the ladder. */
struct explain_view {
	bool every; /* wants each segment: no runs */
	int (*begin)(const struct explain_head *h);
	int (*row)(const struct explain_row *r);
	int (*end)(void);
};

extern const struct explain_view explain_text, explain_json, explain_svg;

/* For explain_text: ASCII only. The default is what the locale's character set can show. */
void explain_text_ascii(bool ascii);
bool explain_text_is_ascii(void);
/* For explain_svg: where to, "-" is stdout. */
void explain_svg_path(const char *path);

/* Helpers of views. */
const char *explain_flags(uint16_t flags, const char *between, char *text, size_t size);
/* "SYN seq=0 ack=1 len=3" */
const char *explain_label(const struct explain_row *r, char *text, size_t size);
/* "mss 1460, wscale 7, SACK, timestamps"; "" when there are none to show. */
const char *explain_syn_options(const struct sw_pkt *p, char *text, size_t size);
/* "12 segments: 400 bytes to the server, 9,000 to the client" */
const char *explain_run_text(const struct explain_row *r, enum explain_lang lang, char *text,
			     size_t size);
/* What happened to it beside its sentence: "retransmitted", "ignored: syn-ignored, RFC ...", "". */
const char *explain_mark(const struct explain_row *r, enum explain_lang lang, char *text,
			 size_t size);
/* "+1.2 ms", "" when there is nothing to say. */
const char *explain_since(const struct explain_row *r, bool coarse, char *text, size_t size);

struct explain_options {
	const struct explain_view *view;
	enum explain_lang lang;
	bool absolute;
	bool both_ends;	      /* an observer at each end; endpoint 0 is the client's */
	bool listens;	      /* with both_ends: the server has a listening socket */
	const struct sw_key *key; /* NULL: that of the first SYN */
	uint64_t born;	      /* only the connection of these ports that began then; 0: all */
	uint64_t flow;
};

struct explain;

/* NULL with sw_err(). */
struct explain *explain_new(const struct explain_options *o);

/* A frame of a capture. Segments of other connections are passed over. -1 with sw_err(). */
struct explain_frame {
	uint64_t number, time_ns;
	const void *data;
	size_t len, wire_len;
	enum explain_part part;
	uint32_t ifindex; /* counted on one device for each direction; 0: not known */
};
int explain_frame(struct explain *e, const struct explain_frame *f);

/* No segment: an end's program does something. becomes: its state from now on, -1: as it is. */
int explain_event(struct explain *e, int end, const char *what, int becomes, uint64_t now);

/* Draw what is held back because it may be part of a run. */
int explain_flush(struct explain *e);
/* Draw the rest. */
int explain_end(struct explain *e);
void explain_free(struct explain *e);

/* The states of client and server after the last segment; false when there was none. */
bool explain_states(const struct explain *e, uint8_t state[2]);

#endif
