/* SPDX-License-Identifier: MIT */
/*
 * Tasks: what base/task.lua does for each event, in C. A task is a table, whose coroutine is one of a pool: a new one, whose stack has
 * to grow, costs several times as much. What is rare (a failure, results, somebody who waits for its end) is Lua's to do.
 *
 * The functions share one table: the running task, what was given to core.tasks, and the idle coroutines behind them.
 */
#include "bind/engine/tasks.h"

#include <string.h>

#include "bind/engine/engine.h"

enum { SHARED = 1, POOL };                                            /* upvalues */
enum { RUNNING = 1, METATABLE, ON_END, ON_SUSPEND, THE_POOL, FIRST }; /* in the shared table */

/* The registry's shared table. */
static const char shared_key = 0;

/* Each holds a stack of some kilobytes. */
#define MOST_IDLE 256

struct pool {
  lua_Integer idle;
};

/* ---- coroutines -------------------------------------------------------------------------------------------------- */

/* Pushes a coroutine that has nothing on its stack, and is neither running nor suspended. `shared`, `pool`: where they are. */
static lua_State *take(lua_State *L, int shared, int pool_at)
{
  struct pool *pool = lua_touserdata(L, pool_at);
  if (pool->idle == 0)
    return lua_newthread(L);
  lua_Integer place = FIRST + --pool->idle;
  lua_rawgeti(L, shared, place);
  lua_pushnil(L);
  lua_rawseti(L, shared, place);
  return lua_tothread(L, -1);
}

/* Puts the coroutine on top, which has ended, among the idle ones. */
static void keep(lua_State *L, int shared, int pool_at)
{
  struct pool *pool = lua_touserdata(L, pool_at);
  if (pool->idle < MOST_IDLE) {
    lua_rawseti(L, shared, FIRST + pool->idle);
    pool->idle++;
  } else {
    lua_pop(L, 1);
  }
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* Calls what core.tasks got at `which`, with the task and the values that are moved from `co`. */
static void tell(lua_State *L, int shared, int which, int task, lua_State *co, int values)
{
  luaL_checkstack(L, values + 4, "too many results of a task");
  lua_rawgeti(L, shared, which);
  lua_pushvalue(L, task);
  if (which == ON_END)
    lua_pushboolean(L, lua_status(co) == LUA_OK);
  lua_xmove(co, L, values);
  lua_call(L, values + (which == ON_END ? 2 : 1), 0);
}

static void end(lua_State *L, int shared, int pool, int task, lua_State *co, int results)
{
  bool is_awaited = lua_getfield(L, task, "waiters") != LUA_TNIL;
  bool is_spent = lua_getfield(L, task, "is_spent") != LUA_TNIL; /* its stack may be a large one */
  lua_pop(L, 1);
  if (!is_spent) {
    lua_getfield(L, task, "co");
    keep(L, shared, pool);
  }
  lua_pushnil(L);
  lua_setfield(L, task, "co");
  if (results > 0 || is_awaited) {
    tell(L, shared, ON_END, task, co, results);
    return;
  }
  lua_pushboolean(L, 1);
  lua_setfield(L, task, "is_done");
}

/* The coroutine of the task at `task` was resumed, and has returned, failed or yielded. */
static void after(lua_State *L, int shared, int pool, int task, lua_State *co, int status, int results)
{
  if (status == LUA_OK) {
    end(L, shared, pool, task, co, results);
  } else if (status != LUA_YIELD) {
    tell(L, shared, ON_END, task, co, 1);
  } else if (results > 0) {
    lua_pop(co, results);
    tell(L, shared, ON_SUSPEND, task, co, 0);
  }
}

/* Resumes the coroutine of the task at `task` with what is on its stack: `args` arguments, and below them a function, if it begins. */
static void run(lua_State *L, int task, lua_State *co, int args)
{
  int results = 0, top = lua_gettop(L), shared = lua_upvalueindex(SHARED);
  lua_rawgeti(L, shared, RUNNING);
  lua_pushvalue(L, task);
  lua_rawseti(L, shared, RUNNING);
  lua_getfield(L, task, "charge");
  int status = cnk_resume_charged(L, co, args, &results, lua_touserdata(L, -1));
  lua_pop(L, 1);
  lua_rawseti(L, shared, RUNNING);
  after(L, shared, lua_upvalueindex(POOL), task, co, status, results);
  lua_settop(L, top);
}

/* ---- finalizers --------------------------------------------------------------------------------------------------- */

bool cnk_bind_in_finalizer(lua_State *L)
{
  int is_running = lua_gc(L, LUA_GCISRUNNING);
  if (is_running != 0)
    return is_running < 0; /* the collector waits for the finalizer that it runs */
  lua_Debug at;            /* it was stopped, or this is a Lua before 5.4.4, which says the same of both */
  for (int level = 0; lua_getstack(L, level, &at); level++) {
    if (lua_getinfo(L, "n", &at) && strcmp(at.namewhat, "metamethod") == 0 && strcmp(at.name, "__gc") == 0)
      return true;
  }
  return false;
}

/* ---- bare tasks --------------------------------------------------------------------------------------------------- */

static struct cnk_bare_task *bare_at(lua_State *L, int index)
{
  struct cnk_bare_task *bare = lua_touserdata(L, index);
  return bare && bare->self == bare ? bare : NULL;
}

/* Replaces the bare task on top by the task that it is, or becomes now. */
static void make_task(lua_State *L, struct cnk_bare_task *bare)
{
  int at = lua_gettop(L);
  if (!bare->is_task) {
    bare->push_task(L, at);
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_setiuservalue(L, at, CNK_BARE_TASK);
    bare->is_task = true;
  }
  lua_getiuservalue(L, at, CNK_BARE_TASK);
  lua_replace(L, at);
  lua_settop(L, at);
}

bool cnk_bind_run_bare(lua_State *L, int index, int args)
{
  struct cnk_bare_task *bare = lua_touserdata(L, index);
  int first = lua_gettop(L) - args, results = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_key);
  lua_insert(L, first);
  lua_rawgeti(L, first, THE_POOL);
  lua_insert(L, first + 1);
  int shared = first, pool = first + 1;
  lua_State *co = take(L, shared, pool);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, index, CNK_BARE_THREAD);
  lua_insert(L, pool + 1);
  if (!lua_checkstack(co, args + 1))
    luaL_error(L, "too many arguments of a task");
  lua_xmove(L, co, args + 1);
  lua_rawgeti(L, shared, RUNNING);
  lua_pushvalue(L, index);
  lua_rawseti(L, shared, RUNNING);
  int status = cnk_resume_charged(L, co, args, &results, bare->charge.account ? &bare->charge : NULL);
  lua_rawseti(L, shared, RUNNING);
  bool is_over = status == LUA_OK && !bare->is_task;
  if (is_over) {
    lua_settop(co, 0);
    lua_pushvalue(L, pool + 1);
    keep(L, shared, pool);
  } else {
    lua_pushvalue(L, index);
    make_task(L, bare);
    after(L, shared, pool, lua_gettop(L), co, status, results);
  }
  lua_settop(L, first - 1);
  return is_over;
}

bool cnk_bind_push_bare(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_key);
  bool is_bare = lua_rawgeti(L, -1, RUNNING) == LUA_TUSERDATA && !cnk_bind_in_finalizer(L);
  if (is_bare)
    lua_remove(L, -2);
  else
    lua_pop(L, 2);
  return is_bare;
}

/* Moves the function and its arguments from `first` to the top into a coroutine, which is pushed, and starts the task with it. */
static void start(lua_State *L, int task, int first)
{
  int args = lua_gettop(L) - first;
  lua_State *co = take(L, lua_upvalueindex(SHARED), lua_upvalueindex(POOL));
  lua_insert(L, first);
  if (!lua_checkstack(co, args + 1))
    luaL_error(L, "too many arguments of a task");
  lua_xmove(L, co, args + 1);
  lua_setfield(L, task, "co");
  run(L, task, co, args);
}

/* start(task, fn, ...): runs fn in a coroutine of the task, until its first wait */
static int start_task(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  start(L, 1, 2);
  return 0;
}

/* Pushes the running task; false where none is, and in a finalizer. */
static void push_running(lua_State *L)
{
  int type = lua_rawgeti(L, lua_upvalueindex(SHARED), RUNNING);
  if (type == LUA_TBOOLEAN)
    return;
  if (cnk_bind_in_finalizer(L)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
  } else if (type == LUA_TUSERDATA) {
    make_task(L, bare_at(L, -1));
    lua_pushvalue(L, -1);
    lua_rawseti(L, lua_upvalueindex(SHARED), RUNNING);
  }
}

/* spawn(fn, ...) -> task: the same with a new task, charged as the running one */
static int spawn(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_createtable(L, 0, 8); /* a table of eight keys takes half of one of nine */
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "is_done");
  push_running(L);
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "charge");
    lua_setfield(L, -3, "charge");
  }
  lua_pop(L, 1);
  lua_rawgeti(L, lua_upvalueindex(SHARED), METATABLE);
  lua_setmetatable(L, -2);
  lua_insert(L, 1);
  start(L, 1, 2);
  lua_settop(L, 1);
  return 1;
}

/* resume(task, ...): goes on with a task that waits; what it waits for gives the values */
static int resume(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "co");
  lua_State *co = lua_tothread(L, -1);
  lua_pop(L, 1); /* the task keeps it */
  int args = lua_gettop(L) - 1;
  if (!co || !lua_checkstack(co, args))
    return luaL_error(L, "the task cannot go on");
  lua_xmove(L, co, args);
  run(L, 1, co, args);
  return 0;
}

/* running() -> task | nil */
static int get_running(lua_State *L)
{
  push_running(L);
  if (!lua_toboolean(L, -1))
    lua_pushnil(L);
  return 1;
}

/* set_running(task | nil) */
static int set_running(lua_State *L)
{
  lua_settop(L, 1);
  if (lua_isnil(L, 1))
    lua_pushboolean(L, 0);
  lua_rawseti(L, lua_upvalueindex(SHARED), RUNNING);
  return 0;
}

/* core.in_finalizer() -> boolean */
static int in_finalizer(lua_State *L)
{
  lua_pushboolean(L, cnk_bind_in_finalizer(L));
  return 1;
}

/* core.tasks(metatable, on_end, on_suspend) -> spawn, start, resume, running, set_running. on_end(task, ok, ...) is called when a task
 * has failed, or gives results, or is awaited; on_suspend(task) when its coroutine has yielded values. */
static int tasks(lua_State *L)
{
  static const lua_CFunction functions[] = {spawn, start_task, resume, get_running, set_running};
  enum { COUNT = sizeof functions / sizeof *functions };
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  lua_createtable(L, FIRST, 0);
  lua_insert(L, 1);
  lua_rawseti(L, 1, ON_SUSPEND);
  lua_rawseti(L, 1, ON_END);
  lua_rawseti(L, 1, METATABLE);
  lua_pushboolean(L, 0);
  lua_rawseti(L, 1, RUNNING);
  struct pool *pool = lua_newuserdatauv(L, sizeof *pool, 0);
  pool->idle = 0;
  lua_pushvalue(L, -1);
  lua_rawseti(L, 1, THE_POOL);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &shared_key);
  for (int i = 0; i < COUNT; i++) {
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, functions[i], POOL);
  }
  return COUNT;
}

void cnk_bind_open_tasks(lua_State *L)
{
  lua_pushcfunction(L, tasks);
  lua_setfield(L, -2, "tasks");
  lua_pushcfunction(L, in_finalizer);
  lua_setfield(L, -2, "in_finalizer");
}
