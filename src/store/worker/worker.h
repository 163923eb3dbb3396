/* SPDX-License-Identifier: MIT */
/*
 * A store whose calls are run on a thread of its own: their way from the loop to it and back. A call is delivered after the
 * commit that holds it, never before. Each field says which thread may touch it.
 *
 * A backend has a worker as its first member, and a kind of its own. Its functions get the worker.
 */
#ifndef CNK_STORE_WORKER_H
#define CNK_STORE_WORKER_H

#include <stdatomic.h>

#include "store/backend.h"
#include "store/calls.h"
#include "store/worker/wake.h"

struct cnk_worker;

struct cnk_worker_kind {
  /* The thread: one turn, for which it waits. False when it was the last; is_stopped is set then. */
  bool (*take_turn)(struct cnk_worker *worker);
  /* On the loop's thread. */
  bool (*is_busy)(const struct cnk_worker *worker); /* beside its calls; NULL: never. A busy one keeps the loop alive */
  void (*on_wake)(struct cnk_worker *worker);       /* the thread has finished something else; or NULL */
  void (*on_stopped)(struct cnk_worker *worker);    /* the thread has ended */
  bool (*has_more)(const struct cnk_worker *worker); /* in place: there is something to do beside calls; or NULL */
  void (*free_store)(struct cnk_worker *worker);     /* the last that happens */
};

struct cnk_worker {
  struct cnk_store base;
  const struct cnk_worker_kind *kind;
  struct cnk_loop *loop;
  size_t queue_calls, queue_bytes; /* more than this is not taken */
  bool is_in_place;                /* no thread: the loop's does the work */

  /* Loop thread. */
  struct cnk_resource resource;
  struct cnk_wake wake_loop; /* the thread has finished something */
  uv_prepare_t prepare;      /* forwards what came since the last turn of the loop: one wake-up of the thread for all */
  uv_thread_t thread;
  struct cnk_store_calls fresh;
  struct cnk_list held;  /* by `of_store`: all calls that are not spare */
  struct cnk_list spare; /* by `link`: for reuse */
  unsigned spare_count, references, open_handles;
  uint64_t in_flight, in_flight_bytes;
  bool is_running, is_ending;
  struct cnk_store_task *close_task;
  void (*on_shut)(void *context);
  void *shut_context;

  /* Both, under the mutex. */
  uv_mutex_t mutex;
  uv_cond_t wake;
  struct cnk_store_calls queue, finished;
  struct cnk_store_stats stats;
  bool is_closing, is_stopped;
  char trouble[160]; /* why nothing could be written the last time */

  /* The thread's: a probe was believed, and nothing was written since; until when none is, and for how long the next time. */
  bool is_hoped;
  uint64_t doubted_until, doubt_ns;

  atomic_bool is_writable;
};

/* Of zeros otherwise. False without memory. */
bool cnk_worker_init(struct cnk_worker *worker, const struct cnk_worker_kind *kind, struct cnk_loop *loop,
                     const struct cnk_store_options *options);
/* Starts the thread, for which signals are blocked while it does. From here on the handles belong to the loop. */
bool cnk_worker_start(struct cnk_worker *worker, char *message, size_t size);
/* Of one that was never started, or could not be: `free_store` is called by now, or when the handles are closed. */
void cnk_worker_abandon(struct cnk_worker *worker);
/* For `free_store`. */
void cnk_worker_free(struct cnk_worker *worker);
/* Tells the loop whether it must stay: after is_busy has changed. */
void cnk_worker_hold_loop(struct cnk_worker *worker);
void cnk_worker_finish_task(struct cnk_worker *worker, struct cnk_store_task *task);
/* In place: does what there is to do by now. */
void cnk_worker_catch_up(struct cnk_worker *worker);

/* The thread's part. Under the mutex: takes the calls of one transaction, one at least, whatever its size. */
void cnk_worker_take_batch(struct cnk_worker *worker, struct cnk_store_calls *batch);
/* Gives calls back that are done, after `publish` has brought the counts up to date under the mutex. */
void cnk_worker_give_back(struct cnk_worker *worker, struct cnk_store_calls *batch, uint32_t took_us,
                          void (*publish)(struct cnk_worker *worker));
/* What is queued is the last. */
bool cnk_worker_is_closing(struct cnk_worker *worker);
/* `reason` is for cnk_store_read_trouble(), until it is writable again. */
void cnk_worker_set_unwritable(struct cnk_worker *worker, const char *reason);
/* A batch has failed, or was done. A disk that is full takes a probe, which is small, and not a batch: so after a probe that was wrong
 * only a batch that is written is believed, or a probe after some quiet, which is longer each time. */
void cnk_worker_note_failure(struct cnk_worker *worker, const char *reason);
void cnk_worker_note_done(struct cnk_worker *worker, const struct cnk_store_calls *batch);
/* A probe was written. */
void cnk_worker_note_probe(struct cnk_worker *worker);

/* What a backend shares with the others. */
struct cnk_store_call *cnk_worker_new_call(struct cnk_store *base);
void cnk_worker_release(struct cnk_store_call *call);
bool cnk_worker_run(struct cnk_store *base, struct cnk_store_call *call);
void cnk_worker_close(struct cnk_store *base, struct cnk_store_task *task);
bool cnk_worker_is_writable(const struct cnk_store *base);
void cnk_worker_read_trouble(struct cnk_store *base, char *message, size_t size);
struct cnk_store_stats cnk_worker_read_stats(struct cnk_store *base);
void cnk_worker_set_on_shut(struct cnk_store *base, void (*on_shut)(void *context), void *context);

#endif
