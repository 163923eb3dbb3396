/* SPDX-License-Identifier: MIT */
/*
 * Lua values as canonical text (json/canonical.h), and the marks of a journal's steps, which are made of it. Nothing here
 * allocates in Lua, or raises, until the text is complete.
 */
#include "bind/json/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "json/canonical.h"

/* Deeper values than these would take up the C stack. */
#define MOST_LEVELS 190

/* A mark of more bytes is the beginning of its text, and a digest. */
#define MOST_BYTES 100
#define BEGINNING 40
#define ELLIPSIS "\xE2\x80\xA6 "

struct marker {
  lua_State *L;
  struct cnk_buffer *out;
  int depth;
};

/* Upvalues of all functions: the buffer, which is kept between calls, and the tree of nodes. */
enum { OUT = 1, TREE };
#define MOST_KEPT 65536

static bool write_value(struct marker *w, int index);

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

/* Numbers come before strings, as the names of their types do. */
struct key {
  int at; /* where it is on the stack */
  int type;
  bool is_integer, truth;
  lua_Integer integer;
  lua_Number number;
  const char *text; /* of a string, which the table holds; of other values a pointer */
  size_t size;
};

static struct key read_key(lua_State *L, int index)
{
  struct key key = {.at = index, .type = lua_type(L, index)};
  if (key.type == LUA_TSTRING) {
    key.text = lua_tolstring(L, index, &key.size);
  } else if (key.type == LUA_TNUMBER) {
    key.is_integer = lua_isinteger(L, index);
    key.integer = lua_tointeger(L, index);
    key.number = lua_tonumber(L, index);
  } else if (key.type == LUA_TBOOLEAN) {
    key.truth = lua_toboolean(L, index);
  } else {
    key.text = lua_topointer(L, index);
  }
  return key;
}

/* Types are in the order of their names. */
static int rank(int type)
{
  switch (type) {
  case LUA_TBOOLEAN: return 0;
  case LUA_TFUNCTION: return 1;
  case LUA_TNUMBER: return 2;
  case LUA_TSTRING: return 3;
  case LUA_TTABLE: return 4;
  case LUA_TTHREAD: return 5;
  default: return 6;
  }
}

static int compare_numbers(const struct key *a, const struct key *b)
{
  if (a->is_integer && b->is_integer)
    return (a->integer > b->integer) - (a->integer < b->integer);
  return (a->number > b->number) - (a->number < b->number);
}

static int compare(const void *first, const void *second)
{
  const struct key *a = first, *b = second;
  if (a->type != b->type)
    return rank(a->type) - rank(b->type);
  switch (a->type) {
  case LUA_TSTRING: return cnk_canonical_compare(a->text, a->size, b->text, b->size);
  case LUA_TNUMBER: return compare_numbers(a, b);
  case LUA_TBOOLEAN: return a->truth - b->truth;
  default: return (a->text > b->text) - (a->text < b->text);
  }
}

/* Pushes the keys of the table at `table`, the top of the stack; gives how many, or -1 when the stack cannot hold them. */
static int push_keys(lua_State *L, int table)
{
  int count = 0;
  for (lua_pushnil(L); lua_next(L, table);) {
    if (!lua_checkstack(L, 8))
      return -1;
    lua_pop(L, 1);
    lua_pushvalue(L, -1); /* one stays, the other is for lua_next */
    count++;
  }
  return count;
}

static void sort(struct key *keys, int count)
{
  if (count > 16) {
    qsort(keys, (size_t)count, sizeof *keys, compare);
    return;
  }
  for (int i = 1; i < count; i++) {
    struct key it = keys[i];
    int at = i;
    for (; at > 0 && compare(&it, &keys[at - 1]) < 0; at--)
      keys[at] = keys[at - 1];
    keys[at] = it;
  }
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static bool write_entries(struct marker *w, int table, struct key *keys, int count)
{
  lua_State *L = w->L;
  int top = lua_gettop(L);
  for (int i = 0; i < count; i++)
    keys[i] = read_key(L, table + 1 + i);
  sort(keys, count);
  bool is_good = cnk_canonical_word(w->out, "{");
  for (int i = 0; i < count && is_good; i++) {
    lua_pushvalue(L, keys[i].at);
    lua_pushvalue(L, keys[i].at);
    lua_rawget(L, table);
    is_good = write_value(w, top + 1) && cnk_canonical_word(w->out, "=") && write_value(w, top + 2) &&
              cnk_canonical_word(w->out, ",");
    lua_settop(L, top);
  }
  return is_good && cnk_canonical_word(w->out, "}");
}

/* The table at `table`, at or below the top of the stack. */
static bool write_table(struct marker *w, int table)
{
  struct key few[16], *keys = few;
  lua_State *L = w->L;
  if (++w->depth > MOST_LEVELS || !lua_checkstack(L, 12))
    return false;
  lua_pushvalue(L, table);
  int copy = lua_gettop(L), count = push_keys(L, copy);
  if (count > 16)
    keys = malloc((size_t)count * sizeof *keys);
  bool is_done = count >= 0 && keys && write_entries(w, copy, keys, count);
  if (keys != few)
    free(keys);
  lua_settop(L, copy - 1);
  w->depth--;
  return is_done;
}

static bool write_pointer(struct marker *w, int index)
{
  char text[64];
  const void *pointer = lua_topointer(w->L, index);
  if (!pointer && lua_islightuserdata(w->L, index))
    return cnk_canonical_null(w->out); /* json.null */
  int size = snprintf(text, sizeof text, "%s: %p", luaL_typename(w->L, index), pointer);
  return cnk_buffer_add(w->out, text, (size_t)size);
}

static bool write_value(struct marker *w, int index)
{
  size_t size;
  const char *text;
  switch (lua_type(w->L, index)) {
  case LUA_TNIL: return cnk_canonical_word(w->out, "nil");
  case LUA_TBOOLEAN: return cnk_canonical_word(w->out, lua_toboolean(w->L, index) ? "true" : "false");
  case LUA_TNUMBER:
    if (lua_isinteger(w->L, index))
      return cnk_canonical_integer(w->out, lua_tointeger(w->L, index));
    return cnk_canonical_real(w->out, lua_tonumber(w->L, index));
  case LUA_TSTRING: text = lua_tolstring(w->L, index, &size); return cnk_canonical_string(w->out, text, size);
  case LUA_TTABLE: return write_table(w, index);
  default: return write_pointer(w, index);
  }
}

/* ---- marks --------------------------------------------------------------------------------------------------------- */

/* The first characters of a text that is longer. */
static size_t beginning(const char *text)
{
  size_t size = BEGINNING;
  while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
    size--;
  return size;
}

/* Shortens a long text in place. False when memory is out. */
static bool shorten(struct cnk_buffer *out)
{
  unsigned char digest[CNK_DIGEST_SIZE];
  if (out->size <= MOST_BYTES)
    return true;
  if (!cnk_digest_of(out->data, out->size, digest))
    return false;
  out->size = beginning(out->data);
  memcpy(out->data + out->size, ELLIPSIS, strlen(ELLIPSIS));
  out->size += strlen(ELLIPSIS);
  cnk_hex_encode(digest, 8, out->data + out->size);
  out->size += 16;
  return true;
}

/* ---- the functions --------------------------------------------------------------------------------------------------- */

static struct marker new_writer(lua_State *L)
{
  struct marker w = {.L = L, .out = lua_touserdata(L, lua_upvalueindex(OUT))};
  w.out->size = 0;
  return w;
}

/* Pushes the text, if it is complete. */
static int finish(const struct marker *w, bool is_done)
{
  if (!is_done)
    return luaL_error(w->L, "a value with too many levels, or not enough memory");
  lua_pushlstring(w->L, w->out->data, w->out->size);
  cnk_buffer_reset(w->out, MOST_KEPT);
  return 1;
}

/* core.canonical(value) -> text, see base/canonical.lua */
static int canonical(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  struct marker w = new_writer(L);
  return finish(&w, write_value(&w, 1));
}

static bool begin_mark(struct marker *w, const char *kind, size_t size)
{
  return cnk_buffer_add(w->out, kind, size) && cnk_buffer_add(w->out, " ", 1);
}

/* core.step_mark(kind, subject) -> mark of a step about a value */
static int step_mark(lua_State *L)
{
  size_t size;
  const char *kind = luaL_checklstring(L, 1, &size);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  struct marker w = new_writer(L);
  return finish(&w, begin_mark(&w, kind, size) && write_value(&w, 2) && shorten(w.out));
}

/* core.step_mark_of_json(kind, text) -> mark of a step about { value, false }, of a value as JSON: a message without options */
static int step_mark_of_json(lua_State *L)
{
  size_t size;
  const char *kind = luaL_checklstring(L, 1, &size);
  struct cnk_jsonscan scan = {.text = luaL_checklstring(L, 2, &scan.length)};
  lua_settop(L, 2);
  scan.tree = cnk_bind_take_tree(L, TREE);
  const struct cnk_node *node = cnk_bind_read_nodes(L, &scan);
  if (!node)
    return lua_error(L);
  struct marker w = new_writer(L);
  bool is_done = begin_mark(&w, kind, size) && cnk_canonical_word(w.out, "{1=") && cnk_canonical_node(w.out, node) &&
                 cnk_canonical_word(w.out, ",2=false,}") && shorten(w.out);
  cnk_bind_keep_tree(L, 3, TREE);
  return finish(&w, is_done);
}

static const luaL_Reg functions[] = {
    {"canonical",         canonical        },
    {"step_mark",         step_mark        },
    {"step_mark_of_json", step_mark_of_json},
    {NULL,                NULL             },
};

void cnk_bind_open_mark(lua_State *L)
{
  cnk_json_push_buffer(L);
  lua_pushnil(L);
  luaL_setfuncs(L, functions, TREE);
}
