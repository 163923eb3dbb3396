/* SPDX-License-Identifier: MIT */
/* The guard of a database's files; see guard.h for the contract. */
#include "store/sqlite/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool remember(struct cnk_guard_file *file, const char *path, const char *suffix)
{
  struct stat found;
  if (asprintf(&file->path, "%s%s", path, suffix) < 0) {
    file->path = NULL;
    return false;
  }
  if (stat(file->path, &found) == 0) {
    file->device = found.st_dev;
    file->inode = found.st_ino;
  }
  return true;
}

bool cnk_guard_open(struct cnk_guard *guard, const struct cnk_lock *lock, const char *path, const char *given)
{
  *guard = (struct cnk_guard){.log_file = -1, .is_open = true};
  guard->path = strdup(path);
  /* As it was given, so that a link which is turned to another folder is noticed; a relative name is none that lasts. */
  if (!guard->path || !remember(&guard->database, *given == '/' ? given : path, "") ||
      !remember(&guard->log, path, "-wal") || !remember(&guard->index, path, "-shm") ||
      !remember(&guard->owner, path, "-lock")) {
    cnk_guard_close(guard);
    return false;
  }
  guard->database.device = lock->device;
  guard->database.inode = lock->inode;
  guard->log_file = open(guard->log.path, O_RDONLY | O_CLOEXEC);
  cnk_guard_note_size(guard, lock);
  return true;
}

void cnk_guard_close(struct cnk_guard *guard)
{
  if (!guard->is_open)
    return;
  if (guard->log_file >= 0)
    close(guard->log_file);
  free(guard->database.path);
  free(guard->log.path);
  free(guard->index.path);
  free(guard->owner.path);
  free(guard->path);
  *guard = (struct cnk_guard){.log_file = -1};
}

/* `otherwise`: where it cannot be read. */
static uint32_t read_schema(const struct cnk_lock *lock, uint32_t otherwise)
{
  enum { PLACE = 40 }; /* https://www.sqlite.org/fileformat2.html#database_header */
  uint32_t number = 0;
  return pread(lock->database, &number, sizeof number, PLACE) == sizeof number ? ntohl(number) : otherwise;
}

void cnk_guard_note_size(struct cnk_guard *guard, const struct cnk_lock *lock)
{
  struct stat found;
  if (!guard->is_open || fstat(lock->database, &found) != 0)
    return;
  guard->size = found.st_size;
  uint32_t schema = read_schema(lock, 0);
  guard->schema = schema > guard->schema ? schema : guard->schema;
}

/* ---- the check --------------------------------------------------------------------------------------------------- */

/* NULL: the file is in its place. Otherwise what happened to it. */
static const char *find(const struct cnk_guard_file *file, struct stat *found)
{
  if (stat(file->path, found) != 0)
    return errno == ENOENT || errno == ENOTDIR ? "was deleted or moved" : "cannot be found any more";
  if (found->st_ino != file->inode || found->st_dev != file->device)
    return "was replaced by another file";
  return NULL;
}

static enum cnk_guard_state say(struct cnk_guard *guard, enum cnk_guard_state state, const struct cnk_guard_file *file,
                                const char *what, const char *advice)
{
  snprintf(guard->reason, sizeof guard->reason, "%.40s %s while in use: %s", base_name(file->path), what, advice);
  return state;
}

/* A disk that fails may get the new sequence number of a log alone, until the next commit writes its head once more. */
static bool is_half_written(const struct cnk_log_head *known, const struct cnk_log_head *next)
{
  struct cnk_log_head wanted = *known;
  wanted.words[3] = htonl(ntohl(known->words[3]) + 1);
  return memcmp(&wanted, next, sizeof wanted) == 0;
}

static bool has_own_head(struct cnk_guard *guard)
{
  struct cnk_log_head head;
  if (pread(guard->log_file, &head, sizeof head, 0) != sizeof head)
    return false;
  if (guard->has_log_head && is_half_written(&guard->log_head, &head))
    return true;
  if (guard->has_log_head && !cnk_note_is_same_log(&guard->log_head, &head))
    return false;
  guard->log_head = head;
  return guard->has_log_head = true;
}

static void note_log(struct cnk_guard *guard, const struct cnk_lock *lock)
{
  char note[CNK_NOTE_BYTES];
  cnk_note_write(note, sizeof note, &guard->log_head, guard->database.inode, guard->log.inode);
  cnk_lock_note(lock, note, false);
  guard->is_noted = true;
}

static enum cnk_guard_state look(struct cnk_guard *guard, const struct cnk_lock *lock, bool has_commits)
{
  struct stat found;
  const char *what = find(&guard->database, &found);
  if (what)
    return say(guard, CNK_GUARD_NO_FILE, &guard->database, what,
               "put it back, or save its content with cunnekt backup and restart with that");
  if (found.st_size < guard->size || read_schema(lock, guard->schema) < guard->schema)
    return say(guard, CNK_GUARD_NO_CONTENT, &guard->database, "was overwritten", "stop the bot and restore a backup");
  guard->size = found.st_size;
  what = find(&guard->log, &found);
  if (what)
    return say(guard, CNK_GUARD_NO_LOG, &guard->log, what, "remove what is in its place, if anything");
  if (has_commits && !has_own_head(guard))
    return say(guard, CNK_GUARD_NO_CONTENT, &guard->log, "was overwritten",
               "stop the bot, remove this file or restore a backup");
  what = find(&guard->index, &found);
  if (what)
    return say(guard, CNK_GUARD_NO_LOG, &guard->index, what, "it is made anew");
  return CNK_GUARD_WELL;
}

static void renew_lock_file(struct cnk_guard *guard, struct cnk_lock *lock)
{
  struct stat found;
  cnk_lock_renew(lock, guard->path);
  if (lock->file < 0 || fstat(lock->file, &found) != 0)
    return;
  guard->owner.device = found.st_dev;
  guard->owner.inode = found.st_ino;
  guard->is_noted = false;
}

enum cnk_guard_state cnk_guard_check(struct cnk_guard *guard, struct cnk_lock *lock, bool has_commits)
{
  if (!guard->is_open)
    return guard->state;
  guard->state = look(guard, lock, has_commits);
  if (guard->state != CNK_GUARD_WELL)
    return guard->state;
  struct stat found;
  if (find(&guard->owner, &found))
    renew_lock_file(guard, lock);
  if (guard->has_log_head && !guard->is_noted)
    note_log(guard, lock);
  return guard->state;
}

bool cnk_guard_has_foreign_log(const struct cnk_guard *guard)
{
  struct stat found;
  return stat(guard->log.path, &found) == 0 && (found.st_ino != guard->log.inode || found.st_dev != guard->log.device);
}
