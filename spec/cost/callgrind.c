/* SPDX-License-Identifier: MIT */
/*
 * Counting from within: a script says when callgrind counts from nought and when it writes down what it has. Outside of
 * valgrind both calls do nothing. Only for `make cost`: no part of the program.
 */
#include <lauxlib.h>
#include <lua.h>
#include <valgrind/callgrind.h>

/* callgrind.dump(): writes the counts of all threads since the last dump to the next output file. */
static int dump(lua_State *L)
{
  (void)L;
  CALLGRIND_DUMP_STATS;
  return 0;
}

/* callgrind.zero(): forgets the counts so far. */
static int zero(lua_State *L)
{
  (void)L;
  CALLGRIND_ZERO_STATS;
  return 0;
}

static const luaL_Reg functions[] = {
    {"dump", dump},
    {"zero", zero},
    {NULL,   NULL},
};

__attribute__((visibility("default"))) int luaopen_callgrind(lua_State *L);

int luaopen_callgrind(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
