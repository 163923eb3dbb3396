/* SPDX-License-Identifier: MIT */
/* The names of Unix sockets; see local.h for the contract. */
#include "base/local.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(void)
{
  return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A socket that outlived its process refuses connections. */
static bool is_stale(const struct sockaddr_un *address)
{
  struct stat found;
  if (lstat(address->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
    return false;
  int probe = new_socket();
  bool is_refused =
      probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
  if (probe >= 0)
    close(probe);
  return is_refused;
}

static bool bind_name(int fd, const struct sockaddr_un *address)
{
  if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0)
    return true;
  int fault = errno;
  if (fault == EADDRINUSE && is_stale(address) && unlink(address->sun_path) == 0)
    return bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
  errno = fault;
  return false;
}

int cnk_local_listen(struct cnk_local *local, const char *path, int backlog, char *message, size_t size)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!*path || strlen(path) >= sizeof address.sun_path) {
    snprintf(message, size, "cannot listen on %s: a socket's name has 1 to %zu bytes", path,
             sizeof address.sun_path - 1);
    return -1;
  }
  memcpy(address.sun_path, path, strlen(path));
  int fd = new_socket();
  if (fd < 0 || !bind_name(fd, &address)) {
    snprintf(message, size, "cannot listen on %s: %s", path, strerror(errno));
    if (fd >= 0)
      close(fd);
    return -1;
  }
  /* Before listen() nobody can connect, so there is no moment at which others could. */
  struct stat made;
  char *copy = strdup(path);
  if (chmod(path, 0600) != 0 || !copy || lstat(path, &made) != 0 || listen(fd, backlog) != 0) {
    snprintf(message, size, "cannot listen on %s: %s", path, strerror(copy ? errno : ENOMEM));
    free(copy);
    unlink(path);
    close(fd);
    return -1;
  }
  *local = (struct cnk_local){.path = copy, .device = made.st_dev, .inode = made.st_ino};
  return fd;
}

void cnk_local_remove(struct cnk_local *local)
{
  struct stat found;
  if (!local->path)
    return;
  /* Somebody may have put another one in its place. */
  if (lstat(local->path, &found) == 0 && found.st_dev == local->device && found.st_ino == local->inode)
    unlink(local->path);
  free(local->path);
  local->path = NULL;
}
