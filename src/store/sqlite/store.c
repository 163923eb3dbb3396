/* SPDX-License-Identifier: MIT */
/* The store's side on the loop's thread: opening and closing, backups; its calls go through a worker. */
#include "store/sqlite/sqlite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "store/sqlite/internal.h"

static const struct cnk_store_backend backend;
static const struct cnk_worker_kind kind;

static struct cnk_sqlite *store_of(struct cnk_worker *worker)
{
  return CNK_OWNER(worker, struct cnk_sqlite, worker);
}

static struct cnk_sqlite *sqlite_of(struct cnk_store *base)
{
  return CNK_OWNER(base, struct cnk_sqlite, worker.base);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void free_names(struct cnk_sqlite *store)
{
  free(store->path);
  free((char *)store->options.vfs);
  free(store->given_path);
}

static void free_store(struct cnk_worker *worker)
{
  struct cnk_sqlite *store = store_of(worker);
  cnk_worker_free(worker);
  cnk_statements_close(store);
  uv_cond_destroy(&store->sync_wake);
  free_names(store);
  free(store);
}

static bool is_busy(const struct cnk_worker *worker)
{
  return CNK_OWNER(worker, struct cnk_sqlite, worker)->is_backing_up;
}

static bool has_backup(const struct cnk_worker *worker)
{
  return CNK_OWNER(worker, struct cnk_sqlite, worker)->backup != NULL;
}

static struct cnk_store_task *take_backup(struct cnk_sqlite *store)
{
  uv_mutex_lock(&store->worker.mutex);
  struct cnk_backup *finished = store->backup_finished;
  store->backup_finished = NULL;
  uv_mutex_unlock(&store->worker.mutex);
  if (finished)
    store->is_backing_up = false;
  return finished ? cnk_backup_free(finished) : NULL;
}

static void on_wake(struct cnk_worker *worker)
{
  cnk_worker_finish_task(worker, take_backup(store_of(worker)));
}

static void on_stopped(struct cnk_worker *worker)
{
  struct cnk_sqlite *store = store_of(worker);
  cnk_lock_close(&store->lock);
  take_backup(store); /* where the loop ends, it is not delivered */
}

static bool back_up(struct cnk_store *base, const char *path, struct cnk_store_task *task)
{
  struct cnk_sqlite *store = sqlite_of(base);
  struct cnk_worker *worker = &store->worker;
  struct cnk_backup *backup = store->is_backing_up ? NULL : cnk_backup_new(store, path, task);
  if (!backup)
    return false;
  store->is_backing_up = true;
  cnk_worker_hold_loop(worker);
  uv_mutex_lock(&worker->mutex);
  store->backup = backup;
  uv_cond_signal(&worker->wake);
  uv_mutex_unlock(&worker->mutex);
  if (worker->is_in_place)
    cnk_worker_catch_up(worker);
  return true;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static struct cnk_sqlite *make(struct cnk_loop *loop, const char *path, const struct cnk_store_options *options)
{
  struct cnk_sqlite *store = calloc(1, sizeof *store);
  if (!store)
    return NULL;
  store->worker.base.backend = &backend;
  store->session.driver = &cnk_sqlite_driver;
  store->session.writes = cnk_sql_writes();
  store->options = *options;
  store->is_memory = strcmp(path, ":memory:") == 0;
  store->worker.is_in_place = store->is_memory && options->is_in_place;
  store->has_log = !store->is_memory && !options->is_read_only;
  store->path = store->is_memory ? strdup(path) : cnk_lock_resolve(path);
  store->given_path = strdup(path);
  store->options.vfs = options->vfs ? strdup(options->vfs) : NULL;
  store->lock = CNK_LOCK_NONE;
  if (!cnk_statements_open(store) || !store->path || !store->given_path || (options->vfs && !store->options.vfs) ||
      !cnk_worker_init(&store->worker, &kind, loop, options)) {
    cnk_statements_close(store);
    free_names(store);
    free(store);
    return NULL;
  }
  uv_cond_init(&store->sync_wake); /* cannot fail where libuv runs */
  return store;
}

struct cnk_store *cnk_sqlite_open(struct cnk_loop *loop, const char *path, const struct cnk_store_options *options,
                                  char *message, size_t size)
{
  bool is_file = strcmp(path, ":memory:") != 0 && !options->vfs;
  unsigned char digest[CNK_DIGEST_SIZE];
  if (is_file && !cnk_migrate_look(path, message, size))
    return NULL;
  struct cnk_sqlite *store = cnk_digest_of("", 0, digest) ? make(loop, path, options) : NULL;
  if (!store) {
    snprintf(message, size, "not enough memory");
    return NULL;
  }
  /* Signals are the loop's, never those of the threads that begin here. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool is_open = cnk_connection_open(store, message, size) && cnk_migrate(store, message, size) &&
                 cnk_worker_start(&store->worker, message, size);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (is_open)
    return &store->worker.base;
  cnk_connection_close(store);
  cnk_lock_close(&store->lock);
  cnk_worker_abandon(&store->worker);
  return NULL;
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

static struct cnk_store_stats read_stats(struct cnk_store *base)
{
  struct cnk_store_stats stats = cnk_worker_read_stats(base);
  stats.is_backing_up = sqlite_of(base)->is_backing_up;
  return stats;
}

/* As long as webhooks wait for their 200. */
#define PATIENCE_NS UINT64_C(5000000000)

/* Nothing fails where a disk hangs. */
static bool hangs(const struct cnk_store *base)
{
  uint64_t since = atomic_load(&sqlite_of((struct cnk_store *)base)->busy_since);
  uint64_t now = uv_hrtime();
  return since != 0 && now > since && now - since > PATIENCE_NS;
}

static bool is_writable(const struct cnk_store *base)
{
  return cnk_worker_is_writable(base) && !hangs(base);
}

static void read_trouble(struct cnk_store *base, char *message, size_t size)
{
  cnk_worker_read_trouble(base, message, size);
  if (!*message && hangs(base))
    snprintf(message, size, "the disk has confirmed nothing for more than %d seconds", (int)(PATIENCE_NS / 1000000000));
}

static const char *code_name(int status)
{
  switch (status & 0xff) {
  case SQLITE_FULL: return "full";
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN: return "io";
  case SQLITE_READONLY: return "read_only";
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return "busy";
  case SQLITE_CONSTRAINT: return "constraint";
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return "corrupt";
  case SQLITE_NOMEM: return "memory";
  case SQLITE_TOOBIG: return "too_many";
  default: return "statement";
  }
}

static const struct cnk_worker_kind kind = {
    .take_turn = cnk_writer_take_turn,
    .is_busy = is_busy,
    .on_wake = on_wake,
    .on_stopped = on_stopped,
    .has_more = has_backup,
    .free_store = free_store,
};

static const struct cnk_store_backend backend = {
    .new_call = cnk_worker_new_call,
    .release = cnk_worker_release,
    .run = cnk_worker_run,
    .backup = back_up,
    .close = cnk_worker_close,
    .is_writable = is_writable,
    .read_trouble = read_trouble,
    .read_stats = read_stats,
    .on_shut = cnk_worker_set_on_shut,
    .find = cnk_sql_find_asked,
    .code_name = code_name,
};
