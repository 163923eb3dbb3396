/* SPDX-License-Identifier: MIT */
/*
 * Loaded before libuv (LD_PRELOAD): a thread whose timed wait is over gets the mutex back a while later, as it does on a
 * busy machine. So what happens within that while can be had at will. It stands in for libuv's own, which is no more than
 * this on Unix. Never part of the program.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <uv.h>

static const struct timespec a_while = {.tv_nsec = 40000000};

__attribute__((visibility("default"))) int uv_cond_timedwait(uv_cond_t *cond, uv_mutex_t *mutex, uint64_t timeout)
{
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until); /* libuv makes its conditions for this clock */
  timeout += (uint64_t)until.tv_nsec;
  until.tv_sec += (time_t)(timeout / 1000000000);
  until.tv_nsec = (long)(timeout % 1000000000);
  if (pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT)
    return 0;
  pthread_mutex_unlock(mutex);
  nanosleep(&a_while, NULL);
  pthread_mutex_lock(mutex);
  return UV_ETIMEDOUT;
}
