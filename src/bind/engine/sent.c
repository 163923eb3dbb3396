/* SPDX-License-Identifier: MIT */
/* Handles as scripts see them, see row.h. Their methods are those of bot/sent.lua. */
#include <string.h>

#include "bind/engine/row.h"

/* The registry's table of methods, and its function that reads a field which changes by itself. */
static const char methods_key = 0, read_key = 0;

static const char *const states[] = {"queued",  "sending",  "accepted", "sent",    "delivered", "read", "played",
                                     "unknown", "rejected", "failed",   "expired", "dropped",   NULL};

/* Numbers of fields beside those of user values. */
enum { ID = 50, STATE, ERR };

static const struct cnk_field_name names[] = {
    {"id",         ID                 },
    {"state",      STATE              },
    {"err",        ERR                },
    {"payload",    CNK_SENT_PAYLOAD   },
    {"message_id", CNK_SENT_MESSAGE_ID},
    {NULL,         0                  },
};

static struct cnk_sent *find_sent(lua_State *L, int index)
{
  struct cnk_sent *sent = lua_touserdata(L, index);
  return sent && lua_rawlen(L, index) == sizeof *sent && sent->self == sent ? sent : NULL;
}

static struct cnk_sent *check_sent(lua_State *L, int index)
{
  struct cnk_sent *sent = find_sent(L, index);
  return sent ? sent : luaL_checkudata(L, index, CNK_SENT_CLASS);
}

struct cnk_sent *cnk_bind_new_sent(lua_State *L, int64_t id)
{
  struct cnk_sent *sent = lua_newuserdatauv(L, sizeof *sent, CNK_SENT_VALUES);
  sent->self = sent;
  sent->id = id;
  sent->state = CNK_SENT_QUEUED;
  luaL_setmetatable(L, CNK_SENT_CLASS);
  return sent;
}

bool cnk_bind_advance_sent(lua_State *L, int index, enum cnk_sent_state state)
{
  struct cnk_sent *sent = find_sent(L, index);
  if (!sent || sent->state >= state || sent->state > CNK_SENT_SENDING)
    return false;
  bool has_more = lua_getiuservalue(L, index, CNK_SENT_MORE) != LUA_TNIL;
  lua_pop(L, 1);
  if (!has_more)
    sent->state = state;
  return !has_more;
}

/* A field that is no handle's own is a method. */
static int get_other(lua_State *L)
{
  cnk_bind_get_more(L, CNK_SENT_MORE);
  if (!lua_isnil(L, -1))
    return 1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &methods_key);
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

static int give_read(lua_State *L, int status, lua_KContext context)
{
  (void)status;
  (void)context;
  return 1;
}

/* In a run that is a step, which may wait. */
static int read_changing(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &read_key);
  lua_insert(L, 1);
  lua_callk(L, 2, 1, 0, give_read);
  return give_read(L, LUA_OK, 0);
}

static int get_sent(lua_State *L)
{
  const struct cnk_sent *sent = check_sent(L, 1);
  lua_Integer number = cnk_bind_field_number(L);
  switch (number) {
  case 0: return get_other(L);
  case STATE:
  case ERR:
  case CNK_SENT_MESSAGE_ID: lua_settop(L, 2); return read_changing(L);
  case ID:
    if (sent->id)
      lua_pushinteger(L, sent->id);
    else
      lua_pushnil(L);
    return 1;
  case CNK_SENT_PAYLOAD: cnk_bind_push_payload(L, CNK_SENT_TEXT, CNK_SENT_PAYLOAD); return 1;
  default: lua_getiuservalue(L, 1, (int)number); return 1;
  }
}

/* core.sent_now(handle, "state"|"message_id"|"err") -> the field as it is now */
static int get_now(lua_State *L)
{
  const struct cnk_sent *sent = check_sent(L, 1);
  const char *name = luaL_checkstring(L, 2);
  if (strcmp(name, "state") == 0)
    lua_pushstring(L, states[sent->state]);
  else if (strcmp(name, "message_id") == 0)
    lua_getiuservalue(L, 1, CNK_SENT_MESSAGE_ID);
  else
    cnk_bind_get_more(L, CNK_SENT_MORE);
  return 1;
}

static int set_sent(lua_State *L)
{
  struct cnk_sent *sent = check_sent(L, 1);
  lua_Integer number = cnk_bind_field_number(L);
  switch (number) {
  case 0:
  case ERR: cnk_bind_set_more(L, CNK_SENT_MORE); return 0;
  case ID: sent->id = luaL_optinteger(L, 3, 0); return 0;
  case STATE: sent->state = (enum cnk_sent_state)luaL_checkoption(L, 3, NULL, states); return 0;
  default: break;
  }
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, (int)number);
  return 0;
}

/* core.sent(payload) -> handle */
static int new_sent(lua_State *L)
{
  lua_settop(L, 1);
  cnk_bind_new_sent(L, 0);
  lua_insert(L, 1);
  lua_setiuservalue(L, 1, CNK_SENT_PAYLOAD);
  return 1;
}

/* core.sent_methods(methods, tostring, read) */
static int set_methods(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &read_key);
  luaL_getmetatable(L, CNK_SENT_CLASS);
  lua_insert(L, 2);
  lua_setfield(L, 2, "__tostring");
  lua_pop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
  return 0;
}

void cnk_bind_open_sent(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"sent",         new_sent   },
      {"sent_methods", set_methods},
      {"sent_now",     get_now    },
      {NULL,           NULL       },
  };
  cnk_bind_fields(L, CNK_SENT_CLASS, names, get_sent, set_sent);
  luaL_setfuncs(L, functions, 0);
}
