/* SPDX-License-Identifier: MIT */
/*
 * What the running turn may take: the meter says whose Lua runs now, and whether it has to stop. This file only keeps
 * account, in a few stores for each resume; the host measures, stops (host/stop.h) and watches (host/watchdog.h). In a
 * plain interpreter nobody does, so a budget has no effect there.
 *
 * The loop thread writes the meter. The watchdog thread reads the atomic fields, and of the others those of a turn that
 * has been running without a pause for longer than its budget: they do not change under it.
 */
#ifndef CNK_BUDGET_H
#define CNK_BUDGET_H

#include <lua.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The budget of a bot, as given to core.budget. Lives as long as the Lua state. */
struct cnk_budget {
  int64_t nanoseconds; /* CPU of a turn */
  size_t memory;       /* bytes of the state */
  const char *notes;   /* the file that outlives a restart, borrowed from the user value; NULL: nothing does */
};

/* Who is charged. The account is a new number for each turn, so that nobody pays for another one. */
struct cnk_charge {
  _Atomic int64_t account; /* 0: nobody */
  _Atomic(const struct cnk_budget *) budget;
  _Atomic int64_t nanoseconds; /* that this account may use */
  _Atomic int64_t event;       /* what is noted of the turn: its event; 0: see name */
  _Atomic(const char *) name;  /* such as "job cleanup", borrowed from the task */
};

enum cnk_stop_reason { CNK_STOP_NONE, CNK_STOP_SECONDS, CNK_STOP_MEMORY };

#define CNK_WHERE_BYTES 160

struct cnk_meter {
  struct cnk_charge now;
  lua_State *_Atomic thread; /* the coroutine that runs; NULL: none does */
  int64_t last_account;
  size_t held; /* bytes of the state, as far as the host's allocator counts them */

  /* The stop of an account. It is on as long as stopped == now.account. */
  _Atomic int64_t stopped;
  enum cnk_stop_reason reason;
  char where[CNK_WHERE_BYTES]; /* "bot.lua:12" in the script; "": not known */
  int64_t refused;             /* the account that was refused memory last */
  bool is_unsound;             /* and that was in the midst of the engine's work */

  /* Set by the host, NULL without it. */
  lua_Hook hook;                          /* stops the script */
  void (*begin)(void);                    /* called for the first budget */
  void (*wake)(void);                     /* the watchdog, which sleeps while nobody is charged */
  _Atomic bool is_asleep;                 /* whether it does */
  void (*start_anew)(struct cnk_meter *); /* notes the turn, and starts the program anew; returns when it cannot */
};

/* The meter of this thread's Lua states. */
struct cnk_meter *cnk_meter(void);

/* Charges what follows to nobody, or again to whom it was charged before. */
struct cnk_saved_charge {
  int64_t account, nanoseconds, event;
  const struct cnk_budget *budget;
  const char *name;
  lua_State *thread;
};
struct cnk_saved_charge cnk_charge_nobody(struct cnk_meter *meter, lua_State *thread);
void cnk_charge_again(struct cnk_meter *meter, const struct cnk_saved_charge *saved);

static inline bool cnk_is_stopped(struct cnk_meter *meter)
{
  int64_t stopped = atomic_load_explicit(&meter->stopped, memory_order_relaxed);
  return stopped != 0 && stopped == atomic_load_explicit(&meter->now.account, memory_order_relaxed);
}

/* Whether a turn of a script runs: what it must not do, such as os.exit, is refused then. */
static inline bool cnk_is_charged(struct cnk_meter *meter)
{
  return atomic_load_explicit(&meter->now.account, memory_order_relaxed) != 0;
}

/* Has the hook stop what runs on a coroutine. May be called from a signal handler, as lua_sethook. */
static inline void cnk_stop_thread(struct cnk_meter *meter, lua_State *thread)
{
  if (meter->hook)
    lua_sethook(thread, meter->hook, LUA_MASKCOUNT, 1);
}

/* A new account for the turn of an event, of the budget at an index: nobody's where there is nil. */
struct cnk_saved_charge cnk_new_charge(lua_State *L, int budget, int64_t event);

/* Pushes such an account as Lua keeps it, or nil. */
void cnk_push_charge(lua_State *L, const struct cnk_saved_charge *it);

/* Pushes the function given to core.on_stop. */
void cnk_budget_push_on_stop(lua_State *L);

/* Resumes `co` with the arguments on top of its stack, as lua_resume; keeps the meter's account of which coroutine runs. */
int cnk_resume(lua_State *L, lua_State *co, int args, int *results);

/* The same, charged to a turn; to nobody where `charge` is NULL. */
int cnk_resume_charged(lua_State *L, lua_State *co, int args, int *results, const struct cnk_saved_charge *charge);

#endif
