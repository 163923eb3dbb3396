/* SPDX-License-Identifier: MIT */
/*
 * Work on files, done on libuv's thread pool so that the loop never waits for a disk. A operation is one piece of work: made
 * by the caller, started once, delivered once from cnk_loop_step(). What it borrows must live until then.
 *
 * A loop that ends waits for the operations under way and then calls `drop` instead of `deliver`.
 */
#ifndef CNK_FILE_H
#define CNK_FILE_H

#include "base/loop.h"

enum cnk_file_task {
  CNK_FILE_OPEN,   /* path, mode; gives fd */
  CNK_FILE_READ,   /* fd, buffer, size; gives size, 0 at the end of the file */
  CNK_FILE_WRITE,  /* fd, data, size: all of it or an error */
  CNK_FILE_SYNC,   /* fd; its content is on the disk then */
  CNK_FILE_CLOSE,  /* fd */
  CNK_FILE_RENAME, /* path, target; the target's folder is synced, so that the name outlasts a power cut */
  CNK_FILE_UNLINK, /* path */
  CNK_FILE_MKDIR   /* path, with its parents; what exists is fine */
};

struct cnk_file_operation {
  uv_work_t work;
  struct cnk_done done;
  struct cnk_resource resource;
  struct cnk_loop *loop;
  bool is_dropped;

  enum cnk_file_task task;
  char *path, *target; /* borrowed; mkdir writes to `path` while it works */
  const char *mode;    /* "r", "w", "wx" or "a", as fopen has them */
  int fd;
  const char *data; /* borrowed */
  char *buffer;     /* borrowed */
  size_t size;
  int error; /* 0, or libuv's negative error number */

  void (*deliver)(struct cnk_file_operation *operation, void *context); /* may free the operation */
  void (*drop)(struct cnk_file_operation *operation); /* may free the operation; must not call user code */
};

/* Returns 0, or libuv's negative error number: the operation was not started then. */
int cnk_file_start(struct cnk_loop *loop, struct cnk_file_operation *operation);

bool cnk_file_is_mode(const char *mode);

#endif
