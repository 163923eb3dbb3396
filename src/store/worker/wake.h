/* SPDX-License-Identifier: MIT */
/*
 * How another thread wakes the loop. As uv_async_t, whose receiver of libuv 1.44 spins until the sender's call is over: where both
 * share a core, the sender has just been preempted by the receiver, which so waits for nothing, 50 us each time.
 */
#ifndef CNK_WAKE_H
#define CNK_WAKE_H

#include <stdatomic.h>
#include <uv.h>

struct cnk_wake {
  uv_poll_t poll; /* keeps the loop alive, unless it is unreferenced */
  uv_file ends[2];
  atomic_bool is_sent;
  void (*on_wake)(struct cnk_wake *wake);
  void (*on_closed)(struct cnk_wake *wake);
};

/* `on_wake` runs on the loop's thread after each cnk_wake_send(), once for several. 0, or libuv's negative error number. */
int cnk_wake_open(struct cnk_wake *wake, uv_loop_t *loop, void (*on_wake)(struct cnk_wake *wake));
/* On any thread, while it is open: what was written before is seen by `on_wake`. */
void cnk_wake_send(struct cnk_wake *wake);
/* On the loop's thread. No `on_wake` from here on; the memory belongs to the loop until `on_closed`. */
void cnk_wake_close(struct cnk_wake *wake, void (*on_closed)(struct cnk_wake *wake));

#endif
