/* SPDX-License-Identifier: MIT */
/* Between Lua tables and the structs of the seam; see shape.h. */
#include "bind/store/shape.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "store/store.h"

/* A list in a struct, whatever its items are. */
struct items {
  void *items;
  size_t count;
};

/* Its address names the list in the registry. Places are given once a process, strings once a state. */
static int names_count;

void cnk_shape_push_names(lua_State *L)
{
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_count) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_count);
}

void cnk_shape_name(lua_State *L, const struct cnk_shape *shape)
{
  luaL_checkstack(L, 4, "a call is nested too deeply");
  for (size_t i = 0; i < shape->count; i++) {
    struct cnk_field *field = &shape->fields[i];
    if (!field->key)
      field->key = ++names_count;
    cnk_shape_push_names(L);
    lua_pushstring(L, field->name);
    lua_rawseti(L, -2, field->key);
    lua_pop(L, 1);
    if (field->shape)
      cnk_shape_name(L, field->shape);
  }
}

static void refuse(lua_State *L, const struct cnk_shape *shape, const struct cnk_field *field, const char *wanted)
{
  luaL_error(L, "%s of %s must be %s, got %s", field->name, shape->name, wanted, luaL_typename(L, -1));
}

static void *take(const struct cnk_shape_reader *reader, size_t size)
{
  struct cnk_arena *arena = reader->arena;
  void *taken = arena->total + size > CNK_STORE_CALL_BYTES_MAX ? NULL : cnk_arena_take(arena, size ? size : 1);
  if (!taken)
    luaL_error(reader->L, "not enough memory for a call, or it is too large");
  return taken;
}

static int64_t read_integer(lua_State *L, const struct cnk_shape *shape, const struct cnk_field *field)
{
  int is_integer;
  lua_Integer value = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer || lua_type(L, -1) != LUA_TNUMBER)
    refuse(L, shape, field, "an integer");
  return value;
}

static struct cnk_text read_text(const struct cnk_shape_reader *reader, const struct cnk_shape *shape,
                                 const struct cnk_field *field)
{
  lua_State *L = reader->L;
  if (lua_type(L, -1) != LUA_TSTRING)
    refuse(L, shape, field, "a string");
  struct cnk_text text, copy = {0};
  text.data = lua_tolstring(L, -1, &text.size);
  if (reader->arena->total + text.size > CNK_STORE_CALL_BYTES_MAX || !cnk_arena_copy(reader->arena, text, &copy))
    luaL_error(L, "not enough memory for a call, or it is too large");
  return copy;
}

static int64_t read_word(lua_State *L, const struct cnk_shape *shape, const struct cnk_field *field)
{
  const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  for (int i = 0; field->words[i]; i++)
    if (strcmp(field->words[i], word) == 0)
      return i + field->first_word;
  refuse(L, shape, field, "one of its words");
  return 0;
}

static void check_table(lua_State *L, const struct cnk_shape *shape, const struct cnk_field *field)
{
  if (!lua_istable(L, -1))
    refuse(L, shape, field, "a table");
}

static struct items read_items(const struct cnk_shape_reader *reader, const struct cnk_shape *shape,
                               const struct cnk_field *field)
{
  lua_State *L = reader->L;
  check_table(L, shape, field);
  struct items items = {.count = lua_rawlen(L, -1)};
  if (items.count == 0)
    return items;
  bool is_list = field->kind == CNK_FIELD_LIST;
  size_t size = is_list ? field->shape->size : sizeof(int64_t);
  if (items.count > CNK_STORE_CALL_BYTES_MAX / size)
    luaL_error(L, "%s of %s is too long", field->name, shape->name);
  items.items = take(reader, items.count * size);
  for (size_t i = 0; i < items.count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    if (is_list) {
      check_table(L, shape, field);
      cnk_shape_read(reader, lua_gettop(L), field->shape, (char *)items.items + i * size);
    } else {
      ((int64_t *)items.items)[i] = read_integer(L, shape, field);
    }
    lua_pop(L, 1);
  }
  return items;
}

static void *read_object(const struct cnk_shape_reader *reader, const struct cnk_shape *shape,
                         const struct cnk_field *field)
{
  check_table(reader->L, shape, field);
  void *object = take(reader, field->shape->size);
  cnk_shape_read(reader, lua_gettop(reader->L), field->shape, object);
  return object;
}

/* The value on top of the stack. */
static void read_field(const struct cnk_shape_reader *reader, const struct cnk_shape *shape,
                       const struct cnk_field *field, char *to)
{
  lua_State *L = reader->L;
  switch (field->kind) {
  case CNK_FIELD_INTEGER: *(int64_t *)(void *)to = read_integer(L, shape, field); break;
  case CNK_FIELD_REAL:
  case CNK_FIELD_TIME:
    if (lua_type(L, -1) != LUA_TNUMBER)
      refuse(L, shape, field, "a number");
    *(double *)(void *)to = lua_tonumber(L, -1);
    break;
  case CNK_FIELD_TEXT: *(struct cnk_text *)(void *)to = read_text(reader, shape, field); break;
  case CNK_FIELD_BOOLEAN: *(bool *)to = lua_toboolean(L, -1); break;
  case CNK_FIELD_WORD: *(int64_t *)(void *)to = read_word(L, shape, field); break;
  case CNK_FIELD_OBJECT: *(void **)(void *)to = read_object(reader, shape, field); break;
  default: {
    struct items items = read_items(reader, shape, field);
    memcpy(to, &items, sizeof items);
  }
  }
}

void cnk_shape_read(const struct cnk_shape_reader *reader, int index, const struct cnk_shape *shape, void *to)
{
  lua_State *L = reader->L;
  luaL_checkstack(L, 4, "a call is nested too deeply");
  for (size_t i = 0; i < shape->count; i++) {
    const struct cnk_field *field = &shape->fields[i];
    char *at = (char *)to + field->offset;
    if (field->is_out)
      continue;
    lua_rawgeti(L, reader->names, field->key);
    if (lua_rawget(L, index) != LUA_TNIL)
      read_field(reader, shape, field, at);
    else if (field->is_needed)
      refuse(L, shape, field, "given");
    else if (field->kind == CNK_FIELD_REAL)
      *(double *)(void *)at = NAN;
    else if (field->kind == CNK_FIELD_TIME)
      *(double *)(void *)at = reader->now;
    lua_pop(L, 1);
  }
}

/* ---- back ------------------------------------------------------------------------------------------------------------ */

/* Pushes the field. */
static int get_field(lua_State *L, int names, int index, const struct cnk_field *field)
{
  lua_rawgeti(L, names, field->key);
  return lua_rawget(L, index);
}

static void write_items(lua_State *L, int names, int index, const struct cnk_field *field, const char *at)
{
  struct items items;
  memcpy(&items, at, sizeof items);
  if (!items.count || get_field(L, names, index, field) != LUA_TTABLE)
    return;
  int list = lua_gettop(L);
  for (size_t i = 0; i < items.count; i++) {
    if (lua_rawgeti(L, list, (lua_Integer)i + 1) == LUA_TTABLE)
      cnk_shape_write(L, names, lua_gettop(L), field->shape, (char *)items.items + i * field->shape->size);
    lua_settop(L, list);
  }
}

static void write_object(lua_State *L, int names, int index, const struct cnk_field *field, const char *at)
{
  const void *object = *(void *const *)(const void *)at;
  if (object && get_field(L, names, index, field) == LUA_TTABLE)
    cnk_shape_write(L, names, lua_gettop(L), field->shape, object);
}

static void write_out(lua_State *L, int names, int index, const struct cnk_field *field, const char *at)
{
  const struct cnk_text *text = (const struct cnk_text *)(const void *)at;
  if (field->kind == CNK_FIELD_TEXT && !text->data)
    return;
  lua_rawgeti(L, names, field->key);
  switch (field->kind) {
  case CNK_FIELD_INTEGER: lua_pushinteger(L, *(const int64_t *)(const void *)at); break;
  case CNK_FIELD_TEXT: lua_pushlstring(L, text->data, text->size); break;
  default: lua_pushboolean(L, *(const bool *)at);
  }
  lua_rawset(L, index);
}

void cnk_shape_write(lua_State *L, int names, int index, const struct cnk_shape *shape, const void *from)
{
  int top = lua_gettop(L);
  luaL_checkstack(L, 4, "a call is nested too deeply");
  for (size_t i = 0; i < shape->count && shape->has_out; i++) {
    const struct cnk_field *field = &shape->fields[i];
    const char *at = (const char *)from + field->offset;
    if (field->is_out) {
      write_out(L, names, index, field, at);
      continue;
    }
    if (field->kind == CNK_FIELD_LIST && field->shape->has_out)
      write_items(L, names, index, field, at);
    else if (field->kind == CNK_FIELD_OBJECT && field->shape->has_out)
      write_object(L, names, index, field, at);
    lua_settop(L, top);
  }
}
