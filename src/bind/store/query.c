/* SPDX-License-Identifier: MIT */
/* Questions and repairs from Lua: by name, with their parameters by name. */
#include <string.h>

#include "bind/store/verbs.h"

/* What a name stands for, found once. */
struct query_name {
  unsigned number;
  const char *const *parameters;
  size_t count;
};

/* The name at 2, by the table of names, which the store has as its user value. */
static const struct query_name *find_name(lua_State *L, const struct cnk_store *store, bool is_repair)
{
  luaL_checktype(L, 2, LUA_TSTRING);
  lua_getiuservalue(L, 1, is_repair ? 2 : 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) == LUA_TUSERDATA)
    return lua_touserdata(L, -1);
  struct query_name found;
  int number = cnk_store_find(store, is_repair, lua_tostring(L, 2), &found.parameters, &found.count);
  if (number < 0)
    luaL_error(L, "the store has no %s '%s'", is_repair ? "repair" : "query", lua_tostring(L, 2));
  found.number = (unsigned)number;
  lua_pop(L, 1);
  lua_pushvalue(L, 2);
  struct query_name *kept = lua_newuserdatauv(L, sizeof *kept, 0);
  *kept = found;
  lua_rawset(L, -3);
  return kept;
}

static struct cnk_value read_value(lua_State *L, const char *name, struct cnk_arena *arena)
{
  struct cnk_value value = {0};
  switch (lua_type(L, -1)) {
  case LUA_TNIL: break;
  case LUA_TBOOLEAN:
    value.kind = CNK_VALUE_INTEGER;
    value.as.integer = lua_toboolean(L, -1);
    break;
  case LUA_TNUMBER:
    value.kind = lua_isinteger(L, -1) ? CNK_VALUE_INTEGER : CNK_VALUE_REAL;
    if (value.kind == CNK_VALUE_INTEGER)
      value.as.integer = lua_tointeger(L, -1);
    else
      value.as.real = lua_tonumber(L, -1);
    break;
  case LUA_TSTRING: {
    struct cnk_text text;
    text.data = lua_tolstring(L, -1, &text.size);
    value.kind = CNK_VALUE_BYTES;
    if (!cnk_arena_copy(arena, text, &value.as.bytes))
      luaL_error(L, "not enough memory for a call of the store");
    break;
  }
  default: luaL_error(L, "the parameter '%s' cannot be a %s", name, luaL_typename(L, -1));
  }
  return value;
}

/* The parameters in the table at 2. */
static struct cnk_value *read_parameters(lua_State *L, const struct query_name *name, struct cnk_arena *arena)
{
  struct cnk_value *values = cnk_arena_take(arena, (name->count + 1) * sizeof *values);
  if (!values) {
    luaL_error(L, "not enough memory for a call of the store");
    return NULL;
  }
  for (size_t i = 0; i < name->count; i++) {
    lua_getfield(L, 2, name->parameters[i]);
    values[i] = read_value(L, name->parameters[i], arena);
    lua_pop(L, 1);
  }
  return values;
}

/* store:query(name, parameters, done) -> true | nil, message */
static int query(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_find_store(L);
  if (!face)
    return 3;
  const struct query_name *name = find_name(L, face->store, false);
  lua_settop(L, 4);
  lua_remove(L, 2); /* its userdata lives as long as the store's table of names */
  struct cnk_store_call *call = cnk_bind_begin_call(L, face, CNK_QUERY);
  struct cnk_query *request = call->request;
  request->name = name->number;
  request->parameters.items = read_parameters(L, name, &call->arena);
  request->parameters.count = name->count;
  return cnk_bind_run_call(L, face, 2, 3, &cnk_bind_rows_form);
}

static void read_ids(lua_State *L, struct cnk_repair *request, struct cnk_arena *arena)
{
  if (lua_getfield(L, 2, "ids") != LUA_TTABLE)
    luaL_error(L, "a repair needs the list ids");
  size_t count = lua_rawlen(L, -1);
  request->ids.items = cnk_arena_take(arena, (count + 1) * sizeof *request->ids.items);
  request->is_changed = cnk_arena_take(arena, count + 1);
  if (!request->ids.items || !request->is_changed) {
    luaL_error(L, "not enough memory for a call of the store");
    return;
  }
  request->ids.count = count;
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    request->ids.items[i] = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* store:repair(name, request, done) -> true | nil, message */
static int repair(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_find_store(L);
  if (!face)
    return 3;
  const struct query_name *name = find_name(L, face->store, true);
  lua_settop(L, 4);
  lua_remove(L, 2);
  struct cnk_store_call *call = cnk_bind_begin_call(L, face, CNK_REPAIR);
  struct cnk_repair *request = call->request;
  request->name = name->number;
  read_ids(L, request, &call->arena);
  request->parameters.items = read_parameters(L, name, &call->arena);
  request->parameters.count = name->count;
  return cnk_bind_run_call(L, face, 2, 3, &cnk_bind_changed_form);
}

void cnk_bind_add_queries(lua_State *L)
{
  lua_pushcfunction(L, query);
  lua_setfield(L, -2, "query");
  lua_pushcfunction(L, repair);
  lua_setfield(L, -2, "repair");
}
