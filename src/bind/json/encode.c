/* SPDX-License-Identifier: MIT */
/*
 * Lua values as JSON: json.encode, and what journals hold, where bytes that JSON would change are wrapped. The text is made in
 * one pass into a buffer that is kept between calls. Nothing here allocates in Lua until the text is complete, so no
 * finalizer, which may encode as well, comes in between.
 */
#include "bind/json/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/utf8.h"
#include "json/canonical.h"
#include "json/digits.h"
#include "json/escape.h"

#define BUFFER "cunnekt.json.buffer"

/* Of the buffer this much is kept between calls. */
#define MOST_KEPT 65536

struct writer {
  lua_State *L;
  struct cnk_buffer *out;
  const void *array; /* the metatable that marks lists */
  int bytes_key;     /* where the name is that wraps bytes, as a pseudo-index; 0: bytes become U+FFFD */
  int depth;
  bool has_no_memory;
  const char *article, *fault; /* what cannot be encoded: "a ", "function" */
};

/* ---- pieces -------------------------------------------------------------------------------------------------------- */

static bool make_room(struct writer *w, size_t size)
{
  struct cnk_buffer *out = w->out;
  if (out->room - out->size >= size || cnk_buffer_grow(out, size))
    return true;
  w->has_no_memory = true;
  return false;
}

static bool put(struct writer *w, const void *data, size_t size)
{
  struct cnk_buffer *out = w->out;
  if (!make_room(w, size))
    return false;
  memcpy(out->data + out->size, data, size);
  out->size += size;
  return true;
}

static bool put_byte(struct writer *w, char byte)
{
  return put(w, &byte, 1);
}

/* A fault leaves the path to it on the stack, made on the way out. */
static bool refuse(struct writer *w, const char *article, const char *fault)
{
  w->article = article;
  w->fault = fault;
  lua_pushliteral(w->L, "");
  return false;
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

/* ---- strings ------------------------------------------------------------------------------------------------------- */

/* Well-formed text, without its quotes. */
static bool put_text(struct writer *w, const char *text, size_t size)
{
  bool is_put = cnk_escape_write(w->out, text, size);
  w->has_no_memory |= !is_put;
  return is_put;
}

/* With U+FFFD for every fault. */
static bool put_repaired(struct writer *w, const char *text, size_t size)
{
  for (size_t at = 0, bad; at < size;) {
    size_t good = cnk_utf8_good(text + at, size - at);
    if (!put_text(w, text + at, good))
      return false;
    at += good;
    if (at < size) {
      cnk_utf8_length(text + at, size - at, &bad);
      if (!put(w, CNK_UTF8_REPLACEMENT, strlen(CNK_UTF8_REPLACEMENT)))
        return false;
      at += bad;
    }
  }
  return true;
}

/* A string of Lua as one of JSON: a name, or where bytes are not wrapped. */
static bool put_string(struct writer *w, int index)
{
  size_t size;
  const char *text = lua_tolstring(w->L, index, &size);
  return put_byte(w, '"') && put_repaired(w, text, size) && put_byte(w, '"');
}

/* {"…": : an object whose only member follows. */
static bool open_wrapper(struct writer *w)
{
  return put_byte(w, '{') && put_string(w, w->bytes_key) && put_byte(w, ':');
}

static bool put_bytes(struct writer *w, const char *bytes, size_t size)
{
  if (!open_wrapper(w) || !put_byte(w, '"'))
    return false;
  if (!make_room(w, cnk_base64_room(size)))
    return false;
  w->out->size += cnk_base64_encode(bytes, size, w->out->data + w->out->size);
  return put(w, "\"}", 2);
}

static bool write_string(struct writer *w, int index)
{
  if (!w->bytes_key)
    return put_string(w, index);
  size_t size;
  const char *text = lua_tolstring(w->L, index, &size);
  if (cnk_utf8_good(text, size) == size)
    return put_byte(w, '"') && put_text(w, text, size) && put_byte(w, '"');
  return put_bytes(w, text, size);
}

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static bool write_value(struct writer *w, int index);

/* Lists have the keys 1..n, objects have strings; json.array's table is a list even when empty. */
static bool is_marked_array(struct writer *w, int table)
{
  if (!lua_getmetatable(w->L, table))
    return false;
  bool is_same = lua_topointer(w->L, -1) == w->array;
  lua_pop(w->L, 1);
  return is_same;
}

static bool refuse_key(struct writer *w, int key)
{
  return refuse(w, "a key that is neither a string nor a position: a ", luaL_typename(w->L, key));
}

static bool refuse_mixed(struct writer *w)
{
  return refuse(w, "a ", "list that has string keys too");
}

/* The key of a member, and where on the stack it is. */
struct named_member {
  const char *text;
  size_t size;
  int at;
};

/* So many keys need no memory. */
enum { FEW_KEYS = 24 };

static int compare_keys(const void *a, const void *b)
{
  const struct named_member *first = a, *second = b;
  return cnk_canonical_compare(first->text, first->size, second->text, second->size);
}

/* The table at `table`, whose first key and value are above it: puts its keys there instead, and gives their number; -1: refused. */
static int push_keys(struct writer *w, int table)
{
  lua_State *L = w->L;
  int count = 0;
  do {
    int key = table + 1 + count;
    if (lua_type(L, key) != LUA_TSTRING) {
      lua_isinteger(L, key) && lua_tointeger(L, key) > 0 ? refuse_mixed(w) : refuse_key(w, key);
      return -1;
    }
    if (!lua_checkstack(L, 8)) {
      refuse(w, "", "an object with so many members");
      return -1;
    }
    count++;
    lua_settop(L, key);
    lua_pushvalue(L, key);
  } while (lua_next(L, table));
  return count;
}

static bool write_members(struct writer *w, int table, struct named_member *keys, int count)
{
  lua_State *L = w->L;
  for (int i = 0; i < count; i++) {
    keys[i].at = table + 1 + i;
    keys[i].text = lua_tolstring(L, keys[i].at, &keys[i].size);
  }
  qsort(keys, (size_t)count, sizeof *keys, compare_keys);
  int top = table + count;
  for (int i = 0; i < count; i++) {
    if (!put_byte(w, i == 0 ? '{' : ',') || !put_string(w, keys[i].at) || !put_byte(w, ':'))
      return false;
    lua_pushvalue(L, keys[i].at);
    lua_rawget(L, table);
    if (!write_value(w, top + 1)) {
      if (w->fault)
        prepend_to_path(L, keys[i].at);
      return false;
    }
    lua_settop(L, top);
  }
  return put_byte(w, '}');
}

/* The members of the table at `table`, whose first key and value are above it, in the order of their keys' bytes: what one process
 * writes another one writes alike, and dialogs that say or send it can be replayed. */
static bool write_object(struct writer *w, int table)
{
  struct named_member few[FEW_KEYS];
  int count = push_keys(w, table);
  if (count < 0)
    return false;
  struct named_member *keys = count <= FEW_KEYS ? few : malloc((size_t)count * sizeof *keys);
  w->has_no_memory |= !keys;
  bool is_done = keys && write_members(w, table, keys, count);
  if (keys != few)
    free(keys);
  return is_done;
}

/* Whether the table at `table`, whose first key and value are above it, is a list; of `*count` items. */
static bool check_list(struct writer *w, int table, lua_Integer *count)
{
  lua_State *L = w->L;
  lua_Integer highest = 0;
  int key = table + 1;
  *count = 0;
  do {
    if (lua_type(L, key) == LUA_TSTRING)
      return refuse_mixed(w);
    if (!lua_isinteger(L, key) || lua_tointeger(L, key) <= 0)
      return refuse_key(w, key);
    if (lua_tointeger(L, key) > highest)
      highest = lua_tointeger(L, key);
    ++*count;
    lua_settop(L, key);
  } while (lua_next(L, table));
  return highest == *count || refuse(w, "a ", "list with holes");
}

static bool write_list(struct writer *w, int table)
{
  lua_State *L = w->L;
  lua_Integer count;
  if (!check_list(w, table, &count))
    return false;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_settop(L, table);
    lua_pushinteger(L, i);
    lua_rawgeti(L, table, i);
    if (!put_byte(w, i == 1 ? '[' : ','))
      return false;
    if (!write_value(w, table + 2)) {
      if (w->fault)
        prepend_to_path(L, table + 1);
      return false;
    }
  }
  return put_byte(w, ']');
}

/* A table that looks like what wraps bytes is put into such an object itself. */
static bool looks_wrapped(struct writer *w, int table)
{
  if (!w->bytes_key)
    return false;
  lua_pushvalue(w->L, w->bytes_key);
  bool is_there = lua_rawget(w->L, table) != LUA_TNIL;
  lua_pop(w->L, 1);
  return is_there;
}

/* The table at `index`, which is the top of the stack. */
static bool write_table(struct writer *w, int index)
{
  lua_State *L = w->L;
  if (++w->depth > CNK_JSON_DEPTH || !lua_checkstack(L, 8))
    return refuse(w, "", "tables nested deeper than 128 levels (or in themselves)");
  bool is_wrapped = looks_wrapped(w, index), is_marked = is_marked_array(w, index), is_done;
  if (is_wrapped && (++w->depth > CNK_JSON_DEPTH || !open_wrapper(w)))
    return w->has_no_memory ? false : refuse(w, "", "tables nested deeper than 128 levels (or in themselves)");
  lua_pushnil(L);
  if (!lua_next(L, index))
    is_done = put(w, is_marked ? "[]" : "{}", 2);
  else if (lua_type(L, index + 1) == LUA_TSTRING)
    is_done = is_marked ? refuse_mixed(w) : write_object(w, index);
  else
    is_done = write_list(w, index);
  w->depth -= 1 + is_wrapped;
  return is_done && (!is_wrapped || put_byte(w, '}'));
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static bool write_number(struct writer *w, int index)
{
  char text[CNK_NUMBER_ROOM];
  if (lua_isinteger(w->L, index)) {
    size_t size = cnk_number_integer(lua_tointeger(w->L, index), text);
    return put(w, text, size);
  }
  lua_Number value = lua_tonumber(w->L, index);
  if (value - value != 0.0)
    return value != value ? refuse(w, "", "nan") : refuse(w, "an ", "infinite number");
  size_t size = cnk_number_real(value, text);
  return put(w, text, size);
}

static bool write_value(struct writer *w, int index)
{
  switch (lua_type(w->L, index)) {
  case LUA_TSTRING: return write_string(w, index);
  case LUA_TNUMBER: return write_number(w, index);
  case LUA_TBOOLEAN: return lua_toboolean(w->L, index) ? put(w, "true", 4) : put(w, "false", 5);
  case LUA_TTABLE: return write_table(w, index);
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(w->L, index) == NULL) /* json.null */
      return put(w, "null", 4);
    /* fall through */
  default: return refuse(w, lua_isnil(w->L, index) ? "" : "a ", luaL_typename(w->L, index));
  }
}

/* ---- the functions --------------------------------------------------------------------------------------------------- */

/* Upvalues: the buffer, the metatable of lists; of a journal's functions the name that wraps bytes, and those of an outcome. */
enum { OUT = 1, ARRAY, BYTES_KEY, NAMES };

static int close_buffer(lua_State *L)
{
  cnk_buffer_reset(luaL_checkudata(L, 1, BUFFER), 0);
  return 0;
}

static struct writer new_writer(lua_State *L, bool is_journal)
{
  struct writer w = {.L = L, .out = lua_touserdata(L, lua_upvalueindex(OUT))};
  w.array = lua_topointer(L, lua_upvalueindex(ARRAY));
  w.bytes_key = is_journal ? lua_upvalueindex(BYTES_KEY) : 0;
  w.out->size = 0;
  return w;
}

/* Raises what cannot be encoded and where: the path is on top of the stack. `member`: in which member of an outcome. */
static int fail(struct writer *w, const char *member)
{
  if (w->has_no_memory)
    return luaL_error(w->L, "not enough memory");
  size_t length;
  const char *path = lua_tolstring(w->L, -1, &length);
  if (length > 200) /* a table in itself */
    path = "[...]";
  return luaL_error(w->L, "json.encode: cannot encode %s%s, at value%s%s%s", w->article, w->fault, member ? "." : "",
                    member ? member : "", path);
}

static int finish(struct writer *w)
{
  lua_pushlstring(w->L, w->out->data, w->out->size);
  cnk_buffer_reset(w->out, MOST_KEPT);
  return 1;
}

static int encode_with(lua_State *L, bool is_journal)
{
  struct writer w = new_writer(L, is_journal);
  lua_settop(L, 1);
  return write_value(&w, 1) ? finish(&w) : fail(&w, NULL);
}

/* json.encode(value) -> text; raises what JSON cannot hold */
static int encode(lua_State *L)
{
  return encode_with(L, false);
}

/* journal.write(value) -> text: the same with bytes wrapped */
static int encode_kept(lua_State *L)
{
  return encode_with(L, true);
}

/* journal.encode(outcome) -> text: an object of those of its members that are there. */
static int encode_outcome(lua_State *L)
{
  static const char *const members[] = {"value", "raised", "at", "is_commit"};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (int i = 0; i < 4; i++)
    lua_getfield(L, 1, members[i]); /* may make a string, so before the text */
  struct writer w = new_writer(L, true);
  put_byte(&w, '{');
  for (int i = 0; i < 4; i++) {
    int name = lua_upvalueindex(NAMES + i);
    bool is_absent = lua_isnil(L, 2 + i) || (i == 1 && !lua_toboolean(L, 2 + i));
    if (is_absent)
      continue;
    lua_pushvalue(L, 2 + i);
    bool is_done =
        (w.out->size == 1 || put_byte(&w, ',')) && put_string(&w, name) && put_byte(&w, ':') && write_value(&w, 6);
    if (!is_done)
      return fail(&w, lua_tostring(L, name));
    lua_settop(L, 5);
  }
  return put_byte(&w, '}') ? finish(&w) : fail(&w, NULL);
}

void cnk_json_push_buffer(lua_State *L)
{
  struct cnk_buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
  *buffer = (struct cnk_buffer){0};
  if (luaL_newmetatable(L, BUFFER)) {
    lua_pushcfunction(L, close_buffer);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
}

static void push_upvalues(lua_State *L)
{
  cnk_json_push_buffer(L);
  luaL_newmetatable(L, CNK_JSON_ARRAY);
}

/* core.json_encoder() -> encode, see base/json.lua */
static int json_encoder(lua_State *L)
{
  push_upvalues(L);
  lua_pushcclosure(L, encode, ARRAY);
  return 1;
}

/* core.journal_encoder(bytes_key, value, raised, at, is_commit) -> write, encode: for engine/journal.lua. The last four are the
 * names that the members of an outcome have in the text. */
static int journal_encoder(lua_State *L)
{
  lua_settop(L, 5);
  for (int i = 1; i <= 5; i++)
    luaL_checktype(L, i, LUA_TSTRING);
  push_upvalues(L);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, encode_kept, BYTES_KEY);
  push_upvalues(L);
  for (int i = 1; i <= 5; i++)
    lua_pushvalue(L, i);
  lua_pushcclosure(L, encode_outcome, NAMES + 3);
  return 2;
}

static const luaL_Reg functions[] = {
    {"json_encoder",    json_encoder   },
    {"journal_encoder", journal_encoder},
    {NULL,              NULL           },
};

void cnk_bind_open_encode(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
