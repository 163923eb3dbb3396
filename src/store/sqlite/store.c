/* SPDX-License-Identifier: MIT */
/* The store's side on the loop's thread: opening, queues, deliveries and closing; see store.h for the contract. */
#include "store/sqlite/sqlite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "store/sqlite/internal.h"

/* So many calls are forwarded to the writer at once, before the loop's turn ends, for it to start on; and so many unused
 * ones are kept for reuse. */
enum { FORWARD_CALLS = 256, SPARE_CALLS = 256 };

static const struct cnk_store_backend backend;

static struct cnk_sqlite *sqlite_of(struct cnk_store *store)
{
  return CNK_OWNER(store, struct cnk_sqlite, base);
}

static struct cnk_sqlite *store_of(struct cnk_resource *resource)
{
  return CNK_OWNER(resource, struct cnk_sqlite, resource);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void free_names(struct cnk_sqlite *store)
{
  free(store->path);
  free((char *)store->options.vfs);
  free(store->given_path);
}

static void free_call(struct cnk_store_call *call)
{
  cnk_arena_free(&call->arena);
  free(call);
}

static void free_store(struct cnk_sqlite *store)
{
  cnk_loop_disown(&store->resource);
  for (struct cnk_link *link; (link = cnk_list_take(&store->spare));)
    free_call(cnk_store_call_of(link));
  cnk_statements_close(store);
  uv_cond_destroy(&store->wake);
  uv_cond_destroy(&store->sync_wake);
  uv_mutex_destroy(&store->mutex);
  free_names(store);
  free(store);
}

/* The store is referenced by its handles and by each call that is held: a call may be released after the close. */
static void drop_reference(struct cnk_sqlite *store)
{
  if (--store->references == 0)
    free_store(store);
}

static void on_handle_closed(uv_handle_t *handle)
{
  struct cnk_sqlite *store = handle->data;
  if (--store->open_handles == 0)
    drop_reference(store);
}

static void close_handles(struct cnk_sqlite *store)
{
  uv_close((uv_handle_t *)&store->async, on_handle_closed);
  uv_close((uv_handle_t *)&store->prepare, on_handle_closed);
}

/* The loop stays alive while something is to be delivered. */
static void hold_loop(struct cnk_sqlite *store)
{
  if (store->in_flight || store->is_backing_up || store->is_ending)
    uv_ref((uv_handle_t *)&store->async);
  else
    uv_unref((uv_handle_t *)&store->async);
}

/* ---- to the writer and back ------------------------------------------------------------------------------------ */

static void forward(struct cnk_sqlite *store)
{
  uv_mutex_lock(&store->mutex);
  cnk_store_calls_move(&store->queue, &store->fresh);
  store->is_closing = store->is_ending;
  uv_cond_signal(&store->wake);
  uv_mutex_unlock(&store->mutex);
  uv_prepare_stop(&store->prepare);
  if (store->is_in_place)
    cnk_writer_catch_up(store);
}

static void on_prepare(uv_prepare_t *prepare)
{
  forward(prepare->data);
}

static void end_task(struct cnk_sqlite *store, struct cnk_store_task *task)
{
  if (task)
    cnk_loop_finish(store->loop, &task->done);
}

static void on_stopped(struct cnk_sqlite *store)
{
  if (!store->is_in_place)
    uv_thread_join(&store->thread);
  cnk_lock_close(&store->lock);
  struct cnk_store_task *task = store->close_task;
  store->close_task = NULL;
  end_task(store, task);
  close_handles(store);
}

static void on_async(uv_async_t *async)
{
  struct cnk_sqlite *store = async->data;
  struct cnk_store_calls finished;
  cnk_store_calls_init(&finished);
  uv_mutex_lock(&store->mutex);
  cnk_store_calls_move(&finished, &store->finished);
  struct cnk_backup *backup = store->backup_finished;
  store->backup_finished = NULL;
  bool is_stopped = store->is_stopped;
  uv_mutex_unlock(&store->mutex);
  for (struct cnk_store_call *call; (call = cnk_store_calls_take(&finished));) {
    store->in_flight--;
    store->in_flight_bytes -= call->charged;
    cnk_loop_finish(store->loop, &call->done);
  }
  if (backup) {
    store->is_backing_up = false;
    end_task(store, cnk_backup_free(backup));
  }
  hold_loop(store);
  if (is_stopped && store->is_running) {
    store->is_running = false;
    on_stopped(store);
  }
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static struct cnk_store_call *new_call(struct cnk_store *base)
{
  struct cnk_sqlite *store = sqlite_of(base);
  struct cnk_link *spare = cnk_list_take(&store->spare);
  struct cnk_store_call *call = spare ? cnk_store_call_of(spare) : calloc(1, sizeof *call);
  if (!call)
    return NULL;
  if (spare)
    store->spare_count--;
  call->store = base;
  cnk_list_add(&store->held, &call->of_store);
  store->references++;
  return call;
}

static void release(struct cnk_store_call *call)
{
  struct cnk_sqlite *store = sqlite_of(call->store);
  cnk_list_remove(&call->of_store);
  if (call->verb == CNK_QUERY && call->request)
    free(((struct cnk_query *)call->request)->rows.data);
  if (store->spare_count < SPARE_CALLS) {
    cnk_arena_reset(&call->arena);
    call->request = NULL;
    cnk_list_add_first(&store->spare, &call->link);
    store->spare_count++;
  } else {
    free_call(call);
  }
  drop_reference(store);
}

static bool run(struct cnk_store *base, struct cnk_store_call *call)
{
  struct cnk_sqlite *store = sqlite_of(base);
  call->charged = sizeof *call + call->arena.total;
  if (store->in_flight >= store->options.queue_calls ||
      (store->in_flight && store->in_flight_bytes + call->charged > store->options.queue_bytes))
    return false;
  cnk_store_calls_add(&store->fresh, call);
  store->in_flight_bytes += call->charged;
  if (store->in_flight++ == 0)
    hold_loop(store);
  if (store->fresh.count >= FORWARD_CALLS)
    forward(store);
  else if (store->fresh.count == 1)
    uv_prepare_start(&store->prepare, on_prepare);
  return true;
}

static bool back_up(struct cnk_store *base, const char *path, struct cnk_store_task *task)
{
  struct cnk_sqlite *store = sqlite_of(base);
  struct cnk_backup *backup = store->is_backing_up ? NULL : cnk_backup_new(path, task);
  if (!backup)
    return false;
  store->is_backing_up = true;
  hold_loop(store);
  uv_mutex_lock(&store->mutex);
  store->backup = backup;
  uv_cond_signal(&store->wake);
  uv_mutex_unlock(&store->mutex);
  if (store->is_in_place)
    cnk_writer_catch_up(store);
  return true;
}

/* ---- opening and closing --------------------------------------------------------------------------------------- */

static void close_store(struct cnk_store *base, struct cnk_store_task *task)
{
  struct cnk_sqlite *store = sqlite_of(base);
  store->on_shut = NULL;
  store->close_task = task;
  store->is_ending = true;
  hold_loop(store);
  forward(store);
}

/* The loop ends with the store open: what is queued is still written, but not delivered. */
static void shut(struct cnk_resource *resource)
{
  struct cnk_sqlite *store = store_of(resource);
  store->references++;
  if (store->on_shut)
    store->on_shut(store->shut_context);
  if (store->is_running) {
    store->is_running = false;
    store->is_ending = true;
    store->close_task = NULL;
    forward(store);
    on_stopped(store);
    if (store->backup_finished)
      cnk_backup_free(store->backup_finished);
  }
  for (struct cnk_link *link; (link = cnk_list_take(&store->held));) {
    struct cnk_store_call *call = CNK_OWNER(link, struct cnk_store_call, of_store);
    cnk_loop_forget(&call->done);
    call->store = &store->base; /* not one that wraps it */
    release(call);
  }
  drop_reference(store);
}

static struct cnk_sqlite *make(struct cnk_loop *loop, const char *path, const struct cnk_store_options *options)
{
  struct cnk_sqlite *store = calloc(1, sizeof *store);
  if (!store)
    return NULL;
  store->base.backend = &backend;
  store->session.driver = &cnk_sqlite_driver;
  store->session.writes = cnk_sql_writes();
  store->loop = loop;
  store->options = *options;
  store->is_memory = strcmp(path, ":memory:") == 0;
  store->is_in_place = store->is_memory && options->is_in_place;
  store->has_log = !store->is_memory && !options->is_read_only;
  store->path = store->is_memory ? strdup(path) : cnk_lock_resolve(path);
  store->given_path = strdup(path);
  store->options.vfs = options->vfs ? strdup(options->vfs) : NULL;
  store->lock = CNK_LOCK_NONE;
  store->references = 1;
  cnk_list_init(&store->held);
  cnk_list_init(&store->spare);
  cnk_store_calls_init(&store->fresh);
  cnk_store_calls_init(&store->queue);
  cnk_store_calls_init(&store->finished);
  store->resource.shut = shut;
  atomic_init(&store->is_writable, true);
  if (!cnk_statements_open(store) || !store->path || !store->given_path || (options->vfs && !store->options.vfs) ||
      uv_mutex_init(&store->mutex) != 0) {
    cnk_statements_close(store);
    free_names(store);
    free(store);
    return NULL;
  }
  uv_cond_init(&store->wake); /* cannot fail where libuv runs */
  uv_cond_init(&store->sync_wake);
  return store;
}

/* From here on the handles belong to the loop: a store that cannot start is freed when they are closed. */
static bool start(struct cnk_sqlite *store, char *message, size_t size)
{
  int status = uv_async_init(&store->loop->uv, &store->async, on_async);
  if (status == 0) {
    uv_prepare_init(&store->loop->uv, &store->prepare);
    store->async.data = store->prepare.data = store;
    store->open_handles = 2;
    cnk_loop_own(store->loop, &store->resource);
    uv_unref((uv_handle_t *)&store->async);
    uv_unref((uv_handle_t *)&store->prepare);
    if (!store->is_in_place)
      status = uv_thread_create(&store->thread, cnk_writer_run, store);
    store->is_running = status == 0;
  }
  if (status != 0)
    snprintf(message, size, "cannot start the store: %s", uv_strerror(status));
  return status == 0;
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
  bool is_open =
      cnk_connection_open(store, message, size) && cnk_migrate(store, message, size) && start(store, message, size);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (is_open)
    return &store->base;
  cnk_connection_close(store);
  cnk_lock_close(&store->lock);
  if (store->open_handles)
    close_handles(store);
  else
    drop_reference(store);
  return NULL;
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

static bool is_writable(const struct cnk_store *base)
{
  return atomic_load(&CNK_OWNER(base, struct cnk_sqlite, base)->is_writable);
}

static void read_trouble(struct cnk_store *base, char *message, size_t size)
{
  struct cnk_sqlite *store = sqlite_of(base);
  uv_mutex_lock(&store->mutex);
  snprintf(message, size, "%s", is_writable(base) ? "" : store->trouble);
  uv_mutex_unlock(&store->mutex);
}

static struct cnk_store_stats read_stats(struct cnk_store *base)
{
  struct cnk_sqlite *store = sqlite_of(base);
  uv_mutex_lock(&store->mutex);
  struct cnk_store_stats stats = store->stats;
  uv_mutex_unlock(&store->mutex);
  stats.queued = store->in_flight;
  stats.queued_bytes = store->in_flight_bytes;
  stats.is_writable = is_writable(base);
  stats.is_backing_up = store->is_backing_up;
  return stats;
}

static void set_on_shut(struct cnk_store *base, void (*on_shut)(void *context), void *context)
{
  struct cnk_sqlite *store = sqlite_of(base);
  store->on_shut = on_shut;
  store->shut_context = context;
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

static const struct cnk_store_backend backend = {
    .new_call = new_call,
    .release = release,
    .run = run,
    .backup = back_up,
    .close = close_store,
    .is_writable = is_writable,
    .read_trouble = read_trouble,
    .read_stats = read_stats,
    .on_shut = set_on_shut,
    .find = cnk_sql_find_asked,
    .code_name = code_name,
};
