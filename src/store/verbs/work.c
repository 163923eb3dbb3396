/* SPDX-License-Identifier: MIT */
/* What all verbs are made of: statements with their values, and failures. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/digest.h"
#include "store/verbs/verbs.h"

void cnk_work_fail(struct cnk_work *work, int status, const char *reason)
{
  if (work->status != 0)
    return;
  work->status = work->call->status = status;
  snprintf(work->call->message, sizeof work->call->message, "%s", reason);
}

void cnk_work_conflict(struct cnk_work *work, const char *reason)
{
  cnk_work_fail(work, CNK_STORE_CONFLICT, reason);
}

void cnk_work_refuse(struct cnk_work *work, int status)
{
  const char *reason;
  switch (status) {
  case CNK_STORE_NO_MEMORY: reason = "not enough memory for what was read"; break;
  case CNK_STORE_TOO_MANY: reason = "the rows of a query are larger than they may be"; break;
  default: reason = work->session->driver->problem(work->session);
  }
  cnk_work_fail(work, status, reason);
}

int64_t cnk_work_next(struct cnk_work *work)
{
  return ++work->session->sequence;
}

int64_t cnk_work_day(double time)
{
  enum { DAY_SECONDS = 86400 };
  return (int64_t)floor(time / DAY_SECONDS);
}

struct cnk_halves cnk_work_halves(struct cnk_work *work, struct cnk_text name)
{
  int64_t halves[2] = {0};
  if (!cnk_digest_halves(name.data ? name.data : "", name.size, halves))
    cnk_work_fail(work, CNK_STORE_NO_MEMORY, "not enough memory for a digest");
  return (struct cnk_halves){.hash = halves[0], .rest = halves[1]};
}

int64_t cnk_work_find_key(struct cnk_work *work, enum cnk_keyed table, int64_t hash)
{
  const struct cnk_sql_driver *driver = work->session->driver;
  int64_t id = hash;
  int status = work->status == 0 && driver->find_key ? driver->find_key(work->session, table, hash, &id) : 0;
  if (status != 0)
    cnk_work_refuse(work, status);
  return id;
}

int64_t cnk_work_find_sent(struct cnk_work *work, struct cnk_text message_id)
{
  return cnk_work_find_key(work, CNK_KEYED_SENT, cnk_work_halves(work, message_id).hash);
}

int64_t cnk_work_add_key(struct cnk_work *work, enum cnk_keyed table, int64_t hash)
{
  const struct cnk_sql_driver *driver = work->session->driver;
  int64_t id = 0;
  if (!driver->add_key)
    return cnk_work_next(work);
  int status = work->status == 0 ? driver->add_key(work->session, table, hash, &id) : 0;
  if (status != 0)
    cnk_work_refuse(work, status);
  return id;
}

static int64_t run(struct cnk_work *work, enum cnk_sql sql, const char *format, va_list values)
{
  struct cnk_sql_session *session = work->session;
  int64_t changes = 0;
  if (work->status != 0)
    return 0;
  int status = session->driver->run(session, session->writes[sql], format, values, &changes);
  if (status != 0) {
    cnk_work_refuse(work, status);
    return 0;
  }
  work->has_written |= changes > 0;
  return changes;
}

int64_t cnk_work_run(struct cnk_work *work, enum cnk_sql sql, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  int64_t changes = run(work, sql, format, values);
  va_end(values);
  return changes;
}

void cnk_work_send(struct cnk_work *work, enum cnk_sql sql, const char *format, ...)
{
  struct cnk_sql_session *session = work->session;
  if (work->status != 0)
    return;
  va_list values;
  va_start(values, format);
  int status = session->driver->run(session, session->writes[sql], format, values, NULL);
  va_end(values);
  if (status != 0)
    cnk_work_refuse(work, status);
  else
    work->has_written = true;
}

void cnk_work_send_ahead(struct cnk_work *work, enum cnk_sql sql, int64_t *changes, const char *format, ...)
{
  struct cnk_sql_session *session = work->session;
  if (work->status != 0)
    return;
  va_list values;
  va_start(values, format);
  int status = session->driver->send_ahead(session, session->writes[sql], format, values, changes);
  va_end(values);
  if (status != 0)
    cnk_work_refuse(work, status);
}

static void send_expected(struct cnk_work *work, enum cnk_sql sql, const char *format, va_list values)
{
  struct cnk_sql_session *session = work->session;
  if (work->status != 0)
    return;
  struct cnk_expectation *expected = cnk_arena_take(&work->call->arena, sizeof *expected);
  int status = CNK_STORE_NO_MEMORY;
  if (expected) {
    *expected = (struct cnk_expectation){.next = session->expected};
    status = session->driver->send_ahead(session, session->writes[sql], format, values, &expected->changes);
  }
  if (status != 0) {
    cnk_work_refuse(work, status);
    return;
  }
  session->expected = expected;
}

void cnk_work_expect(struct cnk_work *work, const char *reason, enum cnk_sql sql, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  if (work->session->is_whole) {
    send_expected(work, sql, format, values);
    work->has_written = true;
  } else if (!run(work, sql, format, values)) {
    cnk_work_conflict(work, reason);
  }
  va_end(values);
}

/* NULL after a failure, too. */
static struct cnk_value read_first(struct cnk_work *work, enum cnk_sql sql, const char *format, va_list values)
{
  struct cnk_sql_session *session = work->session;
  struct cnk_value first = {0};
  bool has_written = false;
  if (work->status != 0)
    return first;
  int status =
      session->driver->read(session, session->writes[sql], format, values, &work->call->arena, &first, &has_written);
  work->has_written |= has_written;
  if (status == 0)
    return first;
  cnk_work_refuse(work, status);
  return (struct cnk_value){0};
}

void cnk_work_expect_row(struct cnk_work *work, const char *reason, enum cnk_sql sql, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  if (work->session->is_whole && work->session->wary == 0)
    send_expected(work, sql, format, values);
  else if (read_first(work, sql, format, values).kind == CNK_VALUE_NULL)
    cnk_work_conflict(work, reason);
  va_end(values);
}

bool cnk_work_read(struct cnk_work *work, enum cnk_sql sql, int64_t *out, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  struct cnk_value first = read_first(work, sql, format, values);
  va_end(values);
  bool is_found = first.kind == CNK_VALUE_INTEGER;
  *out = is_found ? first.as.integer : 0;
  return is_found;
}

struct cnk_text cnk_work_read_text(struct cnk_work *work, enum cnk_sql sql, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  struct cnk_value first = read_first(work, sql, format, values);
  va_end(values);
  return first.kind == CNK_VALUE_BYTES ? first.as.bytes : (struct cnk_text){0};
}
