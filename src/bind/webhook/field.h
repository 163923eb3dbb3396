/* SPDX-License-Identifier: MIT */
/*
 * Fields of a JSON text, put into tables for scripts: only what has the expected type, and never null. `from` is the node of
 * an object, anything else has no fields; `to` is the absolute position on the Lua stack of the table that is being
 * built. Functions leave the stack as it was, unless their name says push.
 */
#ifndef CNK_BIND_WEBHOOK_FIELD_H
#define CNK_BIND_WEBHOOK_FIELD_H

#include "bind/json/node.h"

static inline bool cnk_field_is_list(const struct cnk_node *node)
{
  return cnk_node_is(node, CNK_NODE_LIST);
}
static inline bool cnk_field_is_object(const struct cnk_node *node)
{
  return cnk_node_is(node, CNK_NODE_OBJECT);
}

void cnk_field_set_text(lua_State *L, int to, const char *name, const char *text);

/* Pushes a string that is not empty, or nil and gives false: ids are strings, but some senders write numbers. */
bool cnk_field_push_id(lua_State *L, const struct cnk_node *id);

/* Copies field `name`; each gives whether it was there and good. */
bool cnk_field_copy_id(lua_State *L, const struct cnk_node *from, const char *name, int to, const char *as);
bool cnk_field_copy_text(lua_State *L, const struct cnk_node *from, const char *name, int to, const char *as);
bool cnk_field_copy_flag(lua_State *L, const struct cnk_node *from, const char *name, int to);

/* Pushes a value without the nulls in it, so that scripts need not think of null: lists close up. Null itself is nil. */
void cnk_field_push(lua_State *L, const struct cnk_node *node);

/* Marks the list on top as one, where it may not look like it any more: of `count` items it has `kept`. */
void cnk_field_mark_list(lua_State *L, uint32_t kept, uint32_t count);

#endif
