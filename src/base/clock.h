/* SPDX-License-Identifier: MIT */
/*
 * Time: a wall clock, a clock that never jumps, and timers on it. Every loop has a real clock; a virtual one, which
 * stands still until it is told to advance, can take its place (cnk_loop.clock), and then deadlines of connections and
 * requests in C follow it as those in Lua do. So a test of a timeout needs no time.
 *
 * What asks the system itself, virtual clock or not: libcurl within a transfer (pauses between connection attempts, the
 * age of idle connections), the listener's nudging of libmicrohttpd, and the store's threads, which wait for a disk.
 *
 * A timer belongs to the clock on which it was started, even when another takes that one's place meanwhile. Timers are
 * memory of their owner, and starting one allocates nothing. One thread, the loop's.
 */
#ifndef CNK_CLOCK_H
#define CNK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct cnk_clock;
struct cnk_timer;

/* Runs once when the timer is due; the timer is stopped by then, and may be started again or freed. On a real clock it
 * runs inside libuv, with no context: it must not call user code. On a virtual one it runs inside cnk_clock_advance,
 * with the context given there. */
typedef void cnk_timer_fire_fn(struct cnk_timer *timer, void *context);

/* Zeros are a timer that is stopped; set `fire` before it is started. */
struct cnk_timer {
  cnk_timer_fire_fn *fire;
  bool keeps_loop; /* a real loop goes on while this one runs; not to be changed meanwhile */
  /* The rest is the clock's. */
  struct cnk_clock *clock; /* NULL when stopped */
  double due;
  uint64_t number;                         /* of two that are due together the one started first comes first */
  struct cnk_timer *child, *next, *before; /* in the heap: the first child, the next sibling, and who points here */
};

struct cnk_clock {
  struct cnk_timer *first; /* root of a heap */
  uint64_t numbers;
  double wall, steady; /* of a virtual clock; what a real one was moved ahead by */
  bool is_virtual;
  /* Of a real one. */
  uv_timer_t uv; /* wakes the loop no later than the first timer is due */
  double armed_for;
  unsigned keeping; /* timers that keep the loop going */
  bool is_open;
};

/* A real clock on a loop of libuv; returns 0 or libuv's negative error number. */
int cnk_clock_init(struct cnk_clock *clock, uv_loop_t *loop);

/* A virtual clock, its wall clock at `wall` and its steady clock at 0. */
void cnk_clock_init_virtual(struct cnk_clock *clock, double wall);

/* Stops every timer, without firing it. A real clock starts to close its handle; the loop must run once more before the
 * struct is freed. Idempotent, and fine on zeros. */
void cnk_clock_deinit(struct cnk_clock *clock);

double cnk_clock_wall(const struct cnk_clock *clock);      /* seconds since 1970 */
double cnk_clock_monotonic(const struct cnk_clock *clock); /* seconds since some moment */

/* Fires the timer once, `seconds` from now, at once when that is less than 0, but never from within this call. One that
 * runs already is started anew. */
void cnk_timer_start(struct cnk_timer *timer, struct cnk_clock *clock, double seconds);

/* The same at a time of the clock's steady one, at once when that is over. */
void cnk_timer_start_at(struct cnk_timer *timer, struct cnk_clock *clock, double due);

/* Nothing happens when it is stopped. */
void cnk_timer_stop(struct cnk_timer *timer);

static inline bool cnk_timer_is_running(const struct cnk_timer *timer)
{
  return timer->clock != NULL;
}

/* Moves a virtual clock on, and fires what falls due on the way, in its order, each at its own time; what these start
 * and what falls due in time as well. `fire` may jump away: then the clock stands at the time of that timer. */
void cnk_clock_advance(struct cnk_clock *clock, double seconds, void *context);

/* Moves a real clock ahead of the system's, for good. What falls due on the way fires in its order when the loop runs, all of
 * it at the new time. */
void cnk_clock_skip(struct cnk_clock *clock, double seconds);

/* Seconds until the first timer is due, 0 when it is already; false when no timer runs. */
bool cnk_clock_next(const struct cnk_clock *clock, double *seconds);

/* Sets the wall clock of a virtual clock alone. */
void cnk_clock_set_wall(struct cnk_clock *clock, double wall);

#endif
