/* SPDX-License-Identifier: MIT */
/* What calls give back: what is out of a verb, rows as tables by column, and the ids that were changed. */
#include "bind/store/verbs.h"

int cnk_bind_push_out_fields(lua_State *L, const struct cnk_store_call *call, const struct cnk_bind_form *form)
{
  const struct cnk_verb_shape *verb = (const void *)form;
  cnk_shape_push_names(L);
  cnk_shape_write(L, lua_gettop(L), 2, verb->shape, call->request);
  lua_pushboolean(L, 1);
  return 1;
}

static void push_value(lua_State *L, const struct cnk_value *value)
{
  switch (value->kind) {
  case CNK_VALUE_INTEGER: lua_pushinteger(L, value->as.integer); break;
  case CNK_VALUE_REAL: lua_pushnumber(L, value->as.real); break;
  case CNK_VALUE_BYTES: lua_pushlstring(L, value->as.bytes.data, value->as.bytes.size); break;
  default: lua_pushnil(L);
  }
}

static int push_rows(lua_State *L, const struct cnk_store_call *call, const struct cnk_bind_form *form)
{
  const struct cnk_query *request = call->request;
  size_t at = 0;
  int columns = (int)request->columns_count, first = lua_gettop(L) + 1;
  luaL_checkstack(L, columns + 4, "too many columns");
  for (int i = 0; i < columns; i++)
    lua_pushstring(L, request->columns[i]);
  lua_createtable(L, (int)request->rows_count, 0);
  for (size_t row = 1; row <= request->rows_count; row++) {
    lua_createtable(L, 0, columns);
    for (int i = 0; i < columns; i++) {
      struct cnk_value value = cnk_value_read(&request->rows, &at);
      if (value.kind == CNK_VALUE_NULL)
        continue;
      lua_pushvalue(L, first + i);
      push_value(L, &value);
      lua_rawset(L, -3);
    }
    lua_rawseti(L, -2, (lua_Integer)row);
  }
  return 1;
}

static int push_changed(lua_State *L, const struct cnk_store_call *call, const struct cnk_bind_form *form)
{
  const struct cnk_repair *request = call->request;
  lua_Integer count = 0;
  lua_newtable(L);
  for (size_t i = 0; i < request->ids.count; i++) {
    if (!request->is_changed[i])
      continue;
    lua_pushinteger(L, request->ids.items[i]);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

const struct cnk_bind_form cnk_bind_rows_form = {push_rows}, cnk_bind_changed_form = {push_changed};
