/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer's target for what a stranger can post: the body of a webhook. Each input goes to the Lua function of
 * webhook_fuzz.lua, which checks what must hold for every body; an error there is a finding.
 *
 * Run from the project's folder by `make fuzz`: Lua files are read from lua/ and spec/fuzz/. Of the module
 * cunnekt.core only the parts under test are here.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bind/bind.h"

int luaopen_cjson(lua_State *L);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_core(lua_State *L)
{
  lua_newtable(L);
  cnk_bind_open_json(L);
  cnk_bind_open_webhook(L);
  return 1;
}

static void stop_on(lua_State *L, int status)
{
  if (status == LUA_OK)
    return;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  abort();
}

/* One state for all inputs, with the check at index 1: its making takes longer than most inputs. */
static lua_State *make_state(void)
{
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cjson);
  lua_setfield(L, -2, "cjson");
  lua_pushcfunction(L, open_core);
  lua_setfield(L, -2, "cunnekt.core");
  lua_settop(L, 0);
  stop_on(L, luaL_dostring(L, "package.path = 'lua/?.lua'"));
  stop_on(L, luaL_loadfile(L, "spec/fuzz/webhook_fuzz.lua") || lua_pcall(L, 0, 1, 0));
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static lua_State *L;
  if (!L)
    L = make_state();
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  stop_on(L, lua_pcall(L, 1, 0, 0));
  return 0;
}
