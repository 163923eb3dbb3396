/* SPDX-License-Identifier: MIT */
/* The lock of a database; see lock.h for the contract. */
#include "store/sqlite/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

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

static int refuse(int descriptor, const char *path, char *message, size_t size)
{
  char owner[24] = "";
  ssize_t length = pread(descriptor, owner, sizeof owner - 1, 0);
  owner[length > 0 ? length : 0] = '\0';
  long pid = strtol(owner, NULL, 10);
  if (pid == getpid())
    snprintf(message, size, "the store %s is open already in this process", base_name(path));
  else if (pid > 0)
    snprintf(message, size, "the store %s is in use by process %ld", base_name(path), pid);
  else
    snprintf(message, size, "the store %s is in use by another process", base_name(path));
  close(descriptor);
  return -1;
}

/* flock, not fcntl: it also conflicts between two stores of one process, and closing some other descriptor of the file
 * does not drop it. It ends with the process, however that ends. */
int cnk_lock_open(const char *path, char *message, size_t size)
{
  char *name = NULL;
  if (asprintf(&name, "%s-lock", path) < 0) {
    snprintf(message, size, "not enough memory");
    return -1;
  }
  int descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  int fault = errno;
  free(name);
  if (descriptor < 0) {
    snprintf(message, size, "cannot open the store %s: %s", path, strerror(fault));
    return -1;
  }
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return refuse(descriptor, path, message, size);
  char owner[24];
  int length = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
  /* The number is only for the message: on a full disk the lock holds without it. */
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, owner, (size_t)length, 0) != length)
    (void)ftruncate(descriptor, 0);
  return descriptor;
}

void cnk_lock_close(int descriptor)
{
  if (descriptor >= 0)
    close(descriptor);
}
