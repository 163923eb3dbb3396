/* SPDX-License-Identifier: MIT */
/* The standard streams of the process, at its begin and at its end. */
#ifndef CNK_HOST_STREAMS_H
#define CNK_HOST_STREAMS_H

/* Before anything is opened: file descriptors 0 to 2 that the process was started without become ones that cannot be read or
 * written. Otherwise the next files, sockets and pipes would get these numbers, and the log would be written into them. */
void cnk_streams_open(void);

/* When nothing is printed any more: the exit code, which is no success where the output could not be written. A reader that
 * does not want the rest of it is no failure. */
int cnk_streams_finish(int code);

#endif
