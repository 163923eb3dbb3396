/* SPDX-License-Identifier: MIT */
/* What all verbs are made of: statements with their parameters, and failures. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/digest.h"
#include "store/sqlite/verbs/verbs.h"

void cnk_work_fail(struct cnk_work *work, int status, const char *reason)
{
  if (work->status != SQLITE_OK)
    return;
  work->status = work->call->status = status;
  snprintf(work->call->message, sizeof work->call->message, "%s", reason);
}

void cnk_work_conflict(struct cnk_work *work, const char *reason)
{
  cnk_work_fail(work, CNK_STORE_CONFLICT, reason);
}

int64_t cnk_work_next(struct cnk_work *work)
{
  return ++work->store->sequence;
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
    cnk_work_fail(work, SQLITE_NOMEM, "not enough memory for a digest");
  return (struct cnk_halves){.hash = halves[0], .rest = halves[1]};
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static int bind_text(sqlite3_stmt *statement, int at, struct cnk_text text)
{
  if (!text.data)
    return sqlite3_bind_null(statement, at);
  if (text.size == 0) /* a blob without bytes would be NULL */
    return sqlite3_bind_zeroblob(statement, at, 0);
  return sqlite3_bind_blob64(statement, at, text.data, text.size, SQLITE_STATIC);
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): the analyser does not see the callers' va_start */
static int bind_all(sqlite3_stmt *statement, const char *format, va_list values)
{
  int status = SQLITE_OK;
  for (int at = 1; *format && status == SQLITE_OK; format++, at++) {
    int64_t integer;
    double real;
    switch (*format) {
    case 'i': status = sqlite3_bind_int64(statement, at, va_arg(values, int64_t)); break;
    case 'o':
      integer = va_arg(values, int64_t);
      status = integer ? sqlite3_bind_int64(statement, at, integer) : sqlite3_bind_null(statement, at);
      break;
    case 'r':
      real = va_arg(values, double);
      status = isnan(real) ? sqlite3_bind_null(statement, at) : sqlite3_bind_double(statement, at, real);
      break;
    default: status = bind_text(statement, at, va_arg(values, struct cnk_text));
    }
  }
  return status;
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

/* The bound statement; NULL after a failure. */
static sqlite3_stmt *prepare(struct cnk_work *work, enum cnk_sql sql, const char *format, va_list values)
{
  sqlite3_stmt *statement = NULL;
  if (work->status != SQLITE_OK)
    return NULL;
  int status = cnk_sql_compile(work->store, work->store->writes[sql], &statement);
  if (status == SQLITE_OK)
    status = bind_all(statement, format, values);
  if (status == SQLITE_OK)
    return statement;
  cnk_work_fail(work, status, sqlite3_errmsg(work->store->db));
  return NULL;
}

struct cnk_text cnk_work_read_text(struct cnk_work *work, enum cnk_sql sql, const char *format, ...)
{
  struct cnk_text text = {0};
  va_list values;
  va_start(values, format);
  sqlite3_stmt *statement = prepare(work, sql, format, values);
  va_end(values);
  if (!statement)
    return text;
  int status = sqlite3_step(statement);
  if (status == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
    const void *data = sqlite3_column_blob(statement, 0);
    struct cnk_text found = {data ? data : "", (size_t)sqlite3_column_bytes(statement, 0)};
    if (!cnk_arena_copy(&work->call->arena, found, &text))
      cnk_work_fail(work, SQLITE_NOMEM, "not enough memory for what was read");
  } else if (status != SQLITE_DONE && status != SQLITE_ROW) {
    cnk_work_fail(work, status, sqlite3_errmsg(work->store->db));
  }
  sqlite3_reset(statement);
  return text;
}

int64_t cnk_work_run(struct cnk_work *work, enum cnk_sql sql, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  sqlite3_stmt *statement = prepare(work, sql, format, values);
  va_end(values);
  if (!statement)
    return 0;
  int status = sqlite3_step(statement);
  int64_t changes = sqlite3_changes64(work->store->db);
  if (status != SQLITE_DONE)
    cnk_work_fail(work, status == SQLITE_ROW ? SQLITE_MISUSE : status, sqlite3_errmsg(work->store->db));
  sqlite3_reset(statement);
  if (work->status != SQLITE_OK)
    return 0;
  work->has_written |= changes > 0;
  return changes;
}

bool cnk_work_read(struct cnk_work *work, enum cnk_sql sql, int64_t *out, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  sqlite3_stmt *statement = prepare(work, sql, format, values);
  va_end(values);
  *out = 0;
  if (!statement)
    return false;
  int status = sqlite3_step(statement);
  bool is_found = status == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;
  if (is_found)
    *out = sqlite3_column_int64(statement, 0);
  if (status == SQLITE_ROW) /* to its end: a statement that writes and gives a row is not done before */
    status = sqlite3_step(statement);
  if (status != SQLITE_DONE)
    cnk_work_fail(work, status, sqlite3_errmsg(work->store->db));
  work->has_written |= !sqlite3_stmt_readonly(statement);
  sqlite3_reset(statement);
  return is_found && work->status == SQLITE_OK;
}
