/* SPDX-License-Identifier: MIT */
/* The Lua face of budget.h: core.budget, resume, on_stop, stopped and what follows a stop. */
#include "bind/budget.h"

#include <stdio.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "bind/bind.h"

#define BUDGET "cunnekt.budget"

/* A loop's thread has its own, for programs with several Lua states. */
static _Thread_local struct cnk_meter meter;

struct cnk_meter *cnk_meter(void)
{
  return &meter;
}

/* ---- whom to charge ---------------------------------------------------------------------------------------------- */

static struct cnk_saved_charge save(struct cnk_meter *m)
{
  return (struct cnk_saved_charge){
      .account = atomic_load_explicit(&m->now.account, memory_order_relaxed),
      .nanoseconds = atomic_load_explicit(&m->now.nanoseconds, memory_order_relaxed),
      .event = atomic_load_explicit(&m->now.event, memory_order_relaxed),
      .budget = atomic_load_explicit(&m->now.budget, memory_order_relaxed),
      .name = atomic_load_explicit(&m->now.name, memory_order_relaxed),
      .thread = atomic_load_explicit(&m->thread, memory_order_relaxed),
  };
}

struct cnk_saved_charge cnk_charge_nobody(struct cnk_meter *m, lua_State *thread)
{
  struct cnk_saved_charge saved = save(m);
  atomic_store_explicit(&m->now.account, 0, memory_order_relaxed);
  atomic_store_explicit(&m->thread, thread, memory_order_relaxed);
  return saved;
}

/* The account comes last: a signal in between finds nobody, or all of it. */
static void charge(struct cnk_meter *m, const struct cnk_saved_charge *it)
{
  atomic_store_explicit(&m->now.account, 0, memory_order_relaxed);
  atomic_store_explicit(&m->now.budget, it->budget, memory_order_relaxed);
  atomic_store_explicit(&m->now.nanoseconds, it->nanoseconds, memory_order_relaxed);
  atomic_store_explicit(&m->now.event, it->event, memory_order_relaxed);
  atomic_store_explicit(&m->now.name, it->name, memory_order_relaxed);
  atomic_store_explicit(&m->now.account, it->account, memory_order_release);
  if (it->account != 0 && atomic_load_explicit(&m->is_asleep, memory_order_relaxed) && m->wake)
    m->wake();
}

void cnk_charge_again(struct cnk_meter *m, const struct cnk_saved_charge *saved)
{
  charge(m, saved);
  atomic_store_explicit(&m->thread, saved->thread, memory_order_relaxed);
}

static const struct cnk_budget *check_budget(lua_State *L, int index)
{
  return luaL_checkudata(L, index, BUDGET);
}

/* Reads what is noted of a turn: the event's id, or a name, which whoever gives it keeps. */
static void read_subject(lua_State *L, int index, struct cnk_saved_charge *it)
{
  if (lua_isinteger(L, index))
    it->event = lua_tointeger(L, index);
  else
    it->name = lua_tostring(L, index);
}

/* Pushes a charge, for the field of a task. A name is kept by it. */
static void push_charge(lua_State *L, const struct cnk_saved_charge *it, int subject)
{
  struct cnk_saved_charge *kept = lua_newuserdatauv(L, sizeof *kept, it->name ? 1 : 0);
  *kept = *it;
  kept->thread = NULL;
  if (it->name) {
    lua_pushvalue(L, subject);
    lua_setiuservalue(L, -2, 1);
  }
}

struct cnk_saved_charge cnk_new_charge(lua_State *L, int index, int64_t event)
{
  const struct cnk_budget *budget = lua_touserdata(L, index);
  struct cnk_saved_charge it = {0};
  if (budget)
    it = (struct cnk_saved_charge){
        .budget = budget, .account = ++meter.last_account, .nanoseconds = budget->nanoseconds, .event = event};
  return it;
}

void cnk_push_charge(lua_State *L, const struct cnk_saved_charge *it)
{
  if (it->account)
    push_charge(L, it, 0);
  else
    lua_pushnil(L);
}

/* budget:enter(subject[, seconds]) -> charge: charges a new turn with what runs from now on, until its coroutine
 * yields or returns; `seconds` instead of the budget's own. */
static int enter(lua_State *L)
{
  /* Not checked: each turn comes here, and only the engine has budgets. */
  struct cnk_saved_charge it = {.budget = lua_touserdata(L, 1), .account = ++meter.last_account};
  it.nanoseconds = lua_isnoneornil(L, 3) ? it.budget->nanoseconds : (int64_t)(luaL_checknumber(L, 3) * 1e9);
  read_subject(L, 2, &it);
  push_charge(L, &it, 2); /* first: a name must not go while it is charged */
  charge(&meter, &it);
  return 1;
}

/* budget:charged(subject, fn, ...) -> what fn returns: calls it as a turn of its own. It may not wait. */
static int charged(lua_State *L)
{
  struct cnk_saved_charge before = save(&meter);
  struct cnk_saved_charge it = {.budget = check_budget(L, 1), .account = ++meter.last_account};
  it.nanoseconds = it.budget->nanoseconds;
  read_subject(L, 2, &it);
  charge(&meter, &it);
  int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
  cnk_charge_again(&meter, &before);
  if (status != LUA_OK)
    return lua_error(L);
  return lua_gettop(L) - 2;
}

/* ---- resuming ---------------------------------------------------------------------------------------------------- */

int cnk_resume(lua_State *L, lua_State *co, int args, int *results)
{
  lua_State *before = atomic_load_explicit(&meter.thread, memory_order_relaxed);
  if (cnk_is_stopped(&meter))
    cnk_stop_thread(&meter, co);
  atomic_store_explicit(&meter.thread, co, memory_order_relaxed);
  int status = lua_resume(co, L, args, results);
  atomic_store_explicit(&meter.thread, before, memory_order_relaxed);
  /* A stop is for the whole turn: what was caught by ending a coroutine goes on here. */
  if (cnk_is_stopped(&meter))
    cnk_stop_thread(&meter, L);
  return status;
}

int cnk_resume_charged(lua_State *L, lua_State *co, int args, int *results, const struct cnk_saved_charge *it)
{
  static const struct cnk_saved_charge nobody = {0};
  struct cnk_saved_charge before = save(&meter);
  charge(&meter, it ? it : &nobody);
  int status = cnk_resume(L, co, args, results);
  cnk_charge_again(&meter, &before);
  return status;
}

/* ---- after a stop ------------------------------------------------------------------------------------------------ */

/* core.stopped(is_out_of_memory) -> reason, where, charge; nil when the running turn was not stopped. A turn that ran
 * out of memory was, if its budget is why. The stop is over then: what is left to clean up is charged to a new account,
 * which may use a quarter of the budget. */
static int stopped(lua_State *L)
{
  struct cnk_saved_charge it = save(&meter);
  bool is_refused = it.account != 0 && meter.refused == it.account;
  bool is_memory = cnk_is_stopped(&meter) ? meter.reason == CNK_STOP_MEMORY : is_refused && lua_toboolean(L, 1);
  if (!cnk_is_stopped(&meter) && !is_memory)
    return 0;
  meter.is_unsound = meter.is_unsound && is_refused;
  it.account = ++meter.last_account;
  it.nanoseconds = it.budget->nanoseconds / 4;
  charge(&meter, &it);
  lua_sethook(L, NULL, 0, 0);
  lua_pushstring(L, is_memory ? "memory" : "seconds");
  lua_pushstring(L, meter.where);
  push_charge(L,
              &(struct cnk_saved_charge){
                  .account = it.account, .budget = it.budget, .nanoseconds = it.nanoseconds, .event = it.event},
              0);
  return 3;
}

/* core.is_stopped() -> whether the running turn is stopped, though it may have caught that. */
static int is_stopped(lua_State *L)
{
  lua_pushboolean(L, cnk_is_stopped(&meter));
  return 1;
}

/* core.is_refused(charge) -> whether memory was refused to it, because of its budget. */
static int is_refused(lua_State *L)
{
  const struct cnk_saved_charge *it = lua_touserdata(L, 1);
  lua_pushboolean(L, it && meter.refused != 0 && it->account == meter.refused);
  return 1;
}

/* core.on_stop(fn): fn(reason, where, traceback, seconds, memory) makes the value that a stopped turn raises; the last
 * two are its budget. It may not wait. */
static const char on_stop_key = 0;

static int on_stop(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &on_stop_key);
  return 0;
}

void cnk_budget_push_on_stop(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &on_stop_key);
}

/* core.is_bounded(budget) -> whether the state is sound and, after a collection, within three quarters of its memory. */
static int is_bounded(lua_State *L)
{
  const struct cnk_budget *budget = check_budget(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  lua_pushboolean(L, !meter.is_unsound && (budget->memory == 0 || meter.held <= budget->memory - budget->memory / 4));
  return 1;
}

/* core.start_anew([charge[, where]]): notes a turn as stopped, the running one by default, and starts the program anew.
 * Returns when it cannot: in a plain interpreter. */
static int start_anew(lua_State *L)
{
  const struct cnk_saved_charge *it = lua_touserdata(L, 1);
  if (it)
    charge(&meter, it);
  meter.reason = CNK_STOP_MEMORY; /* CPU is the watchdog's business */
  if (lua_isstring(L, 2))
    snprintf(meter.where, sizeof meter.where, "%s", lua_tostring(L, 2));
  if (meter.start_anew)
    meter.start_anew(&meter);
  return 0;
}

/* ---- budgets ----------------------------------------------------------------------------------------------------- */

/* core.budget{seconds=, memory=, notes=}: 0 is no limit; `notes` is a path. It stays, for the watchdog may look at it. */
static int new_budget(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "seconds");
  lua_getfield(L, 1, "memory");
  lua_getfield(L, 1, "notes");
  struct cnk_budget *budget = lua_newuserdatauv(L, sizeof *budget, 1);
  *budget = (struct cnk_budget){
      .nanoseconds = (int64_t)(luaL_optnumber(L, 2, 0) * 1e9),
      .memory = (size_t)luaL_optinteger(L, 3, 0),
      .notes = luaL_optstring(L, 4, NULL),
  };
  luaL_setmetatable(L, BUDGET);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  luaL_ref(L, LUA_REGISTRYINDEX);
  if (meter.begin)
    meter.begin();
  return 1;
}

void cnk_bind_open_budget(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"enter",   enter  },
      {"charged", charged},
      {NULL,      NULL   },
  };
  static const luaL_Reg functions[] = {
      {"budget",     new_budget},
      {"stopped",    stopped   },
      {"on_stop",    on_stop   },
      {"is_bounded", is_bounded},
      {"is_stopped", is_stopped},
      {"is_refused", is_refused},
      {"start_anew", start_anew},
      {NULL,         NULL      },
  };
  luaL_newmetatable(L, BUDGET);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
