/* SPDX-License-Identifier: MIT */
/* The Lua face of whatsapp/message.h: core.text_message and core.accepted_id. */
#include "whatsapp/message.h"
#include "bind/bind.h"
#include "bind/json/node.h"
#include "whatsapp/identity.h"

enum { KEPT_TREE = 1 };

static bool read_text(lua_State *L, int index, struct cnk_text *text)
{
  if (lua_type(L, index) != LUA_TSTRING)
    return false;
  text->data = lua_tolstring(L, index, &text->size);
  return true;
}

/* core.text_message(text, to, most, least_digits, most_digits) -> the message as JSON; nil, for a text that can't be sent as it is
 * or to something else than a number of so many digits */
static int text_message(lua_State *L)
{
  struct cnk_text text, to;
  size_t most = (size_t)luaL_checkinteger(L, 3);
  size_t least_digits = (size_t)luaL_checkinteger(L, 4), most_digits = (size_t)luaL_checkinteger(L, 5);
  bool is_fit = read_text(L, 1, &text) && read_text(L, 2, &to) && cnk_message_is_text(text, most) &&
                cnk_identity_is_number(to, least_digits, most_digits);
  if (!is_fit) {
    lua_pushnil(L);
    return 1;
  }
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, cnk_message_room(text, to));
  luaL_pushresultsize(&buffer, cnk_message_write_text(text, to, out));
  return 1;
}

/* core.accepted_id(body, has_raw) -> the message's id, where the answer is one as Meta gives it to a message that it took; nil: it is
 * not; has_raw: and all of it, as json.decode gives it */
static int accepted_id(lua_State *L)
{
  struct cnk_jsonscan scan = {0};
  scan.text = luaL_checklstring(L, 1, &scan.length);
  bool has_raw = lua_toboolean(L, 2);
  lua_settop(L, 1);
  scan.tree = cnk_bind_take_tree(L, KEPT_TREE);
  const struct cnk_node *body = cnk_bind_read_nodes(L, &scan);
  const struct cnk_node *id = body ? cnk_message_accepted_id(body) : NULL;
  lua_settop(L, 2); /* without what is wrong with a text that is no JSON */
  if (id)
    cnk_bind_push_text(L, id);
  else
    lua_pushnil(L);
  if (id && has_raw)
    cnk_bind_push_node(L, body);
  cnk_bind_keep_tree(L, 2, KEPT_TREE);
  return lua_gettop(L) - 2;
}

void cnk_bind_open_message(lua_State *L)
{
  lua_pushcfunction(L, text_message);
  lua_setfield(L, -2, "text_message");
  lua_pushnil(L);
  lua_pushcclosure(L, accepted_id, 1);
  lua_setfield(L, -2, "accepted_id");
}
