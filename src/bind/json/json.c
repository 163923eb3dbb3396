/* SPDX-License-Identifier: MIT */
/*
 * Reading JSON with lua-cjson: json_prepare and json_mend before and after its decode. Only lua/cunnekt/base/json.lua uses
 * this, and only it knows lua-cjson.
 *
 * Where lua-cjson would lose something, a mark (see json/scan.h) takes its place on the way through: a string
 * that begins with the byte FF, which no well-formed text holds.
 */
#include "bind/json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "json/digits.h"

struct sink {
  lua_State *L;
  luaL_Buffer buffer;
  bool is_open;
};

static void write_to_sink(void *context, const char *bytes, size_t length)
{
  struct sink *sink = context;
  if (!sink->is_open)
    luaL_buffinit(sink->L, &sink->buffer);
  sink->is_open = true;
  luaL_addlstring(&sink->buffer, bytes, length);
}

const char *cnk_json_push_fault(lua_State *L, const struct cnk_jsonscan *scan)
{
  if (scan->has_too_many)
    lua_pushfstring(L, "more than %I values in a JSON text", (lua_Integer)scan->most_values);
  else
    lua_pushfstring(L, "not JSON: %s at byte %I", scan->fault, (lua_Integer)scan->fault_at + 1);
  return scan->has_too_many ? "too_large" : "invalid";
}

/* (text) -> text for lua-cjson, whether its result needs json_mend; or nil, what is wrong, and *kind is set to the error's. */
static int json_prepare(lua_State *L, size_t most_values, const char **kind)
{
  struct sink sink;
  struct cnk_jsonscan scan = {.write = write_to_sink, .context = &sink, .most_values = most_values};
  sink.L = L;
  sink.is_open = false;
  scan.text = luaL_checklstring(L, 1, &scan.length);
  lua_settop(L, 1);
  if (!cnk_jsonscan_run(&scan)) {
    lua_pushnil(L);
    *kind = cnk_json_push_fault(L, &scan);
    return 2;
  }
  if (scan.is_rewritten)
    luaL_pushresult(&sink.buffer);
  lua_pushboolean(L, scan.needs_mend);
  return 2;
}

/* Pushes what lua-cjson's value on top of the stack stands for, and returns true; returns false where it stands for itself. */
static bool mend_number(lua_State *L)
{
  const lua_Number exact = 9007199254740992.0; /* 2^53 */
  lua_Number value = lua_tonumber(L, -1);
  if (lua_isinteger(L, -1) || !(value > -exact && value < exact) || (lua_Number)(lua_Integer)value != value)
    return false;
  lua_pop(L, 1);
  lua_pushinteger(L, (lua_Integer)value);
  return true;
}

static bool mend_string(lua_State *L)
{
  const char *text = lua_tostring(L, -1);
  if (text[0] != CNK_JSON_MARK)
    return false;
  if (text[1] == CNK_JSON_MARK_ARRAY) {
    lua_newtable(L);
    luaL_setmetatable(L, CNK_JSON_ARRAY);
  } else {
    if (lua_stringtonumber(L, text + 2) == 0) /* more digits than Lua reads in a locale with a decimal comma */
      lua_pushnumber(L, cnk_number_read(text + 2, strlen(text + 2)));
  }
  lua_remove(L, -2);
  return true;
}

static bool mend(lua_State *L);

static void mend_table(lua_State *L)
{
  luaL_checkstack(L, 6, "too deep");
  for (lua_pushnil(L); lua_next(L, -2);) {
    if (mend(L)) { /* table, key, value */
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, -4); /* an existing key, so lua_next may go on */
    } else {
      lua_pop(L, 1);
    }
  }
}

static bool mend(lua_State *L)
{
  switch (lua_type(L, -1)) {
  case LUA_TNUMBER: return mend_number(L);
  case LUA_TSTRING: return mend_string(L);
  case LUA_TTABLE: mend_table(L); return false;
  default: return false;
  }
}

/* (value) -> value: replaces the marks by what they stand for, in place. */
static int json_mend(lua_State *L)
{
  lua_settop(L, 1);
  mend(L);
  return 1;
}

/* ---- the codec --------------------------------------------------------------------------------------------------- */

/* Upvalues of both functions: lua-cjson's decode, and what makes an error of a kind and a message. */
enum { CJSON = 1, NEW_ERROR };

/* Gives nil and the error of the message on top of the stack. */
static int fail(lua_State *L, const char *kind)
{
  luaL_tolstring(L, -1, NULL);
  lua_pushnil(L);
  lua_pushvalue(L, lua_upvalueindex(NEW_ERROR));
  lua_pushstring(L, kind);
  lua_pushvalue(L, -4);
  lua_call(L, 2, 1);
  return 2;
}

static int decode_at_most(lua_State *L, size_t most_values)
{
  const char *kind = "invalid";
  if (lua_type(L, 1) != LUA_TSTRING)
    return luaL_error(L, "json.decode: expected a string, got %s", luaL_typename(L, 1));
  json_prepare(L, most_values, &kind); /* text for lua-cjson, needs_mend; or nil, message */
  if (lua_isnil(L, -2))
    return fail(L, kind);
  bool needs_mend = lua_toboolean(L, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(CJSON));
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    return fail(L, kind);
  if (needs_mend) {
    lua_pushcfunction(L, json_mend);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
      return fail(L, kind);
  }
  return 1;
}

/* json.decode(text) -> value; or nil, error */
static int decode(lua_State *L)
{
  return decode_at_most(L, 0);
}

/* json.decode_bounded(text, most_values) -> value; or nil, error */
static int decode_bounded(lua_State *L)
{
  lua_Integer most = luaL_checkinteger(L, 2);
  luaL_argcheck(L, most > 0, 2, "must be more than 0");
  return decode_at_most(L, (size_t)most);
}

/* core.json_codec(cjson_decode, new_error) -> decode, decode_bounded: JSON as base/json.lua has it. */
static int json_codec(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, decode, 2);
  lua_insert(L, 1);
  lua_pushcclosure(L, decode_bounded, 2);
  return 2;
}

static const luaL_Reg functions[] = {
    {"json_codec", json_codec},
    {NULL,         NULL      },
};

void cnk_bind_open_json(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
  /* The metatable is a mark, not a class: json.lua gives it to the tables of json.array. */
  luaL_newmetatable(L, CNK_JSON_ARRAY);
  lua_setfield(L, -2, "json_array_mt");
}
