/* SPDX-License-Identifier: MIT */
/*
 * Batches on the disk, and what happens when that fails: no call that writes is said to be done, and the calls that only
 * read are run alone, so that a full disk stops no lookup.
 */
#include <stdio.h>

#include "store/sqlite/internal.h"
#include "store/verbs/batch.h"

bool cnk_batch_check_files(struct cnk_sqlite *store)
{
  if (cnk_guard_check(&store->guard, &store->lock, store->has_commits) == CNK_GUARD_WELL)
    return true;
  cnk_worker_set_unwritable(&store->worker, store->guard.reason);
  return false;
}

/* The disk failed: the whole batch is rolled back. */
static void fail_all(struct cnk_sqlite *store, struct cnk_store_calls *batch, int status)
{
  char reason[192];
  snprintf(reason, sizeof reason, "%s", cnk_connection_problem(store));
  cnk_batch_roll_back(&store->session);
  cnk_worker_note_failure(&store->worker, reason);
  if (!cnk_batch_check_files(store)) { /* which explains what SQLite met */
    status = CNK_STORE_MOVED;
    snprintf(reason, sizeof reason, "%s", store->guard.reason);
  }
  cnk_batch_fail(&store->session, batch, status, reason);
}

void cnk_batch_run(struct cnk_sqlite *store, struct cnk_store_calls *batch)
{
  static const char closed[] = "the database could not be opened again after a failed sync";
  int status = store->db ? cnk_batch_commit(&store->session, batch) : SQLITE_IOERR;
  if (!store->db)
    cnk_batch_fail(NULL, batch, status, closed);
  else if (status != SQLITE_OK)
    fail_all(store, batch, status);
  else
    cnk_worker_note_done(&store->worker, batch);
}

/* Writes the header page with the value that it has. */
bool cnk_batch_probe(struct cnk_sqlite *store)
{
  const struct cnk_sql_driver *driver = store->session.driver;
  if (!store->db)
    return false;
  sqlite3_stmt *read = NULL;
  char text[64] = "";
  int status = driver->begin(&store->session);
  if (status == SQLITE_OK)
    status = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &read, NULL);
  if (status == SQLITE_OK && sqlite3_step(read) == SQLITE_ROW)
    snprintf(text, sizeof text, "PRAGMA user_version=%d", sqlite3_column_int(read, 0));
  sqlite3_finalize(read);
  if (status == SQLITE_OK)
    status = text[0] ? sqlite3_exec(store->db, text, NULL, NULL, NULL) : SQLITE_ERROR;
  if (status == SQLITE_OK)
    status = driver->commit(&store->session);
  cnk_batch_roll_back(&store->session);
  if (status == SQLITE_OK)
    cnk_worker_note_probe(&store->worker);
  return status == SQLITE_OK;
}
