/* SPDX-License-Identifier: MIT */
/* Work on files; see file.h. Everything up to `work` runs on a thread of the pool and touches its job only. */
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

static int open_file(struct cnk_file_job *job)
{
  do
    job->fd = open(job->path, open_flags(job->mode) | O_CLOEXEC, 0666);
  while (job->fd < 0 && errno == EINTR);
  return job->fd < 0 ? errno : 0;
}

static int read_some(struct cnk_file_job *job)
{
  ssize_t size;
  do
    size = read(job->fd, job->buffer, job->size);
  while (size < 0 && errno == EINTR);
  job->size = size > 0 ? (size_t)size : 0;
  return size < 0 ? errno : 0;
}

static int write_all(struct cnk_file_job *job)
{
  for (size_t at = 0; at < job->size;) {
    ssize_t size = write(job->fd, job->data + at, job->size - at);
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

static int rename_file(struct cnk_file_job *job)
{
  return rename(job->path, job->target) != 0 ? errno : sync_folder_of(job->target);
}

static int make_folder(const char *path)
{
  struct stat found;
  if (mkdir(path, 0777) == 0)
    return 0;
  int error = errno;
  return stat(path, &found) == 0 && S_ISDIR(found.st_mode) ? 0 : error;
}

static int make_folders(struct cnk_file_job *job)
{
  for (char *at = job->path + 1; job->path[0] && *at; at++) {
    if (*at != '/')
      continue;
    *at = '\0';
    int error = make_folder(job->path);
    *at = '/';
    if (error)
      return error == EEXIST ? ENOTDIR : error;
  }
  return make_folder(job->path);
}

static int do_task(struct cnk_file_job *job)
{
  switch (job->task) {
  case CNK_FILE_OPEN: return open_file(job);
  case CNK_FILE_READ: return read_some(job);
  case CNK_FILE_WRITE: return write_all(job);
  case CNK_FILE_SYNC: return fsync(job->fd) != 0 ? errno : 0;
  case CNK_FILE_CLOSE: /* the descriptor is gone after EINTR, too */
    return close(job->fd) != 0 && errno != EINTR ? errno : 0;
  case CNK_FILE_RENAME: return rename_file(job);
  case CNK_FILE_UNLINK: return unlink(job->path) != 0 ? errno : 0;
  case CNK_FILE_MKDIR: return make_folders(job);
  }
  return EINVAL;
}

static void work(uv_work_t *work)
{
  struct cnk_file_job *job = work->data;
  int error = do_task(job);
  job->error = error ? uv_translate_sys_error(error) : 0;
}

/* ---- on the loop's thread ---------------------------------------------------------------------------------------- */

static void after_work(uv_work_t *work, int status)
{
  struct cnk_file_job *job = work->data;
  (void)status; /* nothing is ever cancelled */
  if (job->is_dropped)
    job->drop(job);
  else
    cnk_loop_finish(job->loop, &job->done);
}

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_file_job *job = CNK_OWNER(done, struct cnk_file_job, done);
  cnk_loop_disown(&job->resource);
  job->deliver(job, context);
}

static void shut(struct cnk_resource *resource)
{
  struct cnk_file_job *job = CNK_OWNER(resource, struct cnk_file_job, resource);
  if (cnk_link_is_linked(&job->done.link)) {
    cnk_loop_forget(&job->done);
    job->drop(job);
  } else {
    job->is_dropped = true;
  }
}

int cnk_file_start(struct cnk_loop *loop, struct cnk_file_job *job)
{
  job->loop = loop;
  job->work.data = job;
  job->done.deliver = deliver;
  job->resource.shut = shut;
  int status = uv_queue_work(&loop->uv, &job->work, work, after_work);
  if (status == 0)
    cnk_loop_own(loop, &job->resource);
  return status;
}
