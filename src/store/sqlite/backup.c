/* SPDX-License-Identifier: MIT */
/*
 * Backup while running: the writer copies some pages between batches. SQLite carries over what its own connection
 * changes meanwhile, so the copy is the database as it is at the last step.
 */
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

/* A step of half a megabyte delays a waiting batch by less than a sync does. A database that grows between two steps
 * gets a longer one, or the copy would never end. */
enum { STEP_PAGES = 128, STEP_PAGES_PER_NEW = 2 };

struct cnk_backup {
  struct cnk_store_task *task;
  char *path, *part; /* the copy grows under the name `part` */
  sqlite3 *target;
  sqlite3_backup *copy;
  int pages; /* of the database, at the last step */
  int status;
  char message[192];
};

struct cnk_backup *cnk_backup_new(const char *path, struct cnk_store_task *task)
{
  struct cnk_backup *backup = calloc(1, sizeof *backup);
  if (!backup)
    return NULL;
  backup->task = task;
  backup->path = strdup(path);
  if (!backup->path || asprintf(&backup->part, "%s.part", path) < 0) {
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

static bool fail(struct cnk_backup *backup, int status, const char *reason)
{
  if (!backup->status) {
    backup->status = status;
    snprintf(backup->message, sizeof backup->message, "cannot back up to %s: %s", backup->path, reason);
  }
  sqlite3_backup_finish(backup->copy);
  sqlite3_close(backup->target);
  backup->copy = NULL;
  backup->target = NULL;
  remove_beside(backup->part, "");
  remove_beside(backup->part, "-journal");
  return true;
}

void cnk_backup_cancel(struct cnk_backup *backup)
{
  fail(backup, CNK_STORE_CLOSED, "the store was closed");
}

/* A database that is open must not be replaced under its owner. */
static bool is_in_use(const struct cnk_store *store, const struct cnk_backup *backup, char *reason, size_t size)
{
  struct stat target, own;
  if (stat(backup->path, &target) == 0 && stat(store->options.path, &own) == 0 && target.st_ino == own.st_ino &&
      target.st_dev == own.st_dev) {
    snprintf(reason, size, "it is the store itself");
    return true;
  }
  if (access(backup->path, R_OK) != 0)
    return false;
  struct cnk_lock lock;
  bool is_free = cnk_lock_open(&lock, backup->path, true, reason, size);
  cnk_lock_close(&lock);
  return !is_free;
}

static bool begin(struct cnk_store *store, struct cnk_backup *backup)
{
  char reason[160];
  if (is_in_use(store, backup, reason, sizeof reason))
    return !fail(backup, SQLITE_BUSY, reason);
  remove_beside(backup->part, "");
  remove_beside(backup->part, "-journal");
  remove_beside(backup->part, "-wal");
  int descriptor = open(backup->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return !fail(backup, SQLITE_CANTOPEN, strerror(errno));
  close(descriptor);
  int status =
      sqlite3_open_v2(backup->part, &backup->target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, store->options.vfs);
  /* The copy is synced once, when it is whole; until then it has no name that anybody would open. */
  if (status == SQLITE_OK)
    status = sqlite3_exec(backup->target, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL);
  if (status == SQLITE_OK)
    backup->copy = sqlite3_backup_init(backup->target, "main", store->db, "main");
  if (!backup->copy)
    return !fail(backup, status ? status : SQLITE_ERROR, sqlite3_errmsg(backup->target));
  return true;
}

static bool sync_path(const char *path)
{
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return false;
  bool is_synced = fsync(descriptor) == 0;
  int fault = errno;
  close(descriptor);
  errno = fault;
  return is_synced;
}

static bool finish(struct cnk_backup *backup)
{
  int status = sqlite3_backup_finish(backup->copy);
  backup->copy = NULL;
  if (status == SQLITE_OK)
    status = sqlite3_close(backup->target);
  if (status != SQLITE_OK)
    return fail(backup, status, sqlite3_errstr(status));
  backup->target = NULL;
  if (!sync_path(backup->part))
    return fail(backup, SQLITE_IOERR_FSYNC, strerror(errno));
  /* The log of a former database of that name would be played into this one. */
  remove_beside(backup->path, "-wal");
  remove_beside(backup->path, "-shm");
  if (rename(backup->part, backup->path) != 0)
    return fail(backup, SQLITE_IOERR, strerror(errno));
  char *name = strdup(backup->path);
  if (name)
    sync_path(dirname(name));
  free(name);
  return true;
}

static int database_pages(struct cnk_store *store)
{
  sqlite3_stmt *count = NULL;
  int pages = 0;
  if (sqlite3_prepare_v2(store->db, "PRAGMA page_count", -1, &count, NULL) == SQLITE_OK &&
      sqlite3_step(count) == SQLITE_ROW)
    pages = sqlite3_column_int(count, 0);
  sqlite3_finalize(count);
  return pages;
}

bool cnk_backup_step(struct cnk_store *store, struct cnk_backup *backup)
{
  if (!backup->copy && !begin(store, backup))
    return true;
  int before = backup->pages;
  backup->pages = database_pages(store);
  int grown = before && backup->pages > before ? backup->pages - before : 0;
  int status = sqlite3_backup_step(backup->copy, STEP_PAGES + STEP_PAGES_PER_NEW * grown);
  if (status == SQLITE_DONE)
    return finish(backup);
  if (status == SQLITE_OK || status == SQLITE_BUSY || status == SQLITE_LOCKED)
    return false;
  return fail(backup, status, sqlite3_errstr(status));
}
