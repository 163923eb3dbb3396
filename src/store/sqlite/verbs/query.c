/* SPDX-License-Identifier: MIT */
/* Named questions, and what operators repair. */
#include <stdio.h>

#include "store/sqlite/verbs/verbs.h"

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

static bool keep_column(struct cnk_buffer *rows, sqlite3_stmt *statement, int column)
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
  return cnk_value_write(rows, &value);
}

static bool keep_row(struct cnk_query *query, sqlite3_stmt *statement)
{
  for (size_t i = 0; i < query->columns_count; i++)
    if (!keep_column(&query->rows, statement, (int)i))
      return false;
  query->rows_count++;
  return true;
}

static void read_rows(struct cnk_work *work, struct cnk_query *query, sqlite3_stmt *statement)
{
  int status;
  while (work->status == SQLITE_OK && (status = sqlite3_step(statement)) == SQLITE_ROW)
    if (!keep_row(query, statement))
      cnk_work_fail(work, CNK_STORE_TOO_MANY, "the rows of a query are larger than they may be");
  if (work->status == SQLITE_OK && status != SQLITE_DONE)
    cnk_work_fail(work, status, sqlite3_errmsg(work->store->db));
  sqlite3_reset(statement);
}

void cnk_verb_query(struct cnk_work *work, struct cnk_query *query)
{
  const struct cnk_sql_columns *columns = &work->store->columns[query->name];
  sqlite3_stmt *statement = NULL;
  query->rows.size = 0;
  query->rows_count = query->columns_count = 0;
  int status = cnk_sql_compile(work->store, query->name, &statement);
  for (size_t i = 0; i < query->parameters.count && status == SQLITE_OK; i++)
    status = bind_value(statement, (int)i + 1, &query->parameters.items[i]);
  if (status != SQLITE_OK) {
    cnk_work_fail(work, status, sqlite3_errmsg(work->store->db));
    return;
  }
  query->columns = columns->names;
  query->columns_count = columns->count;
  read_rows(work, query, statement);
}

/* ---- repairs ----------------------------------------------------------------------------------------------------- */

/* One part of a repair: it has some of the parameters, by name. */
static bool run_part(struct cnk_work *work, const struct cnk_repair *repair, unsigned number, int64_t id)
{
  const struct cnk_sql_text *whole = &cnk_sql_texts[repair->name];
  sqlite3_stmt *statement = NULL;
  int status = cnk_sql_compile(work->store, number, &statement);
  for (size_t i = 0; i < repair->parameters.count && status == SQLITE_OK; i++) {
    char name[64];
    snprintf(name, sizeof name, ":%s", whole->parameters[i]);
    int at = sqlite3_bind_parameter_index(statement, name);
    struct cnk_value value = repair->parameters.items[i];
    if (sqlite3_stricmp(whole->parameters[i], "id") == 0)
      value = (struct cnk_value){.kind = CNK_VALUE_INTEGER, .as.integer = id};
    if (at)
      status = bind_value(statement, at, &value);
  }
  if (status == SQLITE_OK && (status = sqlite3_step(statement)) == SQLITE_DONE)
    status = SQLITE_OK;
  int64_t changes = sqlite3_changes64(work->store->db);
  if (status != SQLITE_OK)
    cnk_work_fail(work, status, sqlite3_errmsg(work->store->db));
  sqlite3_reset(statement);
  work->has_written |= changes > 0;
  return changes > 0;
}

void cnk_verb_repair(struct cnk_work *work, struct cnk_repair *repair)
{
  for (size_t i = 0; i < repair->ids.count; i++) {
    unsigned number = repair->name;
    repair->is_changed[i] = false;
    do
      repair->is_changed[i] |= run_part(work, repair, number, repair->ids.items[i]);
    while (work->status == SQLITE_OK && ++number < cnk_sql_count && !cnk_sql_texts[number].name);
    if (work->status != SQLITE_OK)
      return;
  }
}
