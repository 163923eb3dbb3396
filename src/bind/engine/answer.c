/* SPDX-License-Identifier: MIT */
/* The Lua face of whatsapp/answer.h: core.plain_id. */
#include "bind/bind.h"
#include "bind/json/node.h"
#include "whatsapp/answer.h"

enum { KEPT_TREE = 1 };

/* core.plain_id(body) -> the message's id, where the answer is one as Meta gives it to a message that it took; nil: it is not */
static int plain_id(lua_State *L)
{
  struct cnk_jsonscan scan = {0};
  scan.text = luaL_checklstring(L, 1, &scan.length);
  lua_settop(L, 1);
  scan.tree = cnk_bind_take_tree(L, KEPT_TREE);
  const struct cnk_node *body = cnk_bind_read_nodes(L, &scan);
  const struct cnk_node *id = body ? cnk_answer_plain_id(body) : NULL;
  if (id)
    cnk_bind_push_text(L, id);
  else
    lua_pushnil(L);
  cnk_bind_keep_tree(L, 2, KEPT_TREE);
  return 1;
}

void cnk_bind_open_answer(lua_State *L)
{
  lua_pushnil(L);
  lua_pushcclosure(L, plain_id, 1);
  lua_setfield(L, -2, "plain_id");
}
