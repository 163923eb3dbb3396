/* SPDX-License-Identifier: MIT */
/* What the host itself writes to standard error: the warnings of Lua, and the error that ends the program; as the log is written,
 * in plain lines or as objects of JSON. */
#ifndef CNK_HOST_REPORT_H
#define CNK_HOST_REPORT_H

#include <stdbool.h>

struct cnk_report {
  bool is_on, is_within; /* within: the next piece goes on with the line */
};

/* A lua_WarnFunction. As in the plain interpreter, which keeps its own to itself, "@on" and "@off" switch, and the rest comes in
 * pieces. "@json" and "@text" say how all lines are written: base/log.lua sends them. */
void cnk_report_warning(void *report, const char *message, int is_continued);

void cnk_report_failure(const char *message);

/* A line of up to some hundred bytes, of a level of the log. On any thread: without the lock of stderr, which another one may hold. */
void cnk_report_line(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
