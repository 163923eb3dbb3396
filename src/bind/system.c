/* SPDX-License-Identifier: MIT */
/* The Lua face of base/system.h: core.folder, stat, may_write, names, inode, disk_free, memory, libraries, is_terminal,
 * pid, user. */
#include "bind/bind.h"

#include <limits.h>
#include <string.h>

#include "base/system.h"

static int push_failure(lua_State *L, int status)
{
  luaL_pushfail(L);
  lua_pushstring(L, cnk_system_error(status));
  return 2;
}

/* core.folder() -> the working folder, or nil and a message */
static int folder(lua_State *L)
{
  char path[PATH_MAX];
  int status = cnk_system_folder(path, sizeof path);
  if (status != 0)
    return push_failure(L, status);
  lua_pushstring(L, path);
  return 1;
}

/* core.stat(path) -> {size, mode, owner, kind}, or nil and a message */
static int stat_file(lua_State *L)
{
  struct cnk_system_file found;
  int status = cnk_system_stat(luaL_checkstring(L, 1), &found);
  if (status != 0)
    return push_failure(L, status);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, (lua_Integer)found.owner);
  lua_setfield(L, -2, "owner");
  lua_pushinteger(L, (lua_Integer)found.size);
  lua_setfield(L, -2, "size");
  lua_pushinteger(L, (lua_Integer)found.mode);
  lua_setfield(L, -2, "mode");
  lua_pushstring(L, found.kind);
  lua_setfield(L, -2, "kind");
  return 1;
}

/* core.may_write(path) -> true, or nil and a message */
static int may_write(lua_State *L)
{
  int status = cnk_system_may_write(luaL_checkstring(L, 1));
  if (status != 0)
    return push_failure(L, status);
  lua_pushboolean(L, 1);
  return 1;
}

/* core.inode(path) -> integer, or nil and a message */
static int inode(lua_State *L)
{
  uint64_t number = 0;
  int status = cnk_system_inode(luaL_checkstring(L, 1), &number);
  if (status != 0)
    return push_failure(L, status);
  lua_pushinteger(L, (lua_Integer)number);
  return 1;
}

/* core.disk_free(path) -> bytes, or nil and a message */
static int disk_free(lua_State *L)
{
  uint64_t bytes = 0;
  int status = cnk_system_disk_free(luaL_checkstring(L, 1), &bytes);
  if (status != 0)
    return push_failure(L, status);
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

/* core.memory() -> bytes of this process in memory, or nil and a message */
static int memory(lua_State *L)
{
  uint64_t bytes = 0;
  int status = cnk_system_memory(&bytes);
  if (status != 0)
    return push_failure(L, status);
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

/* core.libraries() -> {name = version} */
static int libraries(lua_State *L)
{
  const char *name, *version;
  lua_newtable(L);
  for (int i = 0; (name = cnk_system_library(i, &version)); i++) {
    lua_pushstring(L, version);
    lua_setfield(L, -2, name);
  }
  return 1;
}

/* core.names(folder) -> the names in it, or nil and a message */
static int names(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  char *text = NULL;
  size_t size = 0, needed = 0;
  int status = cnk_system_names(path, NULL, 0, &needed);
  while (status == 0 && needed > size) { /* until nobody adds a file in between */
    size = needed;
    text = lua_newuserdatauv(L, size, 0);
    status = cnk_system_names(path, text, size, &needed);
  }
  if (status != 0)
    return push_failure(L, status);
  lua_newtable(L);
  lua_Integer n = 0;
  for (size_t at = 0; at < needed; at += strlen(text + at) + 1) {
    lua_pushstring(L, text + at);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* core.is_terminal(descriptor) -> boolean */
static int is_terminal(lua_State *L)
{
  lua_pushboolean(L, cnk_system_is_terminal((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* core.pid() -> the number of this process */
static int pid(lua_State *L)
{
  lua_pushinteger(L, cnk_system_pid());
  return 1;
}

/* core.user() -> the number of this process's user */
static int user(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cnk_system_user());
  return 1;
}

static const luaL_Reg functions[] = {
    {"folder",      folder     },
    {"stat",        stat_file  },
    {"may_write",   may_write  },
    {"inode",       inode      },
    {"disk_free",   disk_free  },
    {"memory",      memory     },
    {"libraries",   libraries  },
    {"names",       names      },
    {"is_terminal", is_terminal},
    {"pid",         pid        },
    {"user",        user       },
    {NULL,          NULL       },
};

void cnk_bind_open_system(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
