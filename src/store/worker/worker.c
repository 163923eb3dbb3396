/* SPDX-License-Identifier: MIT */
/* The store's side on the loop's thread: queues, deliveries and closing; see store.h for the contract. */
#include "store/worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many calls are forwarded to the thread at once, before the loop's turn ends, for it to start on; and so many unused
 * ones are kept for reuse. */
enum { FORWARD_CALLS = 256, SPARE_CALLS = 256 };

static struct cnk_worker *worker_of(struct cnk_store *store)
{
  return CNK_OWNER(store, struct cnk_worker, base);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void free_call(struct cnk_store_call *call)
{
  cnk_arena_free(&call->arena);
  free(call);
}

void cnk_worker_free(struct cnk_worker *worker)
{
  cnk_loop_disown(&worker->resource);
  for (struct cnk_link *link; (link = cnk_list_take(&worker->spare));)
    free_call(cnk_store_call_of(link));
  uv_cond_destroy(&worker->wake);
  uv_mutex_destroy(&worker->mutex);
}

/* The store is referenced by its handles and by each call that is held: a call may be released after the close. */
static void drop_reference(struct cnk_worker *worker)
{
  if (--worker->references == 0)
    worker->kind->free_store(worker);
}

static void drop_handle(struct cnk_worker *worker)
{
  if (--worker->open_handles == 0)
    drop_reference(worker);
}

static void on_prepare_closed(uv_handle_t *handle)
{
  drop_handle(handle->data);
}

static void on_wake_closed(struct cnk_wake *wake)
{
  drop_handle(CNK_OWNER(wake, struct cnk_worker, wake_loop));
}

static void close_handles(struct cnk_worker *worker)
{
  cnk_wake_close(&worker->wake_loop, on_wake_closed);
  uv_close((uv_handle_t *)&worker->prepare, on_prepare_closed);
}

void cnk_worker_abandon(struct cnk_worker *worker)
{
  if (worker->open_handles)
    close_handles(worker);
  else
    drop_reference(worker);
}

/* The loop stays alive while something is to be delivered. */
void cnk_worker_hold_loop(struct cnk_worker *worker)
{
  if (worker->in_flight || worker->is_ending || (worker->kind->is_busy && worker->kind->is_busy(worker)))
    uv_ref((uv_handle_t *)&worker->wake_loop.poll);
  else
    uv_unref((uv_handle_t *)&worker->wake_loop.poll);
}

/* ---- to the thread and back -------------------------------------------------------------------------------------- */

void cnk_worker_catch_up(struct cnk_worker *worker)
{
  while (!worker->is_stopped && (!cnk_list_is_empty(&worker->queue.list) || worker->is_closing ||
                                 (worker->kind->has_more && worker->kind->has_more(worker))))
    worker->kind->take_turn(worker);
}

static void forward(struct cnk_worker *worker)
{
  uv_mutex_lock(&worker->mutex);
  cnk_store_calls_move(&worker->queue, &worker->fresh);
  worker->is_closing = worker->is_ending;
  uv_cond_signal(&worker->wake);
  uv_mutex_unlock(&worker->mutex);
  uv_prepare_stop(&worker->prepare);
  if (worker->is_in_place)
    cnk_worker_catch_up(worker);
}

static void on_prepare(uv_prepare_t *prepare)
{
  forward(prepare->data);
}

void cnk_worker_finish_task(struct cnk_worker *worker, struct cnk_store_task *task)
{
  if (task)
    cnk_loop_finish(worker->loop, &task->done);
}

static void on_stopped(struct cnk_worker *worker)
{
  if (!worker->is_in_place)
    uv_thread_join(&worker->thread);
  worker->kind->on_stopped(worker);
  struct cnk_store_task *task = worker->close_task;
  worker->close_task = NULL;
  cnk_worker_finish_task(worker, task);
  close_handles(worker);
}

static void on_wake(struct cnk_wake *wake)
{
  struct cnk_worker *worker = CNK_OWNER(wake, struct cnk_worker, wake_loop);
  struct cnk_store_calls finished;
  cnk_store_calls_init(&finished);
  uv_mutex_lock(&worker->mutex);
  cnk_store_calls_move(&finished, &worker->finished);
  bool is_stopped = worker->is_stopped;
  uv_mutex_unlock(&worker->mutex);
  for (struct cnk_store_call *call; (call = cnk_store_calls_take(&finished));) {
    worker->in_flight--;
    worker->in_flight_bytes -= call->charged;
    cnk_loop_finish(worker->loop, &call->done);
  }
  if (worker->kind->on_wake)
    worker->kind->on_wake(worker);
  cnk_worker_hold_loop(worker);
  if (is_stopped && worker->is_running) {
    worker->is_running = false;
    on_stopped(worker);
  }
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

struct cnk_store_call *cnk_worker_new_call(struct cnk_store *base)
{
  struct cnk_worker *worker = worker_of(base);
  struct cnk_link *spare = cnk_list_take(&worker->spare);
  struct cnk_store_call *call = spare ? cnk_store_call_of(spare) : calloc(1, sizeof *call);
  if (!call)
    return NULL;
  if (spare)
    worker->spare_count--;
  call->store = base;
  cnk_list_add(&worker->held, &call->of_store);
  worker->references++;
  return call;
}

void cnk_worker_release(struct cnk_store_call *call)
{
  struct cnk_worker *worker = worker_of(call->store);
  cnk_list_remove(&call->of_store);
  if (call->verb == CNK_QUERY && call->request)
    free(((struct cnk_query *)call->request)->rows.data);
  if (worker->spare_count < SPARE_CALLS) {
    cnk_arena_reset(&call->arena);
    call->request = NULL;
    cnk_list_add_first(&worker->spare, &call->link);
    worker->spare_count++;
  } else {
    free_call(call);
  }
  drop_reference(worker);
}

bool cnk_worker_run(struct cnk_store *base, struct cnk_store_call *call)
{
  struct cnk_worker *worker = worker_of(base);
  call->charged = sizeof *call + call->arena.total;
  if (worker->in_flight >= worker->queue_calls ||
      (worker->in_flight && worker->in_flight_bytes + call->charged > worker->queue_bytes))
    return false;
  cnk_store_calls_add(&worker->fresh, call);
  worker->in_flight_bytes += call->charged;
  if (worker->in_flight++ == 0)
    cnk_worker_hold_loop(worker);
  if (worker->fresh.count >= FORWARD_CALLS)
    forward(worker);
  else if (worker->fresh.count == 1)
    uv_prepare_start(&worker->prepare, on_prepare);
  return true;
}

/* ---- opening and closing --------------------------------------------------------------------------------------- */

void cnk_worker_close(struct cnk_store *base, struct cnk_store_task *task)
{
  struct cnk_worker *worker = worker_of(base);
  worker->on_shut = NULL;
  worker->close_task = task;
  worker->is_ending = true;
  cnk_worker_hold_loop(worker);
  forward(worker);
}

/* The loop ends with the store open: what is queued is still written, but not delivered. */
static void shut(struct cnk_resource *resource)
{
  struct cnk_worker *worker = CNK_OWNER(resource, struct cnk_worker, resource);
  worker->references++;
  if (worker->on_shut)
    worker->on_shut(worker->shut_context);
  if (worker->is_running) {
    worker->is_running = false;
    worker->is_ending = true;
    worker->close_task = NULL;
    forward(worker);
    on_stopped(worker);
  }
  for (struct cnk_link *link; (link = cnk_list_take(&worker->held));) {
    struct cnk_store_call *call = CNK_OWNER(link, struct cnk_store_call, of_store);
    cnk_loop_forget(&call->done);
    call->store = &worker->base; /* not one that wraps it */
    cnk_worker_release(call);
  }
  drop_reference(worker);
}

bool cnk_worker_init(struct cnk_worker *worker, const struct cnk_worker_kind *kind, struct cnk_loop *loop,
                     const struct cnk_store_options *options)
{
  worker->kind = kind;
  worker->loop = loop;
  worker->queue_calls = options->queue_calls;
  worker->queue_bytes = options->queue_bytes;
  worker->references = 1;
  cnk_list_init(&worker->held);
  cnk_list_init(&worker->spare);
  cnk_store_calls_init(&worker->fresh);
  cnk_store_calls_init(&worker->queue);
  cnk_store_calls_init(&worker->finished);
  worker->resource.shut = shut;
  atomic_init(&worker->is_writable, true);
  if (uv_mutex_init(&worker->mutex) != 0)
    return false;
  uv_cond_init(&worker->wake); /* cannot fail where libuv runs */
  return true;
}

static void run_thread(void *context)
{
  struct cnk_worker *worker = context;
  while (worker->kind->take_turn(worker))
    ;
}

bool cnk_worker_start(struct cnk_worker *worker, char *message, size_t size)
{
  int status = cnk_wake_open(&worker->wake_loop, &worker->loop->uv, on_wake);
  if (status == 0) {
    uv_prepare_init(&worker->loop->uv, &worker->prepare);
    worker->prepare.data = worker;
    worker->open_handles = 2;
    cnk_loop_own(worker->loop, &worker->resource);
    uv_unref((uv_handle_t *)&worker->wake_loop.poll);
    uv_unref((uv_handle_t *)&worker->prepare);
    if (!worker->is_in_place)
      status = uv_thread_create(&worker->thread, run_thread, worker);
    worker->is_running = status == 0;
  }
  if (status != 0)
    snprintf(message, size, "cannot start the store: %s", uv_strerror(status));
  return status == 0;
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

bool cnk_worker_is_writable(const struct cnk_store *base)
{
  return atomic_load(&CNK_OWNER(base, struct cnk_worker, base)->is_writable);
}

void cnk_worker_read_trouble(struct cnk_store *base, char *message, size_t size)
{
  struct cnk_worker *worker = worker_of(base);
  uv_mutex_lock(&worker->mutex);
  snprintf(message, size, "%s", cnk_worker_is_writable(base) ? "" : worker->trouble);
  uv_mutex_unlock(&worker->mutex);
}

struct cnk_store_stats cnk_worker_read_stats(struct cnk_store *base)
{
  struct cnk_worker *worker = worker_of(base);
  uv_mutex_lock(&worker->mutex);
  struct cnk_store_stats stats = worker->stats;
  uv_mutex_unlock(&worker->mutex);
  stats.queued = worker->in_flight;
  stats.queued_bytes = worker->in_flight_bytes;
  stats.is_writable = cnk_worker_is_writable(base);
  return stats;
}

void cnk_worker_set_on_shut(struct cnk_store *base, void (*on_shut)(void *context), void *context)
{
  struct cnk_worker *worker = worker_of(base);
  worker->on_shut = on_shut;
  worker->shut_context = context;
}
