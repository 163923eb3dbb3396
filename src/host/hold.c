/* SPDX-License-Identifier: MIT */
/* The guarded standard library; see hold.h. */
#include "host/hold.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "bind/budget.h"

/* ---- who asks ---------------------------------------------------------------------------------------------------- */

bool cnk_hold_is_own(const char *source)
{
  static const char prefix[] = "@cunnekt/"; /* src/host/embed.lua names them so */
  return strncmp(source, prefix, sizeof prefix - 1) == 0;
}

bool cnk_hold_find_lua(lua_State *L, int level, lua_Debug *found)
{
  for (; lua_getstack(L, level, found); level++) {
    lua_getinfo(L, "Sl", found);
    if (*found->what != 'C')
      return true;
  }
  return false;
}

void cnk_hold_where(lua_State *L, char *where, size_t size)
{
  lua_Debug ar;
  *where = '\0';
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (*ar.what != 'C' && !cnk_hold_is_own(ar.source)) {
      snprintf(where, size, "%s:%d", ar.short_src, ar.currentline);
      return;
    }
  }
}

static bool is_asked_by_script(lua_State *L)
{
  lua_Debug ar;
  return !cnk_hold_find_lua(L, 1, &ar) || !cnk_hold_is_own(ar.source);
}

static bool is_asked_in_turn(lua_State *L)
{
  return cnk_is_charged(cnk_meter()) && is_asked_by_script(L);
}

/* ---- what is refused in a turn ----------------------------------------------------------------------------------- */

/* Upvalues: the function, and the sentence for the error. */
static int refused_in_turn(lua_State *L)
{
  if (is_asked_in_turn(L))
    return luaL_error(L, "%s", lua_tostring(L, lua_upvalueindex(2)));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static void refuse(lua_State *L, const char *library, const char *name, const char *why)
{
  lua_getglobal(L, library);
  if (lua_getfield(L, -1, name) == LUA_TFUNCTION) {
    lua_pushfstring(L, "%s.%s cannot be used in a handler: %s", library, name, why);
    lua_pushcclosure(L, refused_in_turn, 2);
    lua_setfield(L, -2, name);
  } else {
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* load(chunk, name, mode, env): in a turn only text, for the interpreter does not check bytecode. */
static int guarded_load(lua_State *L)
{
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  bool has_env = lua_gettop(L) >= 4;
  if (cnk_hold_is_own(name) && is_asked_by_script(L))
    return luaL_error(L, "load: a chunk name that begins with '@cunnekt/' is reserved");
  lua_settop(L, 4);
  if (is_asked_in_turn(L)) {
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  if (!has_env) /* an environment of nil is not none */
    lua_settop(L, 4);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* A finalizer would run at any time, in anybody's turn, where nothing can stop it. Upvalue 2: "__gc". */
static void refuse_finalizer(lua_State *L, int metatable)
{
  if (lua_type(L, metatable) != LUA_TTABLE)
    return;
  lua_pushvalue(L, lua_upvalueindex(2));
  if (lua_rawget(L, metatable) != LUA_TNIL && is_asked_in_turn(L))
    luaL_error(L, "setmetatable: __gc cannot be used in a handler, because nothing can stop a finalizer; "
                  "use __close, or a function that you call");
  lua_pop(L, 1);
}

/* setmetatable(t, mt) */
static int guarded_setmetatable(lua_State *L)
{
  int kind = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, kind == LUA_TNIL || kind == LUA_TTABLE, 2, "nil or table");
  refuse_finalizer(L, 2);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
    return luaL_error(L, "cannot change a protected metatable");
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

/* debug.setmetatable(value, mt). Upvalue: what `refuse` made of it. */
static int guarded_debug_setmetatable(lua_State *L)
{
  refuse_finalizer(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* ---- error handlers ---------------------------------------------------------------------------------------------- */

/* A stop raises while hooks are off, so a handler of the script would run without end. Upvalue: the handler. */
static int handle_error(lua_State *L)
{
  lua_settop(L, 1);
  if (cnk_is_stopped(cnk_meter()))
    return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* Whether a function is Lua of the script. */
static bool is_of_script(lua_State *L, int index)
{
  lua_Debug ar;
  lua_pushvalue(L, index);
  return lua_getinfo(L, ">S", &ar) && *ar.what != 'C' && !cnk_hold_is_own(ar.source);
}

/* xpcall's results, or those of a call that yielded. The context is the number of values below them. */
static int finish_xpcall(lua_State *L, int status, lua_KContext below)
{
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
  }
  return lua_gettop(L) - (int)below;
}

/* Upvalue 2: the engine's handler that was used last, which needs no second look. */
static bool needs_care(lua_State *L, int handler)
{
  if (lua_rawequal(L, handler, lua_upvalueindex(2)))
    return false;
  if (is_of_script(L, handler))
    return true;
  lua_copy(L, handler, lua_upvalueindex(2));
  return false;
}

/* xpcall(f, handler, ...) */
static int guarded_xpcall(lua_State *L)
{
  luaL_checktype(L, 2, LUA_TFUNCTION);
  int args = lua_gettop(L) - 2;
  if (needs_care(L, 2)) {
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle_error, 1);
    lua_replace(L, 2);
  }
  lua_pushboolean(L, 1); /* the first result */
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  int status = lua_pcallk(L, args, LUA_MULTRET, 2, 2, finish_xpcall);
  return finish_xpcall(L, status, 2);
}

/* ---- coroutines -------------------------------------------------------------------------------------------------- */

static lua_State *check_coroutine(lua_State *L)
{
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "thread");
  return co;
}

/* Resumes `co` with the arguments on top of the stack. Gives the number of results on it; -1: one error value. */
static int resume(lua_State *L, lua_State *co, int args)
{
  int results = 0;
  if (!lua_checkstack(co, args)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, args);
  int status = cnk_resume(L, co, args, &results);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, results);
  return results;
}

static int guarded_resume(lua_State *L)
{
  int results = resume(L, check_coroutine(L), lua_gettop(L) - 1);
  int count = results < 0 ? 1 : results;
  lua_pushboolean(L, results >= 0);
  lua_insert(L, -(count + 1));
  return count + 1;
}

/* Closes `co`: its <close> variables run on it. In a stop they don't: where it was stopped, no hook would end them. */
static int close_coroutine(lua_State *L, lua_State *co)
{
  struct cnk_meter *meter = cnk_meter();
  if (cnk_is_stopped(meter)) {
    lua_checkstack(co, 1);
    lua_pushliteral(co, "the turn was stopped");
    return LUA_ERRRUN;
  }
  lua_State *before = meter->thread;
  meter->thread = co;
  int status = lua_resetthread(co);
  meter->thread = before;
  if (cnk_is_stopped(meter)) /* in there; it goes on here */
    cnk_stop_thread(meter, L);
  return status;
}

static int guarded_close(lua_State *L)
{
  lua_State *co = check_coroutine(L);
  bool is_idle = L != co && (lua_status(co) == LUA_YIELD || lua_status(co) > LUA_YIELD);
  if (!is_idle && L != co && lua_status(co) == LUA_OK) {
    lua_Debug ar;
    is_idle = !lua_getstack(co, 0, &ar); /* not started, or ended */
  }
  if (!is_idle)
    return luaL_error(L, "cannot close a %s coroutine", L == co ? "running" : "normal");
  if (close_coroutine(L, co) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

/* What coroutine.wrap gives. Upvalue: the coroutine. */
static int resume_wrapped(lua_State *L)
{
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int results = resume(L, co, lua_gettop(L));
  if (results >= 0)
    return results;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    close_coroutine(L, co);
    lua_pop(L, 1);
    lua_xmove(co, L, 1); /* an error of a <close> variable replaces the first one */
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int guarded_wrap(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, resume_wrapped, 1);
  return 1;
}

/* ---- */

/* The original function becomes an upvalue, and "__gc" another one. */
static void replace(lua_State *L, const char *library, const char *name, lua_CFunction with)
{
  lua_getglobal(L, library);
  lua_getfield(L, -1, name);
  lua_pushliteral(L, "__gc");
  lua_pushcclosure(L, with, 2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

void cnk_hold_open(lua_State *L)
{
  static const char *const of_debug[] = {"sethook",     "setmetatable", "getregistry", "setuservalue",   "setupvalue",
                                         "upvaluejoin", "setlocal",     "debug",       "setcstacklimit", NULL};
  replace(L, "_G", "xpcall", guarded_xpcall);
  replace(L, "_G", "setmetatable", guarded_setmetatable);
  replace(L, "_G", "load", guarded_load);
  replace(L, "coroutine", "resume", guarded_resume);
  replace(L, "coroutine", "close", guarded_close);
  replace(L, "coroutine", "wrap", guarded_wrap);
  for (int i = 0; of_debug[i]; i++)
    refuse(L, "debug", of_debug[i], "it would break the hold that the host has of a turn");
  replace(L, "debug", "setmetatable", guarded_debug_setmetatable);
  refuse(L, "string", "dump", "it makes bytecode, which the interpreter does not check");
  refuse(L, "os", "exit", "it would end the program for all customers; return from the handler, or call bot:stop()");
}
