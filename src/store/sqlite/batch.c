/* SPDX-License-Identifier: MIT */
/*
 * Group commit: many requests in one transaction, and what happens when one of them, or the disk, fails.
 *
 * The usual batch pays for no savepoints. When a request fails, the whole transaction is rolled back and run again, this
 * time with a savepoint for each request, so that only the failing ones are undone. When the disk fails, no request that
 * writes is said to be done, and the requests that only read are run alone.
 */
#include <stdio.h>
#include <string.h>

#include "store/sqlite/internal.h"

/* Rows of one request; more would hold up everybody else. */
#define OUTPUT_BYTES_MAX CNK_STORE_REQUEST_BYTES_MAX

static int execute(sqlite3_stmt *statement)
{
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

/* Faults of the disk, of memory or of a foreign lock: the whole batch shares them. */
static bool is_fault_of_all(struct cnk_store *store, int status)
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
  default: /* Some errors end the transaction by themselves. */ return status > 0 && sqlite3_get_autocommit(store->db);
  }
}

static int fail(struct cnk_store_request *request, int status, const char *reason)
{
  request->status = status;
  snprintf(request->message, sizeof request->message, "%s", reason);
  return status;
}

static void resolve(const struct cnk_store_request *request, struct cnk_value *value)
{
  const struct cnk_statement *source = &request->statements[value->as.ref.statement];
  enum cnk_ref_kind kind = (enum cnk_ref_kind)value->as.ref.kind;
  size_t at = source->output;
  if (kind == CNK_REF_VALUE && source->rows && source->columns) {
    *value = cnk_value_read(&request->output, &at);
  } else if (kind == CNK_REF_CHANGES || (kind == CNK_REF_ROWID && source->changes)) {
    value->kind = CNK_VALUE_INTEGER;
    value->as.integer = kind == CNK_REF_ROWID ? source->rowid : source->changes;
  } else {
    value->kind = CNK_VALUE_NULL;
  }
}

static int bind_all(sqlite3_stmt *compiled, const struct cnk_store_request *request,
                    const struct cnk_statement *statement)
{
  size_t at = statement->input;
  int status = SQLITE_OK;
  for (int i = 1; i <= statement->parameters && status == SQLITE_OK; i++) {
    struct cnk_value value = cnk_value_read(&request->input, &at);
    bool is_ref = value.kind == CNK_VALUE_REF;
    if (is_ref)
      resolve(request, &value);
    switch (value.kind) {
    case CNK_VALUE_INTEGER: status = sqlite3_bind_int64(compiled, i, value.as.integer); break;
    case CNK_VALUE_REAL: status = sqlite3_bind_double(compiled, i, value.as.real); break;
    case CNK_VALUE_BYTES: /* A value of an earlier statement may move while this one gives rows. */
      if (value.as.bytes.size == 0)
        status = sqlite3_bind_zeroblob(compiled, i, 0);
      else
        status = sqlite3_bind_blob64(compiled, i, value.as.bytes.data, value.as.bytes.size,
                                     is_ref ? SQLITE_TRANSIENT : SQLITE_STATIC);
      break;
    default: status = sqlite3_bind_null(compiled, i);
    }
  }
  return status;
}

static bool keep_column(struct cnk_store_request *request, sqlite3_stmt *compiled, int column)
{
  struct cnk_value value = {0};
  switch (sqlite3_column_type(compiled, column)) {
  case SQLITE_INTEGER:
    value.kind = CNK_VALUE_INTEGER;
    value.as.integer = sqlite3_column_int64(compiled, column);
    break;
  case SQLITE_FLOAT:
    value.kind = CNK_VALUE_REAL;
    value.as.real = sqlite3_column_double(compiled, column);
    break;
  case SQLITE_NULL: value.kind = CNK_VALUE_NULL; break;
  default: /* text and blobs are bytes */
    value.kind = CNK_VALUE_BYTES;
    value.as.bytes.data = sqlite3_column_blob(compiled, column);
    value.as.bytes.size = (size_t)sqlite3_column_bytes(compiled, column);
  }
  return cnk_value_write(&request->output, &value);
}

static int keep_row(struct cnk_store_request *request, struct cnk_statement *statement, sqlite3_stmt *compiled)
{
  if (!(statement->flags & CNK_STATEMENT_ROWS))
    return SQLITE_OK;
  if (statement->rows == statement->rows_max)
    return fail(request, CNK_STORE_TOO_MANY, "a statement gave more rows than it may");
  statement->columns = (uint32_t)sqlite3_column_count(compiled);
  for (uint32_t i = 0; i < statement->columns; i++)
    if (!keep_column(request, compiled, (int)i))
      return fail(request, CNK_STORE_TOO_MANY, "the rows of a request are larger than they may be");
  statement->rows++;
  return SQLITE_OK;
}

static int step(struct cnk_store *store, struct cnk_store_request *request, struct cnk_statement *statement,
                sqlite3_stmt *compiled)
{
  int status = bind_all(compiled, request, statement);
  if (status != SQLITE_OK)
    return fail(request, status, sqlite3_errmsg(store->db));
  sqlite3_int64 changes_before = sqlite3_total_changes64(store->db);
  statement->output = request->output.size;
  int kept = SQLITE_OK;
  while (kept == SQLITE_OK && (status = sqlite3_step(compiled)) == SQLITE_ROW)
    kept = keep_row(request, statement, compiled);
  if (kept == SQLITE_OK && status != SQLITE_DONE)
    fail(request, status, sqlite3_errmsg(store->db));
  sqlite3_reset(compiled);
  if (request->status)
    return request->status;
  statement->has_run = true;
  /* sqlite3_changes() and the rowid are those of the last statement that changed anything, perhaps of another request. */
  if (sqlite3_total_changes64(store->db) != changes_before) {
    statement->changes = sqlite3_changes64(store->db);
    statement->rowid = sqlite3_last_insert_rowid(store->db);
  }
  if (!statement->changes && statement->flags & CNK_STATEMENT_MUST_CHANGE)
    return fail(request, CNK_STORE_UNCHANGED, "a statement that must change a row changed none");
  return SQLITE_OK;
}

static void forget_results(struct cnk_store_request *request)
{
  request->status = 0;
  request->message[0] = '\0';
  request->output.size = 0;
  for (size_t i = 0; i < request->count; i++) {
    struct cnk_statement *statement = &request->statements[i];
    statement->has_run = false;
    statement->changes = statement->rowid = 0;
    statement->rows = statement->columns = 0;
    statement->output = 0;
  }
}

static int run_request(struct cnk_store *store, struct cnk_store_request *request)
{
  forget_results(request);
  for (size_t i = 0; i < request->count; i++) {
    struct cnk_statement *statement = &request->statements[i];
    if (statement->flags & CNK_STATEMENT_IF_CHANGED && (i == 0 || statement[-1].changes == 0))
      continue;
    sqlite3_stmt *compiled = cnk_connection_statement(store, request, statement->sql);
    if (!compiled || step(store, request, statement, compiled) != SQLITE_OK)
      return request->status;
  }
  return SQLITE_OK;
}

static bool is_reader(struct cnk_store *store, struct cnk_store_request *request)
{
  for (size_t i = 0; i < request->count; i++) {
    sqlite3_stmt *compiled = cnk_connection_statement(store, request, request->statements[i].sql);
    if (!compiled || !sqlite3_stmt_readonly(compiled))
      return false;
  }
  return true;
}

/* After this, no transaction is open, whatever happened before. */
static void roll_back(struct cnk_store *store)
{
  if (!sqlite3_get_autocommit(store->db))
    execute(store->rollback);
}

void cnk_batch_set_unwritable(struct cnk_store *store, const char *reason)
{
  uv_mutex_lock(&store->mutex);
  snprintf(store->trouble, sizeof store->trouble, "%s", reason);
  uv_mutex_unlock(&store->mutex);
  atomic_store(&store->is_writable, false);
}

bool cnk_batch_check_files(struct cnk_store *store)
{
  if (cnk_guard_check(&store->guard, &store->lock, store->has_commits) == CNK_GUARD_WELL)
    return true;
  cnk_batch_set_unwritable(store, store->guard.reason);
  return false;
}

/* The disk failed: the whole batch is rolled back. Requests that only read are run all the same, each by itself, so that
 * a full disk stops no lookup. */
static void fail_all(struct cnk_store *store, struct cnk_store_requests *batch, int status)
{
  char reason[160];
  snprintf(reason, sizeof reason, "%s", sqlite3_errmsg(store->db));
  roll_back(store);
  cnk_batch_set_unwritable(store, reason);
  if (!cnk_batch_check_files(store)) { /* which explains what SQLite met */
    status = CNK_STORE_MOVED;
    snprintf(reason, sizeof reason, "%s", store->guard.reason);
  }
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_request *request = cnk_store_request_of(link);
    request->status = 0;
    if (!is_reader(store, request))
      fail(request, status, reason);
    else
      run_request(store, request);
  }
}

/* The files are looked for before the commit and not after it: what is refused is rolled back, so that it is not found
 * done when the files are put back. A file that goes during the commit is as gone as one that goes right after. */
static int commit(struct cnk_store *store)
{
  return cnk_batch_check_files(store) ? execute(store->commit) : CNK_STORE_MOVED;
}

static int run_each(struct cnk_store *store, struct cnk_store_requests *batch)
{
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_request *request = cnk_store_request_of(link);
    int status = execute(store->savepoint);
    if (status != SQLITE_OK)
      return status;
    status = run_request(store, request);
    if (is_fault_of_all(store, status))
      return status;
    if (status != SQLITE_OK && (status = execute(store->undo)) != SQLITE_OK)
      return status;
    if ((status = execute(store->release)) != SQLITE_OK)
      return status;
  }
  return SQLITE_OK;
}

static int run_together(struct cnk_store *store, struct cnk_store_requests *batch)
{
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_request *request = cnk_store_request_of(link);
    if (run_request(store, request) != SQLITE_OK)
      return request->status;
  }
  return SQLITE_OK;
}

void cnk_batch_run(struct cnk_store *store, struct cnk_store_requests *batch)
{
  if (!store->db) {
    CNK_LIST_EACH (link, &batch->list)
      fail(cnk_store_request_of(link), SQLITE_IOERR, "the database could not be opened again after a failed sync");
    return;
  }
  int status = execute(store->begin);
  if (status == SQLITE_OK)
    status = run_together(store, batch);
  if (status != SQLITE_OK && !is_fault_of_all(store, status)) {
    roll_back(store);
    store->redone++;
    status = execute(store->begin);
    if (status == SQLITE_OK)
      status = run_each(store, batch);
  }
  if (status == SQLITE_OK)
    status = commit(store);
  if (status != SQLITE_OK)
    fail_all(store, batch, status);
}

/* Writes the header page with the value that it has. */
bool cnk_batch_probe(struct cnk_store *store)
{
  if (!store->db)
    return false;
  sqlite3_stmt *read = NULL;
  char text[64] = "";
  int status = execute(store->begin);
  if (status == SQLITE_OK)
    status = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &read, NULL);
  if (status == SQLITE_OK && sqlite3_step(read) == SQLITE_ROW)
    snprintf(text, sizeof text, "PRAGMA user_version=%d", sqlite3_column_int(read, 0));
  sqlite3_finalize(read);
  if (status == SQLITE_OK)
    status = text[0] ? sqlite3_exec(store->db, text, NULL, NULL, NULL) : SQLITE_ERROR;
  if (status == SQLITE_OK)
    status = commit(store);
  roll_back(store);
  if (status == SQLITE_OK)
    atomic_store(&store->is_writable,
                 true); /* a database in memory has no log, and so no hook on commits that would set it */
  return status == SQLITE_OK;
}
