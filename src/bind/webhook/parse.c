/* SPDX-License-Identifier: MIT */
/*
 * Bodies of webhooks for Lua: core.parse_webhook, and what is asked of events' tables. What an event holds is documented in
 * lua/cunnekt/provider/webhook.lua.
 */
#include "bind/webhook/webhook.h"

#include "bind/bind.h"
#include "whatsapp/status.h"

enum { BODY = 1, IS_LATER, IS_BOUNDED, FOUND, SHARED, EVENTS };
#define KEPT 1 /* the function's upvalue */

/* core.parse_webhook(body, is_raw_later, is_bounded) -> list of events; or nil, kind, message. See the stub. */
static int parse_webhook(lua_State *L)
{
  luaL_checktype(L, BODY, LUA_TSTRING);
  lua_settop(L, IS_BOUNDED);
  struct cnk_bind_webhook *webhook = cnk_bind_take_webhook(L, KEPT);
  const struct cnk_webhook *found = &webhook->found;
  if (!cnk_bind_read_webhook(L, BODY, lua_toboolean(L, IS_BOUNDED), webhook)) {
    cnk_bind_keep_webhook(L, FOUND, KEPT);
    lua_pushnil(L);
    lua_insert(L, -3);
    return 3;
  }
  lua_newtable(L);
  lua_createtable(L, (int)(found->count < INT32_MAX ? found->count : INT32_MAX), 0);
  bool is_later = lua_toboolean(L, IS_LATER) && found->count == 1;
  const struct cnk_event_maker maker = {.L = L, .shared = SHARED, .body = is_later ? BODY : 0};
  for (size_t i = 0; i < found->count; i++) {
    cnk_event_push(&maker, &found->items[i]);
    lua_rawseti(L, EVENTS, (lua_Integer)i + 1);
  }
  cnk_bind_keep_webhook(L, FOUND, KEPT);
  return 1;
}

/* ---- what is asked of an event's table ------------------------------------------------------------------------------- */

/* core.webhook_key(event) -> the key of its repetition, or nil; see webhook/webhook.h. */
static int webhook_key(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  const struct cnk_webhook_facts facts = cnk_event_read_facts(L, 1);
  size_t size = cnk_webhook_key_size(&facts);
  if (size == 0) {
    luaL_pushfail(L);
    return 1;
  }
  luaL_Buffer buffer;
  cnk_webhook_write_key(&facts, luaL_buffinitsize(L, &buffer, size));
  luaL_pushresultsize(&buffer, size);
  return 1;
}

/* core.webhook_is_inbound(event) -> boolean: whether a customer wrote to the business alone, or called, at a time that is known. */
static int webhook_is_inbound(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  const struct cnk_webhook_facts facts = cnk_event_read_facts(L, 1);
  lua_pushboolean(L, cnk_webhook_is_inbound(&facts));
  return 1;
}

/* ---- the lists ------------------------------------------------------------------------------------------------------- */

static int push_names(lua_State *L, const char *const *names)
{
  lua_newtable(L);
  for (lua_Integer i = 0; names[i]; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* core.account_types() -> list of the fields of webhooks that are about the account */
static int account_types(lua_State *L)
{
  return push_names(L, cnk_webhook_account_types);
}

/* core.remark_types() -> list of the types of messages with which a customer says nothing new */
static int remark_types(lua_State *L)
{
  return push_names(L, cnk_webhook_remark_types);
}

/* core.status_ranks() -> table of rank by name */
static int status_ranks(lua_State *L)
{
  lua_newtable(L);
  for (const struct cnk_status_name *known = cnk_status_names; known->name; known++) {
    lua_pushinteger(L, known->rank);
    lua_setfield(L, -2, known->name);
  }
  return 1;
}

/* core.safe_filename(name, mime_type, id) -> string; each may be nil. */
static int safe_filename(lua_State *L)
{
  lua_settop(L, 3);
  cnk_webhook_push_filename(L, 1, 2, 3);
  return 1;
}

static const luaL_Reg functions[] = {
    {"webhook_key",        webhook_key       },
    {"webhook_is_inbound", webhook_is_inbound},
    {"account_types",      account_types     },
    {"remark_types",       remark_types      },
    {"status_ranks",       status_ranks      },
    {"safe_filename",      safe_filename     },
    {NULL,                 NULL              },
};

/* Each keeps a body of its own, of which there is none yet. */
static const luaL_Reg keeping_functions[] = {
    {"parse_webhook",  parse_webhook          },
    {"accept_webhook", cnk_bind_accept_webhook},
    {NULL,             NULL                   },
};

void cnk_bind_open_webhook(lua_State *L)
{
  cnk_bind_add_webhook_class(L);
  luaL_setfuncs(L, functions, 0);
  for (const luaL_Reg *one = keeping_functions; one->name; one++) {
    lua_pushnil(L);
    lua_pushcclosure(L, one->func, 1);
    lua_setfield(L, -2, one->name);
  }
}
