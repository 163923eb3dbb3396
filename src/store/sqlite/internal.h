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

struct cnk_key {
  int64_t hash, id; /* id 0: none */
};

/* The keys of one table. */
struct cnk_key_set {
  struct cnk_key *slots; /* by hash; the next ones where that is taken */
  size_t room, count, fold_at;
  int64_t folded, newest;  /* rows */
  struct cnk_key *folding; /* in the order of the digests, while they are folded; */
  size_t folding_count, folding_at;
  int64_t folding_to; /* the newest row among them */
};

struct cnk_keys {
  struct cnk_key_set sets[CNK_KEYED_TABLES];
  bool is_loaded, has_new; /* since the last commit */
};

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

  /* Both: when the present turn of the thread began; 0: it waits. A disk that hangs ends none. */
  atomic_uint_least64_t busy_since;

  /* Both, under the worker's mutex. */
  struct cnk_backup *backup;          /* under way */
  struct cnk_backup *backup_finished; /* to be delivered */
  enum cnk_sync_state sync;

  /* The syncing thread (checkpoint.c); created and ended by the writer's side. */
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
  struct cnk_keys keys;
  struct cnk_sqlite **owner; /* this store, for the functions of its connection */
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
  char problem[192]; /* what cnk_connection_problem() has said */
};

/* connection.c: opens store->db and sets it up; false with a sentence. Opened again it must be the same file. */
bool cnk_connection_open(struct cnk_sqlite *store, char *message, size_t size);
void cnk_connection_close(struct cnk_sqlite *store);
/* A database or a copy that root makes, with a move, a backup or a first start, must not keep the bot's own user out: it gets the owner
 * of its folder. What comes beside a database gets that one's. */
void cnk_connection_give_to_folder(int descriptor, const char *path);
/* Why the last statement failed; until the next call. */
const char *cnk_connection_problem(struct cnk_sqlite *store);

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

/* keys.c: how rows are found by their digests, see there; all for the writer thread, within a transaction. 0, or SQLite's code. */
/* The row of a digest; 0 where there is none. */
int cnk_keys_find(struct cnk_sqlite *store, enum cnk_keyed table, int64_t hash, int64_t *id);
/* A row for a digest, above all that there are. */
int cnk_keys_add(struct cnk_sqlite *store, enum cnk_keyed table, int64_t hash, int64_t *id);
/* The tables were filled anew. */
int cnk_keys_begin_anew(struct cnk_sqlite *store);
/* Folds some, before a commit. */
int cnk_keys_fold(struct cnk_sqlite *store);
/* What was not committed is forgotten: all of it is read again when it is needed. */
void cnk_keys_reset(struct cnk_sqlite *store);

/* backup.c: one step of a backup; true when there is nothing left to do. */
bool cnk_backup_step(struct cnk_sqlite *store, struct cnk_backup *backup);
struct cnk_backup *cnk_backup_new(struct cnk_sqlite *store, const char *path, struct cnk_store_task *task);
struct cnk_store_task *cnk_backup_free(struct cnk_backup *backup); /* gives the task, its result filled in */
bool cnk_backup_waits(const struct cnk_backup *backup); /* for its own thread; under the mutex. No step is to be made */
void cnk_backup_cancel(struct cnk_backup *backup);

/* writer.c: one turn of the thread, for which it waits. False when it was the last. */
bool cnk_writer_take_turn(struct cnk_worker *worker);

#endif
