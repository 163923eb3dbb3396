/* SPDX-License-Identifier: MIT */
/* Reading the fields of decoded JSON without trusting them; see field.h for the contract. */
#include "bind/webhook/field.h"

#include <string.h>

#include "bind/json.h"

bool cnk_field_is_list(lua_State *L, int at)
{
  if (!lua_istable(L, at))
    return false;
  if (lua_rawlen(L, at) > 0)
    return true;
  if (!lua_getmetatable(L, at))
    return false;
  lua_pop(L, 1);
  return true;
}

bool cnk_field_is_object(lua_State *L, int at)
{
  return lua_istable(L, at) && !cnk_field_is_list(L, at);
}

void cnk_field_set_text(lua_State *L, int event, const char *name, const char *text)
{
  lua_pushstring(L, text);
  lua_setfield(L, event, name);
}

bool cnk_field_push_id(lua_State *L, int at, const char *name)
{
  int type = lua_getfield(L, at, name);
  if (type == LUA_TNUMBER) {
    int is_whole;
    lua_Integer id = lua_tointegerx(L, -1, &is_whole);
    if (is_whole) {
      lua_pop(L, 1);
      lua_pushfstring(L, "%I", (LUAI_UACINT)id);
      return true;
    }
  } else if (type == LUA_TSTRING && lua_rawlen(L, -1) > 0) {
    return true;
  }
  lua_pop(L, 1);
  lua_pushnil(L);
  return false;
}

bool cnk_field_copy_id(lua_State *L, int from, const char *name, int to, const char *as)
{
  bool is_there = cnk_field_push_id(L, from, name);
  if (is_there)
    lua_setfield(L, to, as);
  else
    lua_pop(L, 1);
  return is_there;
}

bool cnk_field_copy_plain(lua_State *L, int from, const char *name, int to, int type)
{
  bool is_there = lua_getfield(L, from, name) == type;
  if (is_there)
    lua_setfield(L, to, name);
  else
    lua_pop(L, 1);
  return is_there;
}

/* Beyond this, which is the year 5138 in seconds, a time counts milliseconds or less: those of 1973 and later. */
#define MOST_SECONDS 100000000000

void cnk_field_copy_time(lua_State *L, int from, const char *name, int to)
{
  lua_getfield(L, from, name);
  size_t length = 0;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : "";
  int is_good = lua_type(L, -1) == LUA_TNUMBER || (length > 0 && length < 19 && strspn(text, "0123456789") == length);
  lua_Integer seconds = is_good ? lua_tointegerx(L, -1, &is_good) : 0;
  lua_pop(L, 1);
  while (seconds >= MOST_SECONDS)
    seconds /= 1000;
  if (is_good) {
    lua_pushinteger(L, seconds);
    lua_setfield(L, to, "timestamp");
  }
}

static bool has_null(lua_State *L, int at)
{
  luaL_checkstack(L, 8, "too deep");
  for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
    bool is_found = lua_islightuserdata(L, -1) || (lua_istable(L, -1) && has_null(L, lua_gettop(L)));
    if (is_found) {
      lua_pop(L, 2);
      return true;
    }
  }
  return false;
}

static void push_without_nulls(lua_State *L, int at);

static void copy_items(lua_State *L, int at, int copy)
{
  lua_Integer count = (lua_Integer)lua_rawlen(L, at), kept = 0;
  luaL_setmetatable(L, CNK_JSON_ARRAY); /* it may end up empty */
  for (lua_Integer n = 1; n <= count; n++) {
    lua_rawgeti(L, at, n);
    if (lua_istable(L, -1))
      push_without_nulls(L, copy + 1);
    if (!lua_islightuserdata(L, -1))
      lua_rawseti(L, copy, ++kept);
    lua_settop(L, copy);
  }
}

static void copy_fields(lua_State *L, int at, int copy)
{
  for (lua_pushnil(L); lua_next(L, at); lua_settop(L, copy + 1)) {
    if (lua_islightuserdata(L, -1))
      continue;
    if (lua_istable(L, -1))
      push_without_nulls(L, copy + 2);
    lua_pushvalue(L, copy + 1);
    lua_insert(L, -2);
    lua_rawset(L, copy);
  }
}

/* Pushes a copy of the table at `at`; the nulls are left out, and lists close up. */
static void push_without_nulls(lua_State *L, int at)
{
  luaL_checkstack(L, 8, "too deep");
  lua_newtable(L);
  if (cnk_field_is_list(L, at))
    copy_items(L, at, lua_gettop(L));
  else
    copy_fields(L, at, lua_gettop(L));
}

/* Pushes the table at `at`, itself when it holds no null. Scripts should not have to think of null. */
void cnk_field_push_table(lua_State *L, int at)
{
  if (has_null(L, at))
    push_without_nulls(L, at);
  else
    lua_pushvalue(L, at);
}
