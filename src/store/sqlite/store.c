/* SPDX-License-Identifier: MIT */
/* The store's side on the loop's thread: opening, queues, deliveries and closing; see store.h for the contract. */
#include "store/sqlite/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/internal.h"

/* So many requests are forwarded to the writer at once, before the loop's turn ends, for it to start on; and so many unused
 * ones are kept for reuse. */
enum { FORWARD_REQUESTS = 256, SPARE_REQUESTS = 256 };

const struct cnk_store_options cnk_store_defaults = {
    .synchronous = 2,
    .busy_ms = 2000,
    .cache_kb = 4096,
    .wal_pages = 500,
    .queue_requests = 1 << 17,
    .queue_bytes = (size_t)128 << 20,
};

static struct cnk_store *store_of(struct cnk_resource *resource)
{
  return CNK_OWNER(resource, struct cnk_store, resource);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void free_names(struct cnk_store *store)
{
  free((char *)store->options.path);
  free((char *)store->options.vfs);
  free(store->given_path);
}

static void free_store(struct cnk_store *store)
{
  cnk_loop_disown(&store->resource);
  for (struct cnk_link *link; (link = cnk_list_take(&store->spare));)
    cnk_store_request_free(cnk_store_request_of(link));
  for (unsigned i = 0; i < store->sql_count; i++)
    free(store->sql[i].text);
  uv_cond_destroy(&store->wake);
  uv_cond_destroy(&store->sync_wake);
  uv_mutex_destroy(&store->mutex);
  free_names(store);
  free(store);
}

/* The store is referenced by its handles and by each request that is held: a request may be released after the close. */
static void drop_reference(struct cnk_store *store)
{
  if (--store->references == 0)
    free_store(store);
}

static void on_handle_closed(uv_handle_t *handle)
{
  struct cnk_store *store = handle->data;
  if (--store->open_handles == 0)
    drop_reference(store);
}

static void close_handles(struct cnk_store *store)
{
  uv_close((uv_handle_t *)&store->async, on_handle_closed);
  uv_close((uv_handle_t *)&store->prepare, on_handle_closed);
}

/* The loop stays alive while something is to be delivered. */
static void hold_loop(struct cnk_store *store)
{
  if (store->in_flight || store->is_backing_up || store->is_ending)
    uv_ref((uv_handle_t *)&store->async);
  else
    uv_unref((uv_handle_t *)&store->async);
}

/* ---- to the writer and back ------------------------------------------------------------------------------------ */

static void forward(struct cnk_store *store)
{
  uv_mutex_lock(&store->mutex);
  cnk_store_requests_move(&store->queue, &store->fresh);
  store->is_closing = store->is_ending;
  uv_cond_signal(&store->wake);
  uv_mutex_unlock(&store->mutex);
  uv_prepare_stop(&store->prepare);
}

static void on_prepare(uv_prepare_t *prepare)
{
  forward(prepare->data);
}

static void end_task(struct cnk_store *store, struct cnk_store_task *task)
{
  if (task)
    cnk_loop_finish(store->loop, &task->done);
}

static void on_stopped(struct cnk_store *store)
{
  uv_thread_join(&store->thread);
  cnk_lock_close(&store->lock);
  struct cnk_store_task *task = store->close_task;
  store->close_task = NULL;
  end_task(store, task);
  close_handles(store);
}

static void on_async(uv_async_t *async)
{
  struct cnk_store *store = async->data;
  struct cnk_store_requests finished;
  cnk_store_requests_init(&finished);
  uv_mutex_lock(&store->mutex);
  cnk_store_requests_move(&finished, &store->finished);
  struct cnk_backup *backup = store->backup_finished;
  store->backup_finished = NULL;
  bool is_stopped = store->is_stopped;
  uv_mutex_unlock(&store->mutex);
  for (struct cnk_store_request *request; (request = cnk_store_requests_take(&finished));) {
    store->in_flight--;
    store->in_flight_bytes -= request->charged;
    cnk_loop_finish(store->loop, &request->done);
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

/* ---- requests ------------------------------------------------------------------------------------------------------ */

struct cnk_store_request *cnk_store_new_request(struct cnk_store *store)
{
  struct cnk_link *spare = cnk_list_take(&store->spare);
  struct cnk_store_request *request = spare ? cnk_store_request_of(spare) : cnk_store_request_new();
  if (!request)
    return NULL;
  if (spare)
    store->spare_count--;
  request->store = store;
  cnk_list_add(&store->held, &request->of_store);
  store->references++;
  return request;
}

void cnk_store_release(struct cnk_store_request *request)
{
  struct cnk_store *store = request->store;
  cnk_list_remove(&request->of_store);
  if (store->spare_count < SPARE_REQUESTS) {
    cnk_store_request_reset(request);
    cnk_list_add_first(&store->spare, &request->link);
    store->spare_count++;
  } else {
    cnk_store_request_free(request);
  }
  drop_reference(store);
}

bool cnk_store_run(struct cnk_store *store, struct cnk_store_request *request)
{
  request->charged = sizeof *request + request->count * sizeof *request->statements + request->input.size;
  if (store->in_flight >= store->options.queue_requests ||
      (store->in_flight && store->in_flight_bytes + request->charged > store->options.queue_bytes))
    return false;
  cnk_store_requests_add(&store->fresh, request);
  store->in_flight_bytes += request->charged;
  if (store->in_flight++ == 0)
    hold_loop(store);
  if (store->fresh.count >= FORWARD_REQUESTS)
    forward(store);
  else if (store->fresh.count == 1)
    uv_prepare_start(&store->prepare, on_prepare);
  return true;
}

bool cnk_store_backup(struct cnk_store *store, const char *path, struct cnk_store_task *task)
{
  struct cnk_backup *backup = store->is_backing_up ? NULL : cnk_backup_new(path, task);
  if (!backup)
    return false;
  store->is_backing_up = true;
  hold_loop(store);
  uv_mutex_lock(&store->mutex);
  store->backup = backup;
  uv_cond_signal(&store->wake);
  uv_mutex_unlock(&store->mutex);
  return true;
}

/* ---- opening and closing --------------------------------------------------------------------------------------- */

void cnk_store_close(struct cnk_store *store, struct cnk_store_task *task)
{
  store->on_shut = NULL;
  store->close_task = task;
  store->is_ending = true;
  hold_loop(store);
  forward(store);
}

/* The loop ends with the store open: what is queued is still written, but not delivered. */
static void shut(struct cnk_resource *resource)
{
  struct cnk_store *store = store_of(resource);
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
  for (struct cnk_link *link; (link = cnk_list_first(&store->held));) {
    struct cnk_store_request *request = CNK_OWNER(link, struct cnk_store_request, of_store);
    cnk_loop_forget(&request->done);
    cnk_store_release(request);
  }
  drop_reference(store);
}

static struct cnk_store *make(struct cnk_loop *loop, const struct cnk_store_options *options)
{
  struct cnk_store *store = calloc(1, sizeof *store);
  if (!store)
    return NULL;
  store->loop = loop;
  store->options = *options;
  store->is_memory = strcmp(options->path, ":memory:") == 0;
  store->has_log = !store->is_memory && !options->is_read_only;
  store->options.path = store->is_memory ? strdup(options->path) : cnk_lock_resolve(options->path);
  store->given_path = strdup(options->path);
  store->options.vfs = options->vfs ? strdup(options->vfs) : NULL;
  store->lock = CNK_LOCK_NONE;
  store->references = 1;
  cnk_list_init(&store->held);
  cnk_list_init(&store->spare);
  cnk_store_requests_init(&store->fresh);
  cnk_store_requests_init(&store->queue);
  cnk_store_requests_init(&store->finished);
  store->resource.shut = shut;
  atomic_init(&store->is_writable, true);
  if (!store->options.path || !store->given_path || (options->vfs && !store->options.vfs) ||
      uv_mutex_init(&store->mutex) != 0) {
    free_names(store);
    free(store);
    return NULL;
  }
  uv_cond_init(&store->wake); /* cannot fail where libuv runs */
  uv_cond_init(&store->sync_wake);
  return store;
}

/* From here on the handles belong to the loop: a store that cannot start is freed when they are closed. */
static bool start(struct cnk_store *store, char *message, size_t size)
{
  int status = uv_async_init(&store->loop->uv, &store->async, on_async);
  if (status == 0) {
    uv_prepare_init(&store->loop->uv, &store->prepare);
    store->async.data = store->prepare.data = store;
    store->open_handles = 2;
    cnk_loop_own(store->loop, &store->resource);
    uv_unref((uv_handle_t *)&store->async);
    uv_unref((uv_handle_t *)&store->prepare);
    status = uv_thread_create(&store->thread, cnk_writer_run, store);
    store->is_running = status == 0;
  }
  if (status != 0)
    snprintf(message, size, "cannot start the store: %s", uv_strerror(status));
  return status == 0;
}

struct cnk_store *cnk_store_open(struct cnk_loop *loop, const struct cnk_store_options *options, char *message,
                                 size_t size)
{
  struct cnk_store *store = make(loop, options);
  if (!store) {
    snprintf(message, size, "not enough memory");
    return NULL;
  }
  /* Signals are the loop's, never those of the threads that begin here. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool is_open = cnk_connection_open(store, message, size) && start(store, message, size);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (is_open)
    return store;
  cnk_connection_close(store);
  cnk_lock_close(&store->lock);
  if (store->open_handles)
    close_handles(store);
  else
    drop_reference(store);
  return NULL;
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

bool cnk_store_is_writable(const struct cnk_store *store)
{
  return atomic_load(&store->is_writable);
}

void cnk_store_read_trouble(struct cnk_store *store, char *message, size_t size)
{
  uv_mutex_lock(&store->mutex);
  snprintf(message, size, "%s", cnk_store_is_writable(store) ? "" : store->trouble);
  uv_mutex_unlock(&store->mutex);
}

struct cnk_store_stats cnk_store_read_stats(struct cnk_store *store)
{
  uv_mutex_lock(&store->mutex);
  struct cnk_store_stats stats = store->stats;
  uv_mutex_unlock(&store->mutex);
  stats.queued = store->in_flight;
  stats.queued_bytes = store->in_flight_bytes;
  stats.is_writable = cnk_store_is_writable(store);
  stats.is_backing_up = store->is_backing_up;
  return stats;
}

void cnk_store_on_shut(struct cnk_store *store, void (*on_shut)(void *context), void *context)
{
  store->on_shut = on_shut;
  store->shut_context = context;
}
