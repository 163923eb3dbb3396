/* SPDX-License-Identifier: MIT */
/* The thread's part of a worker: batches out of the queue, and back. */
#include <stdio.h>

#include "store/worker/worker.h"

/* One transaction: enough to share a sync, little enough to keep its latency bounded. */
enum { BATCH_CALLS = 1024, BATCH_BYTES = 4 << 20 };

void cnk_worker_take_batch(struct cnk_worker *worker, struct cnk_store_calls *batch)
{
  struct cnk_store_calls *queue = &worker->queue;
  cnk_store_calls_init(batch);
  for (struct cnk_link *link; (link = cnk_list_first(&queue->list)) && batch->count < BATCH_CALLS;) {
    if (batch->count && batch->bytes + cnk_store_call_of(link)->charged > BATCH_BYTES)
      break;
    cnk_store_calls_add(batch, cnk_store_calls_take(queue));
  }
}

void cnk_worker_give_back(struct cnk_worker *worker, struct cnk_store_calls *batch, uint32_t took_us,
                          void (*publish)(struct cnk_worker *worker))
{
  uint64_t failed = 0, count = batch->count;
  CNK_LIST_EACH (link, &batch->list)
    failed += cnk_store_call_of(link)->status != 0;
  uv_mutex_lock(&worker->mutex);
  cnk_store_calls_move(&worker->finished, batch);
  worker->stats.calls += count;
  worker->stats.failed += failed;
  worker->stats.batches++;
  worker->stats.last_commit_us = took_us;
  if (took_us > worker->stats.max_commit_us)
    worker->stats.max_commit_us = took_us;
  publish(worker);
  uv_mutex_unlock(&worker->mutex);
  cnk_wake_send(&worker->wake_loop);
}

bool cnk_worker_is_closing(struct cnk_worker *worker)
{
  uv_mutex_lock(&worker->mutex);
  bool is_closing = worker->is_closing;
  uv_mutex_unlock(&worker->mutex);
  return is_closing;
}

void cnk_worker_set_unwritable(struct cnk_worker *worker, const char *reason)
{
  uv_mutex_lock(&worker->mutex);
  snprintf(worker->trouble, sizeof worker->trouble, "%s", reason);
  uv_mutex_unlock(&worker->mutex);
  atomic_store(&worker->is_writable, false);
}

/* ---- whether it can be written ----------------------------------------------------------------------------------------- */

#define FIRST_DOUBT_NS UINT64_C(2000000000)
#define MOST_DOUBT_NS UINT64_C(120000000000)

void cnk_worker_note_failure(struct cnk_worker *worker, const char *reason)
{
  cnk_worker_set_unwritable(worker, reason);
  if (worker->is_hoped)
    worker->doubt_ns = worker->doubt_ns == 0                  ? FIRST_DOUBT_NS
                       : worker->doubt_ns < MOST_DOUBT_NS / 2 ? worker->doubt_ns * 2
                                                              : MOST_DOUBT_NS;
  worker->is_hoped = false;
  worker->doubted_until = uv_hrtime() + worker->doubt_ns;
}

static bool is_written(const struct cnk_store_call *call)
{
  bool only_reads = call->verb == CNK_QUERY || call->verb == CNK_COUNT_ROWS || call->verb == CNK_UNLOAD;
  return !only_reads && call->status == 0;
}

void cnk_worker_note_done(struct cnk_worker *worker, const struct cnk_store_calls *batch)
{
  bool any = false;
  CNK_LIST_EACH (link, &batch->list)
    any |= is_written(cnk_store_call_of(link));
  if (!any)
    return;
  worker->is_hoped = false;
  worker->doubt_ns = 0;
  atomic_store(&worker->is_writable, true);
}

void cnk_worker_note_probe(struct cnk_worker *worker)
{
  if (uv_hrtime() < worker->doubted_until)
    return;
  worker->is_hoped = true;
  atomic_store(&worker->is_writable, true);
}
