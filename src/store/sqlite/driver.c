/* SPDX-License-Identifier: MIT */
/* The verbs' statements on the connection; see sql/session.h. All of it on the writer's thread. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "store/sqlite/internal.h"

static struct cnk_sqlite *store_of(struct cnk_sql_session *session)
{
  return CNK_OWNER(session, struct cnk_sqlite, session);
}

static const char *problem(struct cnk_sql_session *session)
{
  return cnk_connection_problem(store_of(session));
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

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

static int bind_value(sqlite3_stmt *statement, int at, const struct cnk_value *value)
{
  switch (value->kind) {
  case CNK_VALUE_INTEGER: return sqlite3_bind_int64(statement, at, value->as.integer);
  case CNK_VALUE_REAL: return sqlite3_bind_double(statement, at, value->as.real);
  case CNK_VALUE_BYTES:
    if (value->as.bytes.size)
      return sqlite3_bind_blob64(statement, at, value->as.bytes.data, value->as.bytes.size, SQLITE_STATIC);
    return sqlite3_bind_zeroblob(statement, at, 0);
  default: return sqlite3_bind_null(statement, at);
  }
}

static struct cnk_value value_of(sqlite3_stmt *statement, int column)
{
  struct cnk_value value = {0};
  switch (sqlite3_column_type(statement, column)) {
  case SQLITE_INTEGER:
    value.kind = CNK_VALUE_INTEGER;
    value.as.integer = sqlite3_column_int64(statement, column);
    break;
  case SQLITE_FLOAT:
    value.kind = CNK_VALUE_REAL;
    value.as.real = sqlite3_column_double(statement, column);
    break;
  case SQLITE_NULL: break;
  default: /* text and blobs are bytes */
    value.kind = CNK_VALUE_BYTES;
    value.as.bytes.data = sqlite3_column_blob(statement, column);
    value.as.bytes.size = (size_t)sqlite3_column_bytes(statement, column);
  }
  return value;
}

static int bind_values(sqlite3_stmt *statement, const struct cnk_value *values, size_t count)
{
  int status = SQLITE_OK;
  for (size_t i = 0; i < count && status == SQLITE_OK; i++)
    status = bind_value(statement, (int)i + 1, &values[i]);
  return status;
}

static bool keep_row(sqlite3_stmt *statement, size_t columns, struct cnk_query *query)
{
  bool is_kept = true;
  for (size_t i = 0; i < columns && is_kept; i++) {
    struct cnk_value value = value_of(statement, (int)i);
    is_kept = cnk_value_write(&query->rows, &value);
  }
  query->rows_count += is_kept;
  return is_kept;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

/* A statement that gives no rows, bound: its status, and how many rows it has changed. */
static int execute(struct cnk_sqlite *store, sqlite3_stmt *statement, int64_t *changes)
{
  int status = sqlite3_step(statement);
  if (changes)
    *changes = sqlite3_changes64(store->db);
  sqlite3_reset(statement);
  return status == SQLITE_DONE ? SQLITE_OK : status == SQLITE_ROW ? SQLITE_MISUSE : status;
}

static int run(struct cnk_sql_session *session, unsigned number, const char *format, va_list values, int64_t *changes)
{
  struct cnk_sqlite *store = store_of(session);
  sqlite3_stmt *statement = NULL;
  int status = cnk_statements_compile(store, number, &statement);
  if (status == SQLITE_OK)
    status = bind_all(statement, format, values);
  return status == SQLITE_OK ? execute(store, statement, changes) : status;
}

static int keep_first(sqlite3_stmt *statement, struct cnk_arena *arena, struct cnk_value *first)
{
  struct cnk_text bytes;
  *first = value_of(statement, 0);
  if (first->kind != CNK_VALUE_BYTES)
    return SQLITE_OK;
  bytes = (struct cnk_text){first->as.bytes.size ? first->as.bytes.data : "", first->as.bytes.size};
  return cnk_arena_copy(arena, bytes, &first->as.bytes) ? SQLITE_OK : CNK_STORE_NO_MEMORY;
}

static int read_first(struct cnk_sql_session *session, unsigned number, const char *format, va_list values,
                      struct cnk_arena *arena, struct cnk_value *first, bool *has_written)
{
  sqlite3_stmt *statement = NULL;
  int status = cnk_statements_compile(store_of(session), number, &statement);
  if (status == SQLITE_OK)
    status = bind_all(statement, format, values);
  if (status != SQLITE_OK)
    return status;
  int kept = SQLITE_OK;
  first->kind = CNK_VALUE_NULL;
  status = sqlite3_step(statement);
  if (status == SQLITE_ROW) {
    kept = keep_first(statement, arena, first);
    /* To its end: a statement that writes and gives a row is not done before. */
    status = sqlite3_step(statement);
  }
  *has_written = !sqlite3_stmt_readonly(statement);
  sqlite3_reset(statement);
  return status == SQLITE_DONE || status == SQLITE_ROW ? kept : status;
}

static int ask(struct cnk_sql_session *session, struct cnk_query *query)
{
  struct cnk_sqlite *store = store_of(session);
  const struct cnk_sql_columns *columns = &store->columns[query->name];
  sqlite3_stmt *statement = NULL;
  int status = cnk_statements_compile(store, query->name, &statement);
  if (status == SQLITE_OK)
    status = bind_values(statement, query->parameters.items, query->parameters.count);
  if (status != SQLITE_OK)
    return status;
  query->columns = columns->names;
  query->columns_count = columns->count;
  while ((status = sqlite3_step(statement)) == SQLITE_ROW)
    if (!keep_row(statement, query->columns_count, query)) {
      status = CNK_STORE_TOO_MANY;
      break;
    }
  sqlite3_reset(statement);
  return status == SQLITE_DONE ? SQLITE_OK : status;
}

static int change(struct cnk_sql_session *session, unsigned number, const struct cnk_value *values, size_t count,
                  int64_t *changes)
{
  struct cnk_sqlite *store = store_of(session);
  sqlite3_stmt *statement = NULL;
  int status = cnk_statements_compile(store, number, &statement);
  if (status == SQLITE_OK)
    status = bind_values(statement, values, count);
  return status == SQLITE_OK ? execute(store, statement, changes) : status;
}

/* ---- copies -------------------------------------------------------------------------------------------------------- */

static int ask_text(struct cnk_sql_session *session, const char *text, const char *types,
                    const struct cnk_value *values, size_t count, struct cnk_query *rows)
{
  sqlite3_stmt *statement = NULL;
  bool is_kept = true;
  int status = sqlite3_prepare_v2(store_of(session)->db, text, -1, &statement, NULL);
  (void)types; /* values have their own */
  if (status == SQLITE_OK)
    status = bind_values(statement, values, count);
  while (status == SQLITE_OK && is_kept && rows->rows.size < CNK_SQL_PAGE_BYTES &&
         (status = sqlite3_step(statement)) == SQLITE_ROW) {
    is_kept = keep_row(statement, (size_t)sqlite3_column_count(statement), rows);
    status = SQLITE_OK;
  }
  sqlite3_finalize(statement);
  return !is_kept ? CNK_STORE_TOO_MANY : status == SQLITE_DONE ? SQLITE_OK : status;
}

static int load(struct cnk_sql_session *session, const char *text, const char *types, const struct cnk_buffer *page)
{
  struct cnk_sqlite *store = store_of(session);
  sqlite3_stmt *statement = NULL;
  size_t columns = strlen(types), at = 0;
  int status = sqlite3_prepare_v2(store->db, text, -1, &statement, NULL);
  while (status == SQLITE_OK && at < page->size) {
    for (size_t i = 0; i < columns && status == SQLITE_OK; i++) {
      struct cnk_value value = cnk_value_read(page, &at);
      status = bind_value(statement, (int)i + 1, &value);
    }
    if (status == SQLITE_OK)
      status = execute(store, statement, NULL);
  }
  sqlite3_finalize(statement);
  return status;
}

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

static int find_key(struct cnk_sql_session *session, enum cnk_keyed table, int64_t hash, int64_t *id)
{
  return cnk_keys_find(store_of(session), table, hash, id);
}

static int add_key(struct cnk_sql_session *session, enum cnk_keyed table, int64_t hash, int64_t *id)
{
  return cnk_keys_add(store_of(session), table, hash, id);
}

static int begin_keys_anew(struct cnk_sql_session *session)
{
  return cnk_keys_begin_anew(store_of(session));
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

static int run_own(sqlite3_stmt *statement)
{
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

static int begin(struct cnk_sql_session *session)
{
  return run_own(store_of(session)->begin);
}

/* The files are looked for before the commit and not after it: what is refused is rolled back, so that it is not found
 * done when the files are put back. A file that goes during the commit is as gone as one that goes right after. */
static int commit(struct cnk_sql_session *session)
{
  struct cnk_sqlite *store = store_of(session);
  int status = cnk_keys_fold(store);
  if (status != SQLITE_OK)
    return status;
  return cnk_batch_check_files(store) ? run_own(store->commit) : CNK_STORE_MOVED;
}

static void roll_back(struct cnk_sql_session *session)
{
  struct cnk_sqlite *store = store_of(session);
  cnk_keys_reset(store);
  if (!sqlite3_get_autocommit(store->db))
    run_own(store->rollback);
}

/* Faults of the disk, of memory or of a foreign lock. */
static bool is_fault(struct cnk_sql_session *session, int status)
{
  switch (status & 0xff) {
  case SQLITE_FULL:
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN:
  case SQLITE_READONLY:
  case SQLITE_NOTADB:
  case SQLITE_PROTOCOL:
  case SQLITE_BUSY:
  case SQLITE_NOMEM: return true;
  default: /* Some errors end the transaction by themselves. */
    return status > 0 && sqlite3_get_autocommit(store_of(session)->db);
  }
}

static int save(struct cnk_sql_session *session)
{
  return run_own(store_of(session)->savepoint);
}

static int settle(struct cnk_sql_session *session)
{
  (void)session; /* nothing is sent ahead */
  return 0;
}

static int undo(struct cnk_sql_session *session)
{
  cnk_keys_reset(store_of(session));
  return run_own(store_of(session)->undo);
}

static int release(struct cnk_sql_session *session)
{
  return run_own(store_of(session)->release);
}

const struct cnk_sql_driver cnk_sqlite_driver = {
    .run = run,
    .read = read_first,
    .ask = ask,
    .change = change,
    .ask_text = ask_text,
    .load = load,
    .problem = problem,
    .find_key = find_key,
    .add_key = add_key,
    .begin_keys_anew = begin_keys_anew,
    .begin = begin,
    .commit = commit,
    .roll_back = roll_back,
    .is_fault = is_fault,
    .save = save,
    .settle = settle,
    .undo = undo,
    .release = release,
};
