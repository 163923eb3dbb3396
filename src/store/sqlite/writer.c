/* SPDX-License-Identifier: MIT */
/* The writer thread: waits for calls, runs them in batches, and checkpoints the log while it is idle. */
#include <string.h>

#include "store/sqlite/internal.h"

/* How long without work is "idle"; how often a store that cannot write is tried. By the system's time, whatever clock the
 * loop has: this thread waits for a disk, and a virtual clock moves no disk. */
#define IDLE_NS UINT64_C(50000000)
#define PROBE_NS UINT64_C(500000000)
/* How often a store without work looks for its files. With work, it does so at each commit. */
#define WATCH_NS UINT64_C(1000000000)

enum turn { WORK, TICK, WATCH, STOP };

/* Under the mutex: the one that is to make a step, or NULL. */
static struct cnk_backup *find_backup(const struct cnk_sqlite *store)
{
  return store->backup && !cnk_backup_waits(store->backup) ? store->backup : NULL;
}

/* Under the mutex. A tick is a moment for what is not urgent. */
static enum turn wait(struct cnk_sqlite *store)
{
  for (;;) {
    if (!cnk_list_is_empty(&store->worker.queue.list))
      return WORK;
    if (store->worker.is_closing)
      return STOP;
    if (find_backup(store) || store->sync == CNK_SYNC_DONE || store->sync == CNK_SYNC_FAILED)
      return TICK;
    bool is_ill = !atomic_load(&store->worker.is_writable) || store->is_broken || !store->db;
    bool is_urgent = is_ill || cnk_checkpoint_is_wanted_idle(store);
    if (!is_urgent && !store->has_log)
      uv_cond_wait(&store->worker.wake, &store->worker.mutex);
    else if (uv_cond_timedwait(&store->worker.wake, &store->worker.mutex,
                               is_ill      ? PROBE_NS
                               : is_urgent ? IDLE_NS
                                           : WATCH_NS) != 0)
      return is_urgent ? TICK : WATCH;
  }
}

static struct cnk_sqlite *store_of(struct cnk_worker *worker)
{
  return CNK_OWNER(worker, struct cnk_sqlite, worker);
}

static void publish(struct cnk_worker *worker) /* under the mutex */
{
  const struct cnk_sqlite *store = store_of(worker);
  worker->stats.redone = store->session.redone;
  worker->stats.checkpoints = store->checkpoints;
  worker->stats.probes = store->probes;
  worker->stats.max_checkpoint_us = store->max_checkpoint_us;
  worker->stats.wal_bytes = (uint64_t)store->wal_pages * 4096;
}

/* Calls may keep coming while nothing can be written, so this does not wait for a tick. */
static void give_room(struct cnk_sqlite *store)
{
  if (uv_hrtime() < store->give_room_at)
    return;
  store->give_room_at = uv_hrtime() + PROBE_NS;
  cnk_checkpoint_give_room(store);
}

static void work(struct cnk_sqlite *store, struct cnk_store_calls *batch)
{
  uint64_t began = uv_hrtime();
  cnk_batch_run(store, batch);
  cnk_worker_give_back(&store->worker, batch, (uint32_t)((uv_hrtime() - began) / 1000), publish);
  /* After the results are delivered: none of them depends on a checkpoint. */
  if (atomic_load(&store->worker.is_writable))
    cnk_checkpoint_after_batch(store);
  else
    give_room(store);
}

static void back_up(struct cnk_sqlite *store, struct cnk_backup *backup)
{
  if (!cnk_backup_step(store, backup))
    return;
  uv_mutex_lock(&store->worker.mutex);
  store->backup = NULL;
  store->backup_finished = backup;
  uv_mutex_unlock(&store->worker.mutex);
  cnk_wake_send(&store->worker.wake_loop);
}

/* A failed fsync must not be repeated: Linux marks the pages that it could not write as clean, so a second one reports
 * success. Opening the database again copies these pages from the log once more. Before that, something is committed at
 * the end of the log: frames of a failed commit may lie there, which recovery would otherwise take for committed. */
static void open_again(struct cnk_sqlite *store)
{
  char message[200];
  if (uv_hrtime() < store->open_again_at || (store->db && !cnk_batch_probe(store)))
    return;
  store->open_again_at = uv_hrtime() + PROBE_NS;
  cnk_connection_close(store);
  if (!cnk_connection_open(store, message, sizeof message))
    cnk_worker_set_unwritable(&store->worker, message);
}

/* The log or its index was removed, and SQLite has both open still: all of it goes into the database, which then gets
 * new ones. What somebody has put in their place is left to whoever did: it may be the log of another database. */
static void replace_log(struct cnk_sqlite *store)
{
  char message[200];
  if (uv_hrtime() < store->open_again_at)
    return;
  store->open_again_at = uv_hrtime() + PROBE_NS;
  if (!cnk_checkpoint_save(store) || cnk_guard_has_foreign_log(&store->guard))
    return;
  cnk_connection_close(store);
  cnk_connection_open(store, message, sizeof message);
}

static void tick(struct cnk_sqlite *store)
{
  if (!atomic_load(&store->worker.is_writable)) {
    store->probes++;
    give_room(store);
    cnk_batch_probe(store);
  } else {
    cnk_checkpoint_idle(store);
  }
  uv_mutex_lock(&store->worker.mutex);
  publish(&store->worker);
  uv_mutex_unlock(&store->worker.mutex);
}

static void stop(struct cnk_sqlite *store, struct cnk_backup *backup)
{
  if (backup)
    cnk_backup_cancel(backup);
  cnk_connection_close(store); /* moves the rest of the log into the database */
  uv_mutex_lock(&store->worker.mutex);
  store->backup = NULL;
  if (backup)
    store->backup_finished = backup;
  store->worker.is_stopped = true;
  uv_mutex_unlock(&store->worker.mutex);
  cnk_wake_send(&store->worker.wake_loop);
}

bool cnk_writer_take_turn(struct cnk_worker *worker)
{
  struct cnk_sqlite *store = store_of(worker);
  uv_mutex_lock(&store->worker.mutex);
  enum turn turn = wait(store);
  /* A call may come between the end of a timed wait and the mutex: at a tick it stays in the queue, for the next
   * turn. */
  struct cnk_store_calls batch;
  if (turn == WORK)
    cnk_worker_take_batch(worker, &batch);
  struct cnk_backup *backup = find_backup(store), *last = store->backup;
  uv_mutex_unlock(&store->worker.mutex);
  if (turn == STOP) {
    stop(store, last);
    return false;
  }
  atomic_store(&store->busy_since, uv_hrtime());
  if (!backup && (store->is_broken || !store->db))
    open_again(store);
  else if (!backup && store->guard.state == CNK_GUARD_NO_LOG)
    replace_log(store);
  if (turn == WORK)
    work(store, &batch);
  else if (turn == WATCH)
    cnk_batch_check_files(store);
  else if (!backup)
    tick(store);
  if (backup)
    back_up(store, backup);
  atomic_store(&store->busy_since, 0);
  return true;
}
