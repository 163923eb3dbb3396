/* SPDX-License-Identifier: MIT */
/* Unix sockets that listen: made for their owner alone, removed at the end, replaced when stale. */
#ifndef CNK_LOCAL_H
#define CNK_LOCAL_H

#include <stddef.h>
#include <sys/stat.h>

/* The name of a socket; zeros: none. */
struct cnk_local {
  char *path;
  dev_t device;
  ino_t inode;
};

/* Returns a listening socket and sets `local`, or -1 with a sentence in `message`. Copies the path. */
int cnk_local_listen(struct cnk_local *local, const char *path, int backlog, char *message, size_t size);

/* Removes the name, if it still is that socket's. Idempotent. */
void cnk_local_remove(struct cnk_local *local);

#endif
