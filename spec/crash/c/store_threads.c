/* SPDX-License-Identifier: MIT */
/*
 * Drives the store from C, for the thread sanitizer: requests of all kinds, a backup meanwhile, a log short enough that
 * checkpoints come all the time, closing with work queued, and the end of the loop with an open store.
 * Usage: store_threads DATABASE [JOBS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/store.h"

struct driver {
  struct cnk_loop loop;
  struct cnk_store *store;
  int insert, read, wrong;
  long started, wanted, succeeded, failed;
};

static struct driver driver;

static void run_next(void);

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_store_request *request =
      (struct cnk_store_request *)((char *)done - offsetof(struct cnk_store_request, done));
  (void)context;
  if (request->status)
    driver.failed++;
  else
    driver.succeeded++;
  cnk_store_release(request);
  if (driver.started < driver.wanted)
    run_next();
}

static void run_next(void)
{
  struct cnk_store_request *request = cnk_store_new_request(driver.store);
  char body[300];
  long n = driver.started++;
  memset(body, (int)n, sizeof body);
  cnk_store_request_statement(request, (unsigned)driver.insert, 0, 1);
  cnk_store_request_bytes(request, body, (size_t)(n % (long)sizeof body));
  if (n % 7 == 0) {
    cnk_store_request_statement(request, (unsigned)driver.read, CNK_STATEMENT_ROWS, 1);
    cnk_store_request_ref(request, 0, CNK_REF_ROWID);
  }
  if (n % 1000 == 999)
    cnk_store_request_statement(request, (unsigned)driver.wrong, 0, 1);
  request->done.deliver = deliver;
  if (!cnk_store_run(driver.store, request))
    abort();
}

static void deliver_task(struct cnk_done *done, void *context)
{
  struct cnk_store_task *task = (struct cnk_store_task *)done;
  (void)context;
  if (task->status)
    fprintf(stderr, "task: %s\n", task->message);
}

static int prepare(const char *text)
{
  return cnk_store_prepare(driver.store, text, strlen(text));
}

static bool open_store(const char *path)
{
  struct cnk_store_options options = cnk_store_defaults;
  char message[200];
  options.path = path;
  options.wal_pages = 100;
  driver.store = cnk_store_open(&driver.loop, &options, message, sizeof message);
  if (!driver.store) {
    fprintf(stderr, "%s\n", message);
    return false;
  }
  int create = prepare("CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, body BLOB)");
  driver.insert = prepare("INSERT INTO item (body) VALUES (?)");
  driver.read = prepare("SELECT body FROM item WHERE id = ?");
  driver.wrong = prepare("INSERT INTO item VALUES (1, 'twice')");
  struct cnk_store_request *request = cnk_store_new_request(driver.store);
  cnk_store_request_statement(request, (unsigned)create, 0, 1);
  request->done.deliver = deliver;
  return cnk_store_run(driver.store, request);
}

static void work(long requests)
{
  driver.wanted = driver.started + requests;
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
  const char *path = count > 1 ? words[1] : "threads.db";
  long requests = count > 2 ? atol(words[2]) : 20000;
  struct cnk_store_task backup = {.done.deliver = deliver_task}, end = {.done.deliver = deliver_task};
  char copy[300];
  snprintf(copy, sizeof copy, "%s.copy", path);
  if (cnk_loop_init(&driver.loop) != 0 || !open_store(path))
    return 1;
  work(requests / 2);
  if (!cnk_store_backup(driver.store, copy, &backup))
    return 1;
  work(requests / 4);
  cnk_store_close(driver.store, &end);
  while (cnk_loop_step(&driver.loop, true, NULL))
    ;
  if (!open_store(path))
    return 1;
  work(requests / 4);
  cnk_loop_deinit(&driver.loop);
  printf("%ld requests succeeded, %ld failed\n", driver.succeeded, driver.failed);
  return 0;
}
