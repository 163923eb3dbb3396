/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of engine/lanes.h: any value is an item, and functions are the owner's.
 *
 * The functions are user values of the lanes. What C calls gets the Lua state as its context, finds the lanes in a table with
 * weak values, and calls Lua in protected calls only: an error goes to core.on_error, and one for lack of memory ends the
 * program.
 */
#include "bind/lanes/lanes.h"

#include <math.h>
#include <string.h>

/* The registry's table of lanes, by address. */
static const char faces_key = 0;

/* Seconds for which an item waits whose gate has failed. */
#define GATE_FAILED 1.0

static struct cnk_lua_lanes *face_of(struct cnk_lanes *lanes)
{
  return CNK_OWNER(lanes, struct cnk_lua_lanes, lanes);
}

/* ---- what the lanes call ------------------------------------------------------------------------------------------- */

/* Pushes the lanes; false when they are about to be collected. */
static bool push_face(lua_State *L, struct cnk_lanes *lanes)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &faces_key);
  bool is_there = lua_rawgetp(L, -1, face_of(lanes)) == LUA_TUSERDATA;
  lua_remove(L, -2);
  if (!is_there)
    lua_pop(L, 1);
  return is_there;
}

/* Calls `fn` with the lanes and a pointer, in a protected call. */
static void call(lua_State *L, struct cnk_lanes *lanes, lua_CFunction fn, void *about)
{
  if (!lua_checkstack(L, LUA_MINSTACK)) {
    *cnk_bind_out_of_memory(L) = true;
    return;
  }
  lua_pushcfunction(L, fn);
  if (!push_face(L, lanes)) {
    lua_pop(L, 1);
    return;
  }
  lua_pushlightuserdata(L, about);
  cnk_bind_call(L, 2);
}

void cnk_bind_finish(lua_State *L, const struct cnk_start *start, double pause)
{
  struct cnk_lua_lanes *face = start->lanes;
  struct cnk_slot *slot = cnk_slots_at(&face->slots, start->slot);
  if (!slot || slot->start == 0 || slot->start != start->number || !push_face(L, &face->lanes))
    return;
  int at = lua_gettop(L);
  slot->start = 0;
  cnk_lanes_done(&face->lanes, &slot->item, pause, L);
  if (isnan(pause) && face->self)
    cnk_slots_drop(L, &face->slots, slot, at);
  lua_settop(L, at - 1);
}

/* done(pause?), with the lanes, the number of a slot and that of its start as upvalues: it counts once. */
static int done(lua_State *L)
{
  const struct cnk_start start = {
      .lanes = lua_touserdata(L, lua_upvalueindex(1)),
      .slot = (size_t)lua_tointeger(L, lua_upvalueindex(2)),
      .number = (uint64_t)lua_tointeger(L, lua_upvalueindex(3)),
  };
  double pause = lua_isnoneornil(L, 1) ? (double)NAN : (double)luaL_checknumber(L, 1);
  lua_settop(L, 0);
  cnk_bind_finish(L, &start, pause);
  return 0;
}

void cnk_bind_push_done(lua_State *L, const struct cnk_start *start)
{
  if (!start->lanes || !push_face(L, &start->lanes->lanes)) {
    lua_pushnil(L);
    return;
  }
  lua_pushinteger(L, (lua_Integer)start->slot);
  lua_pushinteger(L, (lua_Integer)start->number);
  lua_pushcclosure(L, done, 3);
}

static int run_slot(lua_State *L)
{
  struct cnk_lua_lanes *face = lua_touserdata(L, 1);
  struct cnk_slot *slot = lua_touserdata(L, 2);
  const struct cnk_start start = {.lanes = face, .slot = slot->number, .number = ++face->starts};
  slot->start = start.number;
  lua_getiuservalue(L, 1, CNK_LANES_NATIVE);
  cnk_slots_push(L, slot, 1);
  if (face->native && face->native->run(L, &start))
    return 0;
  lua_settop(L, 4);
  lua_getiuservalue(L, 1, CNK_LANES_RUN);
  lua_pushvalue(L, 4);
  cnk_bind_push_done(L, &start);
  lua_call(L, 2, 0);
  return 0;
}

static void run(struct cnk_lanes *lanes, struct cnk_lane_item *item, void *context)
{
  call(context, lanes, run_slot, cnk_slot_of(item));
}

struct gate_call {
  struct cnk_lane_item *item;
  double pause;
  bool is_for_all;
};

static int ask_gate(lua_State *L)
{
  const struct cnk_lua_lanes *face = lua_touserdata(L, 1);
  struct gate_call *asked = lua_touserdata(L, 2);
  if (face->native) {
    lua_getiuservalue(L, 1, CNK_LANES_NATIVE);
    cnk_slots_push(L, cnk_slot_of(asked->item), 1);
    asked->pause = face->native->gate(L, &asked->is_for_all);
    return 0;
  }
  lua_getiuservalue(L, 1, CNK_LANES_GATE);
  cnk_slots_push(L, cnk_slot_of(asked->item), 1);
  lua_call(L, 1, 2);
  double pause = lua_isnil(L, -2) ? -1 : luaL_checknumber(L, -2);
  asked->pause = pause < 0 && !lua_isnil(L, -2) ? 0 : pause;
  asked->is_for_all = lua_toboolean(L, -1);
  return 0;
}

static double gate(struct cnk_lanes *lanes, struct cnk_lane_item *item, bool *is_for_all, void *context)
{
  struct gate_call asked = {.item = item, .pause = GATE_FAILED};
  call(context, lanes, ask_gate, &asked);
  *is_for_all = asked.is_for_all;
  return asked.pause;
}

struct fill_call {
  struct cnk_text key;
  uint64_t serial;
  bool is_background;
};

static int fill_lane(lua_State *L)
{
  const struct fill_call *wanted = lua_touserdata(L, 2);
  lua_getiuservalue(L, 1, CNK_LANES_FILL);
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, wanted->key.data, wanted->key.size);
  lua_setfield(L, -2, "key");
  lua_pushinteger(L, (lua_Integer)wanted->serial);
  lua_setfield(L, -2, "serial");
  lua_pushboolean(L, wanted->is_background);
  lua_setfield(L, -2, "is_background");
  lua_call(L, 1, 0);
  return 0;
}

static void fill(struct cnk_lanes *lanes, struct cnk_text key, uint64_t serial, bool is_background, void *context)
{
  call(context, lanes, fill_lane, &(struct fill_call){key, serial, is_background});
}

static int tell_function(lua_State *L)
{
  lua_getiuservalue(L, 1, *(const int *)lua_touserdata(L, 2));
  lua_call(L, 0, 0);
  return 0;
}

static void tell(lua_State *L, struct cnk_lanes *lanes, int which)
{
  call(L, lanes, tell_function, &which);
}

static void on_advance(struct cnk_lanes *lanes, void *context)
{
  tell(context, lanes, CNK_LANES_ADVANCE);
}

static void on_quiet(struct cnk_lanes *lanes, void *context)
{
  tell(context, lanes, CNK_LANES_QUIET);
}

static void on_empty(struct cnk_lanes *lanes, void *context)
{
  tell(context, lanes, CNK_LANES_EMPTY);
}

/* The lanes stay on the stack meanwhile. */
static void wake(struct cnk_lanes *lanes, void *context)
{
  lua_State *L = context;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (!push_face(L, lanes))
    return;
  cnk_lanes_go(lanes, L);
  lua_pop(L, 1);
}

void cnk_bind_own_lanes(lua_State *L, int lanes, const struct cnk_native_owner *native)
{
  struct cnk_lua_lanes *face = lua_touserdata(L, lanes);
  lua_setiuservalue(L, lanes, CNK_LANES_NATIVE);
  face->native = native;
  face->lanes.owner.gate = native->gate ? gate : NULL;
}

/* ---- the functions ------------------------------------------------------------------------------------------------- */

/* Keeps the function at 2, or nil. */
static bool keep_function(lua_State *L, int which)
{
  bool is_there = !lua_isnoneornil(L, 2);
  if (is_there)
    luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, which);
  return is_there;
}

static int connect_run(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  face->native = NULL;
  face->lanes.owner.gate = lua_getiuservalue(L, 1, CNK_LANES_GATE) == LUA_TFUNCTION ? gate : NULL;
  lua_pop(L, 1);
  keep_function(L, CNK_LANES_RUN);
  return 0;
}

static int on_empty_lane(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  face->lanes.owner.fill = keep_function(L, CNK_LANES_FILL) ? fill : NULL;
  return 0;
}

static int set_on_advance(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  face->lanes.owner.on_advance = keep_function(L, CNK_LANES_ADVANCE) ? on_advance : NULL;
  return 0;
}

static int when_quiet(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  face->lanes.owner.on_quiet = keep_function(L, CNK_LANES_QUIET) ? on_quiet : NULL;
  if (face->lanes.owner.on_quiet && face->lanes.active == 0)
    on_quiet(&face->lanes, L);
  return 0;
}

static int when_empty(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_check_lanes(L);
  face->lanes.owner.on_empty = keep_function(L, CNK_LANES_EMPTY) ? on_empty : NULL;
  if (face->lanes.owner.on_empty && face->lanes.items == 0)
    on_empty(&face->lanes, L);
  return 0;
}

/* ---- lanes --------------------------------------------------------------------------------------------------------- */

static int close_lanes(lua_State *L)
{
  struct cnk_lua_lanes *face = luaL_checkudata(L, 1, CNK_LANES_CLASS);
  if (!face->self)
    return 0;
  face->self = NULL;
  cnk_lanes_deinit(&face->lanes);
  cnk_slots_deinit(&face->slots);
  return 0;
}

static void note_face(lua_State *L, struct cnk_lua_lanes *face)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &faces_key);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, face);
  lua_pop(L, 1);
}

/* core.lanes(concurrency, run?, gate?) -> lanes */
static int new_lanes(lua_State *L)
{
  lua_Integer concurrency = luaL_checkinteger(L, 1);
  luaL_argcheck(L, concurrency > 0, 1, "must be at least 1");
  lua_settop(L, 3);
  bool has_gate = !lua_isnil(L, 3);
  if (has_gate)
    luaL_checktype(L, 3, LUA_TFUNCTION);
  const struct cnk_lanes_owner owner = {.run = run, .gate = has_gate ? gate : NULL, .wake = wake};
  struct cnk_lua_lanes *face = lua_newuserdatauv(L, sizeof *face, CNK_LANES_VALUES);
  memset(face, 0, sizeof *face);
  luaL_setmetatable(L, CNK_LANES_CLASS);
  lua_newtable(L);
  lua_setiuservalue(L, 4, CNK_LANES_ITEMS);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 4, CNK_LANES_RUN);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 4, CNK_LANES_GATE);
  note_face(L, face);
  cnk_lanes_init(&face->lanes, cnk_bind_loop(L), (size_t)concurrency, &owner);
  cnk_slots_init(&face->slots);
  face->self = face;
  return 1;
}

static const luaL_Reg methods[] = {
    {"connect",       connect_run   },
    {"on_empty_lane", on_empty_lane },
    {"on_advance",    set_on_advance},
    {"when_quiet",    when_quiet    },
    {"when_empty",    when_empty    },
    {NULL,            NULL          },
};

void cnk_bind_open_lanes(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"lanes", new_lanes},
      {NULL,    NULL     },
  };
  cnk_bind_class(L, CNK_LANES_CLASS, methods, close_lanes);
  luaL_getmetatable(L, CNK_LANES_CLASS);
  lua_getfield(L, -1, "__index");
  cnk_bind_add_item_methods(L);
  cnk_bind_add_owner_methods(L);
  lua_pop(L, 2);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &faces_key);
  luaL_setfuncs(L, functions, 0);
}
