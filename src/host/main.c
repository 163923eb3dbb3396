/* SPDX-License-Identifier: MIT */
/*
 * The host: one Lua state with the standard libraries, the C core and the embedded Lua files, which runs
 * require("cunnekt.cli").main(arg) in a protected call and exits with what it returns. The commands are in Lua;
 * this file only makes `require` work wherever the binary was copied to.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bind/budget.h"
#include "bind/core.h"
#include "host/alloc.h"
#include "host/hold.h"
#include "host/report.h"
#include "host/search.h"
#include "host/stop.h"
#include "host/streams.h"
#include "host/watchdog.h"

#define EXIT_SCRIPT_ERROR 1

/* The collector begins when the memory in use has grown to so many percent. Lua's own 200 saves some percent of an event's time for 1 MB
 * more under load; with 165 the process stood at 24.0 MB there, which is its bound. */
#define COLLECTOR_PAUSE 158

#ifdef CNK_STATIC_CJSON
LUALIB_API int luaopen_cjson(lua_State *L);
LUALIB_API int luaopen_cjson_safe(lua_State *L);
#endif

static int add_traceback(lua_State *L)
{
  const char *message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

static void preload_libraries(lua_State *L)
{
  static const luaL_Reg libraries[] = {
      {"cunnekt.core", luaopen_cunnekt_core},
#ifdef CNK_STATIC_CJSON
      {"cjson",        luaopen_cjson       },
      {"cjson.safe",   luaopen_cjson_safe  },
#endif
      {NULL,           NULL                },
  };
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, libraries, 0);
  lua_pop(L, 1);
}

static void set_arguments(lua_State *L, int argc, char **argv)
{
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_seti(L, -2, i);
  }
  lua_setglobal(L, "arg");
}

/* Everything that can raise runs in here. Returns the exit code. */
static int run(lua_State *L)
{
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  luaL_checkversion(L);
  lua_warning(L, "@on", 0);
  luaL_openlibs(L);
  lua_gc(L, LUA_GCINC, COLLECTOR_PAUSE, 0, 0);
  cnk_hold_open(L);
  preload_libraries(L);
  cnk_search_init(L);
  set_arguments(L, argc, argv);

  lua_getglobal(L, "require");
  lua_pushliteral(L, "cunnekt.cli");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "main");
  lua_getglobal(L, "arg");
  lua_call(L, 1, 1);
  return 1;
}

/* Systems start programs with 1024 open files at most, for the sake of some that use select(); we may have more. */
static void raise_file_limit(void)
{
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

int main(int argc, char **argv)
{
  cnk_streams_open();
  /* A peer that closes its socket or a reader that closes the pipe is an error result, not the end of a bot. */
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  cnk_core_own_process();
  struct cnk_pool pool;
  cnk_pool_init(&pool);
  cnk_stop_init(cnk_meter());
  cnk_watchdog_init(cnk_meter(), argc, argv);
  struct cnk_report report = {0};
  lua_State *L = lua_newstate(cnk_pool_alloc, &pool);
  if (!L) {
    fputs("cunnekt: not enough memory\n", stderr);
    return EXIT_SCRIPT_ERROR;
  }
  lua_setwarnf(L, cnk_report_warning, &report);
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, run);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  int code = EXIT_SCRIPT_ERROR;
  if (lua_pcall(L, 2, 1, 1) == LUA_OK)
    code = (int)lua_tointeger(L, -1);
  else
    cnk_report_failure(lua_tostring(L, -1));
  lua_close(L);
  cnk_pool_deinit(&pool);
  return cnk_streams_finish(code);
}
