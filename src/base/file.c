/* SPDX-License-Identifier: MIT */
/* Work on files; see file.h. Everything up to `work` runs on a thread of the pool and touches its operation only. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
  const char *name;
  int flags;
} modes[] = {
    {"r",  O_RDONLY                     },
    {"w",  O_WRONLY | O_CREAT | O_TRUNC },
    {"wx", O_WRONLY | O_CREAT | O_EXCL  },
    {"a",  O_WRONLY | O_CREAT | O_APPEND},
};

static int open_flags(const char *mode)
{
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    if (strcmp(mode, modes[i].name) == 0)
      return modes[i].flags;
  return -1;
}

bool cnk_file_is_mode(const char *mode)
{
  return open_flags(mode) >= 0;
}

static int open_file(struct cnk_file_operation *operation)
{
  do
    operation->fd = open(operation->path, open_flags(operation->mode) | O_CLOEXEC, 0666);
  while (operation->fd < 0 && errno == EINTR);
  return operation->fd < 0 ? errno : 0;
}

static int read_some(struct cnk_file_operation *operation)
{
  ssize_t size;
  do
    size = read(operation->fd, operation->buffer, operation->size);
  while (size < 0 && errno == EINTR);
  operation->size = size > 0 ? (size_t)size : 0;
  return size < 0 ? errno : 0;
}

static int write_all(struct cnk_file_operation *operation)
{
  for (size_t at = 0; at < operation->size;) {
    ssize_t size = write(operation->fd, operation->data + at, operation->size - at);
    if (size >= 0)
      at += (size_t)size;
    else if (errno != EINTR)
      return errno;
  }
  return 0;
}

/* A file system that cannot sync a folder says EINVAL, and has nothing to lose then. */
static int sync_folder_of(const char *path)
{
  char folder[4096];
  const char *slash = strrchr(path, '/');
  int size = snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
  if (size < 0 || (size_t)size >= sizeof folder)
    return ENAMETOOLONG;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return errno;
  int error = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
  close(fd);
  return error;
}

static int rename_file(struct cnk_file_operation *operation)
{
  return rename(operation->path, operation->target) != 0 ? errno : sync_folder_of(operation->target);
}

static int make_folder(const char *path)
{
  struct stat found;
  if (mkdir(path, 0777) == 0)
    return 0;
  int error = errno;
  return stat(path, &found) == 0 && S_ISDIR(found.st_mode) ? 0 : error;
}

static int make_folders(struct cnk_file_operation *operation)
{
  for (char *at = operation->path + 1; operation->path[0] && *at; at++) {
    if (*at != '/')
      continue;
    *at = '\0';
    int error = make_folder(operation->path);
    *at = '/';
    if (error)
      return error == EEXIST ? ENOTDIR : error;
  }
  return make_folder(operation->path);
}

static int do_task(struct cnk_file_operation *operation)
{
  switch (operation->task) {
  case CNK_FILE_OPEN: return open_file(operation);
  case CNK_FILE_READ: return read_some(operation);
  case CNK_FILE_WRITE: return write_all(operation);
  case CNK_FILE_SYNC: return fsync(operation->fd) != 0 ? errno : 0;
  case CNK_FILE_CLOSE: /* the descriptor is gone after EINTR, too */
    return close(operation->fd) != 0 && errno != EINTR ? errno : 0;
  case CNK_FILE_RENAME: return rename_file(operation);
  case CNK_FILE_UNLINK: return unlink(operation->path) != 0 ? errno : 0;
  case CNK_FILE_MKDIR: return make_folders(operation);
  }
  return EINVAL;
}

static void work(uv_work_t *work)
{
  struct cnk_file_operation *operation = work->data;
  int error = do_task(operation);
  operation->error = error ? uv_translate_sys_error(error) : 0;
}

/* ---- on the loop's thread ---------------------------------------------------------------------------------------- */

static void after_work(uv_work_t *work, int status)
{
  struct cnk_file_operation *operation = work->data;
  (void)status; /* nothing is ever cancelled */
  if (operation->is_dropped)
    operation->drop(operation);
  else
    cnk_loop_finish(operation->loop, &operation->done);
}

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_file_operation *operation = CNK_OWNER(done, struct cnk_file_operation, done);
  cnk_loop_disown(&operation->resource);
  operation->deliver(operation, context);
}

static void shut(struct cnk_resource *resource)
{
  struct cnk_file_operation *operation = CNK_OWNER(resource, struct cnk_file_operation, resource);
  if (cnk_link_is_linked(&operation->done.link)) {
    cnk_loop_forget(&operation->done);
    operation->drop(operation);
  } else {
    operation->is_dropped = true;
  }
}

int cnk_file_start(struct cnk_loop *loop, struct cnk_file_operation *operation)
{
  operation->loop = loop;
  operation->work.data = operation;
  operation->done.deliver = deliver;
  operation->resource.shut = shut;
  int status = uv_queue_work(&loop->uv, &operation->work, work, after_work);
  if (status == 0)
    cnk_loop_own(loop, &operation->resource);
  return status;
}
