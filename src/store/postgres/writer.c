/* SPDX-License-Identifier: MIT */
/*
 * The thread: waits for calls, runs them in batches, and comes back to the database when the connection was lost.
 *
 * What was surely not committed is run again. A commit that nobody has confirmed is looked up: each batch leaves its number,
 * so what the calls found is right if it is there, and they are run again if it is not. Nothing is given back before
 * that is known, for a webhook that was taken would be answered as if it were not.
 */
#include <poll.h>
#include <stdio.h>

#include "store/postgres/internal.h"
#include "store/verbs/batch.h"

/* How often a database that cannot be reached is tried, how often an idle connection is looked at, and how long calls wait
 * for a database that is away. */
#define PROBE_NS UINT64_C(250000000)
#define WATCH_NS UINT64_C(2000000000)
#define WATCHES_UNTIL_TAKEN 4
#define PATIENCE_NS UINT64_C(10000000000)
/* How often a host that stands by looks whether it can have the database. */
#define TRY_NS UINT64_C(200000000)

enum occasion { WORK, WATCH, STOP };

static struct cnk_postgres *store_of(struct cnk_worker *worker)
{
  return CNK_OWNER(worker, struct cnk_postgres, worker);
}

static bool is_away(const struct cnk_postgres *store)
{
  return !store->connection || store->is_lost;
}

static void publish(struct cnk_worker *worker) /* under the mutex */
{
  worker->stats.redone = store_of(worker)->session.redone;
  worker->stats.probes = store_of(worker)->probes;
}

/* ---- away and back --------------------------------------------------------------------------------------------------- */

static void pause_for(struct cnk_postgres *store, uint64_t ns)
{
  uint64_t end = uv_hrtime() + ns;
  uv_mutex_lock(&store->worker.mutex);
  for (uint64_t now; !store->worker.is_closing && (now = uv_hrtime()) < end;)
    uv_cond_timedwait(&store->worker.wake, &store->worker.mutex, end - now);
  uv_mutex_unlock(&store->worker.mutex);
}

/* What aliases and blocks of ids were read may be of a transaction that is gone. */
static void forget_read(struct cnk_postgres *store)
{
  store->session.knows_aliases = false;
  store->session.ids_left = 0;
}

static bool come_back(struct cnk_postgres *store)
{
  store->probes++;
  forget_read(store);
  int status =
      store->is_read_only || atomic_load(&store->is_foreign) ? CNK_POSTGRES_LOST : cnk_postgres_connect(store, true);
  if (status == 0) {
    atomic_store(&store->worker.is_writable, !store->is_uncertain);
    return true;
  }
  store->is_lost = true;
  cnk_worker_set_unwritable(&store->worker, store->problem);
  return false;
}

/* Whether the batch whose commit nobody confirmed is there. A further commit then shows that it is wherever it has to be:
 * what is committed later is replicated later. Where that cannot be, for example because the disk is full, it stays unknown. */
static int look_up(struct cnk_postgres *store, bool *is_there)
{
  uint64_t asked_at = uv_hrtime();
  PGresult *found = NULL;
  int64_t batch = store->batch;
  int status = cnk_postgres_run(store, CNK_SQL_get_batch, "", &found);
  *is_there = false;
  if (status == 0 && PQntuples(found) > 0) {
    const char *data = PQgetvalue(found, 0, 0);
    uint64_t value = 0;
    for (int i = 0; i < PQgetlength(found, 0, 0); i++)
      value = value << 8 | (unsigned char)data[i];
    *is_there = (int64_t)value == batch;
  }
  PQclear(found);
  store->has_warned = false;
  batch = *is_there ? batch : ++store->session.sequence;
  if (status == 0)
    status = cnk_postgres_run(store, CNK_SQL_put_batch, "i", NULL, batch);
  if (status == 0 && store->has_warned)
    status = CNK_POSTGRES_LOST;
  if (status == 0)
    store->confirmed = batch;
  if (status == CNK_POSTGRES_LOST || (status != 0 && store->is_uncertain)) {
    store->is_lost = true;
    return CNK_POSTGRES_LOST;
  }
  store->is_uncertain = false;
  cnk_postgres_confirm(store, asked_at);
  return status;
}

/* ---- batches ----------------------------------------------------------------------------------------------------------- */

static void fail_all(struct cnk_postgres *store, struct cnk_store_calls *batch, int status)
{
  char reason[160];
  snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, store->problem);
  cnk_batch_roll_back(&store->session);
  cnk_worker_note_failure(&store->worker, reason);
  cnk_batch_fail(is_away(store) ? NULL : &store->session, batch, status, reason);
}

/* One try. CNK_POSTGRES_LOST: another one may help. */
static int try_batch(struct cnk_postgres *store, struct cnk_store_calls *batch)
{
  bool is_there = false;
  if (is_away(store) && !come_back(store))
    return CNK_POSTGRES_LOST;
  if (store->is_uncertain) {
    int status = look_up(store, &is_there);
    if (status != 0 || is_there)
      return status;
  }
  uint64_t asked_at = uv_hrtime();
  int status = cnk_batch_commit(&store->session, batch);
  if (status != CNK_POSTGRES_LOST) /* a refusal is an answer, too */
    cnk_postgres_confirm(store, asked_at);
  return status;
}

static void run_batch(struct cnk_postgres *store, struct cnk_store_calls *batch)
{
  int status = try_batch(store, batch);
  uint64_t end = uv_hrtime() + PATIENCE_NS;
  for (int tries = 1; status == CNK_POSTGRES_LOST; tries++) {
    store->is_lost = true;
    cnk_worker_set_unwritable(&store->worker, store->problem);
    bool is_over = uv_hrtime() > end;
    if (atomic_load(&store->is_foreign) || cnk_worker_is_closing(&store->worker) ? tries > 2
                                                                                 : is_over && !store->is_uncertain)
      break;
    if (tries > 1)
      pause_for(store, PROBE_NS);
    status = try_batch(store, batch);
  }
  store->is_uncertain = false;
  if (status == 0)
    cnk_worker_note_done(&store->worker, batch);
  else
    fail_all(store, batch, status);
}

static void work(struct cnk_postgres *store, struct cnk_store_calls *batch)
{
  uint64_t began = uv_hrtime();
  run_batch(store, batch);
  cnk_worker_give_back(&store->worker, batch, (uint32_t)((uv_hrtime() - began) / 1000), publish);
}

/* What is asked is seen by who stands by; what is answered, by this host itself. */
static void show_life(struct cnk_postgres *store)
{
  uint64_t asked_at = uv_hrtime();
  int status = cnk_wire_send_text(store, "SELECT 1");
  if (status == 0)
    status = cnk_wire_collect(store, NULL);
  if (status == 0)
    cnk_postgres_confirm(store, asked_at);
}

/* Whoever stands by has as much to do for the owner as it gets, and must not forget to look. */
static void try_to_own(struct cnk_postgres *store)
{
  if (uv_hrtime() < store->next_try || is_away(store))
    return;
  int status = cnk_postgres_try_to_own(store);
  store->is_lost |= status == CNK_POSTGRES_LOST;
  store->next_try = uv_hrtime() + TRY_NS;
  if (status != 0)
    cnk_worker_set_unwritable(&store->worker, store->problem);
  else if (store->is_outdated)
    cnk_worker_set_unwritable(&store->worker, "the host that has the database is of an older version");
  else
    atomic_store(&store->worker.is_writable, true);
}

/* Without work. A server that ends says so on the connection, which nobody would read otherwise. */
static void watch(struct cnk_postgres *store)
{
  struct pollfd found = {.fd = store->connection ? PQsocket(store->connection) : -1, .events = POLLIN};
  if (!is_away(store) && found.fd >= 0 && poll(&found, 1, 0) > 0 &&
      (!PQconsumeInput(store->connection) || PQstatus(store->connection) != CONNECTION_OK))
    cnk_wire_fail(store, CNK_POSTGRES_LOST, PQerrorMessage(store->connection));
  if (is_away(store))
    come_back(store);
  else if (!atomic_load(&store->worker.is_writable) && !store->is_read_only &&
           !atomic_load(&store->stands_by)) { /* full, or the like */
    store->probes++;
    bool is_there;
    if (look_up(store, &is_there) == 0)
      cnk_worker_note_probe(&store->worker);
  } else if (!store->is_read_only) {
    show_life(store);
  }
}

/* Under the mutex. */
static enum occasion wait(struct cnk_postgres *store)
{
  struct cnk_worker *worker = &store->worker;
  for (;;) {
    if (!cnk_list_is_empty(&worker->queue.list))
      return WORK;
    if (worker->is_closing)
      return STOP;
    bool is_ill = is_away(store) || !atomic_load(&worker->is_writable);
    uint64_t watch = store->take_over_ns / WATCHES_UNTIL_TAKEN;
    watch = watch < WATCH_NS ? watch : WATCH_NS;
    watch = atomic_load(&store->stands_by) ? TRY_NS : watch;
    if (uv_cond_timedwait(&worker->wake, &worker->mutex, is_ill ? PROBE_NS : watch) != 0)
      return WATCH;
  }
}

bool cnk_postgres_take_turn(struct cnk_worker *worker)
{
  struct cnk_postgres *store = store_of(worker);
  struct cnk_store_calls batch;
  uv_mutex_lock(&worker->mutex);
  enum occasion turn = wait(store);
  if (turn == WORK)
    cnk_worker_take_batch(worker, &batch);
  uv_mutex_unlock(&worker->mutex);
  if (turn == WORK)
    work(store, &batch);
  else if (turn == WATCH)
    watch(store);
  if (turn != STOP && atomic_load(&store->stands_by))
    try_to_own(store);
  if (turn != STOP)
    return true;
  cnk_postgres_disconnect(store);
  uv_mutex_lock(&worker->mutex);
  worker->is_stopped = true;
  uv_mutex_unlock(&worker->mutex);
  cnk_wake_send(&worker->wake_loop);
  return false;
}
