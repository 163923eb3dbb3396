/* SPDX-License-Identifier: MIT */
/*
 * The syncing thread: fsync of the database file, behind the writer's back.
 *
 * It knows no SQL and has no connection, only a handle of the file, opened through the store's VFS: opened otherwise,
 * closing it would drop the locks that SQLite holds on the same file.
 */
#include <stdlib.h>

#include "store/sqlite/internal.h"

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

int cnk_sync_open(struct cnk_sqlite *store)
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

void cnk_sync_close(struct cnk_sqlite *store)
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

void cnk_sync_begin(struct cnk_sqlite *store)
{
  uv_mutex_lock(&store->worker.mutex);
  store->sync = CNK_SYNC_WANTED;
  uv_cond_signal(&store->sync_wake);
  uv_mutex_unlock(&store->worker.mutex);
}

enum cnk_sync_state cnk_sync_take(struct cnk_sqlite *store, bool is_waiting)
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
