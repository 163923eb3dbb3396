/* SPDX-License-Identifier: MIT */
/* The standard streams; see streams.h for the contract. */
#include "host/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cnk_streams_open(void)
{
  /* Open the other way round, so that reading and writing still fail with EBADF: what was not written has to be noticed. */
  static const int flags[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", flags[descriptor]); /* gets this number, the lowest that is free */
}

/* 0: none. The stream forgets why an earlier write has failed, so a further one is tried: a line break behind an output that is
 * not whole anyway. */
static int find_fault(void)
{
  bool has_failed = ferror(stdout);
  if (fflush(stdout) != 0)
    return errno;
  if (!has_failed)
    return 0;
  return write(STDOUT_FILENO, "\n", 1) == 1 ? EIO : errno;
}

int cnk_streams_finish(int code)
{
  int fault = find_fault();
  if (!fault || fault == EPIPE)
    return code;
  fprintf(stderr, "cunnekt: cannot write the output: %s\n", strerror(fault));
  return code ? code : EXIT_FAILURE;
}
