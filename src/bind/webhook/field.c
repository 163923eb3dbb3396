/* SPDX-License-Identifier: MIT */
/* Reading the fields of JSON without trusting them; see field.h for the contract. */
#include "bind/webhook/field.h"

#include "json/number.h"

void cnk_field_set_text(lua_State *L, int event, const char *name, const char *text)
{
  lua_pushstring(L, text);
  lua_setfield(L, event, name);
}

bool cnk_field_push_id(lua_State *L, const struct cnk_node *id)
{
  if (cnk_node_is(id, CNK_NODE_TEXT) && id->size > 0) {
    cnk_bind_push_text(L, id);
    return true;
  }
  int64_t whole;
  if (cnk_node_whole(id, &whole)) {
    lua_pushinteger(L, whole);
    lua_tostring(L, -1);
    return true;
  }
  lua_pushnil(L);
  return false;
}

bool cnk_field_copy_id(lua_State *L, const struct cnk_node *from, const char *name, int to, const char *as)
{
  const struct cnk_node *id = cnk_node_field(from, name);
  bool is_good = id && cnk_field_push_id(L, id);
  if (is_good)
    lua_setfield(L, to, as);
  else if (id)
    lua_pop(L, 1);
  return is_good;
}

bool cnk_field_copy_text(lua_State *L, const struct cnk_node *from, const char *name, int to, const char *as)
{
  const struct cnk_node *text = cnk_node_field(from, name);
  if (!cnk_node_is(text, CNK_NODE_TEXT))
    return false;
  cnk_bind_push_text(L, text);
  lua_setfield(L, to, as);
  return true;
}

bool cnk_field_copy_flag(lua_State *L, const struct cnk_node *from, const char *name, int to)
{
  const struct cnk_node *flag = cnk_node_field(from, name);
  bool is_set = cnk_node_is(flag, CNK_NODE_TRUE);
  if (!is_set && !cnk_node_is(flag, CNK_NODE_FALSE))
    return false;
  lua_pushboolean(L, is_set);
  lua_setfield(L, to, name);
  return true;
}

void cnk_field_mark_list(lua_State *L, uint32_t kept, uint32_t count)
{
  if (kept == 0 || kept < count)
    luaL_setmetatable(L, CNK_JSON_ARRAY);
}

static void push_items(lua_State *L, const struct cnk_node *list)
{
  const struct cnk_node *item = list + 1;
  uint32_t kept = 0;
  lua_createtable(L, cnk_bind_size(list), 0);
  for (uint32_t i = 0; i < list->count; i++, item = cnk_node_next(item)) {
    if (cnk_node_is(item, CNK_NODE_NULL))
      continue;
    cnk_field_push(L, item);
    lua_rawseti(L, -2, ++kept);
  }
  cnk_field_mark_list(L, kept, list->count);
}

static void push_fields(lua_State *L, const struct cnk_node *object)
{
  const struct cnk_node *name = object + 1;
  lua_createtable(L, 0, cnk_bind_size(object));
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name)) {
    cnk_bind_push_text(L, name);
    cnk_field_push(L, cnk_node_value(name));
    lua_rawset(L, -3);
  }
}

void cnk_field_push(lua_State *L, const struct cnk_node *node)
{
  luaL_checkstack(L, 8, "too deep");
  if (cnk_node_is(node, CNK_NODE_NULL))
    lua_pushnil(L);
  else if (cnk_field_is_list(node))
    push_items(L, node);
  else if (cnk_field_is_object(node))
    push_fields(L, node);
  else
    cnk_bind_push_node(L, node);
}
