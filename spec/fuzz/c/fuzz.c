/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer's driver for every parser of the project, in C and in Lua. Each input goes to the function of
 * spec/fuzz/<target>_fuzz.lua, which checks what must hold for all inputs; an error there is a finding, and so is what the
 * sanitizers report, a leak, or an input that takes longer than libFuzzer's -timeout.
 *
 * libFuzzer follows the C code by itself. The lines of Lua that an input reaches are given to it as extra counters, so that
 * it looks for new ways through the parsers in Lua as well.
 *
 * Run from the project's folder by `make fuzz` (spec/fuzz/run.lua): CUNNEKT_FUZZ names the target, and Lua files are read
 * from lua/ and spec/. Built with CNK_FUZZ_PLANTED it has deliberate faults (planted.c, and `plant` of the target), which
 * the run must find.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <sanitizer/lsan_interface.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/core.h"

/* Inputs between two collections of everything: what Lua lets go of is freed, and missed when it is used. Leaks are looked
 * for then; after each input, as libFuzzer does it, that takes longer than the input. */
#define INPUTS_A_COLLECTION 256

int luaopen_cjson(lua_State *L);
int luaopen_rawclient(lua_State *L);
int luaopen_reader(lua_State *L);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t ways[1 << 15];

static lua_State *state; /* the check is at index 1 */

/* Counts the step from the line before to this one, of the project's files only. */
static void on_line(lua_State *L, lua_Debug *at)
{
  static uintptr_t before;
  lua_getinfo(L, "S", at);
  if (strncmp(at->source, "@lua/", 5) != 0)
    return;
  uintptr_t here = ((uintptr_t)at->source >> 4) * 31 + (uintptr_t)at->currentline * 2654435761u;
  uint8_t *way = &ways[(here ^ (before >> 1)) % sizeof ways];
  *way = (uint8_t)(*way + (*way < UINT8_MAX));
  before = here;
}

static void stop_on(lua_State *L, int status)
{
  if (status == LUA_OK)
    return;
  fprintf(stderr, "FINDING: %s\n", luaL_tolstring(L, -1, NULL));
  abort();
}

static int with_traceback(lua_State *L)
{
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* One state for all inputs: its making takes longer than most of them. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  static const luaL_Reg libraries[] = {
      {"cjson",        luaopen_cjson       },
      {"cunnekt.core", luaopen_cunnekt_core},
      {"rawclient",    luaopen_rawclient   },
      {"reader",       luaopen_reader      },
      {NULL,           NULL                }
  };
  const char *target = getenv("CUNNEKT_FUZZ");
  if (!target) {
    fprintf(stderr, "CUNNEKT_FUZZ does not name a target, such as webhook\n");
    exit(2);
  }
  lua_State *L = state = luaL_newstate();
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, libraries, 0);
  lua_settop(L, 0);
  stop_on(L, luaL_dostring(L, "package.path = 'lua/?.lua;lua/?/init.lua;./?.lua'"));
  lua_pushcfunction(L, with_traceback);
  lua_pushfstring(L, "spec/fuzz/%s_fuzz.lua", target);
  stop_on(L, luaL_loadfile(L, lua_tostring(L, -1)) || lua_pcall(L, 0, 1, 1));
#ifdef CNK_FUZZ_PLANTED
  if (lua_getfield(L, -1, "plant") == LUA_TFUNCTION)
    stop_on(L, lua_pcall(L, 0, 0, 1));
#endif
  lua_getfield(L, 3, "check");
  lua_replace(L, 2);
  lua_settop(L, 2);
  lua_sethook(L, on_line, LUA_MASKLINE, 0);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static unsigned inputs;
  lua_State *L = state;
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  lua_pushlstring(L, (const char *)data, size);
  stop_on(L, lua_pcall(L, 1, 0, 1));
  if (++inputs % INPUTS_A_COLLECTION != 0)
    return 0;
  lua_gc(L, LUA_GCCOLLECT);
  if (__lsan_do_recoverable_leak_check()) {
    fprintf(stderr, "FINDING: one of the last %d inputs leaks\n", INPUTS_A_COLLECTION);
    abort();
  }
  return 0;
}
