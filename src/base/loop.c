/* SPDX-License-Identifier: MIT */
/* The event loop; see loop.h for the contract. */
#include "base/loop.h"

#include <time.h>

int cnk_loop_init(struct cnk_loop *loop)
{
  *loop = (struct cnk_loop){0};
  loop->resources.prev = loop->resources.next = &loop->resources;
  int status = uv_loop_init(&loop->uv);
  loop->is_open = status == 0;
  return status;
}

void cnk_loop_deinit(struct cnk_loop *loop)
{
  if (!loop->is_open)
    return;
  loop->is_open = false;
  while (loop->resources.next != &loop->resources) {
    struct cnk_resource *resource = loop->resources.next;
    cnk_loop_disown(resource);
    resource->shut(resource);
  }
  /* Close callbacks still have to run; nothing else is alive by now. Work on the thread pool ends by itself. */
  while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
    ;
  while (loop->done_head)
    cnk_loop_forget(loop, loop->done_head);
  uv_loop_close(&loop->uv);
}

void cnk_loop_finish(struct cnk_loop *loop, struct cnk_done *done)
{
  if (done->is_queued)
    return;
  done->is_queued = true;
  done->next = NULL;
  if (loop->done_tail)
    loop->done_tail->next = done;
  else
    loop->done_head = done;
  loop->done_tail = done;
  /* A timer that falls due before libuv waits must not wait along with it. */
  if (loop->is_running)
    uv_stop(&loop->uv);
}

static struct cnk_done *take_first(struct cnk_loop *loop)
{
  struct cnk_done *done = loop->done_head;
  if (done) {
    loop->done_head = done->next;
    if (!loop->done_head)
      loop->done_tail = NULL;
    done->next = NULL;
    done->is_queued = false;
  }
  return done;
}

void cnk_loop_forget(struct cnk_loop *loop, struct cnk_done *done)
{
  if (!done->is_queued)
    return;
  struct cnk_done *before = NULL;
  for (struct cnk_done *at = loop->done_head; at; before = at, at = at->next) {
    if (at != done)
      continue;
    if (before)
      before->next = at->next;
    else
      loop->done_head = at->next;
    if (loop->done_tail == at)
      loop->done_tail = before;
    break;
  }
  done->next = NULL;
  done->is_queued = false;
}

void cnk_loop_own(struct cnk_loop *loop, struct cnk_resource *resource)
{
  resource->prev = loop->resources.prev;
  resource->next = &loop->resources;
  resource->prev->next = resource->next->prev = resource;
}

void cnk_loop_disown(struct cnk_resource *resource)
{
  if (!resource->next)
    return;
  resource->prev->next = resource->next;
  resource->next->prev = resource->prev;
  resource->prev = resource->next = NULL;
}

bool cnk_loop_step(struct cnk_loop *loop, bool wait, void *context)
{
  loop->is_running = true;
  bool is_alive = uv_run(&loop->uv, wait && !loop->done_head ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
  loop->is_running = false;
  /* Only what is queued now: work that finishes while it is delivered waits for the next step, so that sockets
   * and timers get their turn. A nested step may take our last one; then the queue is empty or newer. */
  bool has_delivered = false;
  for (struct cnk_done *last = loop->done_tail, *done = NULL; last && done != last;) {
    done = take_first(loop);
    if (!done)
      break;
    has_delivered = true;
    bool is_last = done == last;
    done->deliver(done, context); /* may free done */
    if (is_last)
      break;
  }
  return has_delivered || is_alive || loop->done_head != NULL;
}

static double read_clock(clockid_t id)
{
  struct timespec now;
  clock_gettime(id, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double cnk_clock_wall(void)
{
  return read_clock(CLOCK_REALTIME);
}

double cnk_clock_monotonic(void)
{
  return read_clock(CLOCK_MONOTONIC);
}
