/* SPDX-License-Identifier: MIT */
/*
 * Drives the store from C, for the thread sanitizer: calls of several verbs, a backup meanwhile, a log short enough that
 * checkpoints come all the time, closing with work queued, and the end of the loop with an open store.
 * Usage: store_threads URL COPY [CALLS]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

struct driver {
  struct cnk_loop loop;
  struct cnk_store *store;
  unsigned conversation;
  long started, wanted, succeeded, failed;
};

static struct driver driver;

static void run_next(void);

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  (void)context;
  if (call->status)
    driver.failed++;
  else
    driver.succeeded++;
  cnk_store_release(call);
  if (driver.started < driver.wanted)
    run_next();
}

static struct cnk_text text_of(struct cnk_store_call *call, const char *data, size_t size)
{
  struct cnk_text text = {0};
  cnk_arena_copy(&call->arena, (struct cnk_text){.data = data, .size = size}, &text);
  return text;
}

static struct cnk_store_call *take_in(long n)
{
  struct cnk_store_call *call = cnk_store_new_call(driver.store, CNK_ACCEPT);
  struct cnk_accept *request = call->request;
  char body[300];
  memset(body, (int)n, sizeof body);
  request->now = (double)n;
  request->events.items = cnk_arena_take(&call->arena, sizeof *request->events.items);
  request->events.count = 1;
  *request->events.items = (struct cnk_event){.id = n + 1,
                                              .contact = text_of(call, "1:2", 3),
                                              .body = text_of(call, body, (size_t)n % sizeof body),
                                              .inbound_at = n % 2 ? NAN : (double)n};
  return call;
}

/* Of an event that is there, and now and then of one that is not: a conflict. */
static struct cnk_store_call *finish(long n)
{
  struct cnk_store_call *call = cnk_store_new_call(driver.store, CNK_COMMIT_TURN);
  struct cnk_turn *turn = call->request;
  turn->now = (double)n;
  turn->event = n;
  turn->states.items = cnk_arena_take(&call->arena, sizeof *turn->states.items);
  turn->states.count = 1;
  turn->states.items[0].contact = text_of(call, "1:2", 3);
  turn->states.items[0].state = text_of(call, "{}", 2);
  return call;
}

static struct cnk_store_call *ask(void)
{
  struct cnk_store_call *call = cnk_store_new_call(driver.store, CNK_QUERY);
  struct cnk_query *query = call->request;
  query->name = driver.conversation;
  query->parameters.items = cnk_arena_take(&call->arena, sizeof *query->parameters.items);
  query->parameters.count = 1;
  query->parameters.items[0] = (struct cnk_value){.kind = CNK_VALUE_BYTES, .as.bytes = text_of(call, "1:2", 3)};
  return call;
}

static void run_next(void)
{
  long n = driver.started++;
  struct cnk_store_call *call = n % 7 == 0 ? ask() : n % 3 == 0 ? finish(n) : take_in(n);
  call->done.deliver = deliver;
  if (!cnk_store_run(driver.store, call))
    abort();
}

static void deliver_task(struct cnk_done *done, void *context)
{
  struct cnk_store_task *task = (struct cnk_store_task *)done;
  (void)context;
  if (task->status)
    fprintf(stderr, "task: %s\n", task->message);
}

static bool open_store(const char *url)
{
  struct cnk_store_options options = cnk_store_defaults;
  char message[300];
  const char *const *parameters;
  size_t count;
  options.url = url;
  options.wal_pages = 100;
  driver.store = cnk_store_open(&driver.loop, &options, message, sizeof message);
  if (!driver.store) {
    fprintf(stderr, "%s\n", message);
    return false;
  }
  driver.conversation = (unsigned)cnk_store_find(driver.store, false, "conversation", &parameters, &count);
  return true;
}

static void work(long calls)
{
  driver.wanted = driver.started + calls;
  for (int i = 0; i < 64; i++)
    run_next();
  while (driver.started < driver.wanted) {
    cnk_loop_step(&driver.loop, true, NULL);
    cnk_store_read_stats(driver.store);
    cnk_store_is_writable(driver.store);
  }
}

int main(int count, char **words)
{
  if (count < 3)
    return 2;
  const char *url = words[1], *copy = words[2];
  long calls = count > 3 ? atol(words[3]) : 20000;
  struct cnk_store_task backup = {.done.deliver = deliver_task}, end = {.done.deliver = deliver_task};
  if (cnk_loop_init(&driver.loop) != 0 || !open_store(url))
    return 1;
  work(calls / 2);
  if (!cnk_store_backup(driver.store, copy, &backup))
    return 1;
  work(calls / 4);
  cnk_store_close(driver.store, &end);
  while (cnk_loop_step(&driver.loop, true, NULL))
    ;
  if (!open_store(url))
    return 1;
  work(calls / 4);
  cnk_loop_deinit(&driver.loop);
  printf("%ld calls succeeded, %ld failed\n", driver.succeeded, driver.failed);
  return 0;
}
