/* SPDX-License-Identifier: MIT */
/* JSON for the parts that read a text node by node (json/tree.h), and make Lua values of some of it only. */
#ifndef CNK_BIND_NODE_H
#define CNK_BIND_NODE_H

#include "bind/json/json.h"

/* Pushes a userdata with an empty tree. Nothing is lost when an error jumps away. */
struct cnk_tree *cnk_bind_push_tree(lua_State *L);

/* The same with the tree that `upvalue` of the running function keeps between calls, or a new one when that is in use: a
 * finalizer may call the same function from anywhere. */
struct cnk_tree *cnk_bind_take_tree(lua_State *L, int upvalue);

/* Gives the tree at `index` back to be kept, without more memory than a usual text needs. */
void cnk_bind_keep_tree(lua_State *L, int index, int upvalue);

/* Reads `scan->text` into `scan->tree`. Gives the node of the whole; or NULL, and pushes what is wrong. Raises when memory is
 * out. */
const struct cnk_node *cnk_bind_read_nodes(lua_State *L, struct cnk_jsonscan *scan);

/* The room that the table of a list or an object needs, for lua_createtable. */
int cnk_bind_size(const struct cnk_node *table);

/* Pushes the value of a node as json.decode gives it; of a string, or of a number. */
void cnk_bind_push_node(lua_State *L, const struct cnk_node *node);
void cnk_bind_push_text(lua_State *L, const struct cnk_node *string);
void cnk_bind_push_number(lua_State *L, const struct cnk_node *number);

#endif
