/* SPDX-License-Identifier: MIT */
/* A body that is read, and kept for the next one; see webhook.h. */
#include "bind/webhook/webhook.h"

#include "bind/bind.h"

#define WEBHOOK "cunnekt.webhook.body"

/* Nodes of which the memory is kept between calls, 80 KB: some forty of the usual events. */
#define MOST_KEPT 2048

static int close_webhook(lua_State *L)
{
  struct cnk_bind_webhook *webhook = luaL_checkudata(L, 1, WEBHOOK);
  cnk_tree_reset(&webhook->tree, 0);
  cnk_webhook_free(&webhook->found);
  return 0;
}

struct cnk_bind_webhook *cnk_bind_take_webhook(lua_State *L, int upvalue)
{
  struct cnk_bind_webhook *webhook = lua_touserdata(L, lua_upvalueindex(upvalue));
  if (webhook) {
    lua_pushvalue(L, lua_upvalueindex(upvalue));
    lua_pushnil(L);
    lua_replace(L, lua_upvalueindex(upvalue));
    return webhook;
  }
  webhook = lua_newuserdatauv(L, sizeof *webhook, 0);
  *webhook = (struct cnk_bind_webhook){0};
  luaL_setmetatable(L, WEBHOOK);
  return webhook;
}

void cnk_bind_keep_webhook(lua_State *L, int index, int upvalue)
{
  struct cnk_bind_webhook *webhook = lua_touserdata(L, index);
  cnk_tree_reset(&webhook->tree, MOST_KEPT);
  cnk_webhook_reset(&webhook->found);
  lua_pushvalue(L, index);
  lua_replace(L, lua_upvalueindex(upvalue));
}

static bool refuse(lua_State *L, const char *kind)
{
  lua_pushstring(L, kind);
  lua_insert(L, -2);
  return false;
}

/* The items in the nodes. */
static bool find(lua_State *L, bool is_bounded, struct cnk_webhook *found, const struct cnk_node *root)
{
  found->most_items = is_bounded ? CNK_WEBHOOK_MOST_EVENTS : 0;
  cnk_webhook_find(found, root);
  bool is_large = is_bounded && !found->has_too_many && cnk_webhook_has_large_forms(found);
  if (found->has_no_memory)
    luaL_error(L, "not enough memory");
  if (found->has_too_many || is_large) {
    lua_pushfstring(L, "more than %d events, or %d values in forms", (int)CNK_WEBHOOK_MOST_EVENTS,
                    (int)CNK_WEBHOOK_MOST_VALUES);
    return refuse(L, "too_large");
  }
  if (is_bounded && cnk_webhook_shares_too_much(found)) {
    lua_pushfstring(L, "contacts or numbers that are more than %d MB when each event has them",
                    (int)(CNK_WEBHOOK_MOST_SHARED >> 20));
    return refuse(L, "too_large");
  }
  return true;
}

bool cnk_bind_read_webhook(lua_State *L, int index, bool is_bounded, struct cnk_bind_webhook *webhook)
{
  struct cnk_jsonscan scan = {.tree = &webhook->tree, .most_values = is_bounded ? CNK_WEBHOOK_MOST_VALUES : 0};
  scan.text = lua_tolstring(L, index, &scan.length);
  const struct cnk_node *root = cnk_bind_read_nodes(L, &scan);
  return root ? find(L, is_bounded, &webhook->found, root) : refuse(L, scan.has_too_many ? "too_large" : "invalid");
}

void cnk_bind_add_webhook_class(lua_State *L)
{
  static const luaL_Reg no_methods[] = {
      {NULL, NULL}
  };
  cnk_bind_class(L, WEBHOOK, no_methods, close_webhook);
}
