// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "out.h"

static bool journal;
static unsigned long lost;

/* $JOURNAL_STREAM names the device and inode of the stream that goes to the journal. */
void log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long dev, inode;
	struct stat st;

	journal = stream && sscanf(stream, "%lu:%lu", &dev, &inode) == 2 &&
		  !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == inode;
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LINE_ERROR:
		return "error";
	case LOG_LINE_WARNING:
		return "warning";
	case LOG_LINE_NOTICE:
		return "notice";
	default:
		return "info";
	}
}

/* In one write, so that lines stay whole; a part of one counts as lost. */
static bool put(int fd, const char *text)
{
	size_t n = strlen(text);

	return write(fd, text, n) == (ssize_t)n;
}

static bool put_json(enum log_level level, const char *line)
{
	json_object *doc = json_object_new_object();
	char text[2048];

	json_object_object_add(doc, "time", out_now());
	json_object_object_add(doc, "level", json_object_new_string(level_name(level)));
	json_object_object_add(doc, "message", json_object_new_string(line));
	snprintf(text, sizeof(text), "%s\n",
		 json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(doc);
	return put(STDOUT_FILENO, text);
}

static bool put_text(enum log_level level, const char *line)
{
	json_object *now;
	char text[2048];

	if (journal) {
		snprintf(text, sizeof(text), "<%d>%s\n", level, line);
		return put(STDERR_FILENO, text);
	}
	now = out_now();
	snprintf(text, sizeof(text), "%s %s: %s\n", json_object_get_string(now), level_name(level),
		 line);
	json_object_put(now);
	return put(STDERR_FILENO, text);
}

static bool emit(enum log_level level, const char *line)
{
	return out.json ? put_json(level, line) : put_text(level, line);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024], before[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (unsigned char *c = (unsigned char *)line; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
	if (lost) {
		snprintf(before, sizeof(before), "%lu lines of this log could not be written",
			 lost);
		if (emit(LOG_LINE_WARNING, before))
			lost = 0;
	}
	if (!emit(level, line))
		lost++;
}
