/* SPDX-License-Identifier: MIT */
/*
 * Tasks: what base/task.lua does for each event, in C. A task is a table, whose coroutine is one of a pool: a new one, whose stack has
 * to grow, costs several times as much. What is rare (a failure, results, somebody who waits for its end) is Lua's to do.
 *
 * The functions share one table: the running task, what was given to core.tasks, and the idle coroutines behind them.
 */
#include "bind/budget.h"
#include "bind/engine/engine.h"

enum { SHARED = 1, POOL };                                  /* upvalues */
enum { RUNNING = 1, METATABLE, ON_END, ON_SUSPEND, FIRST }; /* in the shared table */

/* Each holds a stack of some kilobytes. */
#define MOST_IDLE 256

struct pool {
  lua_Integer idle;
};

/* ---- coroutines -------------------------------------------------------------------------------------------------- */

/* Pushes a coroutine that has nothing on its stack, and is neither running nor suspended. */
static lua_State *take(lua_State *L)
{
  struct pool *pool = lua_touserdata(L, lua_upvalueindex(POOL));
  if (pool->idle == 0)
    return lua_newthread(L);
  lua_Integer place = FIRST + --pool->idle;
  lua_rawgeti(L, lua_upvalueindex(SHARED), place);
  lua_pushnil(L);
  lua_rawseti(L, lua_upvalueindex(SHARED), place);
  return lua_tothread(L, -1);
}

/* Puts the coroutine of the task at `task`, which has ended, among the idle ones. */
static void keep(lua_State *L, int task)
{
  struct pool *pool = lua_touserdata(L, lua_upvalueindex(POOL));
  if (pool->idle < MOST_IDLE) {
    lua_getfield(L, task, "co");
    lua_rawseti(L, lua_upvalueindex(SHARED), FIRST + pool->idle);
    pool->idle++;
  }
  lua_pushnil(L);
  lua_setfield(L, task, "co");
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* Calls what core.tasks got at `which`, with the task and the values that are moved from `co`. */
static void tell(lua_State *L, int which, int task, lua_State *co, int values)
{
  luaL_checkstack(L, values + 4, "too many results of a task");
  lua_rawgeti(L, lua_upvalueindex(SHARED), which);
  lua_pushvalue(L, task);
  if (which == ON_END)
    lua_pushboolean(L, lua_status(co) == LUA_OK);
  lua_xmove(co, L, values);
  lua_call(L, values + (which == ON_END ? 2 : 1), 0);
}

static void end(lua_State *L, int task, lua_State *co, int results)
{
  bool is_awaited = lua_getfield(L, task, "waiters") != LUA_TNIL;
  lua_pop(L, 1);
  keep(L, task);
  if (results > 0 || is_awaited) {
    tell(L, ON_END, task, co, results);
    return;
  }
  lua_pushboolean(L, 1);
  lua_setfield(L, task, "is_done");
}

/* Resumes the coroutine of the task at `task` with what is on its stack: `args` arguments, and below them a function, if it begins. */
static void run(lua_State *L, int task, lua_State *co, int args)
{
  int results = 0, top = lua_gettop(L);
  lua_rawgeti(L, lua_upvalueindex(SHARED), RUNNING);
  lua_pushvalue(L, task);
  lua_rawseti(L, lua_upvalueindex(SHARED), RUNNING);
  lua_getfield(L, task, "charge");
  int status = cnk_resume_charged(L, co, args, &results, lua_touserdata(L, -1));
  lua_pop(L, 1);
  lua_rawseti(L, lua_upvalueindex(SHARED), RUNNING);
  if (status == LUA_OK) {
    end(L, task, co, results);
  } else if (status != LUA_YIELD) {
    tell(L, ON_END, task, co, 1);
  } else if (results > 0) {
    lua_pop(co, results);
    tell(L, ON_SUSPEND, task, co, 0);
  }
  lua_settop(L, top);
}

/* Moves the function and its arguments from `first` to the top into a coroutine, which is pushed, and starts the task with it. */
static void start(lua_State *L, int task, int first)
{
  int args = lua_gettop(L) - first;
  lua_State *co = take(L);
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

/* spawn(fn, ...) -> task: the same with a new task, charged as the running one */
static int spawn(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_createtable(L, 0, 8); /* a table of eight keys takes half of one of nine */
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "is_done");
  if (lua_rawgeti(L, lua_upvalueindex(SHARED), RUNNING) == LUA_TTABLE) {
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
  lua_rawgeti(L, lua_upvalueindex(SHARED), RUNNING);
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
}
