/* SPDX-License-Identifier: MIT */
/*
 * JSON around lua-cjson: json_prepare and json_mend before and after its decode, json_stage and json_finish before and
 * after its encode. Only lua/cunnekt/base/json.lua uses this, and only it knows lua-cjson.
 *
 * Where lua-cjson would lose something, a mark (see json/scan.h) takes its place on the way through: a string
 * that begins with the byte FF, which no well-formed text holds.
 */
#include "bind/json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

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
    lua_Number value = lua_stringtonumber(L, text + 2) ? lua_tonumber(L, -1) : HUGE_VAL;
    if (value - value != 0.0)
      luaL_error(L, CNK_JSON_TOO_WIDE);
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

/* (value) -> value: replaces the marks by what they stand for, in place. Raises for a mark that holds no number. */
static int json_mend(lua_State *L)
{
  lua_settop(L, 1);
  mend(L);
  return 1;
}

/* ---- encode ---------------------------------------------------------------------------------------------------- */

/* The check before encoding. A fault leaves the path to it on the stack, made on the way out. */
struct encode_check {
  lua_State *L;
  const char *article, *fault; /* "a ", "function" */
  int depth;
  bool needs_copy; /* somewhere a mark or a repair is due */
};

static bool check_value(struct encode_check *c, int index);

static bool refuse(struct encode_check *c, const char *article, const char *fault)
{
  c->article = article;
  c->fault = fault;
  lua_pushliteral(c->L, "");
  return false;
}

/* lua-cjson 2.1.0 writes 14 digits. Integers of up to 14 fit; floats get as many as bring them back unchanged.
 * Returns false for numbers that lua-cjson writes correctly itself. */
static bool format_number(lua_State *L, int index, char *text, size_t size)
{
  const lua_Integer short_enough = 99999999999999;
  if (lua_isinteger(L, index)) {
    lua_Integer value = lua_tointeger(L, index);
    snprintf(text, size, LUA_INTEGER_FMT, (LUAI_UACINT)value);
    return value < -short_enough || value > short_enough;
  }
  lua_Number value = lua_tonumber(L, index);
  int digits = 14;
  do
    snprintf(text, size, "%.*g", digits, value);
  while (strtod(text, NULL) != value && ++digits <= 17);
  for (char *at = text; *at; at++) /* a locale's decimal comma */
    if (!strchr("+-.e0123456789", *at))
      *at = '.';
  return digits > 14;
}

static bool check_number(struct encode_check *c, int index)
{
  lua_Number value = lua_tonumber(c->L, index);
  if (value - value != 0.0)
    return value != value ? refuse(c, "", "nan") : refuse(c, "an ", "infinite number");
  char text[40];
  c->needs_copy |= format_number(c->L, index, text, sizeof text);
  return true;
}

static bool is_text_good(lua_State *L, int index)
{
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  return cnk_utf8_good(text, length) == length;
}

/* Puts the key at `key` before the path on top of the stack. */
static void prepend_to_path(lua_State *L, int key)
{
  if (lua_isinteger(L, key))
    lua_pushfstring(L, "[%I]%s", (LUAI_UACINT)lua_tointeger(L, key), lua_tostring(L, -1));
  else
    lua_pushfstring(L, ".%s%s", lua_tostring(L, key), lua_tostring(L, -1));
  lua_remove(L, -2);
}

/* Lists have the keys 1..n, objects have strings; json.array's table is a list even when empty. */
static bool is_marked_array(lua_State *L, int table)
{
  if (!lua_getmetatable(L, table))
    return false;
  luaL_getmetatable(L, CNK_JSON_ARRAY);
  bool is_same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is_same;
}

struct keys {
  lua_Integer names, items, highest;
};

/* The key at `key`, and the value after it. */
static bool check_pair(struct encode_check *c, int key, struct keys *seen)
{
  lua_State *L = c->L;
  if (lua_type(L, key) == LUA_TSTRING) {
    seen->names++;
    c->needs_copy |= !is_text_good(L, key);
  } else if (lua_isinteger(L, key) && lua_tointeger(L, key) > 0) {
    seen->items++;
    if (lua_tointeger(L, key) > seen->highest)
      seen->highest = lua_tointeger(L, key);
  } else {
    return refuse(c, "a key that is neither a string nor a position: a ", luaL_typename(L, key));
  }
  if (check_value(c, key + 1))
    return true;
  prepend_to_path(L, key);
  return false;
}

static bool check_table(struct encode_check *c, int table)
{
  lua_State *L = c->L;
  if (++c->depth > CNK_JSON_DEPTH)
    return refuse(c, "", "tables nested deeper than 128 levels (or in themselves)");
  luaL_checkstack(L, 8, "too deep");
  struct keys seen = {0};
  for (lua_pushnil(L); lua_next(L, table); lua_settop(L, table + 1))
    if (!check_pair(c, table + 1, &seen))
      return false;
  bool is_marked = is_marked_array(L, table);
  if (seen.names > 0 && (is_marked || seen.items > 0))
    return refuse(c, "a ", "list that has string keys too");
  if (seen.items != seen.highest)
    return refuse(c, "a ", "list with holes");
  c->needs_copy |= is_marked && seen.items == 0;
  c->depth--;
  return true;
}

/* The value at `index`, which is the top of the stack or one below what check_table keeps there. */
static bool check_value(struct encode_check *c, int index)
{
  switch (lua_type(c->L, index)) {
  case LUA_TBOOLEAN: return true;
  case LUA_TNUMBER: return check_number(c, index);
  case LUA_TSTRING: c->needs_copy |= !is_text_good(c->L, index); return true;
  case LUA_TTABLE: return check_table(c, index);
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(c->L, index) == NULL) /* json.null */
      return true;
    /* fall through */
  default: return refuse(c, lua_isnil(c->L, index) ? "" : "a ", luaL_typename(c->L, index));
  }
}

/* Pushes the string at `index` with U+FFFD for every fault. */
static void push_repaired(lua_State *L, int index)
{
  size_t length, bad;
  const char *text = lua_tolstring(L, index, &length);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (size_t at = 0; at < length;) {
    size_t good = cnk_utf8_good(text + at, length - at);
    luaL_addlstring(&buffer, text + at, good);
    at += good;
    if (at < length) {
      cnk_utf8_length(text + at, length - at, &bad);
      luaL_addstring(&buffer, CNK_UTF8_REPLACEMENT);
      at += bad;
    }
  }
  luaL_pushresult(&buffer);
}

static void push_mark(lua_State *L, char kind, const char *text)
{
  const char mark[] = {CNK_JSON_MARK, kind, '\0'};
  lua_pushfstring(L, "%s%s", mark, text);
}

/* Pushes a copy of the (checked) value at `index`, with marks where they are due. */
static void push_copy(lua_State *L, int index)
{
  char text[40];
  int type = lua_type(L, index);
  if (type == LUA_TSTRING && !is_text_good(L, index)) {
    push_repaired(L, index);
  } else if (type == LUA_TNUMBER && format_number(L, index, text, sizeof text)) {
    push_mark(L, CNK_JSON_MARK_NUMBER, text);
  } else if (type == LUA_TTABLE && lua_rawlen(L, index) == 0 && is_marked_array(L, index)) {
    push_mark(L, CNK_JSON_MARK_ARRAY, "");
  } else if (type == LUA_TTABLE) {
    luaL_checkstack(L, 8, "too deep");
    lua_newtable(L);
    int copy = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, index); lua_settop(L, copy + 1)) {
      push_copy(L, copy + 1);
      push_copy(L, copy + 2);
      lua_rawset(L, copy);
    }
  } else {
    lua_pushvalue(L, index);
  }
}

/* (value) -> value for lua-cjson, the same when that is fine; or nil, what cannot be encoded and where.
 * Never changes the value. */
static int json_stage(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  struct encode_check c = {.L = L};
  if (!check_value(&c, 1)) {
    size_t length;
    const char *path = lua_tolstring(L, -1, &length);
    if (length > 200) /* a table in itself */
      path = "[...]";
    lua_pushnil(L);
    lua_pushfstring(L, "cannot encode %s%s, at value%s", c.article, c.fault, path);
    return 2;
  }
  if (c.needs_copy)
    push_copy(L, 1);
  return 1;
}

/* (text) -> text: what lua-cjson wrote, with the marks replaced and without "\/". */
static int json_finish(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length), *end = text + length, *copied = text;
  lua_settop(L, 1);
  if (!memchr(text, '\\', length) && !memchr(text, (unsigned char)CNK_JSON_MARK, length))
    return 1;
  luaL_Buffer buffer;
  luaL_buffinitsize(L, &buffer, length);
  for (const char *at = text; at < end; at++) {
    if (*at == '\\') {
      if (*++at == '/') {
        luaL_addlstring(&buffer, copied, (size_t)(at - 1 - copied));
        copied = at;
      }
    } else if (*at == CNK_JSON_MARK) { /* within quotes, which go too */
      luaL_addlstring(&buffer, copied, (size_t)(at - 1 - copied));
      const char *close = memchr(at, '"', (size_t)(end - at));
      if (at[1] == CNK_JSON_MARK_ARRAY)
        luaL_addlstring(&buffer, "[]", 2);
      else
        luaL_addlstring(&buffer, at + 2, (size_t)(close - at - 2));
      at = close;
      copied = close + 1;
    }
  }
  luaL_addlstring(&buffer, copied, (size_t)(end - copied));
  luaL_pushresult(&buffer);
  return 1;
}

/* ---- the codec --------------------------------------------------------------------------------------------------- */

/* Upvalues of both functions: lua-cjson's, and what makes an error of a kind and a message. */
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

/* json.encode(value) -> text; raises what JSON cannot hold */
static int encode(lua_State *L)
{
  if (lua_gettop(L) == 0)
    lua_pushnil(L);
  if (json_stage(L) == 2)
    return luaL_error(L, "json.encode: %s", lua_tostring(L, -1));
  lua_pushvalue(L, lua_upvalueindex(CJSON));
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  if (lua_gettop(L) > 1) /* a copy was encoded */
    lua_replace(L, 1);
  return json_finish(L);
}

/* core.json_codec(cjson_decode, cjson_encode, new_error) -> decode, encode, decode_bounded: JSON as base/json.lua has it. */
static int json_codec(lua_State *L)
{
  for (int i = 1; i <= 3; i++)
    luaL_checktype(L, i, LUA_TFUNCTION);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_pushcclosure(L, decode, 2);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_pushcclosure(L, encode, 2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_pushcclosure(L, decode_bounded, 2);
  return 3;
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
