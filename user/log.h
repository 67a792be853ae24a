/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LOG_H
#define SW_LOG_H

/* As syslog numbers them. */
enum log_level { LOG_LINE_ERROR = 3, LOG_LINE_WARNING = 4, LOG_LINE_NOTICE = 5, LOG_LINE_INFO = 6 };

/*
 * The log of the agent: one line on stderr, which the journal takes with its level
 * (where systemd says that it listens), and which carries its time elsewhere. With
 * --json an object on stdout instead. What a line quotes may come from anybody:
 * control characters do not get through. A line that cannot be written (a full
 * disk) is lost, and the next one that can be says how many were.
 */
void log_init(void);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
