/* SPDX-License-Identifier: MIT */
/*
 * What the files of the SQLite store share. store.c is its side on the loop's thread; writer.c, batch.c,
 * checkpoint.c and backup.c are the writer's. Each field says which thread may touch it.
 */
#ifndef CNK_STORE_INTERNAL_H
#define CNK_STORE_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "store/sqlite/guard.h"
#include "store/sqlite/lock.h"
#include "store/sqlite/store.h"

/* Different statements: a program has some dozens. More of them mean that values were written into the text. */
#define CNK_STORE_SQL_MAX 1024

/* Requests in their order, with their sum. Moved with cnk_store_requests_move, for a list must stay where it is. */
struct cnk_store_requests {
  struct cnk_list list; /* of cnk_job, by `link` */
  size_t count, bytes;
};

static inline struct cnk_store_request *cnk_store_request_of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_store_request, link);
}

static inline void cnk_store_requests_init(struct cnk_store_requests *requests)
{
  cnk_list_init(&requests->list);
  requests->count = requests->bytes = 0;
}

static inline void cnk_store_requests_add(struct cnk_store_requests *requests, struct cnk_store_request *request)
{
  cnk_list_add(&requests->list, &request->link);
  requests->count++;
  requests->bytes += request->charged;
}

/* The first request, taken out; NULL when there is none. */
static inline struct cnk_store_request *cnk_store_requests_take(struct cnk_store_requests *requests)
{
  struct cnk_link *link = cnk_list_take(&requests->list);
  struct cnk_store_request *request = link ? cnk_store_request_of(link) : NULL;
  if (request) {
    requests->count--;
    requests->bytes -= request->charged;
  }
  return request;
}

static inline void cnk_store_requests_move(struct cnk_store_requests *to, struct cnk_store_requests *from)
{
  cnk_list_move(&to->list, &from->list);
  to->count += from->count;
  to->bytes += from->bytes;
  from->count = from->bytes = 0;
}

struct cnk_store_sql {
  char *text;
  size_t size;
  unsigned parameters;
};

enum cnk_sync_state { CNK_SYNC_IDLE, CNK_SYNC_WANTED, CNK_SYNC_DONE, CNK_SYNC_FAILED, CNK_SYNC_END };

struct cnk_backup;

struct cnk_store {
  struct cnk_loop *loop;
  struct cnk_store_options options;
  char *given_path; /* options.path is without links */
  bool is_memory;
  bool has_log; /* neither in memory nor opened to read only */

  /* Loop thread. */
  struct cnk_resource resource;
  uv_async_t async;     /* the writer has finished something */
  uv_prepare_t prepare; /* forwards what came since the last turn of the loop: one wake-up of the writer for all */
  uv_thread_t thread;
  struct cnk_store_requests fresh;
  struct cnk_list held;  /* by `of_store`: all requests that are not spare */
  struct cnk_list spare; /* by `link`: for reuse */
  unsigned spare_count, references, open_handles;
  uint64_t in_flight, in_flight_bytes;
  unsigned sql_count;
  bool is_running, is_ending, is_backing_up;
  struct cnk_store_task *close_task;
  void (*on_shut)(void *context);
  void *shut_context;

  /* Entries are written by the loop thread before the first request that names them is forwarded. */
  struct cnk_store_sql sql[CNK_STORE_SQL_MAX];

  /* Both, under the mutex. */
  uv_mutex_t mutex;
  uv_cond_t wake;
  struct cnk_store_requests queue, finished;
  struct cnk_store_stats stats;
  struct cnk_backup *backup;          /* under way */
  struct cnk_backup *backup_finished; /* to be delivered */
  bool is_closing, is_stopped;
  char trouble[160]; /* why nothing could be written the last time */

  enum cnk_sync_state sync;

  atomic_bool is_writable;

  /* The syncing thread (sync.c); created and ended by the writer's side. */
  uv_thread_t sync_thread;
  uv_cond_t sync_wake;
  sqlite3_file *sync_file; /* its own handle of the database, through the same VFS */

  /* Writer thread; the loop thread before it starts and after it has ended. */
  sqlite3 *db;
  struct cnk_lock lock;
  struct cnk_guard guard;
  bool has_commits; /* since it was opened */
  sqlite3_stmt *statements[CNK_STORE_SQL_MAX];
  sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *undo;
  bool is_compiling_request; /* the authorizer refuses what would break a batch */
  int wal_pages;             /* in the log now, as the last commit told */
  int copied_pages;          /* of them, into the database */
  int round_at;              /* the next round of checkpoints begins at this length */
  int idle_pages;            /* the length at which idleness could do no more, for a foreign reader holds the log */
  sqlite3 *pin;              /* a reader that keeps SQLite from restarting the log; see checkpoint.c */
  sqlite3_stmt *pin_begin, *pin_read, *pin_end;
  bool is_pinned;
  bool is_syncing; /* a round is under way; */
  bool is_whole;   /* it has copied the whole log */
  bool is_broken;  /* a sync failed: only opening the database again helps */
  uint64_t open_again_at, give_room_at;
  uint64_t redone, checkpoints, probes;
  uint32_t max_checkpoint_us;
};

/* connection.c: opens store->db and sets it up; false with a sentence. Opened again it must be the same file. */
bool cnk_connection_open(struct cnk_store *store, char *message, size_t size);
void cnk_connection_close(struct cnk_store *store);
/* The compiled statement of a request; NULL with request->status set. */
sqlite3_stmt *cnk_connection_statement(struct cnk_store *store, struct cnk_store_request *request, unsigned sql);

/* batch.c: runs the requests of `batch` in one transaction and sets the status of each. */
void cnk_batch_run(struct cnk_store *store, struct cnk_store_requests *batch);
/* Writes something that changes nothing; true when it is on the disk. */
bool cnk_batch_probe(struct cnk_store *store);
/* Until the next commit; `reason` is for cnk_store_read_trouble(). */
void cnk_batch_set_unwritable(struct cnk_store *store, const char *reason);
/* Whether the database's files are in their places; otherwise the store becomes unwritable. */
bool cnk_batch_check_files(struct cnk_store *store);

/* checkpoint.c: keeps the log short. `open` needs the connection. */
/* How hard commits and checkpoints sync, by SQLite's number; a checkpoint of a round switches it off for itself. */
int cnk_checkpoint_set_synchronous(struct cnk_store *store, int level);
bool cnk_checkpoint_open(struct cnk_store *store);
/* Before the connection closes. False: the database lacks what only the log holds, which must stay. */
bool cnk_checkpoint_close(struct cnk_store *store);
void cnk_checkpoint_after_batch(struct cnk_store *store);
bool cnk_checkpoint_is_wanted_idle(const struct cnk_store *store);
void cnk_checkpoint_idle(struct cnk_store *store);
void cnk_checkpoint_give_room(struct cnk_store *store); /* while the store cannot write */
/* Brings all that only the log holds into the database; true when that is done. */
bool cnk_checkpoint_save(struct cnk_store *store);

/* sync.c: a thread that syncs the database file while the writer goes on. All for the writer thread. */
int cnk_sync_open(struct cnk_store *store);
void cnk_sync_close(struct cnk_store *store);
void cnk_sync_begin(struct cnk_store *store);
/* CNK_SYNC_WANTED while it runs; any other answer is given once, and then it is idle. */
enum cnk_sync_state cnk_sync_take(struct cnk_store *store, bool is_waiting);

/* backup.c: one step of a backup; true when there is nothing left to do. */
bool cnk_backup_step(struct cnk_store *store, struct cnk_backup *backup);
struct cnk_backup *cnk_backup_new(const char *path, struct cnk_store_task *task);
struct cnk_store_task *cnk_backup_free(struct cnk_backup *backup); /* gives the task, its result filled in */
void cnk_backup_cancel(struct cnk_backup *backup);

/* writer.c: the thread. */
void cnk_writer_run(void *store);

#endif
