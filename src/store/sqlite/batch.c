/* SPDX-License-Identifier: MIT */
/*
 * Group commit: many calls in one transaction, and what happens when one of them, or the disk, fails.
 *
 * The usual batch pays for no savepoints. When a call fails, the whole transaction is rolled back and run again, this
 * time with a savepoint for each call, so that only the failing ones are undone. When the disk fails, no call that
 * writes is said to be done, and the calls that only read are run alone.
 */
#include <stdio.h>
#include <string.h>

#include "store/sqlite/internal.h"

static int execute(sqlite3_stmt *statement)
{
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

/* Faults of the disk, of memory or of a foreign lock: the whole batch shares them. */
static bool is_fault_of_all(struct cnk_sqlite *store, int status)
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

/* A call that failed without a write has nothing to undo. */
static int run_call(struct cnk_sqlite *store, struct cnk_store_call *call)
{
  bool has_written;
  int status = cnk_work_do(store, call, &has_written);
  return has_written || is_fault_of_all(store, status) ? status : SQLITE_OK;
}

static int fail(struct cnk_store_call *call, int status, const char *reason)
{
  call->status = status;
  snprintf(call->message, sizeof call->message, "%s", reason);
  return status;
}

/* After this, no transaction is open, whatever happened before. */
static void roll_back(struct cnk_sqlite *store)
{
  store->ids_left = 0;
  if (!sqlite3_get_autocommit(store->db))
    execute(store->rollback);
}

void cnk_batch_set_unwritable(struct cnk_sqlite *store, const char *reason)
{
  uv_mutex_lock(&store->mutex);
  snprintf(store->trouble, sizeof store->trouble, "%s", reason);
  uv_mutex_unlock(&store->mutex);
  atomic_store(&store->is_writable, false);
}

bool cnk_batch_check_files(struct cnk_sqlite *store)
{
  if (cnk_guard_check(&store->guard, &store->lock, store->has_commits) == CNK_GUARD_WELL)
    return true;
  cnk_batch_set_unwritable(store, store->guard.reason);
  return false;
}

/* The disk failed: the whole batch is rolled back. Calls that only read are run all the same, each by itself, so that
 * a full disk stops no lookup. */
static void fail_all(struct cnk_sqlite *store, struct cnk_store_calls *batch, int status)
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
    struct cnk_store_call *call = cnk_store_call_of(link);
    call->status = 0;
    if (call->verb != CNK_QUERY)
      fail(call, status, reason);
    else
      run_call(store, call);
  }
}

/* The files are looked for before the commit and not after it: what is refused is rolled back, so that it is not found
 * done when the files are put back. A file that goes during the commit is as gone as one that goes right after. */
static int commit(struct cnk_sqlite *store)
{
  return cnk_batch_check_files(store) ? execute(store->commit) : CNK_STORE_MOVED;
}

static int run_each(struct cnk_sqlite *store, struct cnk_store_calls *batch)
{
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_call *call = cnk_store_call_of(link);
    int status = execute(store->savepoint);
    if (status != SQLITE_OK)
      return status;
    status = run_call(store, call);
    if (is_fault_of_all(store, status))
      return status;
    if (status != SQLITE_OK) {
      store->ids_left = 0;
      if ((status = execute(store->undo)) != SQLITE_OK)
        return status;
    }
    if ((status = execute(store->release)) != SQLITE_OK)
      return status;
  }
  return SQLITE_OK;
}

static int run_together(struct cnk_sqlite *store, struct cnk_store_calls *batch)
{
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_call *call = cnk_store_call_of(link);
    if (run_call(store, call) != SQLITE_OK)
      return call->status;
  }
  return SQLITE_OK;
}

void cnk_batch_run(struct cnk_sqlite *store, struct cnk_store_calls *batch)
{
  if (!store->db) {
    CNK_LIST_EACH (link, &batch->list)
      fail(cnk_store_call_of(link), SQLITE_IOERR, "the database could not be opened again after a failed sync");
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
bool cnk_batch_probe(struct cnk_sqlite *store)
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
