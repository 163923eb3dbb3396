/* SPDX-License-Identifier: MIT */
/* How another thread wakes the loop; see wake.h for the contract. */
#include "store/worker/wake.h"

#include <errno.h>
#include <unistd.h>

#include "base/list.h"

static void close_ends(struct cnk_wake *wake)
{
  close(wake->ends[0]);
  close(wake->ends[1]);
}

/* There is one byte at most. A send that comes before the flag is cleared is of something that `on_wake` will see. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
  struct cnk_wake *wake = CNK_OWNER(poll, struct cnk_wake, poll);
  char byte;
  (void)status;
  (void)events;
  while (read(wake->ends[0], &byte, sizeof byte) < 0 && errno == EINTR)
    ;
  atomic_store(&wake->is_sent, false);
  wake->on_wake(wake);
}

int cnk_wake_open(struct cnk_wake *wake, uv_loop_t *loop, void (*on_wake)(struct cnk_wake *wake))
{
  int status = uv_pipe(wake->ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  if (status != 0)
    return status;
  atomic_init(&wake->is_sent, false);
  wake->on_wake = on_wake;
  status = uv_poll_init(loop, &wake->poll, wake->ends[0]);
  if (status != 0)
    close_ends(wake);
  else
    uv_poll_start(&wake->poll, UV_READABLE, on_readable); /* cannot fail: it was not started */
  return status;
}

void cnk_wake_send(struct cnk_wake *wake)
{
  if (atomic_exchange(&wake->is_sent, true))
    return;
  while (write(wake->ends[1], "", 1) < 0 && errno == EINTR)
    ;
}

static void on_handle_closed(uv_handle_t *handle)
{
  struct cnk_wake *wake = CNK_OWNER((uv_poll_t *)handle, struct cnk_wake, poll);
  close_ends(wake);
  wake->on_closed(wake);
}

void cnk_wake_close(struct cnk_wake *wake, void (*on_closed)(struct cnk_wake *wake))
{
  wake->on_closed = on_closed;
  uv_close((uv_handle_t *)&wake->poll, on_handle_closed);
}
