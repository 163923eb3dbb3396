/* SPDX-License-Identifier: MIT */
/* What the files beside it share: asking Lua, counts, and the permits of messages. */
#include <string.h>

#include "bind/engine/outbox.h"

struct cnk_lua_outbox *cnk_bind_check_outbox(lua_State *L)
{
  return cnk_bind_self(L, sizeof(struct cnk_lua_outbox), CNK_OUTBOX_CLASS);
}

void cnk_outbox_ask(lua_State *L, int outbox, int which, int row, int args, int results)
{
  lua_getiuservalue(L, outbox, which);
  lua_pushvalue(L, row);
  lua_rotate(L, -args - 2, 2);
  lua_call(L, args + 1, results);
}

bool cnk_outbox_is_set(lua_State *L, int outbox, int which, const char *name)
{
  lua_getiuservalue(L, outbox, which);
  lua_getfield(L, -1, name);
  bool is_set = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return is_set;
}

double cnk_outbox_take_permit(lua_State *L, int outbox, int row, bool *is_for_all)
{
  double pause;
  int top = lua_gettop(L);
  if (lua_getiuservalue(L, outbox, CNK_OUTBOX_LIMITER) == LUA_TUSERDATA) {
    lua_getiuservalue(L, row, CNK_ROW_TO);
    pause = cnk_bind_take_permit(L, top + 1, top + 2, is_for_all);
  } else {
    cnk_outbox_ask(L, outbox, CNK_OUTBOX_PERMIT, row, 0, 2);
    pause = luaL_checknumber(L, -2);
    *is_for_all = lua_toboolean(L, -1);
  }
  lua_settop(L, top);
  if (pause <= 0)
    ((struct cnk_row *)lua_touserdata(L, row))->flags |= CNK_ROW_HAS_PERMIT;
  return pause;
}

bool cnk_outbox_is_after_delivery(lua_State *L, int row)
{
  bool is_it = cnk_bind_push_more(L, row, "after") == LUA_TSTRING && strcmp(lua_tostring(L, -1), "delivered") == 0;
  lua_pop(L, 1);
  return is_it;
}

double cnk_outbox_pass(lua_State *L, int outbox, int index, bool *is_for_all)
{
  const struct cnk_row *row = lua_touserdata(L, index);
  if (row->flags & (CNK_ROW_HAS_PERMIT | CNK_ROW_IS_DROPPED))
    return -1;
  if (!(row->flags & CNK_ROW_HAS_WAITED) && cnk_outbox_is_after_delivery(L, index))
    return -1;
  double pause = cnk_outbox_take_permit(L, outbox, index, is_for_all);
  return pause > 0 ? pause : -1;
}

void cnk_bind_add_count(lua_State *L, int index, int which, const char *name, lua_Integer more)
{
  if (more == 0)
    return;
  lua_getiuservalue(L, index, which);
  lua_getfield(L, -1, name);
  lua_pushinteger(L, lua_tointeger(L, -1) + more);
  lua_setfield(L, -3, name);
  lua_pop(L, 2);
}
