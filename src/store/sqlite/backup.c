/* SPDX-License-Identifier: MIT */
/*
 * Backup while running: the writer copies some pages between batches. SQLite carries over what its own connection
 * changes meanwhile, so the copy is the database as it is at the last step.
 *
 * The copy grows under another name, which a process that is killed leaves behind. So it is locked while it grows, and
 * begins with the database's application_id: a later backup into the same folder removes what has this id and no lock.
 * Killed before the id is written, it leaves an empty file, which the next copy of that name removes: without the id it
 * could be another program's.
 *
 * SQLite copies a damaged page as any other. So the copy is checked before it takes the place of an older one, by a thread of its
 * own: that takes seconds for a large one, in which the writer goes on with its batches.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/internal.h"
#include "store/sqlite/lock.h"
#include "store/sqlite/peek.h"

#define PART ".part"

/* A step of half a megabyte delays a waiting batch by less than a sync does. A database that grows between two steps
 * gets a longer one, or the copy would never end. */
enum { STEP_PAGES = 128, STEP_PAGES_PER_NEW = 2 };

/* A sentence about a damage. */
enum { DAMAGE_BYTES = 120 };

enum backup_stage { COPYING, CHECKING, CHECKED };

struct cnk_backup {
  struct cnk_sqlite *store;
  struct cnk_store_task *task;
  enum backup_stage stage; /* under the worker's mutex */
  bool has_checker;
  uv_thread_t checker; /* has all of the rest while it is CHECKING */
  char *path, *part;   /* the copy grows under the name `part` */
  int file;            /* the part, to lock and to sync it */
  sqlite3 *target;
  sqlite3_backup *copy;
  int pages; /* of the database, at the last step */
  int status;
  char message[192];
};

struct cnk_backup *cnk_backup_new(struct cnk_sqlite *store, const char *path, struct cnk_store_task *task)
{
  struct cnk_backup *backup = calloc(1, sizeof *backup);
  if (!backup)
    return NULL;
  backup->store = store;
  backup->task = task;
  backup->file = -1;
  backup->path = strdup(path);
  if (!backup->path || asprintf(&backup->part, "%s" PART, path) < 0) {
    free(backup->path);
    free(backup);
    return NULL;
  }
  return backup;
}

struct cnk_store_task *cnk_backup_free(struct cnk_backup *backup)
{
  struct cnk_store_task *task = backup->task;
  task->status = backup->status;
  memcpy(task->message, backup->message, sizeof task->message);
  free(backup->path);
  free(backup->part);
  free(backup);
  return task;
}

static void remove_beside(const char *path, const char *suffix)
{
  char *name = NULL;
  if (asprintf(&name, "%s%s", path, suffix) < 0)
    return;
  unlink(name);
  free(name);
}

/* With what SQLite has beside it while it is checked. */
static void remove_part(const char *part)
{
  static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
    remove_beside(part, suffixes[i]);
}

/* Behind SQLite, for closing a descriptor ends SQLite's locks on the file. */
static void close_file(struct cnk_backup *backup)
{
  if (backup->file >= 0)
    close(backup->file);
  backup->file = -1;
}

/* The first one counts. */
static void set_failure(struct cnk_backup *backup, int status, const char *reason)
{
  if (backup->status)
    return;
  backup->status = status;
  snprintf(backup->message, sizeof backup->message, "cannot back up to %s: %s", backup->path, reason);
}

static bool fail(struct cnk_backup *backup, int status, const char *reason)
{
  set_failure(backup, status, reason);
  sqlite3_backup_finish(backup->copy);
  sqlite3_close(backup->target);
  backup->copy = NULL;
  backup->target = NULL;
  close_file(backup);
  remove_part(backup->part);
  return true;
}

static void join_checker(struct cnk_backup *backup)
{
  if (backup->has_checker)
    uv_thread_join(&backup->checker);
  backup->has_checker = false;
}

void cnk_backup_cancel(struct cnk_backup *backup)
{
  if (backup->has_checker)
    sqlite3_interrupt(backup->target);
  join_checker(backup);
  backup->status = 0; /* that of the interrupted check */
  fail(backup, CNK_STORE_CLOSED, "the store was closed");
}

/* ---- what may be replaced ---------------------------------------------------------------------------------------- */

/* Whether a file is called as one that a store has beside its database: this store, or another one that is there. */
static bool is_beside_database(const struct cnk_sqlite *store, const char *path)
{
  static const char *const suffixes[] = {"-wal", "-shm", "-journal", "-lock", "-stopped", ".ctl"};
  size_t length = strlen(path);
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    size_t size = strlen(suffixes[i]);
    if (length <= size || strcmp(path + length - size, suffixes[i]) != 0)
      continue;
    struct stat found;
    char *name = strndup(path, length - size), *database = name ? cnk_lock_resolve(name) : NULL;
    bool is_database =
        !database || strcmp(database, store->path) == 0 || (stat(database, &found) == 0 && S_ISREG(found.st_mode));
    free(name);
    free(database);
    return is_database;
  }
  return false;
}

/* A database that is open must not be replaced under its owner. */
static bool is_in_use(const char *path, char *reason, size_t size)
{
  if (access(path, R_OK) != 0)
    return false;
  struct cnk_lock lock;
  bool is_free = cnk_lock_open(&lock, path, true, reason, size);
  cnk_lock_close(&lock);
  return !is_free;
}

static const char *find_loss(const char *path)
{
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return strerror(errno);
  bool is_ours = cnk_peek_application_id(descriptor) == CNK_APPLICATION_ID;
  close(descriptor);
  return is_ours ? NULL : "there is a file that is no copy of a store; name another one, or move that away";
}

/* Whether nothing is lost but an older copy. The names come first: SQLite's locks on a store's files end when some descriptor of
 * them is closed. */
static bool may_replace(const struct cnk_sqlite *store, const char *path, char *reason, size_t size)
{
  struct stat target, own;
  const char *problem = NULL;
  bool is_there = stat(path, &target) == 0;
  if (is_beside_database(store, path))
    problem = "a store has its own file of that name; name another one";
  else if (!is_there)
    return true;
  else if (stat(store->path, &own) == 0 && target.st_ino == own.st_ino && target.st_dev == own.st_dev)
    problem = "it is the store itself; name another file";
  else if (!S_ISREG(target.st_mode))
    problem = "it is not a regular file; name another one";
  else if (is_in_use(path, reason, size))
    return false;
  else if (target.st_size > 0)
    problem = find_loss(path);
  if (problem)
    snprintf(reason, size, "%s", problem);
  return !problem;
}

/* ---- parts that were left behind --------------------------------------------------------------------------------- */

static bool is_stale(int folder, const char *name, int32_t application_id)
{
  size_t length = strlen(name), suffix = sizeof PART - 1;
  if (length <= suffix || strcmp(name + length - suffix, PART) != 0)
    return false;
  int descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0)
    return false;
  bool is_ours = cnk_peek_application_id(descriptor) == application_id && cnk_lock_file(descriptor, true);
  close(descriptor);
  return is_ours;
}

static void remove_stale_parts(const char *path, int32_t application_id)
{
  char *copy = strdup(path), *name = NULL, *part = NULL;
  if (copy)
    name = dirname(copy);
  DIR *folder = name && application_id ? opendir(name) : NULL;
  for (const struct dirent *entry; folder && (entry = readdir(folder));)
    if (is_stale(dirfd(folder), entry->d_name, application_id) && asprintf(&part, "%s/%s", name, entry->d_name) >= 0) {
      remove_part(part);
      free(part);
    }
  if (folder)
    closedir(folder);
  free(copy);
}

/* ---- a copy ------------------------------------------------------------------------------------------------------ */

static int32_t read_number(struct cnk_sqlite *store, const char *text)
{
  sqlite3_stmt *statement = NULL;
  int32_t number = 0;
  if (sqlite3_prepare_v2(store->db, text, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
    number = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  return number;
}

static bool begin(struct cnk_sqlite *store, struct cnk_backup *backup)
{
  char text[200];
  if (!may_replace(store, backup->path, text, sizeof text))
    return !fail(backup, SQLITE_BUSY, text);
  int32_t application_id = read_number(store, "PRAGMA application_id");
  remove_stale_parts(backup->path, application_id);
  remove_part(backup->part);
  backup->file = open(backup->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (backup->file < 0)
    return !fail(backup, SQLITE_CANTOPEN, strerror(errno));
  cnk_connection_give_to_folder(backup->file, backup->path);
  cnk_lock_file(backup->file, false);
  int status =
      sqlite3_open_v2(backup->part, &backup->target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, store->options.vfs);
  /* The copy is synced once, when it is whole; until then it has no name that anybody would open. */
  snprintf(text, sizeof text, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA application_id=%d",
           (int)application_id);
  if (status == SQLITE_OK)
    status = sqlite3_exec(backup->target, text, NULL, NULL, NULL);
  if (status == SQLITE_OK)
    backup->copy = sqlite3_backup_init(backup->target, "main", store->db, "main");
  if (!backup->copy)
    return !fail(backup, status ? status : SQLITE_ERROR, sqlite3_errmsg(backup->target));
  return true;
}

static void sync_folder(const char *path)
{
  char *copy = strdup(path);
  int descriptor = copy ? open(dirname(copy), O_RDONLY | O_CLOEXEC) : -1;
  free(copy);
  if (descriptor < 0)
    return;
  (void)fsync(descriptor);
  close(descriptor);
}

/* A row of the check: "ok", or the first problem, behind a line with the database's name. */
static int on_verdict(void *context, int count, char **texts, char **names)
{
  char *damage = context;
  (void)count;
  (void)names;
  const char *text = texts[0] ? texts[0] : "ok", *line = strrchr(text, '\n');
  if (strcmp(text, "ok") != 0)
    snprintf(damage, DAMAGE_BYTES, "the store is damaged: %s", line ? line + 1 : text);
  return 0;
}

/* Sets status and message where the copy is not good, and on the disk. */
static void check_copy(struct cnk_backup *backup)
{
  char damage[DAMAGE_BYTES] = "";
  int status = sqlite3_exec(backup->target, "PRAGMA quick_check(1)", on_verdict, damage, NULL);
  if (*damage)
    set_failure(backup, SQLITE_CORRUPT, damage);
  else if (status != SQLITE_OK)
    set_failure(backup, status, sqlite3_errstr(status));
  else if (fsync(backup->file) != 0)
    set_failure(backup, SQLITE_IOERR_FSYNC, strerror(errno));
}

static void set_stage(struct cnk_backup *backup, enum backup_stage stage)
{
  struct cnk_worker *worker = &backup->store->worker;
  uv_mutex_lock(&worker->mutex);
  backup->stage = stage;
  uv_cond_signal(&worker->wake);
  uv_mutex_unlock(&worker->mutex);
}

static void run_checker(void *context)
{
  check_copy(context);
  set_stage(context, CHECKED);
}

static bool start_check(struct cnk_backup *backup)
{
  int status = sqlite3_backup_finish(backup->copy);
  backup->copy = NULL;
  if (status != SQLITE_OK)
    return fail(backup, status, sqlite3_errstr(status));
  set_stage(backup, CHECKING);
  backup->has_checker =
      !backup->store->worker.is_in_place && uv_thread_create(&backup->checker, run_checker, backup) == 0;
  if (!backup->has_checker)
    run_checker(backup);
  return false;
}

static bool publish(struct cnk_backup *backup)
{
  join_checker(backup);
  if (backup->status)
    return fail(backup, backup->status, "");
  sqlite3_close(backup->target);
  backup->target = NULL;
  /* The log of a former database of that name would be played into this one. */
  remove_beside(backup->path, "-wal");
  remove_beside(backup->path, "-shm");
  if (rename(backup->part, backup->path) != 0)
    return fail(backup, SQLITE_IOERR, strerror(errno));
  close_file(backup);
  sync_folder(backup->path);
  return true;
}

bool cnk_backup_waits(const struct cnk_backup *backup)
{
  return backup->stage == CHECKING;
}

bool cnk_backup_step(struct cnk_sqlite *store, struct cnk_backup *backup)
{
  if (backup->stage == CHECKED)
    return publish(backup);
  if (!backup->copy && !begin(store, backup))
    return true;
  int before = backup->pages;
  backup->pages = read_number(store, "PRAGMA page_count");
  int grown = before && backup->pages > before ? backup->pages - before : 0;
  int status = sqlite3_backup_step(backup->copy, STEP_PAGES + STEP_PAGES_PER_NEW * grown);
  if (status == SQLITE_DONE)
    return start_check(backup);
  if (status == SQLITE_OK || status == SQLITE_BUSY || status == SQLITE_LOCKED)
    return false;
  return fail(backup, status, sqlite3_errstr(status));
}
