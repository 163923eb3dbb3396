/* SPDX-License-Identifier: MIT */
/* Where `require` looks in the host; see search.h. */
#include "host/search.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "host/embedded.h"

#define LUA_FOLDER "lua/" LUA_VERSION_MAJOR "." LUA_VERSION_MINOR

static const struct cnk_embedded *find(const char *module)
{
  for (const struct cnk_embedded *file = cnk_embedded_files; file->module; file++)
    if (strcmp(file->module, module) == 0)
      return file;
  return NULL;
}

/* A package searcher. What is embedded comes before what is on the path, so that a host never mixes its own files
 * with those of another version. */
static int search_embedded(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  const struct cnk_embedded *file = find(name);
  if (!file) {
    lua_pushfstring(L, "no file '%s' inside the host", name);
    return 1;
  }
  if (luaL_loadbufferx(L, (const char *)file->source, file->size, file->chunk, NULL) != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, file->chunk);
  return 2;
}

/* Puts the searcher behind package.preload and before those that read the disk. Expects `package` on top. */
static void add_searcher(lua_State *L)
{
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
    lua_geti(L, -1, i);
    lua_seti(L, -2, i + 1);
  }
  lua_pushcfunction(L, search_embedded);
  lua_seti(L, -2, 2);
  lua_pop(L, 1);
}

/* Appends templates, in which ! stands for the prefix, to a path of `package`, which is on top. */
static void append(lua_State *L, const char *field, const char *templates, const char *prefix)
{
  int package = lua_gettop(L);
  luaL_Buffer path;
  luaL_buffinit(L, &path);
  lua_getfield(L, package, field);
  luaL_addvalue(&path);
  luaL_addchar(&path, ';');
  luaL_addgsub(&path, templates, "!", prefix);
  luaL_pushresult(&path);
  lua_setfield(L, package, field);
}

/* Cuts the last part of a path off: "/usr/bin/cunnekt" becomes "/usr/bin". */
static bool cut_last(char *path)
{
  char *slash = strrchr(path, '/');
  if (slash)
    *slash = '\0';
  return slash != NULL;
}

/* LuaRocks and `make install` put …/bin/cunnekt beside …/share/lua/5.4 and …/lib/lua/5.4. */
static void add_beside(lua_State *L)
{
  char prefix[PATH_MAX];
  size_t size = sizeof prefix;
  if (uv_exepath(prefix, &size) != 0 || !cut_last(prefix) || !cut_last(prefix))
    return;
  append(L, "path", "!/share/" LUA_FOLDER "/?.lua;!/share/" LUA_FOLDER "/?/init.lua", prefix);
  append(L, "cpath", "!/lib/" LUA_FOLDER "/?.so", prefix);
}

void cnk_search_init(lua_State *L)
{
  lua_getglobal(L, LUA_LOADLIBNAME);
  add_searcher(L);
  add_beside(L);
  lua_pop(L, 1);
}
