/* SPDX-License-Identifier: MIT */
/* The store's side on the loop's thread: opening, what its database is set to, and its end. Calls go through a worker. */
#include "store/postgres/postgres.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/postgres/internal.h"

static const struct cnk_store_backend backend;
static const struct cnk_worker_kind kind;

static struct cnk_postgres *store_of(struct cnk_worker *worker)
{
  return CNK_OWNER(worker, struct cnk_postgres, worker);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static void free_own(struct cnk_postgres *store)
{
  for (unsigned i = 0; store->columns && i < cnk_sql_count; i++) {
    for (size_t k = 0; k < store->columns[i].count; k++)
      free((char *)store->columns[i].names[k]);
    free((void *)store->columns[i].names);
  }
  free(store->columns);
  free(store->is_prepared);
  cnk_rows_free(store->gathered);
  free(store->sent);
  free(store->url);
  free(store);
}

static void free_store(struct cnk_worker *worker)
{
  cnk_worker_free(worker);
  free_own(store_of(worker));
}

static void on_stopped(struct cnk_worker *worker)
{
  (void)worker; /* the thread has closed the connection */
}

static bool refuse_backup(struct cnk_store *base, const char *path, struct cnk_store_task *task)
{
  struct cnk_worker *worker = CNK_OWNER(base, struct cnk_worker, base);
  (void)path;
  task->status = CNK_POSTGRES_STATEMENT;
  snprintf(task->message, sizeof task->message,
           "a store on PostgreSQL is copied with the database's own tools, such as pg_dump or pg_basebackup");
  cnk_worker_finish_task(worker, task);
  return true;
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

/* By this name an operator, and a second host, knows whose connection it is. */
static void name_application(struct cnk_postgres *store)
{
  char host[48] = "";
  if (gethostname(host, sizeof host - 1) != 0)
    snprintf(host, sizeof host, "a host");
  snprintf(store->application, sizeof store->application, "cunnekt on %s, process %d", host, (int)getpid());
}

static struct cnk_postgres *make(struct cnk_loop *loop, const char *url, const struct cnk_store_options *options)
{
  struct cnk_postgres *store = calloc(1, sizeof *store);
  if (!store)
    return NULL;
  store->worker.base.backend = &backend;
  store->session.driver = &cnk_postgres_driver;
  store->session.writes = cnk_sql_writes();
  store->is_read_only = options->is_read_only;
  store->is_moving = options->is_moving;
  store->may_stand_by = options->may_stand_by;
  store->take_over_ns = (uint64_t)options->take_over_ms * 1000000;
  store->url = strdup(url);
  store->is_prepared = calloc(cnk_sql_count, sizeof *store->is_prepared);
  store->columns = calloc(cnk_sql_count, sizeof *store->columns);
  store->gathered = cnk_rows_new(store->session.writes);
  name_application(store);
  if (store->url && store->is_prepared && store->columns && store->gathered &&
      cnk_worker_init(&store->worker, &kind, loop, options))
    return store;
  free_own(store);
  return NULL;
}

/* What the database may lose by its settings: a sentence for each. Asked before the pipeline begins. */
static int read_notes(struct cnk_postgres *store)
{
  static const struct {
    const char *name, *wrong, *sentence;
  } settings[] = {
      {"fsync",              "off",   "fsync is off: when its machine crashes, all of the database can be lost"       },
      {"full_page_writes",   "off",   "full_page_writes is off: when its machine crashes, the database can be damaged"},
      {"synchronous_commit", "off",
       "synchronous_commit is off: when it crashes, the newest webhooks that were answered with 200 can be lost"      },
      {"synchronous_commit", "local",
       "synchronous_commit is local: at a fail-over the newest webhooks that were answered with 200 can be lost"      },
  };
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    char text[80];
    PGresult *found = NULL;
    snprintf(text, sizeof text, "SELECT current_setting('%s')", settings[i].name);
    int status = cnk_wire_execute(store, text, &found);
    bool is_wrong = status == 0 && PQntuples(found) > 0 && strcmp(PQgetvalue(found, 0, 0), settings[i].wrong) == 0;
    PQclear(found);
    if (status != 0)
      return status;
    size_t used = strlen(store->notes);
    if (is_wrong)
      snprintf(store->notes + used, sizeof store->notes - used, "%s%s", used ? "\n" : "", settings[i].sentence);
  }
  return 0;
}

/* libpq takes the name and the password up to the first "@" before a "/". One that comes later, and a port that is no number, are of a
 * password with such a sign in it: the rest of that would be a host or a port, which messages show. */
static bool may_show_password(const char *url, const PQconninfoOption *options)
{
  const char *at = strstr(url, "://");
  at = at ? at + 3 : url;
  size_t size = strcspn(at, "@/");
  at += at[size] == '@' ? size + 1 : 0;
  if (at[strcspn(at, "@?")] == '@')
    return true;
  for (; options->keyword; options++)
    if (options->val && strcmp(options->keyword, "port") == 0)
      return options->val[strspn(options->val, "0123456789,")] != '\0';
  return false;
}

/* What libpq says of a URL that it cannot read repeats parts of it, and these may be a password. */
static bool is_url(const char *url)
{
  char *problem = NULL;
  PQconninfoOption *options = PQconninfoParse(url, &problem);
  bool is_good = options && !may_show_password(url, options);
  PQconninfoFree(options);
  PQfreemem(problem);
  return is_good;
}

static bool open_connection(struct cnk_postgres *store, char *message, size_t size)
{
  int status = cnk_postgres_connect(store, false);
  if (status == 0)
    status = read_notes(store);
  if (status == 0)
    status = cnk_postgres_migrate(store, !store->is_read_only && !atomic_load(&store->stands_by));
  if (status == 0)
    return true;
  bool is_whole = strncmp(store->problem, "the store ", 10) == 0;
  snprintf(message, size, "%s%s", is_whole ? "" : "cannot open the store on PostgreSQL: ", store->problem);
  return false;
}

struct cnk_store *cnk_postgres_open(struct cnk_loop *loop, const char *url, const struct cnk_store_options *options,
                                    char *message, size_t size)
{
  if (!is_url(url)) {
    snprintf(message, size,
             "the URL of the store cannot be read: it is postgres://USER@HOST/DATABASE, with percent signs for what is "
             "special");
    return NULL;
  }
  struct cnk_postgres *store = make(loop, url, options);
  if (!store) {
    snprintf(message, size, "not enough memory");
    return NULL;
  }
  /* Signals are the loop's, never those of the threads that begin here. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool is_open = open_connection(store, message, size) && cnk_worker_start(&store->worker, message, size);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (is_open) {
    store->worker.base.notes = store->notes;
    cnk_postgres_name(store);
    return &store->worker.base;
  }
  cnk_postgres_disconnect(store);
  cnk_worker_abandon(&store->worker);
  return NULL;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

/* Who stands by waits for all of the time, from a later moment on. */
static enum cnk_store_hold read_hold(const struct cnk_store *base)
{
  struct cnk_postgres *store = store_of(CNK_OWNER(base, struct cnk_worker, base));
  if (atomic_load(&store->is_foreign))
    return atomic_load(&store->is_behind) ? CNK_STORE_BEHIND : CNK_STORE_TAKEN;
  if (atomic_load(&store->stands_by))
    return CNK_STORE_STANDS_BY;
  uint64_t silence = uv_hrtime() - atomic_load(&store->confirmed_at);
  return store->is_read_only || silence < store->take_over_ns / 10 * 9 ? CNK_STORE_SURE : CNK_STORE_UNSURE;
}

static bool is_unsure(const struct cnk_store *base)
{
  enum cnk_store_hold hold = read_hold(base);
  return hold != CNK_STORE_SURE && hold != CNK_STORE_STANDS_BY;
}

static bool is_writable(const struct cnk_store *base)
{
  return cnk_worker_is_writable(base) && !is_unsure(base);
}

static struct cnk_store_owner read_owner(struct cnk_store *base)
{
  struct cnk_postgres *store = store_of(CNK_OWNER(base, struct cnk_worker, base));
  uv_mutex_lock(&store->worker.mutex);
  struct cnk_store_owner owner = store->owner;
  uv_mutex_unlock(&store->worker.mutex);
  return owner;
}

static void read_trouble(struct cnk_store *base, char *message, size_t size)
{
  cnk_worker_read_trouble(base, message, size);
  if (!*message && is_unsure(base))
    snprintf(message, size, "the database has confirmed nothing for so long that another host may have taken it");
}

static const struct cnk_worker_kind kind = {
    .take_turn = cnk_postgres_take_turn,
    .on_stopped = on_stopped,
    .free_store = free_store,
};

static const struct cnk_store_backend backend = {
    .new_call = cnk_worker_new_call,
    .release = cnk_worker_release,
    .run = cnk_worker_run,
    .backup = refuse_backup,
    .close = cnk_worker_close,
    .is_writable = is_writable,
    .read_trouble = read_trouble,
    .read_stats = cnk_worker_read_stats,
    .on_shut = cnk_worker_set_on_shut,
    .hold = read_hold,
    .read_owner = read_owner,
    .find = cnk_sql_find_asked,
    .code_name = cnk_postgres_code_name,
};
