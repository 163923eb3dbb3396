/* SPDX-License-Identifier: MIT */
/* Stopping turns; see stop.h. */
#include "host/stop.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/budget.h"
#include "host/hold.h"

/* Nobody else sends it: it is for urgent data of sockets that ask for it, and its default is to be ignored. Go's
 * scheduler interrupts its threads with it for the same reasons. */
#define CNK_STOP_SIGNAL SIGURG

/* Beyond the budget of memory the engine, and what is under way when it is reached, may take a quarter of it. */
enum { RESERVE_PART = 4, SLACK_PART = 16 };

static struct cnk_meter *the_meter;
static pthread_t loop_thread;
static _Atomic int64_t stop_wanted, place_wanted;
static _Atomic bool has_pressure, is_located, is_held;
static size_t refused; /* what was asked for when memory was refused last */

bool cnk_stop_is_broken(const char *way)
{
#ifdef CNK_BREAKING
  const char *ways = getenv("CRASH_BREAK");
  return ways && strstr(ways, way);
#else
  (void)way;
  return false;
#endif
}

static bool is_charged_to(struct cnk_meter *meter, int64_t account)
{
  return account != 0 && atomic_load(&meter->now.account) == account;
}

static void begin_stop(struct cnk_meter *meter, enum cnk_stop_reason reason)
{
  lua_State *thread = atomic_load(&meter->thread);
  if (!cnk_is_stopped(meter)) {
    meter->reason = reason;
    meter->where[0] = '\0';
    atomic_store(&meter->stopped, atomic_load(&meter->now.account));
  }
  if (thread)
    cnk_stop_thread(meter, thread);
}

/* ---- in the script ----------------------------------------------------------------------------------------------- */

/* After a collection: whether the state is still above its budget. */
static bool is_too_large(struct cnk_meter *meter)
{
  const struct cnk_budget *budget = atomic_load(&meter->now.budget);
  return budget->memory > 0 && meter->held > budget->memory - budget->memory / SLACK_PART;
}

/* The error value is made by the function given to core.on_stop. */
static int raise_stop(lua_State *L, struct cnk_meter *meter)
{
  const struct cnk_budget *budget = atomic_load(&meter->now.budget);
  cnk_budget_push_on_stop(L);
  lua_pushstring(L, meter->reason == CNK_STOP_MEMORY ? "memory" : "seconds");
  lua_pushstring(L, meter->where);
  if (meter->reason == CNK_STOP_SECONDS)
    luaL_traceback(L, L, NULL, 0);
  else
    lua_pushnil(L);
  lua_pushnumber(L, (lua_Number)budget->nanoseconds / 1e9);
  lua_pushinteger(L, (lua_Integer)budget->memory);
  lua_call(L, 5, 1);
  return lua_error(L);
}

/* Between two instructions of Lua, while a stop is on or memory is short. */
static void on_count(lua_State *L, lua_Debug *ar)
{
  struct cnk_meter *meter = the_meter;
  if (atomic_exchange(&has_pressure, false) && cnk_is_charged(meter) && !cnk_is_stopped(meter)) {
    lua_gc(L, LUA_GCCOLLECT);
    if (is_too_large(meter))
      begin_stop(meter, CNK_STOP_MEMORY);
  }
  if (!cnk_is_stopped(meter)) {
    lua_sethook(L, NULL, 0, 0); /* the turn ended by itself meanwhile, or the memory is there again */
    return;
  }
  lua_getinfo(L, "Sl", ar);
  if (cnk_hold_is_own(ar->source))
    return;
  if (!meter->where[0])
    snprintf(meter->where, sizeof meter->where, "%s:%d", ar->short_src, ar->currentline);
  if (cnk_stop_is_broken("stop_once")) {
    atomic_store(&meter->stopped, 0);
    lua_sethook(L, NULL, 0, 0);
  }
  raise_stop(L, meter);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* What a refusal means shows later: Lua collects and asks again, or raises, and then the engine asks core.stopped. */
static bool refuse(struct cnk_meter *meter, lua_State *thread, size_t more)
{
  lua_Debug ar;
  refused = more;
  meter->refused = atomic_load(&meter->now.account);
  meter->is_unsound = cnk_hold_find_lua(thread, 0, &ar) && cnk_hold_is_own(ar.source);
  cnk_hold_where(thread, meter->where, sizeof meter->where);
  return false;
}

bool cnk_stop_may_grow(struct cnk_meter *meter, size_t more)
{
  if (!cnk_is_charged(meter))
    return true;
  const struct cnk_budget *budget = atomic_load(&meter->now.budget);
  lua_State *thread = atomic_load(&meter->thread);
  if (budget->memory == 0 || !thread)
    return true;
  size_t held = meter->held;
  bool is_refused = more > budget->memory || held + more > budget->memory + budget->memory / RESERVE_PART;
  if (is_refused || held + more > budget->memory) {
    atomic_store(&has_pressure, true);
    cnk_stop_thread(meter, thread);
  }
  if (is_refused)
    return refuse(meter, thread, more);
  if (refused == more) { /* it was asked for again after a collection */
    refused = 0;
    meter->refused = 0;
    meter->is_unsound = false;
  }
  return true;
}

/* ---- from the watchdog ------------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
  (void)number;
  if (!pthread_equal(pthread_self(), loop_thread))
    return;
  while (atomic_load(&is_held))
    pause();
  int saved = errno;
  if (is_charged_to(the_meter, atomic_load(&stop_wanted)))
    begin_stop(the_meter, CNK_STOP_SECONDS);
  lua_State *thread = atomic_load(&the_meter->thread);
  if (thread && is_charged_to(the_meter, atomic_load(&place_wanted))) {
    cnk_hold_where(thread, the_meter->where, sizeof the_meter->where);
    atomic_store(&is_located, true);
  }
  errno = saved;
}

void cnk_stop_request(long long account)
{
  atomic_store(&stop_wanted, account);
  pthread_kill(loop_thread, CNK_STOP_SIGNAL);
}

void cnk_stop_locate(long long account)
{
  atomic_store(&is_located, false);
  atomic_store(&place_wanted, account);
  pthread_kill(loop_thread, CNK_STOP_SIGNAL);
}

bool cnk_stop_is_located(void)
{
  return atomic_load(&is_located);
}

void cnk_stop_hold(void)
{
  atomic_store(&is_held, true);
  pthread_kill(loop_thread, CNK_STOP_SIGNAL);
}

void cnk_stop_init(struct cnk_meter *meter)
{
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  the_meter = meter;
  loop_thread = pthread_self();
  meter->hook = on_count;
  sigemptyset(&action.sa_mask);
  sigaction(CNK_STOP_SIGNAL, &action, NULL);
}
