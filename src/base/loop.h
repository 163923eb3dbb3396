/* SPDX-License-Identifier: MIT */
/*
 * The event loop: a libuv loop, a queue of finished work, and a list of what must be closed with it.
 *
 * Callbacks of libuv, libcurl and libmicrohttpd never run user code. They record what happened and call
 * cnk_loop_finish(); cnk_loop_step() delivers it when those libraries have returned. So whoever receives a
 * delivery may start, close or resend anything, and may even call cnk_loop_step() again.
 *
 * One thread owns a loop. Everything here is called on that thread.
 */
#ifndef CNK_LOOP_H
#define CNK_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"

/* Finished work, embedded in the object that finished. `deliver` runs from cnk_loop_step(), with the context
 * given there; the node is out of the queue by then, so `deliver` may free it or queue it again. */
struct cnk_done {
  struct cnk_link link; /* in the loop's queue, or in none */
  void (*deliver)(struct cnk_done *done, void *context);
};

/* Something that holds libuv handles and must be shut before the loop ends. `shut` must be idempotent, must
 * start the closing of its handles, and must not call user code. */
struct cnk_resource {
  struct cnk_link link; /* among the loop's resources, or in no list */
  void (*shut)(struct cnk_resource *resource);
};

/* What is open now; tests read it to find leaks. */
struct cnk_counts {
  int timers, requests, listeners, exchanges, files; /* timers: of Lua and of lanes, on the real clock */
};

struct cnk_loop {
  uv_loop_t uv;
  struct cnk_clock real_clock;
  struct cnk_clock *clock;   /* the real one, or a virtual one while it takes its place; never NULL */
  struct cnk_list finished;  /* of cnk_done, in the order of their delivery */
  struct cnk_list resources; /* of cnk_resource */
  struct cnk_counts counts;
  bool is_open;
  bool is_running; /* inside libuv */
};

/* Returns 0, or libuv's negative error number. */
int cnk_loop_init(struct cnk_loop *loop);

/* Shuts every resource, drops undelivered work and closes the loop. Idempotent. */
void cnk_loop_deinit(struct cnk_loop *loop);

/* Queues `done` for delivery; nothing happens when it is queued already. */
void cnk_loop_finish(struct cnk_loop *loop, struct cnk_done *done);

/* Takes `done` out of the queue, if it is there: for owners that go away first. */
void cnk_loop_forget(struct cnk_done *done);

void cnk_loop_own(struct cnk_loop *loop, struct cnk_resource *resource);
/* Safe to call twice, and on a resource of zeros. */
void cnk_loop_disown(struct cnk_resource *resource);

/* Runs the loop once, waiting for something to happen when `wait` is set and nothing is queued, then delivers
 * what has finished. Returns false when nothing was delivered and nothing is under way. */
bool cnk_loop_step(struct cnk_loop *loop, bool wait, void *context);

#endif
