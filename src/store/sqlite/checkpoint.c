/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints: copying pages from the log into the database, so that the log can restart at its beginning.
 *
 * The slow part are the syncs: one of the database, and two more of the log when it restarts. On the writer's thread
 * they stand between commits. Yet a second connection that checkpoints is no way out: SQLite before 3.51.3 may then lose
 * what was committed (https://www.sqlite.org/wal.html#walresetbug). So one connection writes and checkpoints, on one
 * thread, and only the sync of the database is done elsewhere, in rounds:
 *
 *   1. a second connection, which only reads, holds a read transaction at the log's end: the "pin". While it stands,
 *      SQLite appends to the log and does not restart it;
 *   2. the writer's connection checkpoints without syncing: some hundred copies within the page cache;
 *   3. another thread syncs the database, while commits go on behind the pin.
 *
 * Only when the log has become long after some rounds, or nothing is to be done, is the pin lifted for good. The few
 * pages behind it are copied and synced on the spot, and the next commit restarts the log.
 *
 * Every commit has synced the log (synchronous=FULL), so no page is copied that the log could still lose. And until
 * the pin is lifted the log holds everything, from its first page on: a crash or a power cut at any instant loses
 * nothing, for the count of copied pages is kept in shared memory only. If the sync fails, the pin stays until the
 * database is opened again, which counts from nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/internal.h"

/* Lengths of the log, as multiples of the pages that begin a round. At RESET it should restart: seldom enough that
 * its syncs are not among the slowest hundredth of commits. At LONG the writer waits for the sync, so that the log
 * stays bounded. At ENDLESS only a foreign reader can hold it, and is waited for, a little. */
enum { RESET_LOG = 16, LONG_LOG = 32, ENDLESS_LOG = 64, READER_WAIT_MS = 100 };
/* As many pages are copied and synced between two commits without being noticed. */
enum { LITTLE_PAGES = 256 };

/* ---- the syncing thread ------------------------------------------------------------------------------------------ */

/* It knows no SQL and has no connection, only a handle of the file, opened through the store's VFS: opened otherwise, closing it would
 * drop the locks that SQLite holds on the same file. */
static void run_sync(void *context)
{
  struct cnk_sqlite *store = context;
  uv_mutex_lock(&store->worker.mutex);
  while (store->sync != CNK_SYNC_END) {
    if (store->sync != CNK_SYNC_WANTED) {
      uv_cond_wait(&store->sync_wake, &store->worker.mutex);
      continue;
    }
    uv_mutex_unlock(&store->worker.mutex);
    int status = store->sync_file->pMethods->xSync(store->sync_file, SQLITE_SYNC_NORMAL);
    uv_mutex_lock(&store->worker.mutex);
    store->sync = status == SQLITE_OK ? CNK_SYNC_DONE : CNK_SYNC_FAILED;
    uv_cond_broadcast(&store->worker.wake);
  }
  uv_mutex_unlock(&store->worker.mutex);
}

static void close_file(struct cnk_sqlite *store)
{
  if (store->sync_file && store->sync_file->pMethods)
    store->sync_file->pMethods->xClose(store->sync_file);
  free(store->sync_file);
  store->sync_file = NULL;
}

static int open_sync(struct cnk_sqlite *store)
{
  sqlite3_vfs *vfs = sqlite3_vfs_find(store->options.vfs);
  store->sync_file = vfs ? calloc(1, (size_t)vfs->szOsFile) : NULL;
  if (!store->sync_file)
    return SQLITE_NOMEM;
  /* The name is the connection's, which is closed later. */
  int status = vfs->xOpen(vfs, sqlite3_db_filename(store->db, "main"), store->sync_file,
                          SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE, NULL);
  store->sync = CNK_SYNC_IDLE;
  if (status == SQLITE_OK && uv_thread_create(&store->sync_thread, run_sync, store) != 0)
    status = SQLITE_NOMEM;
  if (status != SQLITE_OK)
    close_file(store);
  return status;
}

static void close_sync(struct cnk_sqlite *store)
{
  if (!store->sync_file)
    return;
  uv_mutex_lock(&store->worker.mutex);
  while (store->sync == CNK_SYNC_WANTED)
    uv_cond_wait(&store->worker.wake, &store->worker.mutex);
  store->sync = CNK_SYNC_END;
  uv_cond_signal(&store->sync_wake);
  uv_mutex_unlock(&store->worker.mutex);
  uv_thread_join(&store->sync_thread);
  close_file(store);
}

static void begin_sync(struct cnk_sqlite *store)
{
  uv_mutex_lock(&store->worker.mutex);
  store->sync = CNK_SYNC_WANTED;
  uv_cond_signal(&store->sync_wake);
  uv_mutex_unlock(&store->worker.mutex);
}

static enum cnk_sync_state take_sync(struct cnk_sqlite *store, bool is_waiting)
{
  uv_mutex_lock(&store->worker.mutex);
  while (is_waiting && store->sync == CNK_SYNC_WANTED)
    uv_cond_wait(&store->worker.wake, &store->worker.mutex);
  enum cnk_sync_state state = store->sync;
  if (state != CNK_SYNC_WANTED)
    store->sync = CNK_SYNC_IDLE;
  uv_mutex_unlock(&store->worker.mutex);
  return state;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

int cnk_checkpoint_set_synchronous(struct cnk_sqlite *store, int level)
{
  char text[40];
  snprintf(text, sizeof text, "PRAGMA synchronous=%d", level);
  return sqlite3_exec(store->db, text, NULL, NULL, NULL);
}

static int prepare(struct cnk_sqlite *store, const char *text, sqlite3_stmt **statement)
{
  return sqlite3_prepare_v3(store->pin, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
}

bool cnk_checkpoint_open(struct cnk_sqlite *store)
{
  if (!store->has_log)
    return true;
  store->wal_pages = store->copied_pages = 0;
  store->round_at = store->options.wal_pages;
  int status =
      sqlite3_open_v2(store->path, &store->pin, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, store->options.vfs);
  if (status == SQLITE_OK)
    status = prepare(store, "BEGIN", &store->pin_begin);
  if (status == SQLITE_OK)
    status = prepare(store, "SELECT 1 FROM sqlite_schema LIMIT 1", &store->pin_read);
  if (status == SQLITE_OK)
    status = prepare(store, "COMMIT", &store->pin_end);
  if (status == SQLITE_OK)
    status = open_sync(store);
  return status == SQLITE_OK;
}

static void unpin(struct cnk_sqlite *store)
{
  if (!sqlite3_get_autocommit(store->pin)) {
    sqlite3_step(store->pin_end);
    sqlite3_reset(store->pin_end);
  }
  store->is_pinned = false;
}

/* At the log's end. Nothing is committed between lifting the pin and setting it again: that is this thread's work. */
static bool pin(struct cnk_sqlite *store)
{
  unpin(store);
  sqlite3_step(store->pin_begin);
  sqlite3_reset(store->pin_begin);
  int status = sqlite3_step(store->pin_read);
  sqlite3_reset(store->pin_read);
  store->is_pinned = status == SQLITE_ROW || status == SQLITE_DONE;
  if (!store->is_pinned)
    unpin(store);
  return store->is_pinned;
}

static bool is_longer(const struct cnk_sqlite *store, int rounds)
{
  return store->wal_pages > store->options.wal_pages * rounds;
}

static void checkpoint(struct cnk_sqlite *store, int mode)
{
  int in_log = 0, copied = 0;
  uint64_t began = uv_hrtime();
  if (sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &copied) == SQLITE_OK)
    store->copied_pages = copied;
  cnk_guard_note_size(&store->guard, &store->lock);
  uint32_t took_us = (uint32_t)((uv_hrtime() - began) / 1000);
  if (took_us > store->max_checkpoint_us)
    store->max_checkpoint_us = took_us;
  store->checkpoints++;
}

static int pages_left(const struct cnk_sqlite *store)
{
  return store->wal_pages - store->copied_pages;
}

/* The next commit restarts the log, if it could be copied whole: not while a foreign reader holds it. Otherwise it
 * is tried again when it has grown by another round; by many where it had to be waited for. */
static void end_log(struct cnk_sqlite *store)
{
  unpin(store);
  int patience = 1;
  if (pages_left(store) > 0 && is_longer(store, ENDLESS_LOG)) {
    sqlite3_busy_timeout(store->db, READER_WAIT_MS);
    checkpoint(store, SQLITE_CHECKPOINT_RESTART);
    sqlite3_busy_timeout(store->db, store->options.busy_ms);
    patience = RESET_LOG;
  } else if (pages_left(store) > 0) {
    checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
  }
  if (pages_left(store) <= 0) {
    store->wal_pages = store->copied_pages = 0;
    patience = 1;
  }
  store->round_at = store->wal_pages + store->options.wal_pages * patience;
  store->idle_pages = store->wal_pages;
}

static void begin_round(struct cnk_sqlite *store)
{
  if (!pin(store)) {
    end_log(store);
    return;
  }
  cnk_checkpoint_set_synchronous(store, 0);
  checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
  cnk_checkpoint_set_synchronous(store, store->options.synchronous);
  store->is_whole = pages_left(store) <= 0;
  store->round_at = store->wal_pages + store->options.wal_pages;
  store->is_syncing = true;
  begin_sync(store);
}

/* After a sync: what next? */
static void end_round(struct cnk_sqlite *store, bool is_idle)
{
  enum cnk_sync_state state = take_sync(store, is_longer(store, LONG_LOG));
  if (state == CNK_SYNC_WANTED)
    return;
  store->is_syncing = false;
  bool is_over = is_longer(store, RESET_LOG) || is_idle;
  if (state == CNK_SYNC_FAILED)
    store->is_broken = true; /* and pinned, until the writer has opened the database again */
  else if (is_over &&
           (pages_left(store) <= (is_idle ? 0 : LITTLE_PAGES) || is_longer(store, LONG_LOG) || !store->is_whole))
    end_log(store);
  else if (is_over)
    begin_round(store);
}

static void advance(struct cnk_sqlite *store, bool is_idle)
{
  if (!store->has_log || store->is_broken || !store->db || store->guard.state != CNK_GUARD_WELL)
    return;
  if (store->is_syncing)
    end_round(store, is_idle);
  else if (is_idle && store->is_pinned && pages_left(store) == 0)
    end_log(store);
  else if (is_idle ? cnk_checkpoint_is_wanted_idle(store) : store->wal_pages >= store->round_at)
    begin_round(store);
}

void cnk_checkpoint_after_batch(struct cnk_sqlite *store)
{
  advance(store, false);
}

bool cnk_checkpoint_is_wanted_idle(const struct cnk_sqlite *store)
{
  return store->has_log && !store->is_syncing && store->wal_pages > store->options.wal_pages / 4 &&
         store->wal_pages != store->idle_pages;
}

void cnk_checkpoint_idle(struct cnk_sqlite *store)
{
  advance(store, true);
}

/* Waits for the sync that is under way, if any. False: it failed, and the database must be opened again. */
static bool end_sync(struct cnk_sqlite *store)
{
  if (store->is_syncing) {
    store->is_syncing = false;
    store->is_broken = take_sync(store, true) == CNK_SYNC_FAILED;
  }
  return !store->is_broken;
}

/* The log may be what fills the disk: it restarts only when it is long, and a small disk is full before that. So it may
 * restart as soon as everything in it is copied: the next commit writes over its beginning, which takes no room. */
void cnk_checkpoint_give_room(struct cnk_sqlite *store)
{
  if (!store->has_log || store->is_broken || !store->db || store->guard.state != CNK_GUARD_WELL)
    return;
  if (!end_sync(store) || (store->wal_pages == 0 && !store->is_pinned))
    return;
  unpin(store);
  checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
  if (pages_left(store) <= 0)
    store->wal_pages = store->copied_pages = 0;
  store->round_at = store->wal_pages + store->options.wal_pages;
}

bool cnk_checkpoint_save(struct cnk_sqlite *store)
{
  if (!store->has_log || !store->db || store->is_broken || !end_sync(store))
    return false;
  int in_log = 0, copied = 0;
  unpin(store);
  if (sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied) != SQLITE_OK ||
      in_log != copied)
    return false;
  cnk_guard_note_size(&store->guard, &store->lock);
  store->wal_pages = store->copied_pages = 0;
  store->round_at = store->options.wal_pages;
  return true;
}

bool cnk_checkpoint_close(struct cnk_sqlite *store)
{
  bool is_synced = !store->is_broken;
  if (store->is_syncing)
    is_synced = take_sync(store, true) == CNK_SYNC_DONE;
  close_sync(store);
  sqlite3_stmt **own[] = {&store->pin_begin, &store->pin_read, &store->pin_end};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    sqlite3_finalize(*own[i]);
    *own[i] = NULL;
  }
  sqlite3_close(store->pin);
  store->pin = NULL;
  store->is_pinned = store->is_syncing = store->is_broken = false;
  return is_synced;
}
