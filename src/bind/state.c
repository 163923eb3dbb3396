/* SPDX-License-Identifier: MIT */
/*
 * What the core keeps for one Lua state, its loop above all, and what every face needs of Lua: the protected call,
 * references, classes. It is below the other faces, and knows none of them.
 */
#include "bind/bind.h"

#include <stdio.h>

static const char loop_key = 0, on_error_key = 0;

/* What the registry keeps for this state. */
struct state {
  struct cnk_loop loop; /* first: cnk_bind_loop() gives a pointer to it */
  bool is_out_of_memory;
};

struct cnk_loop *cnk_bind_loop(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &loop_key);
  struct cnk_loop *loop = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return loop;
}

bool *cnk_bind_out_of_memory(lua_State *L)
{
  return &((struct state *)(void *)cnk_bind_loop(L))->is_out_of_memory;
}

lua_State *cnk_bind_main(lua_State *L)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

/* An error may be any value: it is shown as its __tostring gives it. */
static int add_traceback(lua_State *L)
{
  const char *text = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, text, 1);
  return 1;
}

static void report(lua_State *L) /* takes the message on top of the stack */
{
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &on_error_key) == LUA_TFUNCTION) {
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) {
      lua_pop(L, 1);
      return;
    }
  }
  lua_pop(L, 1); /* not a function, or the error that it raised */
  const char *text = lua_tostring(L, -1);
  fprintf(stderr, "cunnekt: %s\n", text ? text : "error in a callback");
  lua_pop(L, 1);
}

void cnk_bind_call(lua_State *L, int args)
{
  int base = lua_gettop(L) - args;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, base);
  int status = lua_pcall(L, args, 0, base);
  if (status == LUA_ERRMEM)
    *cnk_bind_out_of_memory(L) = true;
  if (status != LUA_OK)
    report(L);
  lua_remove(L, base);
}

int cnk_bind_ref(lua_State *L, int index)
{
  lua_pushvalue(L, index);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

void cnk_bind_unref(lua_State *L, int *ref)
{
  luaL_unref(L, LUA_REGISTRYINDEX, *ref);
  *ref = LUA_NOREF;
}

void cnk_bind_push_ref(lua_State *L, int *ref)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, *ref);
  cnk_bind_unref(L, ref);
}

void cnk_bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction closer)
{
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, closer);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

static int close_loop(lua_State *L)
{
  cnk_loop_deinit(lua_touserdata(L, 1));
  return 0;
}

static void make_loop(lua_State *L)
{
  if (cnk_bind_loop(L))
    return;
  struct state *state = lua_newuserdatauv(L, sizeof *state, 0);
  struct cnk_loop *loop = &state->loop;
  state->is_out_of_memory = false;
  loop->is_open = false;
  cnk_bind_class(L, "cunnekt.loop",
                 (const luaL_Reg[]){
                     {NULL, NULL}
  },
                 close_loop);
  luaL_setmetatable(L, "cunnekt.loop");
  int status = cnk_loop_init(loop);
  if (status != 0)
    luaL_error(L, "cannot make an event loop: %s", uv_strerror(status));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loop_key);
}

/* core.on_error(fn): who hears of an error inside a callback; fn(message with traceback). */
static int on_error(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &on_error_key);
  return 0;
}

/* core.out_of_memory(): memory ran out where the work could not be undone; core.step raises from now on. */
static int out_of_memory(lua_State *L)
{
  *cnk_bind_out_of_memory(L) = true;
  return 0;
}

static const luaL_Reg functions[] = {
    {"on_error",      on_error     },
    {"out_of_memory", out_of_memory},
    {NULL,            NULL         },
};

void cnk_bind_open_state(lua_State *L)
{
  make_loop(L);
  luaL_setfuncs(L, functions, 0);
}
