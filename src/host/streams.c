/* SPDX-License-Identifier: MIT */
/* The standard streams; see streams.h for the contract. */
#include "host/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void cnk_streams_open(void)
{
  /* Open the other way round, so that reading and writing still fail with EBADF: what was not written has to be noticed. */
  static const int flags[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", flags[descriptor]); /* gets this number, the lowest that is free */
}
