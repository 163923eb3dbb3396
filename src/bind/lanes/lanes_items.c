/* SPDX-License-Identifier: MIT */
/* Methods of lanes on their items, which are any values. */
#include "bind/lanes/lanes.h"

/* A slot for the value at 3, of a lane whose key is at 2. */
static struct cnk_slot *new_slot(lua_State *L, struct cnk_lua_lanes *face)
{
  luaL_checkstring(L, 2);
  luaL_checkany(L, 3);
  struct cnk_slot *slot = cnk_slots_take(L, &face->slots, 1, 3);
  if (!slot)
    cnk_bind_lanes_no_memory(L);
  return slot;
}

/* A slot that came into no lane. */
static int fail_for_lane(lua_State *L, struct cnk_lua_lanes *face, struct cnk_slot *slot)
{
  cnk_slots_drop(L, &face->slots, slot, 1);
  return cnk_bind_lanes_no_memory(L);
}

void cnk_bind_push_item(lua_State *L, struct cnk_lua_lanes *face, int lanes, struct cnk_text key, int item,
                        bool is_background)
{
  struct cnk_slot *slot = cnk_slots_take(L, &face->slots, lanes, item);
  if (slot && cnk_lanes_push(&face->lanes, key, &slot->item, is_background, L))
    return;
  if (slot)
    cnk_slots_drop(L, &face->slots, slot, lanes);
  cnk_bind_lanes_no_memory(L);
}

bool cnk_bind_start_reserved(lua_State *L, struct cnk_lua_lanes *face, int lanes, struct cnk_text key, int item)
{
  struct cnk_slot *slot = cnk_slots_take(L, &face->slots, lanes, item);
  if (!slot)
    cnk_bind_lanes_no_memory(L);
  if (cnk_lanes_start_reserved(&face->lanes, key, &slot->item, L))
    return true;
  cnk_slots_drop(L, &face->slots, slot, lanes);
  return false;
}

/* lanes:push(key, item, is_background?) */
static int push(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  luaL_checkany(L, 3);
  cnk_bind_push_item(L, face, 1, cnk_bind_text(L, 2), 3, lua_toboolean(L, 4));
  return 0;
}

/* lanes:push_front(key, item, is_background?) */
static int push_front(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  struct cnk_slot *slot = new_slot(L, face);
  if (!cnk_lanes_push_front(&face->lanes, cnk_bind_text(L, 2), &slot->item, lua_toboolean(L, 4), L))
    return fail_for_lane(L, face, slot);
  return 0;
}

/* lanes:push_later(key, item, pause) */
static int push_later(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  double pause = luaL_checknumber(L, 4);
  struct cnk_slot *slot = new_slot(L, face);
  if (!cnk_lanes_push_later(&face->lanes, cnk_bind_text(L, 2), &slot->item, pause, L))
    return fail_for_lane(L, face, slot);
  return 0;
}

/* lanes:reserve(key, is_background?) -> boolean */
static int reserve(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  lua_pushboolean(L, cnk_lanes_reserve(&face->lanes, cnk_bind_text(L, 2), lua_toboolean(L, 3)));
  return 1;
}

/* lanes:start_reserved(key, item) */
static int start_reserved(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  luaL_checkany(L, 3);
  if (!cnk_bind_start_reserved(L, face, 1, cnk_bind_text(L, 2), 3))
    return luaL_error(L, "this lane is not reserved");
  return 0;
}

/* lanes:release(key) */
static int release(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  if (!cnk_lanes_release(&face->lanes, cnk_bind_text(L, 2), L))
    return luaL_error(L, "this lane is not reserved");
  return 0;
}

/* lanes:retry_now(key) */
static int retry_now(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  cnk_lanes_retry_now(&face->lanes, cnk_bind_text(L, 2), L);
  return 0;
}

/* lanes:stop() */
static int stop(lua_State *L)
{
  cnk_lanes_stop(&cnk_bind_check_lanes(L)->lanes);
  return 0;
}

/* Pushes an item's value, or nil. */
static int push_value(lua_State *L, struct cnk_lane_item *item)
{
  if (item)
    cnk_slots_push(L, cnk_slot_of(item), 1);
  else
    lua_pushnil(L);
  return 1;
}

/* lanes:head(key) -> item or nil */
static int head(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  return push_value(L, cnk_lanes_head(&face->lanes, cnk_bind_text(L, 2)));
}

/* lanes:last(key) -> item or nil */
static int last(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  return push_value(L, cnk_lanes_last(&face->lanes, cnk_bind_text(L, 2)));
}

static struct cnk_lane_item *second_of(lua_State *L, struct cnk_lua_lanes *face)
{
  struct cnk_lane_item *first = cnk_lanes_head(&face->lanes, cnk_bind_text(L, 2));
  return first ? cnk_lanes_next(first) : NULL;
}

/* lanes:second(key) -> item or nil */
static int second(lua_State *L)
{
  return push_value(L, second_of(L, cnk_bind_check_lanes(L)));
}

/* lanes:take_second(key, item) -> boolean */
static int take_second(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  struct cnk_lane_item *item = second_of(L, face);
  push_value(L, item);
  bool is_it = item && lua_rawequal(L, -1, 3);
  if (is_it) {
    cnk_lanes_take(&face->lanes, item);
    cnk_slots_drop(L, &face->slots, cnk_slot_of(item), 1);
  }
  lua_pushboolean(L, is_it);
  return 1;
}

/* lanes:find(key, fits) -> item or nil, is_under_way */
static int find(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  struct cnk_lane_item *item = cnk_lanes_head(&face->lanes, cnk_bind_text(L, 2));
  for (; item; item = cnk_lanes_next(item)) {
    lua_settop(L, 3);
    push_value(L, item);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    lua_call(L, 1, 1);
    if (lua_toboolean(L, 5))
      break;
  }
  lua_settop(L, item ? 4 : 3);
  if (!item)
    lua_pushnil(L);
  lua_pushboolean(L, item && cnk_lanes_is_running(item));
  return 2;
}

/* lanes:count() -> items */
static int count(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cnk_bind_check_lanes(L)->lanes.items);
  return 1;
}

/* lanes:background_count() -> items */
static int background_count(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cnk_bind_check_lanes(L)->lanes.background_items);
  return 1;
}

/* lanes:active() -> items */
static int active(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cnk_bind_check_lanes(L)->lanes.active);
  return 1;
}

/* lanes:running() -> list of items */
static int running(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  lua_settop(L, 1);
  lua_newtable(L);
  struct cnk_lane_item *item = NULL;
  for (lua_Integer i = 1; (item = cnk_lanes_next_running(&face->lanes, item)); i++) {
    push_value(L, item);
    lua_rawseti(L, 2, i);
  }
  return 1;
}

void cnk_bind_add_item_methods(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"push",             push            },
      {"push_front",       push_front      },
      {"push_later",       push_later      },
      {"reserve",          reserve         },
      {"start_reserved",   start_reserved  },
      {"release",          release         },
      {"retry_now",        retry_now       },
      {"stop",             stop            },
      {"head",             head            },
      {"last",             last            },
      {"second",           second          },
      {"take_second",      take_second     },
      {"find",             find            },
      {"count",            count           },
      {"background_count", background_count},
      {"active",           active          },
      {"running",          running         },
      {NULL,               NULL            },
  };
  luaL_setfuncs(L, methods, 0);
}
