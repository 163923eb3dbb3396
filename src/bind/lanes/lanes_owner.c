/* SPDX-License-Identifier: MIT */
/* Methods of lanes for owners that hold more than a lane does, and for two lanes that become one. */
#include "bind/lanes/lanes.h"

/* lanes:lane(key) -> count, has_more; nil when there is none */
static int lane(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  size_t items;
  bool has_more;
  if (!cnk_lanes_look(&face->lanes, cnk_bind_text(L, 2), &items, &has_more)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)items);
  lua_pushboolean(L, has_more);
  return 2;
}

/* lanes:set_more(key, has_more) -> is_news */
static int set_more(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  if (!face->lanes.owner.fill)
    return luaL_error(L, "these lanes are filled by nobody");
  lua_pushboolean(L, cnk_lanes_set_more(&face->lanes, cnk_bind_text(L, 2), lua_toboolean(L, 3)));
  return 1;
}

/* The lane at 2, as the function of lanes:on_empty_lane got it. */
static bool check_unfilled(lua_State *L, const struct cnk_lua_lanes *face, struct cnk_text *key, uint64_t *serial)
{
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_getfield(L, 2, "serial");
  lua_getfield(L, 2, "key");
  *serial = (uint64_t)luaL_checkinteger(L, -2);
  *key = cnk_bind_text(L, -1);
  return cnk_lanes_is_unfilled(&face->lanes, *key, *serial);
}

/* lanes:is_unfilled(lane) -> boolean */
static int is_unfilled(lua_State *L)
{
  struct cnk_text key;
  uint64_t serial;
  lua_pushboolean(L, check_unfilled(L, cnk_bind_check_lanes(L), &key, &serial));
  return 1;
}

/* lanes:fill_empty(lane, items): what comes after an item for which there is no memory is not there, and the program ends. */
static int fill_empty(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  struct cnk_text key;
  uint64_t serial;
  if (!check_unfilled(L, face, &key, &serial))
    return 0;
  lua_Integer number = (lua_Integer)lua_rawlen(L, 3);
  for (lua_Integer i = 1; i <= number; i++) {
    lua_rawgeti(L, 3, i);
    struct cnk_slot *slot = cnk_slots_take(L, &face->slots, 1, lua_gettop(L));
    if (!slot)
      return cnk_bind_lanes_no_memory(L);
    cnk_lanes_push(&face->lanes, key, &slot->item, false, L); /* the lane is there */
    lua_pop(L, 1);
  }
  cnk_lanes_filled(&face->lanes, key, serial, L);
  return 0;
}

/* lanes:open_empty(key) */
static int open_empty(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  struct cnk_text key = cnk_bind_text(L, 2);
  size_t items;
  bool has_more;
  if (!face->lanes.owner.fill)
    return luaL_error(L, "these lanes are filled by nobody");
  if (cnk_lanes_look(&face->lanes, key, &items, &has_more))
    return luaL_error(L, "this lane is there already");
  if (!cnk_lanes_open_empty(&face->lanes, key, L))
    return cnk_bind_lanes_no_memory(L);
  return 0;
}

/* ---- two lanes that become one ------------------------------------------------------------------------------------- */

/* What `comes_before` is asked, or whom `on_move` is told of. */
struct join_call {
  const struct cnk_lane_item *a, *b;
  bool answer;
};

/* The functions are at these places of the stack of lanes:join. */
enum { JOIN_COMES_BEFORE = 4, JOIN_ON_MOVE };

static int ask_order(lua_State *L)
{
  struct join_call *asked = lua_touserdata(L, 2);
  lua_pushvalue(L, 3);
  cnk_slots_push(L, cnk_slot_of(asked->a), 1);
  if (asked->b)
    cnk_slots_push(L, cnk_slot_of(asked->b), 1);
  lua_call(L, asked->b ? 2 : 1, 1);
  asked->answer = lua_toboolean(L, -1);
  return 0;
}

static bool call_join(lua_State *L, int function, struct join_call asked)
{
  lua_pushcfunction(L, ask_order);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, &asked);
  lua_pushvalue(L, function);
  cnk_bind_call(L, 3);
  return asked.answer;
}

static bool comes_before(const struct cnk_lane_item *a, const struct cnk_lane_item *b, void *context)
{
  return call_join(context, JOIN_COMES_BEFORE, (struct join_call){.a = a, .b = b});
}

static void on_move(struct cnk_lane_item *item, void *context)
{
  call_join(context, JOIN_ON_MOVE, (struct join_call){.a = item});
}

/* lanes:join(from, to, comes_before, on_move) */
static int join(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  luaL_checktype(L, JOIN_COMES_BEFORE, LUA_TFUNCTION);
  luaL_checktype(L, JOIN_ON_MOVE, LUA_TFUNCTION);
  static const struct cnk_lanes_join how = {.comes_before = comes_before, .on_move = on_move};
  if (!cnk_lanes_join(&face->lanes, cnk_bind_text(L, 2), cnk_bind_text(L, 3), &how, L))
    return cnk_bind_lanes_no_memory(L);
  return 0;
}

void cnk_bind_add_owner_methods(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"lane",        lane       },
      {"set_more",    set_more   },
      {"is_unfilled", is_unfilled},
      {"fill_empty",  fill_empty },
      {"open_empty",  open_empty },
      {"join",        join       },
      {NULL,          NULL       },
  };
  luaL_setfuncs(L, methods, 0);
}
