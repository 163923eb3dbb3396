/* SPDX-License-Identifier: MIT */
/* The event loop; see loop.h for the contract. */
#include "base/loop.h"

int cnk_loop_init(struct cnk_loop *loop)
{
  *loop = (struct cnk_loop){0};
  cnk_list_init(&loop->finished);
  cnk_list_init(&loop->resources);
  loop->clock = &loop->real_clock;
  int status = uv_loop_init(&loop->uv);
  if (status != 0)
    return status;
  status = cnk_clock_init(&loop->real_clock, &loop->uv);
  if (status != 0)
    uv_loop_close(&loop->uv);
  loop->is_open = status == 0;
  return status;
}

void cnk_loop_deinit(struct cnk_loop *loop)
{
  if (!loop->is_open)
    return;
  loop->is_open = false;
  for (struct cnk_link *link; (link = cnk_list_take(&loop->resources));) {
    struct cnk_resource *resource = CNK_OWNER(link, struct cnk_resource, link);
    resource->shut(resource);
  }
  cnk_clock_deinit(&loop->real_clock);
  /* Close callbacks still have to run; nothing else is alive by now. Work on the thread pool ends by itself. */
  while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
    ;
  while (cnk_list_take(&loop->finished))
    ;
  uv_loop_close(&loop->uv);
}

void cnk_loop_finish(struct cnk_loop *loop, struct cnk_done *done)
{
  if (cnk_link_is_linked(&done->link))
    return;
  cnk_list_add(&loop->finished, &done->link);
  /* A timer that falls due before libuv waits must not wait along with it. */
  if (loop->is_running)
    uv_stop(&loop->uv);
}

void cnk_loop_forget(struct cnk_done *done)
{
  cnk_list_remove(&done->link);
}

void cnk_loop_own(struct cnk_loop *loop, struct cnk_resource *resource)
{
  cnk_list_add(&loop->resources, &resource->link);
}

void cnk_loop_disown(struct cnk_resource *resource)
{
  cnk_list_remove(&resource->link);
}

bool cnk_loop_step(struct cnk_loop *loop, bool wait, void *context)
{
  loop->is_running = true;
  bool may_wait = wait && cnk_list_is_empty(&loop->finished);
  bool is_alive = uv_run(&loop->uv, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
  loop->is_running = false;
  /* Only what is queued now: work that finishes while it is delivered waits for the next step, so that sockets
   * and timers get their turn. A nested step may take our last one; then the queue is empty or newer. */
  const struct cnk_link *last = cnk_list_last(&loop->finished);
  bool has_delivered = false;
  for (bool is_last = !last; !is_last;) {
    struct cnk_link *link = cnk_list_take(&loop->finished);
    if (!link)
      break;
    is_last = link == last;
    has_delivered = true;
    struct cnk_done *done = CNK_OWNER(link, struct cnk_done, link);
    done->deliver(done, context); /* may free done */
  }
  return has_delivered || is_alive || !cnk_list_is_empty(&loop->finished);
}
