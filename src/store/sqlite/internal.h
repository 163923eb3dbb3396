/* SPDX-License-Identifier: MIT */
/*
 * What the files of the SQLite store share. store.c is its side on the loop's thread; writer.c, batch.c,
 * checkpoint.c and backup.c are the writer's. Each field says which thread may touch it.
 */
#ifndef CNK_STORE_INTERNAL_H
#define CNK_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/sql/session.h"
#include "store/sqlite/guard.h"
#include "store/sqlite/lock.h"
#include "store/sqlite/sqlite.h"
#include "store/worker/worker.h"

/* The names of a query's columns: set when it is first compiled, kept until the store is freed. */
struct cnk_sql_columns {
  const char *const *names;
  size_t count;
};

/* Statements that empty a store: one for each table, and one more. */
enum { CNK_CLEARING_MOST = 32 };

enum cnk_sync_state { CNK_SYNC_IDLE, CNK_SYNC_WANTED, CNK_SYNC_DONE, CNK_SYNC_FAILED, CNK_SYNC_END };

struct cnk_backup;

struct cnk_sqlite {
  struct cnk_worker worker;
  struct cnk_store_options options;
  char *path, *given_path; /* without links; as it was given */
  bool is_memory;
  bool is_reused; /* its connection is that of an earlier store */
  bool has_log;   /* neither in memory nor opened to read only */

  /* Loop thread. */
  bool is_backing_up;

  /* Both, under the worker's mutex. */
  struct cnk_backup *backup;          /* under way */
  struct cnk_backup *backup_finished; /* to be delivered */
  enum cnk_sync_state sync;

  /* The syncing thread (sync.c); created and ended by the writer's side. */
  uv_thread_t sync_thread;
  uv_cond_t sync_wake;
  sqlite3_file *sync_file; /* its own handle of the database, through the same VFS */

  /* Writer thread; the loop thread before it starts and after it has ended. */
  sqlite3 *db;
  struct cnk_lock lock;
  struct cnk_guard guard;
  bool has_commits;          /* since it was opened */
  sqlite3_stmt **statements; /* of cnk_sql_texts, each compiled when it is first used */
  struct cnk_sql_columns *columns;
  struct cnk_sql_session session;
  sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *undo;
  sqlite3_stmt *clearing[CNK_CLEARING_MOST]; /* empties a store in place */
  int wal_pages;                             /* in the log now, as the last commit told */
  int copied_pages;                          /* of them, into the database */
  int round_at;                              /* the next round of checkpoints begins at this length */
  int idle_pages; /* the length at which idleness could do no more, for a foreign reader holds the log */
  sqlite3 *pin;   /* a reader that keeps SQLite from restarting the log; see checkpoint.c */
  sqlite3_stmt *pin_begin, *pin_read, *pin_end;
  bool is_pinned;
  bool is_syncing; /* a round is under way; */
  bool is_whole;   /* it has copied the whole log */
  bool is_broken;  /* a sync failed: only opening the database again helps */
  uint64_t open_again_at, give_room_at;
  uint64_t checkpoints, probes;
  uint32_t max_checkpoint_us;
};

/* connection.c: opens store->db and sets it up; false with a sentence. Opened again it must be the same file. */
bool cnk_connection_open(struct cnk_sqlite *store, char *message, size_t size);
void cnk_connection_close(struct cnk_sqlite *store);

/* statements.c: the memory for compiled statements, which hold no row of the loop's; a statement, with SQLite's code. */
bool cnk_statements_open(struct cnk_sqlite *store);
void cnk_statements_close(struct cnk_sqlite *store);
int cnk_statements_compile(struct cnk_sqlite *store, unsigned number, sqlite3_stmt **out);
/* All of them end, with the connection. */
void cnk_statements_finalize(struct cnk_sqlite *store);

/* driver.c: the verbs' statements on the connection. */
extern const struct cnk_sql_driver cnk_sqlite_driver;

/* migrate.c: refuses another program's database, or one of a version that this program does not know, and brings an older one
 * up to date, in one transaction. Before the database is opened, and after it. False with a sentence. */
bool cnk_migrate_look(const char *path, char *message, size_t size);
bool cnk_migrate(struct cnk_sqlite *store, char *message, size_t size);

/* batch.c: runs the calls of `batch` in one transaction and sets the status of each. */
void cnk_batch_run(struct cnk_sqlite *store, struct cnk_store_calls *batch);
/* Writes something that changes nothing; true when it is on the disk. */
bool cnk_batch_probe(struct cnk_sqlite *store);
/* Whether the database's files are in their places; otherwise the store becomes unwritable. */
bool cnk_batch_check_files(struct cnk_sqlite *store);

/* checkpoint.c: keeps the log short. `open` needs the connection. */
/* How hard commits and checkpoints sync, by SQLite's number; a checkpoint of a round switches it off for itself. */
int cnk_checkpoint_set_synchronous(struct cnk_sqlite *store, int level);
bool cnk_checkpoint_open(struct cnk_sqlite *store);
/* Before the connection closes. False: the database lacks what only the log holds, which must stay. */
bool cnk_checkpoint_close(struct cnk_sqlite *store);
void cnk_checkpoint_after_batch(struct cnk_sqlite *store);
bool cnk_checkpoint_is_wanted_idle(const struct cnk_sqlite *store);
void cnk_checkpoint_idle(struct cnk_sqlite *store);
void cnk_checkpoint_give_room(struct cnk_sqlite *store); /* while the store cannot write */
/* Brings all that only the log holds into the database; true when that is done. */
bool cnk_checkpoint_save(struct cnk_sqlite *store);

/* sync.c: a thread that syncs the database file while the writer goes on. All for the writer thread. */
int cnk_sync_open(struct cnk_sqlite *store);
void cnk_sync_close(struct cnk_sqlite *store);
void cnk_sync_begin(struct cnk_sqlite *store);
/* CNK_SYNC_WANTED while it runs; any other answer is given once, and then it is idle. */
enum cnk_sync_state cnk_sync_take(struct cnk_sqlite *store, bool is_waiting);

/* backup.c: one step of a backup; true when there is nothing left to do. */
bool cnk_backup_step(struct cnk_sqlite *store, struct cnk_backup *backup);
struct cnk_backup *cnk_backup_new(const char *path, struct cnk_store_task *task);
struct cnk_store_task *cnk_backup_free(struct cnk_backup *backup); /* gives the task, its result filled in */
void cnk_backup_cancel(struct cnk_backup *backup);

/* writer.c: one turn of the thread, for which it waits. False when it was the last. */
bool cnk_writer_take_turn(struct cnk_worker *worker);

#endif
