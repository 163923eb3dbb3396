/* SPDX-License-Identifier: MIT */
/* The recording VFS; see recorder.h. Database, log and journal are recorded; shared memory dies with the power anyway. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder.h"

struct shim_file {
  sqlite3_file base;
  sqlite3_file *real; /* behind this struct */
  int number;         /* of the file in the recording; -1: not recorded */
  bool is_database;
  bool is_new; /* the real VFS syncs the folder with the first sync of a new journal or log */
};

static sqlite3_vfs shim_vfs;
static sqlite3_vfs *real_vfs;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the syncing thread is not the writing one */
static struct recording recording;
static struct recorder_faults faults;

/* ---- notes, under the mutex ------------------------------------------------------------------------------------ */

static struct op *note(enum op_kind kind, int file)
{
  if (recording.count == recording.capacity) {
    recording.capacity = recording.capacity ? recording.capacity * 2 : 4096;
    recording.ops = realloc(recording.ops, recording.capacity * sizeof *recording.ops);
    if (!recording.ops)
      abort();
  }
  struct op *op = &recording.ops[recording.count++];
  *op = (struct op){.kind = kind, .file = file};
  return op;
}

static int number_of(const char *path)
{
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  for (int i = 0; i < recording.files; i++)
    if (strcmp(recording.names[i], name) == 0)
      return i;
  if (recording.files == sizeof recording.names / sizeof *recording.names)
    abort();
  recording.names[recording.files] = strdup(name);
  return recording.files++;
}

void recorder_begin(void)
{
  pthread_mutex_lock(&mutex);
  for (size_t i = 0; i < recording.count; i++)
    free(recording.ops[i].data);
  for (int i = 0; i < recording.files; i++)
    free(recording.names[i]);
  free(recording.ops);
  recording = (struct recording){0};
  pthread_mutex_unlock(&mutex);
}

struct recording *recorder_recording(void)
{
  return &recording;
}

size_t recorder_mark(void)
{
  pthread_mutex_lock(&mutex);
  note(OP_MARK, -1);
  size_t count = recording.count;
  pthread_mutex_unlock(&mutex);
  return count;
}

void recorder_set_faults(const struct recorder_faults *wanted)
{
  pthread_mutex_lock(&mutex);
  faults = *wanted;
  pthread_mutex_unlock(&mutex);
}

struct recorder_faults recorder_faults(void)
{
  pthread_mutex_lock(&mutex);
  struct recorder_faults now = faults;
  pthread_mutex_unlock(&mutex);
  return now;
}

/* Whether this operation is the one to fail, and with what. */
static int fault(const struct shim_file *file, bool is_matching)
{
  if (!is_matching || file->number < 0 || (faults.is_database_only && !file->is_database))
    return SQLITE_OK;
  faults.seen++;
  if (faults.fail_after == 0 || --faults.fail_after > 0)
    return SQLITE_OK;
  if (faults.fail_for > 0) {
    faults.fail_for--;
    faults.fail_after = 1;
  }
  faults.failed++;
  return faults.code;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static sqlite3_file *real(sqlite3_file *file)
{
  return ((struct shim_file *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
  return real(file)->pMethods->xClose(real(file));
}

static int shim_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset)
{
  return real(file)->pMethods->xRead(real(file), to, size, offset);
}

static int shim_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
  struct shim_file *file = (struct shim_file *)base;
  pthread_mutex_lock(&mutex);
  int status = fault(file, faults.is_write);
  /* A write that fails may still have got some of its bytes to the disk. */
  int written = status == SQLITE_OK ? size : size / 2;
  if (file->number >= 0) {
    struct op *op = note(OP_WRITE, file->number);
    op->offset = offset;
    op->size = written;
    op->data = malloc((size_t)written + 1);
    memcpy(op->data, data, (size_t)written);
  }
  pthread_mutex_unlock(&mutex);
  int real_status = file->real->pMethods->xWrite(file->real, data, written, offset);
  return status == SQLITE_OK ? real_status : status;
}

static int shim_truncate(sqlite3_file *base, sqlite3_int64 size)
{
  struct shim_file *file = (struct shim_file *)base;
  pthread_mutex_lock(&mutex);
  int status = fault(file, faults.is_truncate);
  if (file->number >= 0 && status == SQLITE_OK)
    note(OP_TRUNCATE, file->number)->size = size;
  pthread_mutex_unlock(&mutex);
  return status == SQLITE_OK ? file->real->pMethods->xTruncate(file->real, size) : status;
}

static int shim_sync(sqlite3_file *base, int flags)
{
  struct shim_file *file = (struct shim_file *)base;
  pthread_mutex_lock(&mutex);
  if (faults.is_lying && file->is_database) {
    pthread_mutex_unlock(&mutex);
    return SQLITE_OK;
  }
  int status = fault(file, faults.is_sync), delay_ms = file->is_database ? faults.sync_delay_ms : 0;
  size_t began = recording.count;
  pthread_mutex_unlock(&mutex);
  if (delay_ms)
    usleep((useconds_t)delay_ms * 1000);
  /* The real disk is none of this test's business: what matters is what the recording says. */
  (void)flags;
  pthread_mutex_lock(&mutex);
  if (file->number >= 0) {
    struct op *op = note(status == SQLITE_OK ? OP_SYNC : OP_SYNC_FAILED, file->number);
    op->began = began;
    op->size = file->is_new && status == SQLITE_OK;
    file->is_new = file->is_new && status != SQLITE_OK;
  }
  pthread_mutex_unlock(&mutex);
  return status;
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
  return real(file)->pMethods->xFileSize(real(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
  return real(file)->pMethods->xLock(real(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
  return real(file)->pMethods->xUnlock(real(file), level);
}

static int shim_check_reserved(sqlite3_file *file, int *result)
{
  return real(file)->pMethods->xCheckReservedLock(real(file), result);
}

static int shim_control(sqlite3_file *file, int op, void *argument)
{
  /* Size hints would grow the file behind our back. */
  if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
    return SQLITE_OK;
  return real(file)->pMethods->xFileControl(real(file), op, argument);
}

static int shim_sector_size(sqlite3_file *file)
{
  return real(file)->pMethods->xSectorSize(real(file));
}

static int shim_characteristics(sqlite3_file *file)
{
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map)
{
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, map);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
  return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
  real(file)->pMethods->xShmBarrier(real(file));
}

static int shim_shm_unmap(sqlite3_file *file, int is_deleting)
{
  return real(file)->pMethods->xShmUnmap(real(file), is_deleting);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2, /* without xFetch: what is written into a map would not be seen */
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* ---- the VFS --------------------------------------------------------------------------------------------------- */

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
  (void)vfs;
  struct shim_file *file = (struct shim_file *)base;
  int exists = 1;
  bool is_recorded = name && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
  if (is_recorded)
    real_vfs->xAccess(real_vfs, name, SQLITE_ACCESS_EXISTS, &exists);
  file->base.pMethods = NULL;
  file->real = (sqlite3_file *)(file + 1);
  file->number = -1;
  file->is_database = flags & SQLITE_OPEN_MAIN_DB;
  file->is_new = flags & SQLITE_OPEN_CREATE && flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
  int status = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
  if (status != SQLITE_OK)
    return status;
  file->base.pMethods = &shim_methods;
  pthread_mutex_lock(&mutex);
  if (is_recorded)
    file->number = number_of(name);
  if (!exists)
    note(OP_CREATE, file->number);
  pthread_mutex_unlock(&mutex);
  return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int is_syncing)
{
  (void)vfs;
  int status = real_vfs->xDelete(real_vfs, name, 0);
  if (status != SQLITE_OK)
    return status;
  pthread_mutex_lock(&mutex);
  note(OP_DELETE, number_of(name))->size = is_syncing != 0;
  pthread_mutex_unlock(&mutex);
  return SQLITE_OK;
}

bool recorder_install(void)
{
  if (real_vfs)
    return true;
  real_vfs = sqlite3_vfs_find(NULL);
  if (!real_vfs)
    return false;
  shim_vfs = *real_vfs; /* clocks, randomness and paths are the real one's */
  shim_vfs.pNext = NULL;
  shim_vfs.zName = "recorder";
  shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
  shim_vfs.xOpen = shim_open;
  shim_vfs.xDelete = shim_delete;
  return sqlite3_vfs_register(&shim_vfs, 0) == SQLITE_OK;
}
