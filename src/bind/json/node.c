/* SPDX-License-Identifier: MIT */
/* JSON's nodes as Lua values; see node.h for the contract. What the values are is base/json.lua's to say. */
#include "bind/json/node.h"

#include <limits.h>

#include "json/digits.h"
#include "json/number.h"

#define TREE "cunnekt.json.tree"

/* Nodes of which the memory is kept between calls, 64 KB: some forty of the usual events. */
#define MOST_KEPT 2048

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

static int close_tree(lua_State *L)
{
  cnk_tree_reset(luaL_checkudata(L, 1, TREE), 0);
  return 0;
}

struct cnk_tree *cnk_bind_push_tree(lua_State *L)
{
  struct cnk_tree *tree = lua_newuserdatauv(L, sizeof *tree, 0);
  *tree = (struct cnk_tree){0};
  if (luaL_newmetatable(L, TREE)) {
    lua_pushcfunction(L, close_tree);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return tree;
}

struct cnk_tree *cnk_bind_take_tree(lua_State *L, int upvalue)
{
  struct cnk_tree *tree = lua_touserdata(L, lua_upvalueindex(upvalue));
  if (!tree)
    return cnk_bind_push_tree(L);
  lua_pushvalue(L, lua_upvalueindex(upvalue));
  lua_pushnil(L);
  lua_replace(L, lua_upvalueindex(upvalue));
  return tree;
}

void cnk_bind_keep_tree(lua_State *L, int index, int upvalue)
{
  cnk_tree_reset(lua_touserdata(L, index), MOST_KEPT);
  lua_pushvalue(L, index);
  lua_replace(L, lua_upvalueindex(upvalue));
}

const struct cnk_node *cnk_bind_read_nodes(lua_State *L, struct cnk_jsonscan *scan)
{
  const struct cnk_tree *tree = scan->tree;
  if (!cnk_jsonscan_run(scan)) {
    if (scan->has_no_memory)
      luaL_error(L, "not enough memory");
    cnk_json_push_fault(L, scan);
    return NULL;
  }
  return tree->nodes;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

void cnk_bind_push_text(lua_State *L, const struct cnk_node *string)
{
  if (string->is_plain) {
    lua_pushlstring(L, string->text, string->size);
    return;
  }
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, cnk_node_room(string));
  luaL_pushresultsize(&buffer, cnk_node_decode(string, out));
}

void cnk_bind_push_number(lua_State *L, const struct cnk_node *number)
{
  int64_t integer;
  if (number->kind == CNK_NODE_INTEGER && cnk_node_integer(number, &integer)) {
    lua_pushinteger(L, integer);
    return;
  }
  lua_pushnumber(L, cnk_number_read(number->text, number->size));
}

int cnk_bind_size(const struct cnk_node *table)
{
  return table->count > INT_MAX / 2 ? INT_MAX / 2 : (int)table->count;
}

static void push_list(lua_State *L, const struct cnk_node *list)
{
  const struct cnk_node *item = list + 1;
  lua_createtable(L, cnk_bind_size(list), 0);
  if (list->count == 0)
    luaL_setmetatable(L, CNK_JSON_ARRAY);
  for (uint32_t i = 0; i < list->count; i++, item = cnk_node_next(item)) {
    cnk_bind_push_node(L, item);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_object(lua_State *L, const struct cnk_node *object)
{
  const struct cnk_node *name = object + 1;
  lua_createtable(L, 0, cnk_bind_size(object));
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name)) {
    cnk_bind_push_text(L, name);
    cnk_bind_push_node(L, cnk_node_value(name));
    lua_rawset(L, -3);
  }
}

void cnk_bind_push_node(lua_State *L, const struct cnk_node *node)
{
  luaL_checkstack(L, 4, "too deep");
  switch ((enum cnk_node_kind)node->kind) {
  case CNK_NODE_NULL: lua_pushlightuserdata(L, NULL); break; /* json.null */
  case CNK_NODE_FALSE: lua_pushboolean(L, 0); break;
  case CNK_NODE_TRUE: lua_pushboolean(L, 1); break;
  case CNK_NODE_INTEGER:
  case CNK_NODE_FLOAT: cnk_bind_push_number(L, node); break;
  case CNK_NODE_TEXT: cnk_bind_push_text(L, node); break;
  case CNK_NODE_LIST: push_list(L, node); break;
  case CNK_NODE_OBJECT: push_object(L, node); break;
  }
}
