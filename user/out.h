/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_OUT_H
#define SW_OUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Every view builds its document once, as a JSON object, and text is drawn
 * from that document: what --json prints and what a person reads cannot differ.
 */
extern struct out {
	bool json;
	bool terminal; /* stdout is one: redrawing allowed */
	bool colour;   /* and colours wanted (NO_COLOR) */
	int width;     /* columns, 80 when stdout is no terminal */
	int height;
} out;

void out_init(void);

/* One document: printed as JSON, or drawn by text(). Takes the reference. */
void out_doc(json_object *doc, void (*text)(json_object *doc));

/* A table: a JSON array, or aligned columns. A column's value is at its path ("client.addr"). */
struct out_column {
	const char *head;
	const char *path;
	int width;  /* least width; negative: left-aligned */
	/* writes the cell; NULL: the value at path, "-" for null */
	void (*cell)(json_object *row, char *text, size_t size);
};

void out_table_begin(const struct out_column *columns);
void out_table_row(json_object *row); /* takes the reference */
void out_table_end(const char *when_empty);

/* The value at a dotted path, NULL when there is none or it is null. */
json_object *out_at(json_object *doc, const char *path);
int64_t out_int(json_object *doc, const char *path);	 /* 0 when absent */
const char *out_str(json_object *doc, const char *path); /* "-" when absent */

/* A horizontal bar of value/max in width cells of eighths; only where wanted colours. */
void out_bar(char *text, size_t size, uint64_t value, uint64_t max, int width);

/* Escape sequences, or "" where they are not wanted. */
const char *out_bold(void);
const char *out_dim(void);
const char *out_red(void);
const char *out_plain(void);

/* Values for documents: RFC 3339 UTC with microseconds; null for a missing number. */
json_object *out_time(uint64_t realtime_ns);
json_object *out_now(void);
json_object *out_maybe(bool present, int64_t value);

/* Numbers as people read them: 1234567 as 1,234,567; 65000 ms as 1m05s. */
void out_thousands(char *text, size_t size, uint64_t value);
void out_duration(char *text, size_t size, uint64_t ms);

#endif
