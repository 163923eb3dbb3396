/* SPDX-License-Identifier: MIT */
/* Fields of options tables; see bind.h. They raise for a value of the wrong type, and name the field. */
#include "bind/bind.h"

lua_Integer cnk_bind_opt_integer(lua_State *L, int index, const char *name, lua_Integer otherwise)
{
  lua_Integer value = otherwise;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    int is_integer = 0;
    value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer)
      luaL_error(L, "field '%s' must be an integer, got %s", name, luaL_typename(L, -1));
  }
  lua_pop(L, 1);
  return value;
}

const char *cnk_bind_opt_string(lua_State *L, int index, const char *name, const char *otherwise)
{
  const char *value = otherwise;
  int type = lua_getfield(L, index, name);
  if (type == LUA_TSTRING)
    value = lua_tostring(L, -1);
  else if (type != LUA_TNIL)
    luaL_error(L, "field '%s' must be a string, got %s", name, luaL_typename(L, -1));
  lua_pop(L, 1);
  return value;
}

bool cnk_bind_opt_boolean(lua_State *L, int index, const char *name)
{
  lua_getfield(L, index, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}
