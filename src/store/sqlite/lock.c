/* SPDX-License-Identifier: MIT */
/* The locks of a database; see lock.h for the contract. */
#include "store/sqlite/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/sqlite/note.h"

/* In the page of the database that SQLite keeps free for its own locks, which end 512 bytes behind its begin
 * (https://www.sqlite.org/fileformat2.html#the_lock_byte_page). */
enum { LOCK_BYTE = 0x40000000 + 1024 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct cnk_lock *held; /* by this process, under the mutex */

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

char *cnk_lock_resolve(const char *path)
{
  char *resolved = realpath(path, NULL);
  if (resolved)
    return resolved;
  const char *name = base_name(path);
  char *folder = strndup(path, (size_t)(name - path));
  char *resolved_folder = folder ? realpath(*folder ? folder : ".", NULL) : NULL;
  if (resolved_folder && asprintf(&resolved, "%s/%s", resolved_folder, name) < 0)
    resolved = NULL;
  free(resolved_folder);
  free(folder);
  return resolved ? resolved : strdup(path);
}

bool cnk_lock_is_held_here(const struct stat *file)
{
  pthread_mutex_lock(&mutex);
  const struct cnk_lock *lock = held;
  while (lock && (lock->device != file->st_dev || lock->inode != file->st_ino))
    lock = lock->next;
  pthread_mutex_unlock(&mutex);
  return lock != NULL;
}

static void hold(struct cnk_lock *lock)
{
  pthread_mutex_lock(&mutex);
  lock->next = held;
  held = lock;
  pthread_mutex_unlock(&mutex);
}

static void forget(struct cnk_lock *lock)
{
  pthread_mutex_lock(&mutex);
  struct cnk_lock **at = &held;
  while (*at && *at != lock)
    at = &(*at)->next;
  if (*at)
    *at = lock->next;
  pthread_mutex_unlock(&mutex);
}

/* ---- the lock file ----------------------------------------------------------------------------------------------- */

static int open_file(const char *path, int flags)
{
  char *name = NULL;
  if (asprintf(&name, "%s-lock", path) < 0) {
    errno = ENOMEM;
    return -1;
  }
  int descriptor = open(name, flags | O_CLOEXEC, 0600);
  int fault = errno;
  free(name);
  errno = fault;
  return descriptor;
}

static void read_content(int file, char content[CNK_NOTE_BYTES])
{
  ssize_t length = file >= 0 ? pread(file, content, CNK_NOTE_BYTES - 1, 0) : 0;
  content[length > 0 ? length : 0] = '\0';
}

/* The process that holds the lock file; 0: none does. */
static long owner_of(const char *path)
{
  int descriptor = open_file(path, O_RDONLY);
  if (descriptor < 0)
    return 0;
  char text[CNK_NOTE_BYTES] = "";
  if (flock(descriptor, LOCK_SH | LOCK_NB) != 0)
    read_content(descriptor, text);
  close(descriptor);
  return strtol(text, NULL, 10);
}

void cnk_lock_note(const struct cnk_lock *lock, const char *note, bool must_last)
{
  char content[CNK_NOTE_BYTES];
  int length = snprintf(content, sizeof content, "%ld\n%s", (long)getpid(), note);
  if (lock->file < 0)
    return;
  /* The number is only for the message, and a note may be missing: on a full disk the lock holds without them. */
  if (ftruncate(lock->file, 0) != 0 || pwrite(lock->file, content, (size_t)length, 0) != length)
    (void)!ftruncate(lock->file, 0);
  if (must_last)
    (void)fsync(lock->file);
}

/* The note of an earlier log must not be found beside a later one, also when the power goes. */
static void begin_file(const struct cnk_lock *lock)
{
  cnk_lock_note(lock, "", true);
  /* A file that root makes must not keep the bot's own user out at the next start. SQLite does so with its files. */
  struct stat database;
  if (geteuid() == 0 && fstat(lock->database, &database) == 0)
    (void)!fchown(lock->file, database.st_uid, database.st_gid);
}

/* flock, not fcntl: it also conflicts between two stores of one process, and closing some other descriptor of the file
 * does not drop it. Otherwise false with errno, EWOULDBLOCK where another process has it. */
static bool lock_beside(struct cnk_lock *lock, const char *path)
{
  lock->file = open_file(path, O_RDWR | O_CREAT);
  if (lock->file < 0 || flock(lock->file, LOCK_EX | LOCK_NB) == 0)
    return lock->file >= 0;
  close(lock->file);
  lock->file = -1;
  errno = EWOULDBLOCK;
  return false;
}

static bool has_own_log(const struct cnk_lock *lock, const char *path)
{
  char content[CNK_NOTE_BYTES];
  int file = lock->file >= 0 ? lock->file : open_file(path, O_RDONLY);
  read_content(file, content);
  if (file >= 0 && file != lock->file)
    close(file);
  return cnk_note_fits(content, path);
}

void cnk_lock_renew(struct cnk_lock *lock, const char *path)
{
  struct cnk_lock fresh = *lock;
  if (!lock_beside(&fresh, path))
    return;
  begin_file(&fresh);
  if (lock->file >= 0)
    close(lock->file);
  lock->file = fresh.file;
}

/* ---- the database ------------------------------------------------------------------------------------------------ */

/* A lock of the open file: other than fcntl's usual ones it does not end when some descriptor of the file is closed.
 * Systems and file systems without such locks have the lock file only. */
bool cnk_lock_file(int descriptor, bool is_reader)
{
#ifdef F_OFD_SETLK
  struct flock wanted = {
      .l_type = is_reader ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_BYTE, .l_len = 1};
  return fcntl(descriptor, F_OFD_SETLK, &wanted) == 0 || (errno != EAGAIN && errno != EACCES);
#else
  (void)descriptor;
  (void)is_reader;
  return true;
#endif
}

static void give_up(struct cnk_lock *lock)
{
  if (lock->database >= 0)
    close(lock->database);
  if (lock->file >= 0)
    close(lock->file);
  *lock = CNK_LOCK_NONE;
}

static bool fail(struct cnk_lock *lock, const char *path, int fault, char *message, size_t size)
{
  give_up(lock);
  snprintf(message, size, "cannot open the store %s: %s", path, strerror(fault));
  return false;
}

static bool fail_beside(struct cnk_lock *lock, const char *path, int fault, char *message, size_t size)
{
  give_up(lock);
  snprintf(message, size, "cannot open the store %s: %s-lock beside it: %s", path, base_name(path), strerror(fault));
  return false;
}

static bool refuse(struct cnk_lock *lock, const char *path, char *message, size_t size)
{
  give_up(lock);
  long owner = owner_of(path);
  if (owner > 0 && owner != getpid())
    snprintf(message, size, "the store %s is in use by process %ld", base_name(path), owner);
  else
    snprintf(message, size, "the store %s is in use by another process", base_name(path));
  return false;
}

static bool refuse_log(struct cnk_lock *lock, const char *path, char *message, size_t size)
{
  give_up(lock);
  snprintf(
      message, size,
      "cannot open the store %s: %s-wal beside it is the log of another database; move that away (or remove %s-lock, "
      "if the two do belong together)",
      path, base_name(path), base_name(path));
  return false;
}

bool cnk_lock_open(struct cnk_lock *lock, const char *path, bool is_reader, char *message, size_t size)
{
  *lock = CNK_LOCK_NONE;
  struct stat found;
  if (stat(path, &found) != 0)
    return fail(lock, path, errno, message, size);
  if (cnk_lock_is_held_here(&found)) {
    snprintf(message, size, "the store %s is open already in this process", base_name(path));
    return false;
  }
  lock->database = open(path, (is_reader ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
  if (lock->database < 0 || fstat(lock->database, &found) != 0)
    return fail(lock, path, errno, message, size);
  if (!cnk_lock_file(lock->database, is_reader))
    return refuse(lock, path, message, size);
  if (is_reader ? owner_of(path) > 0 : !lock_beside(lock, path)) {
    if (is_reader || errno == EWOULDBLOCK)
      return refuse(lock, path, message, size);
    return fail_beside(lock, path, errno, message, size);
  }
  if (!has_own_log(lock, path))
    return refuse_log(lock, path, message, size);
  if (!is_reader)
    begin_file(lock);
  lock->device = found.st_dev;
  lock->inode = found.st_ino;
  hold(lock);
  return true;
}

void cnk_lock_close(struct cnk_lock *lock)
{
  if (lock->database < 0)
    return;
  forget(lock);
  give_up(lock);
}
