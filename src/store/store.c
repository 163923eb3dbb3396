/* SPDX-License-Identifier: MIT */
/* What is the same for every backend: the choice of one by its URL, and calls; see store.h for the contract. */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "store/backend.h"
#include "store/sql/texts.h"
#include "store/sqlite/sqlite.h"
#ifdef CNK_POSTGRES
#include "store/postgres/postgres.h"
#endif

#ifdef CNK_BREAKING
#include "store/breaking/breaking.h"
#endif

const struct cnk_store_options cnk_store_defaults = {
    .synchronous = 2,
    .busy_ms = 2000,
    .cache_kb = 768, /* what it lacks is in the system's cache: with a million conversations 4 MB were no faster */
    .wal_pages = 500,
    .queue_calls = 1 << 17,
    .queue_bytes = (size_t)128 << 20,
    .take_over_ms = 15000,
};

static struct cnk_store *open_postgres(struct cnk_loop *loop, const struct cnk_store_options *options, char *message,
                                       size_t size)
{
#ifdef CNK_POSTGRES
  return cnk_postgres_open(loop, options->url, options, message, size);
#else
  snprintf(
      message, size,
      "this program was built without PostgreSQL: install libpq's headers (on Debian: libpq-dev) and build it again");
  return NULL;
#endif
}

static struct cnk_store *open_backend(struct cnk_loop *loop, const struct cnk_store_options *options, char *message,
                                      size_t size)
{
  static const char sqlite[] = "sqlite:";
  if (strcmp(options->url, "memory:") == 0)
    return cnk_sqlite_open(loop, ":memory:", options, message, size);
  if (strncmp(options->url, sqlite, sizeof sqlite - 1) == 0 && options->url[sizeof sqlite - 1])
    return cnk_sqlite_open(loop, options->url + sizeof sqlite - 1, options, message, size);
  if (strncmp(options->url, "postgres://", 11) == 0 || strncmp(options->url, "postgresql://", 13) == 0)
    return open_postgres(loop, options, message, size);
  /* The URL of a database can contain a password, so it is not repeated. */
  snprintf(message, size, "unknown kind of store; use sqlite:FILE, memory: or postgres://USER@HOST/DATABASE");
  return NULL;
}

struct cnk_store *cnk_store_open(struct cnk_loop *loop, const struct cnk_store_options *options, char *message,
                                 size_t size)
{
  struct cnk_store *store = open_backend(loop, options, message, size);
#ifdef CNK_BREAKING
  store = store ? cnk_breaking_wrap(loop, store) : NULL;
#endif
  return store;
}

void cnk_store_own_process(void)
{
  cnk_sqlite_own_process();
}

int cnk_store_version(void)
{
  return cnk_sql_version();
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

size_t cnk_store_request_size(enum cnk_verb verb)
{
  static const size_t sizes[] = {
      [CNK_ACCEPT] = sizeof(struct cnk_accept),
      [CNK_POST_MAIL] = sizeof(struct cnk_post_mail),
      [CNK_COMMIT_TURN] = sizeof(struct cnk_turn),
      [CNK_FIRE] = sizeof(struct cnk_fire),
      [CNK_MARK_SENDING] = sizeof(struct cnk_mark_sending),
      [CNK_SETTLE] = sizeof(struct cnk_settle),
      [CNK_NOTE_STATUS] = sizeof(struct cnk_note_status),
      [CNK_NOTE_ATTEMPT] = sizeof(struct cnk_note_attempt),
      [CNK_BURY] = sizeof(struct cnk_bury),
      [CNK_BREAK_DIALOG] = sizeof(struct cnk_break_dialog),
      [CNK_RESERVE_IDS] = sizeof(struct cnk_reserve_ids),
      [CNK_SWEEP] = sizeof(struct cnk_sweep),
      [CNK_COUNT_ROWS] = sizeof(struct cnk_count_rows),
      [CNK_UNLOAD] = sizeof(struct cnk_unload),
      [CNK_LOAD] = sizeof(struct cnk_load),
      [CNK_QUERY] = sizeof(struct cnk_query),
      [CNK_REPAIR] = sizeof(struct cnk_repair),
  };
  return sizes[verb];
}

struct cnk_store_call *cnk_store_new_call(struct cnk_store *store, enum cnk_verb verb)
{
  struct cnk_store_call *call = store->backend->new_call(store);
  if (!call)
    return NULL;
  call->verb = verb;
  call->request = cnk_arena_take(&call->arena, cnk_store_request_size(verb));
  if (call->request)
    return call;
  cnk_store_release(call);
  return NULL;
}

bool cnk_store_run(struct cnk_store *store, struct cnk_store_call *call)
{
  return store->backend->run(store, call);
}

void cnk_store_release(struct cnk_store_call *call)
{
  call->store->backend->release(call);
}

/* ---- the backend's part ------------------------------------------------------------------------------------------ */

bool cnk_store_backup(struct cnk_store *store, const char *path, struct cnk_store_task *task)
{
  return store->backend->backup(store, path, task);
}

void cnk_store_close(struct cnk_store *store, struct cnk_store_task *task)
{
  store->backend->close(store, task);
}

bool cnk_store_is_writable(const struct cnk_store *store)
{
  return store->backend->is_writable(store);
}

void cnk_store_read_trouble(struct cnk_store *store, char *message, size_t size)
{
  store->backend->read_trouble(store, message, size);
}

struct cnk_store_stats cnk_store_read_stats(struct cnk_store *store)
{
  return store->backend->read_stats(store);
}

enum cnk_store_hold cnk_store_hold(const struct cnk_store *store)
{
  return store->backend->hold ? store->backend->hold(store) : CNK_STORE_SURE;
}

struct cnk_store_owner cnk_store_read_owner(struct cnk_store *store)
{
  return store->backend->read_owner ? store->backend->read_owner(store) : (struct cnk_store_owner){0};
}

void cnk_store_on_shut(struct cnk_store *store, void (*on_shut)(void *context), void *context)
{
  store->backend->on_shut(store, on_shut, context);
}

const char *cnk_store_code_name(const struct cnk_store_backend *backend, int status)
{
  switch (status) {
  case CNK_STORE_CONFLICT: return "conflict";
  case CNK_STORE_TOO_MANY: return "too_many";
  case CNK_STORE_CLOSED: return "closed";
  case CNK_STORE_MOVED: return "moved";
  case CNK_STORE_NO_MEMORY: return "memory";
  case CNK_STORE_MAIL: return "mail";
  default: return backend->code_name(status);
  }
}

int cnk_store_find(const struct cnk_store *store, bool is_repair, const char *name, const char *const **parameters,
                   size_t *count)
{
  return store->backend->find(is_repair, name, parameters, count);
}
