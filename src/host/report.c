/* SPDX-License-Identifier: MIT */
/* What the host itself writes; see report.h for the contract. Nothing is allocated: a finalizer may warn when memory is short. */
#include "host/report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void write_escaped(const char *text)
{
  char part[512] = "", *at = part;
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte < ' ')
      at += sprintf(at, "\\u%04x", byte);
    else if (byte == '"' || byte == '\\')
      at += sprintf(at, "\\%c", byte);
    else
      *at++ = *text;
    if (at > part + sizeof part - sizeof "\\u0000") {
      fwrite(part, 1, (size_t)(at - part), stderr);
      at = part;
    }
  }
  fwrite(part, 1, (size_t)(at - part), stderr);
}

/* The same names in the same order as base/log.lua has. */
static void begin_object(const char *level)
{
  struct timespec now = {0};
  struct tm parts = {0};
  char time[32];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  fprintf(stderr, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":\"", time, now.tv_nsec / 1000000, level);
}

static void control(struct cnk_report *report, const char *message)
{
  if (strcmp(message, "@on") == 0 || strcmp(message, "@off") == 0)
    report->is_on = message[2] == 'n';
  else if (strcmp(message, "@json") == 0 || strcmp(message, "@text") == 0)
    report->is_json = message[1] == 'j';
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
  if (is_first && report->is_json)
    begin_object("warning");
  if (is_first)
    fputs("Lua warning: ", stderr);
  if (report->is_json)
    write_escaped(message);
  else
    fputs(message, stderr);
  if (!is_continued)
    fputs(report->is_json ? "\"}\n" : "\n", stderr);
}

void cnk_report_failure(const struct cnk_report *report, const char *message)
{
  if (!report->is_json) {
    fprintf(stderr, "cunnekt: %s\n", message);
    return;
  }
  begin_object("error");
  write_escaped(message);
  fputs("\"}\n", stderr);
}
