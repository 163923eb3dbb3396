/* SPDX-License-Identifier: MIT */
/*
 * Clocks and their timers; see clock.h. The timers of a clock are a pairing heap: starting one costs a comparison, and
 * most are stopped long before they come to the root, which costs little more. A real clock keeps one timer of libuv for
 * all of them. That one is only ever moved to an earlier time: when a timer is stopped it may wake the loop for nothing,
 * once, which is cheaper than to move it at every stop.
 */
#include "base/clock.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* When libuv's timer is not running: later than any timer is due. */
#define NEVER ((double)INFINITY)

/* Adding and taking away a moment leaves a little more than was added. Without this, a millisecond would become two. */
#define ROUNDING_MS 0.001

/* ---- the heap ---------------------------------------------------------------------------------------------------- */

static bool is_sooner(const struct cnk_timer *a, const struct cnk_timer *b)
{
  return a->due < b->due || (a->due == b->due && a->number < b->number);
}

/* Makes one heap of two, neither of which has siblings; NULL is an empty one. */
static struct cnk_timer *meld(struct cnk_timer *a, struct cnk_timer *b)
{
  if (!a || !b)
    return a ? a : b;
  struct cnk_timer *root = is_sooner(a, b) ? a : b, *other = root == a ? b : a;
  other->next = root->child;
  if (other->next)
    other->next->before = other;
  other->before = root;
  root->child = other;
  return root;
}

/* Makes one heap of a row of siblings: pairs from the left, then all from the right. In a loop, for the row is as long as
 * there are timers when they were started one after the other. */
static struct cnk_timer *meld_row(struct cnk_timer *row)
{
  struct cnk_timer *pairs = NULL, *all = NULL;
  while (row) {
    struct cnk_timer *a = row, *b = a->next;
    row = b ? b->next : NULL;
    a->next = a->before = NULL;
    if (b)
      b->next = b->before = NULL;
    a = meld(a, b);
    a->next = pairs;
    pairs = a;
  }
  while (pairs) {
    struct cnk_timer *heap = pairs;
    pairs = heap->next;
    heap->next = NULL;
    all = meld(all, heap);
  }
  return all;
}

static void take_out(struct cnk_clock *clock, struct cnk_timer *timer)
{
  struct cnk_timer *below = meld_row(timer->child);
  timer->child = NULL;
  if (timer == clock->first) {
    clock->first = below;
    return;
  }
  if (timer->before->child == timer)
    timer->before->child = timer->next;
  else
    timer->before->next = timer->next;
  if (timer->next)
    timer->next->before = timer->before;
  timer->next = timer->before = NULL;
  clock->first = meld(clock->first, below);
}

/* ---- real clocks ------------------------------------------------------------------------------------------------- */

static void on_wake(uv_timer_t *handle);

/* Rounded up to libuv's milliseconds. Its time is cut to whole ones and may be old, so it is asked to look first; it may
 * still wake us a little early, and then we arm it again. */
static void arm(struct cnk_clock *clock, double due, double now)
{
  double left_ms = (due - now) * 1000.0;
  clock->armed_for = due;
  uv_update_time(clock->uv.loop);
  uv_timer_start(&clock->uv, on_wake, left_ms > 0 ? (uint64_t)(left_ms + (1.0 - ROUNDING_MS)) : 0, 0);
}

static void keep_loop(struct cnk_clock *clock)
{
  if (clock->keeping > 0)
    uv_ref((uv_handle_t *)&clock->uv);
  else
    uv_unref((uv_handle_t *)&clock->uv);
}

/* Only what was started before: a timer that starts itself anew, without a wait, must leave sockets their turn. */
static void on_wake(uv_timer_t *handle)
{
  struct cnk_clock *clock = handle->data;
  double now = cnk_clock_monotonic(clock);
  uint64_t newest = clock->numbers;
  clock->armed_for = NEVER;
  while (clock->first && clock->first->due <= now && clock->first->number <= newest) {
    struct cnk_timer *timer = clock->first;
    cnk_timer_stop(timer);
    timer->fire(timer, NULL);
  }
  if (clock->first && clock->first->due < clock->armed_for)
    arm(clock, clock->first->due, now);
}

int cnk_clock_init(struct cnk_clock *clock, uv_loop_t *loop)
{
  memset(clock, 0, sizeof *clock);
  int status = uv_timer_init(loop, &clock->uv);
  clock->is_open = status == 0;
  clock->uv.data = clock;
  clock->armed_for = NEVER;
  uv_unref((uv_handle_t *)&clock->uv);
  return status;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

void cnk_clock_init_virtual(struct cnk_clock *clock, double wall)
{
  memset(clock, 0, sizeof *clock);
  clock->is_virtual = true;
  clock->wall = wall;
}

void cnk_clock_deinit(struct cnk_clock *clock)
{
  while (clock->first)
    cnk_timer_stop(clock->first);
  if (clock->is_open)
    uv_close((uv_handle_t *)&clock->uv, NULL);
  clock->is_open = false;
}

static double read_system(clockid_t id)
{
  struct timespec now;
  clock_gettime(id, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double cnk_clock_wall(const struct cnk_clock *clock)
{
  return clock->is_virtual ? clock->wall : read_system(CLOCK_REALTIME) + clock->wall;
}

double cnk_clock_monotonic(const struct cnk_clock *clock)
{
  return clock->is_virtual ? clock->steady : read_system(CLOCK_MONOTONIC) + clock->steady;
}

static void start(struct cnk_timer *timer, struct cnk_clock *clock, double due, double now)
{
  cnk_timer_stop(timer);
  timer->clock = clock;
  timer->due = due;
  timer->number = ++clock->numbers;
  clock->first = meld(clock->first, timer);
  if (clock->is_virtual)
    return;
  if (timer->keeps_loop && clock->keeping++ == 0)
    keep_loop(clock);
  if (timer->due < clock->armed_for)
    arm(clock, timer->due, now);
}

void cnk_timer_start(struct cnk_timer *timer, struct cnk_clock *clock, double seconds)
{
  double now = cnk_clock_monotonic(clock);
  start(timer, clock, now + (seconds > 0 ? seconds : 0), now);
}

void cnk_timer_start_at(struct cnk_timer *timer, struct cnk_clock *clock, double due)
{
  double now = cnk_clock_monotonic(clock);
  start(timer, clock, due > now ? due : now, now);
}

void cnk_timer_stop(struct cnk_timer *timer)
{
  struct cnk_clock *clock = timer->clock;
  if (!clock)
    return;
  take_out(clock, timer);
  timer->clock = NULL;
  if (!clock->is_virtual && timer->keeps_loop && --clock->keeping == 0)
    keep_loop(clock);
}

void cnk_clock_skip(struct cnk_clock *clock, double seconds)
{
  clock->wall += seconds;
  clock->steady += seconds;
  if (clock->first)
    arm(clock, clock->first->due, cnk_clock_monotonic(clock));
}

bool cnk_clock_next(const struct cnk_clock *clock, double *seconds)
{
  if (!clock->first)
    return false;
  double left = clock->first->due - cnk_clock_monotonic(clock);
  *seconds = left > 0 ? left : 0;
  return true;
}

/* ---- virtual clocks ---------------------------------------------------------------------------------------------- */

static void go_to(struct cnk_clock *clock, double steady)
{
  clock->wall += steady - clock->steady;
  clock->steady = steady;
}

void cnk_clock_advance(struct cnk_clock *clock, double seconds, void *context)
{
  double target = clock->steady + seconds;
  while (clock->first && clock->first->due <= target) {
    struct cnk_timer *timer = clock->first;
    cnk_timer_stop(timer);
    go_to(clock, timer->due);
    timer->fire(timer, context);
  }
  go_to(clock, target);
}

void cnk_clock_set_wall(struct cnk_clock *clock, double wall)
{
  clock->wall = wall;
}
