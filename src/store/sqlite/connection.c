/* SPDX-License-Identifier: MIT */
/* The one SQLite connection of a store: how it is set up, and the statements compiled on it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/peek.h"

/* The log is truncated to this when it restarts, after a long reader or a large call made it grow. */
#define JOURNAL_SIZE_LIMIT "67108864"
/* A value may be as long as a whole call. */
#define VALUE_BYTES_MAX ((int)CNK_STORE_CALL_BYTES_MAX)

/* The row of an accepted message, or of another one. */
static void sent_id(sqlite3_context *context, int count, sqlite3_value **values)
{
  struct cnk_sqlite *store = *(struct cnk_sqlite **)sqlite3_user_data(context);
  int64_t halves[2], id = 0;
  const void *data = sqlite3_value_blob(values[0]);
  if (!cnk_digest_halves(data ? data : "", (size_t)sqlite3_value_bytes(values[0]), halves))
    sqlite3_result_error_nomem(context);
  else if (cnk_keys_find(store, CNK_KEYED_SENT, halves[0], &id) != SQLITE_OK)
    sqlite3_result_error(context, "the keys of accepted messages cannot be read", -1);
  else if (id)
    sqlite3_result_int64(context, id);
}

/* `owner` lives as long as the connection, which another store may get. */
static int create_function(struct cnk_sqlite *store)
{
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  store->owner = malloc(sizeof(struct cnk_sqlite *));
  if (!store->owner)
    return SQLITE_NOMEM;
  *store->owner = store;
  return sqlite3_create_function_v2(store->db, "sent_id", 1, flags, (void *)store->owner, sent_id, NULL, NULL, free);
}

void cnk_sqlite_own_process(void)
{
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int compile(struct cnk_sqlite *store, const char *text, sqlite3_stmt **statement)
{
  return sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
}

static int compile_own(struct cnk_sqlite *store)
{
  /* IMMEDIATE takes the write lock at once, so that a batch cannot fail halfway with SQLITE_BUSY. It costs no sync. */
  const struct {
    const char *text;
    sqlite3_stmt **statement;
  } own[] = {
      {store->options.is_read_only ? "BEGIN" : "BEGIN IMMEDIATE", &store->begin    },
      {"COMMIT",                                                  &store->commit   },
      {"ROLLBACK",                                                &store->rollback },
      {"SAVEPOINT call",                                          &store->savepoint},
      {"RELEASE call",                                            &store->release  },
      {"ROLLBACK TO call",                                        &store->undo     },
  };
  int status = SQLITE_OK;
  for (size_t i = 0; i < sizeof own / sizeof *own && status == SQLITE_OK; i++)
    status = compile(store, own[i].text, own[i].statement);
  return status;
}

static int harden(struct cnk_sqlite *store)
{
  sqlite3 *db = store->db;
  sqlite3_extended_result_codes(db, 1);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  return sqlite3_busy_timeout(db, store->options.busy_ms);
}

static int set_up(struct cnk_sqlite *store)
{
  /* secure_delete=FAST: deleted messages are wiped from pages that are written anyway; Debian's default, ON, also
   * writes every page that becomes free. The page size counts only for a new database. */
  char text[512];
  snprintf(text, sizeof text,
           "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
           "PRAGMA journal_size_limit=" JOURNAL_SIZE_LIMIT "; PRAGMA mmap_size=0; PRAGMA foreign_keys=OFF;"
           "PRAGMA trusted_schema=OFF; PRAGMA secure_delete=FAST; PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY;",
           store->options.cache_kb);
  int status = sqlite3_exec(store->db, text, NULL, NULL, NULL);
  return status == SQLITE_OK ? cnk_checkpoint_set_synchronous(store, store->options.synchronous) : status;
}

static int read_mode(void *is_wal, int columns, char **values, char **names)
{
  (void)names;
  *(bool *)is_wal = columns == 1 && values[0] && strcmp(values[0], "wal") == 0;
  return 0;
}

static int on_commit(void *context, sqlite3 *db, const char *schema, int pages)
{
  (void)db;
  (void)schema;
  struct cnk_sqlite *store = context;
  store->wal_pages = pages;
  store->has_commits = true;
  return SQLITE_OK;
}

/* ---- a spare one ------------------------------------------------------------------------------------------------- */

/* The connection of a store in place is kept when that closes, empty and with its statements, for the next one: tests open a
 * store for each conversation, and would compile the same thirty statements for each. On the loop's thread. */
struct spare {
  sqlite3 *db;
  struct cnk_sqlite **owner;
  sqlite3_stmt **statements;
  struct cnk_sql_columns *columns;
  sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *undo;
  sqlite3_stmt *clearing[CNK_CLEARING_MOST];
};

static struct spare spare;

/* The tables as they are, and the one row of a new database. */
static const char clearing_text[] = "SELECT 'DELETE FROM \"' || name || '\"' FROM sqlite_schema WHERE type = 'table' "
                                    "AND name NOT LIKE 'sqlite%' UNION ALL "
                                    "SELECT 'INSERT INTO counter (name, next) VALUES (CAST(''id'' AS BLOB), 1)'";

static int compile_clearing(struct cnk_sqlite *store)
{
  sqlite3_stmt *list = NULL;
  int status = sqlite3_prepare_v2(store->db, clearing_text, -1, &list, NULL), count = 0;
  while (status == SQLITE_OK && (status = sqlite3_step(list)) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(list, 0);
    status = !text || count == CNK_CLEARING_MOST ? SQLITE_NOMEM : SQLITE_OK;
    if (status == SQLITE_OK)
      status = sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, &store->clearing[count++], NULL);
  }
  sqlite3_finalize(list);
  return status == SQLITE_DONE ? SQLITE_OK : status;
}

static bool run(sqlite3_stmt *statement)
{
  bool is_done = sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_reset(statement);
  return is_done;
}

static bool clear(struct cnk_sqlite *store)
{
  if (!store->clearing[0] && compile_clearing(store) != SQLITE_OK)
    return false;
  bool is_clear = run(store->begin);
  for (size_t i = 0; i < CNK_CLEARING_MOST && store->clearing[i]; i++)
    is_clear = is_clear && run(store->clearing[i]);
  return is_clear && run(store->commit);
}

static bool keep_spare(struct cnk_sqlite *store)
{
  bool is_fit =
      store->worker.is_in_place && store->db && !spare.db && !store->is_broken && sqlite3_get_autocommit(store->db);
  if (!is_fit || !clear(store))
    return false;
  spare = (struct spare){.db = store->db,
                         .owner = store->owner,
                         .statements = store->statements,
                         .columns = store->columns,
                         .begin = store->begin,
                         .commit = store->commit,
                         .rollback = store->rollback,
                         .savepoint = store->savepoint,
                         .release = store->release,
                         .undo = store->undo};
  for (size_t i = 0; i < CNK_CLEARING_MOST; i++) {
    spare.clearing[i] = store->clearing[i];
    store->clearing[i] = NULL;
  }
  store->db = NULL;
  store->statements = NULL;
  store->columns = NULL;
  store->begin = store->commit = store->rollback = store->savepoint = store->release = store->undo = NULL;
  return true;
}

static bool take_spare(struct cnk_sqlite *store)
{
  if (!store->worker.is_in_place || !spare.db)
    return false;
  free((void *)store->statements);
  free(store->columns);
  store->db = spare.db;
  store->owner = spare.owner;
  *store->owner = store;
  store->statements = spare.statements;
  store->columns = spare.columns;
  store->begin = spare.begin;
  store->commit = spare.commit;
  store->rollback = spare.rollback;
  store->savepoint = spare.savepoint;
  store->release = spare.release;
  store->undo = spare.undo;
  for (size_t i = 0; i < CNK_CLEARING_MOST; i++)
    store->clearing[i] = spare.clearing[i];
  store->is_reused = true;
  spare.db = NULL;
  return true;
}

/* ---- what SQLite says, where that names neither the file at fault nor what to do ------------------------------------ */

/* The end of the name of a file that this user may not write, of the database and what belongs to it; NULL: there is none. */
static const char *find_foreign(const char *path)
{
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char *name = NULL;
    if (asprintf(&name, "%s%s", path, suffixes[i]) < 0)
      return NULL;
    bool is_foreign = access(name, F_OK) == 0 && access(name, R_OK | W_OK) != 0;
    free(name);
    if (is_foreign)
      return suffixes[i];
  }
  return NULL;
}

/* The log and its index are made beside the database. */
static bool is_folder_foreign(const char *path)
{
  char *name = strdup(path);
  bool is_foreign = name && access(dirname(name), W_OK | X_OK) != 0;
  free(name);
  return is_foreign;
}

const char *cnk_connection_problem(struct cnk_sqlite *store)
{
  int code = sqlite3_errcode(store->db) & 0xff;
  const char *words = sqlite3_errmsg(store->db), *suffix = NULL;
  bool is_refused = (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && !store->is_memory;
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
    snprintf(store->problem, sizeof store->problem,
             "the database is damaged (%s); stop the bot and restore a backup of %s", words, store->path);
  else if (is_refused && (suffix = find_foreign(store->path)))
    snprintf(store->problem, sizeof store->problem, "%s%s: Permission denied", store->path, suffix);
  else if (is_refused && is_folder_foreign(store->path))
    snprintf(store->problem, sizeof store->problem, "no file can be made in its folder: Permission denied");
  else
    return words;
  return store->problem;
}

/* ---- opening and closing ------------------------------------------------------------------------------------------- */

void cnk_connection_give_to_folder(int descriptor, const char *path)
{
  struct stat folder;
  char *name = geteuid() == 0 ? strdup(path) : NULL;
  if (name && stat(dirname(name), &folder) == 0)
    (void)!fchown(descriptor, folder.st_uid, folder.st_gid);
  free(name);
}

/* The database holds customers' messages and numbers, and SQLite would create it readable by every user. The log gets the
 * permissions of the database. False with errno. */
static bool create_private(const struct cnk_sqlite *store)
{
  if (store->options.vfs || store->is_memory || store->options.is_read_only)
    return true;
  int descriptor = open(store->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return errno == EEXIST;
  cnk_connection_give_to_folder(descriptor, store->path);
  close(descriptor);
  return true;
}

static bool refuse(struct cnk_sqlite *store, const char *reason, char *message, size_t size)
{
  snprintf(message, size, "cannot open the store %s: %s", store->path, reason);
  cnk_connection_close(store);
  return false;
}

static int open_file(struct cnk_sqlite *store, bool may_create)
{
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (may_create ? SQLITE_OPEN_CREATE : 0);
  return store->options.is_read_only ? cnk_peek_open(store->path, store->options.vfs, &store->db)
                                     : sqlite3_open_v2(store->path, &store->db, flags, store->options.vfs);
}

/* Whether the file that this store has locked is still where it was. */
static bool is_same_file(const struct cnk_sqlite *store)
{
  struct stat found;
  return stat(store->path, &found) == 0 && found.st_ino == store->lock.inode && found.st_dev == store->lock.device;
}

static int set_up_connection(struct cnk_sqlite *store, bool *is_wal)
{
  *is_wal = !store->has_log;
  int status = harden(store);
  if (status == SQLITE_OK && !store->options.is_read_only)
    status = set_up(store);
  if (status == SQLITE_OK && store->has_log)
    status = sqlite3_exec(store->db, "PRAGMA journal_mode", read_mode, is_wal, NULL);
  if (status == SQLITE_OK)
    status = create_function(store);
  if (status == SQLITE_OK)
    status = compile_own(store);
  return status;
}

bool cnk_connection_open(struct cnk_sqlite *store, char *message, size_t size)
{
  bool is_locked = store->lock.database >= 0, is_wal = false;
  if (take_spare(store)) {
    sqlite3_wal_hook(store->db, on_commit, store);
    return true;
  }
  if (is_locked && !is_same_file(store))
    return refuse(store, "another file, or none, is in its place", message, size);
  if (is_locked)
    cnk_lock_note(&store->lock, "", true); /* there will be another log */
  else if (!create_private(store))
    return refuse(store, strerror(errno), message, size);
  int status = open_file(store, !is_locked);
  if (status == SQLITE_OK && !is_locked && !store->is_memory &&
      !cnk_lock_open(&store->lock, store->path, store->options.is_read_only, message, size)) {
    cnk_connection_close(store);
    return false;
  }
  if (status == SQLITE_OK)
    status = set_up_connection(store, &is_wal);
  if (status == SQLITE_OK && !is_wal)
    return refuse(store, "its file system cannot keep a write-ahead log", message, size);
  if (status != SQLITE_OK)
    return refuse(store, store->db ? cnk_connection_problem(store) : sqlite3_errstr(status), message, size);
  sqlite3_wal_hook(store->db, on_commit, store);
  store->has_commits = false;
  if (!cnk_checkpoint_open(store))
    return refuse(store, "it cannot be read a second time", message, size);
  if (store->has_log && !cnk_guard_open(&store->guard, &store->lock, store->path, store->given_path))
    return refuse(store, "not enough memory", message, size);
  return true;
}

/* Whether SQLite may remove the log as it closes the database. It does so by name: where the files are not in their places,
 * the log of that name may be another database's. */
static bool may_remove_log(struct cnk_sqlite *store)
{
  if (!store->guard.is_open)
    return !store->options.is_read_only;
  enum cnk_guard_state state = cnk_guard_check(&store->guard, &store->lock, store->has_commits);
  if (state == CNK_GUARD_NO_LOG || state == CNK_GUARD_NO_FILE)
    cnk_checkpoint_save(store);
  return state == CNK_GUARD_WELL;
}

/* Notes that the log was removed: not where somebody else still uses it, and not before the disk knows. */
static void note_end(struct cnk_sqlite *store)
{
  char *name = NULL;
  if (asprintf(&name, "%s-wal", store->path) < 0)
    return;
  bool is_gone = access(name, F_OK) != 0 && errno == ENOENT;
  int folder = is_gone ? open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  free(name);
  if (folder < 0)
    return;
  if (fsync(folder) == 0)
    cnk_lock_note(&store->lock, CNK_NOTE_CLOSED, false);
  close(folder);
}

void cnk_connection_close(struct cnk_sqlite *store)
{
  cnk_keys_reset(store);
  if (keep_spare(store))
    return;
  bool was_open = store->guard.is_open, is_removing = may_remove_log(store);
  is_removing = cnk_checkpoint_close(store) && is_removing;
  if (store->db && !is_removing)
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  cnk_guard_close(&store->guard);
  cnk_statements_finalize(store);
  for (size_t i = 0; i < CNK_CLEARING_MOST; i++) {
    sqlite3_finalize(store->clearing[i]);
    store->clearing[i] = NULL;
  }
  sqlite3_stmt **own[] = {&store->begin,     &store->commit,  &store->rollback,
                          &store->savepoint, &store->release, &store->undo};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    sqlite3_finalize(*own[i]);
    *own[i] = NULL;
  }
  sqlite3_close(store->db);
  store->db = NULL;
  if (was_open && is_removing)
    note_end(store);
}
