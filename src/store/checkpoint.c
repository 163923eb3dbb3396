/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints: copying pages from the log into the database, so that the log can begin anew.
 *
 * The slow part is the sync of the database. On the writer's thread it would stand between two commits: p99 is then
 * three times what it is without. Yet a second connection that checkpoints is no way out: SQLite before 3.51.3 may
 * then lose what was committed (https://www.sqlite.org/wal.html#walresetbug). So one connection writes and
 * checkpoints, on one thread, and only the sync is done elsewhere, in rounds:
 *
 *   1. a second connection, which only reads, begins a read transaction: the "pin". While it stands, SQLite appends
 *      to the log and does not begin it anew;
 *   2. the writer's connection checkpoints without syncing: some thousand copies within the page cache;
 *   3. another thread syncs the database, while commits go on at the end of the log;
 *   4. the pin is lifted. What was committed meanwhile is little, and is checkpointed with its sync on the spot;
 *      while it is much, there is another round.
 *
 * Every commit has synced the log (synchronous=FULL), so no page is copied that the log could still lose. And until
 * step 4 the log holds everything, from its first page on: a crash or a power cut at any instant loses nothing, for
 * the count of copied pages is kept in shared memory only. If the sync fails, the pin stays until the database is
 * opened again, which counts from nothing.
 */
#include "store/internal.h"

/* Multiples of the usual length of the log. At LONG the writer waits for the sync, so that the log stays bounded; at
 * ENDLESS it can only be a foreign reader that holds the log, and it is waited for, a little. */
enum { LONG_LOG = 8, ENDLESS_LOG = 16, READER_WAIT_MS = 100 };
/* As many pages are copied and synced between two commits without being noticed. */
enum { LITTLE_PAGES = 256 };

static int prepare(struct cnk_store *store, const char *text, sqlite3_stmt **statement)
{
  return sqlite3_prepare_v3(store->pin, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
}

bool cnk_checkpoint_open(struct cnk_store *store)
{
  if (store->is_memory)
    return true;
  store->wal_pages = 0;
  store->checkpoint_pages = store->options.wal_pages;
  int status =
      sqlite3_open_v2(store->options.path, &store->pin, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, store->options.vfs);
  if (status == SQLITE_OK)
    status = prepare(store, "BEGIN", &store->pin_begin);
  if (status == SQLITE_OK)
    status = prepare(store, "SELECT 1 FROM sqlite_schema LIMIT 1", &store->pin_read);
  if (status == SQLITE_OK)
    status = prepare(store, "COMMIT", &store->pin_end);
  if (status == SQLITE_OK)
    status = cnk_sync_open(store);
  return status == SQLITE_OK;
}

static bool pin(struct cnk_store *store)
{
  sqlite3_step(store->pin_begin);
  sqlite3_reset(store->pin_begin);
  int status = sqlite3_step(store->pin_read);
  sqlite3_reset(store->pin_read);
  store->is_pinned = true;
  return status == SQLITE_ROW || status == SQLITE_DONE;
}

static void unpin(struct cnk_store *store)
{
  if (!sqlite3_get_autocommit(store->pin)) {
    sqlite3_step(store->pin_end);
    sqlite3_reset(store->pin_end);
  }
  store->is_pinned = false;
}

/* True when the whole log is copied. */
static bool checkpoint(struct cnk_store *store, int mode)
{
  int in_log = 0, copied = 0;
  uint64_t began = uv_hrtime();
  int status = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &copied);
  uint32_t took_us = (uint32_t)((uv_hrtime() - began) / 1000);
  if (took_us > store->max_checkpoint_us)
    store->max_checkpoint_us = took_us;
  store->checkpoints++;
  store->copied_pages = status == SQLITE_OK ? copied : 0;
  return status == SQLITE_OK && in_log == copied;
}

/* A log that could not be copied whole, for somebody reads it or the disk fails, is tried again when it has grown. */
static void end_round(struct cnk_store *store, bool is_complete)
{
  store->checkpoint_pages = store->options.wal_pages + (is_complete ? 0 : store->wal_pages);
  if (is_complete)
    store->wal_pages = 0;
}

static void begin_round(struct cnk_store *store)
{
  if (!pin(store)) {
    unpin(store);
    end_round(store, checkpoint(store, SQLITE_CHECKPOINT_PASSIVE));
    return;
  }
  sqlite3_exec(store->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
  store->is_whole = checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
  cnk_connection_set_synchronous(store);
  cnk_sync_begin(store);
}

static void finish_now(struct cnk_store *store)
{
  bool is_endless = store->wal_pages > store->options.wal_pages * ENDLESS_LOG;
  if (is_endless)
    sqlite3_busy_timeout(store->db, READER_WAIT_MS);
  end_round(store, checkpoint(store, is_endless ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE));
  if (is_endless)
    sqlite3_busy_timeout(store->db, store->options.busy_ms);
}

static void go_on(struct cnk_store *store)
{
  bool is_long = store->wal_pages > store->options.wal_pages * LONG_LOG;
  enum cnk_sync_state state = cnk_sync_take(store, is_long);
  if (state == CNK_SYNC_WANTED)
    return;
  if (state == CNK_SYNC_FAILED) {
    store->is_broken = true; /* and pinned, until the writer has opened the database again */
    return;
  }
  unpin(store);
  int left = store->wal_pages - store->copied_pages;
  if (left == 0)
    end_round(store, true);
  else if (left <= LITTLE_PAGES || is_long || !store->is_whole)
    finish_now(store);
  else
    begin_round(store);
}

void cnk_checkpoint_after_batch(struct cnk_store *store)
{
  if (store->is_memory || store->is_broken || !store->db)
    return;
  if (store->is_pinned)
    go_on(store);
  else if (store->wal_pages >= store->checkpoint_pages)
    begin_round(store);
}

bool cnk_checkpoint_is_wanted_idle(const struct cnk_store *store)
{
  return !store->is_memory && !store->is_pinned && store->wal_pages > store->options.wal_pages / 4 &&
         store->checkpoint_pages <= store->options.wal_pages;
}

void cnk_checkpoint_idle(struct cnk_store *store)
{
  if (store->is_memory || store->is_broken || !store->db)
    return;
  if (store->is_pinned)
    go_on(store);
  else if (cnk_checkpoint_is_wanted_idle(store))
    begin_round(store);
}

bool cnk_checkpoint_close(struct cnk_store *store)
{
  bool is_synced = !store->is_broken;
  if (store->is_pinned && is_synced)
    is_synced = cnk_sync_take(store, true) == CNK_SYNC_DONE;
  cnk_sync_close(store);
  sqlite3_stmt **own[] = {&store->pin_begin, &store->pin_read, &store->pin_end};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    sqlite3_finalize(*own[i]);
    *own[i] = NULL;
  }
  sqlite3_close(store->pin);
  store->pin = NULL;
  store->is_pinned = store->is_broken = false;
  return is_synced;
}
