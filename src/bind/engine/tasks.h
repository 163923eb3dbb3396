/* SPDX-License-Identifier: MIT */
/*
 * Bare tasks: what runs in a coroutine and has no table, as long as nobody asks for it. Who asks for the running task (base/task.lua)
 * makes it one.
 */
#ifndef CNK_BIND_TASKS_H
#define CNK_BIND_TASKS_H

#include "bind/bind.h"
#include "bind/budget.h"

/* The first member of a userdata, and its first user values: the task that it has become, and its coroutine. */
enum { CNK_BARE_TASK = 1, CNK_BARE_THREAD, CNK_BARE_VALUES = CNK_BARE_THREAD };

struct cnk_bare_task {
  void *self;
  struct cnk_saved_charge charge; /* account 0: nobody is charged */
  /* Pushes the task that the one at an index becomes. May raise. */
  void (*push_task)(lua_State *L, int bare);
  bool is_task;
};

/* Starts the bare task at an index: calls, in a coroutine, the function below the arguments on top, which it takes. True: it has
 * ended, and was bare to the end; it gave nothing. Otherwise its task goes on, or has ended. */
bool cnk_bind_run_bare(lua_State *L, int bare, int args);

/* Whether this code is a finalizer (__gc), or called by one. The collector runs it at any allocation, also in the middle of our own code: it
 * is part of no task, and may not wait. */
bool cnk_bind_in_finalizer(lua_State *L);

/* Pushes the bare task that runs; false, and pushes nothing, when another one does, or none. */
bool cnk_bind_push_bare(lua_State *L);

#endif
