/* SPDX-License-Identifier: MIT */
/* What the host itself writes; see report.h for the contract. Nothing is allocated: a finalizer may warn when memory is short. */
#include "host/report.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_bool is_json;

/* Escapes as much of a text as there is room for, and the NUL; moves `text` behind that. */
static char *escape(char *to, const char *end, const char **text)
{
  for (; **text && to + sizeof "\\u0000" <= end; ++*text) {
    unsigned char byte = (unsigned char)**text;
    if (byte < ' ')
      to += sprintf(to, "\\u%04x", byte);
    else if (byte == '"' || byte == '\\')
      to += sprintf(to, "\\%c", byte);
    else
      *to++ = (char)byte;
  }
  *to = '\0';
  return to;
}

static void write_escaped(const char *text)
{
  char part[512];
  while (*text) {
    escape(part, part + sizeof part, &text);
    fputs(part, stderr);
  }
}

enum { HEAD_BYTES = 96 };

/* How an object begins, with the same names in the same order as base/log.lua has. */
static char *make_head(char to[HEAD_BYTES], const char *level)
{
  struct timespec now = {0};
  struct tm parts = {0};
  char time[32];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  return to + snprintf(to, HEAD_BYTES, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":\"", time,
                       now.tv_nsec / 1000000, level);
}

static void begin_object(const char *level)
{
  char head[HEAD_BYTES];
  make_head(head, level);
  fputs(head, stderr);
}

static void control(struct cnk_report *report, const char *message)
{
  if (strcmp(message, "@on") == 0 || strcmp(message, "@off") == 0)
    report->is_on = message[2] == 'n';
  else if (strcmp(message, "@json") == 0 || strcmp(message, "@text") == 0)
    atomic_store(&is_json, message[1] == 'j');
}

void cnk_report_warning(void *state, const char *message, int is_continued)
{
  struct cnk_report *report = state;
  bool is_first = !report->is_within;
  if (is_first && !is_continued && message[0] == '@') {
    control(report, message);
    return;
  }
  report->is_within = is_continued;
  if (!report->is_on)
    return;
  if (is_first && is_json)
    begin_object("warning");
  if (is_first)
    fputs("Lua warning: ", stderr);
  if (is_json)
    write_escaped(message);
  else
    fputs(message, stderr);
  if (!is_continued)
    fputs(is_json ? "\"}\n" : "\n", stderr);
}

void cnk_report_failure(const char *message)
{
  if (!is_json) {
    fprintf(stderr, "cunnekt: %s\n", message);
    return;
  }
  begin_object("error");
  write_escaped(message);
  fputs("\"}\n", stderr);
}

void cnk_report_line(const char *level, const char *format, ...)
{
  char text[600], line[HEAD_BYTES + sizeof text * 2];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  if (is_json) {
    const char *rest = text;
    char *end = escape(make_head(line, level), line + sizeof line - sizeof "\"}\n", &rest);
    memcpy(end, "\"}\n", sizeof "\"}\n");
  } else {
    snprintf(line, sizeof line, "cunnekt: %s: %s\n", level, text);
  }
  if (write(STDERR_FILENO, line, strlen(line)) < 0)
    return; /* there is nobody to tell */
}
