/* SPDX-License-Identifier: MIT */
/* The face of the outbox: new messages, what is decided about them before their commit, and their way into the lanes. */
#include "bind/engine/outbox.h"

#include <string.h>

/* Of waiting messages beyond this number memory holds no content, only where to find it. */
#define MOST_IN_MEMORY 2000

/* ---- new messages ------------------------------------------------------------------------------------------------ */

/* The row on top gets a handle, with the value of its own as the handle's. */
static void add_handle(lua_State *L, int outbox, int64_t id, int own, int its)
{
  int row = lua_gettop(L);
  cnk_bind_new_sent(L, id);
  lua_getiuservalue(L, row, own);
  lua_setiuservalue(L, -2, its);
  lua_getiuservalue(L, outbox, CNK_OUTBOX_BY_ID);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, id);
  lua_pop(L, 1);
  lua_setiuservalue(L, row, CNK_ROW_HANDLE);
}

static struct cnk_row *push_row(lua_State *L, int outbox, int contact, int64_t id)
{
  struct cnk_row *row = cnk_bind_new_row(L);
  row->id = id;
  lua_pushvalue(L, contact);
  lua_setiuservalue(L, -2, CNK_ROW_CONTACT);
  lua_getiuservalue(L, outbox, CNK_OUTBOX_UNKNOWN);
  lua_setiuservalue(L, -2, CNK_ROW_UNKNOWN);
  return row;
}

void cnk_outbox_push_text(lua_State *L, const struct cnk_new_text *its)
{
  push_row(L, its->outbox, its->contact, its->id)->flags = CNK_ROW_IS_PLAIN | CNK_ROW_IS_TEXT;
  lua_pushvalue(L, its->to);
  lua_setiuservalue(L, -2, CNK_ROW_TO);
  lua_pushvalue(L, its->text);
  lua_setiuservalue(L, -2, CNK_ROW_TEXT);
  add_handle(L, its->outbox, its->id, CNK_ROW_TEXT, CNK_SENT_TEXT);
}

/* outbox:new_text(contact, id, to, text, event) -> row, handle: the usual message; `text`: its payload as JSON */
static int new_text(lua_State *L)
{
  cnk_bind_check_outbox(L);
  luaL_checkstring(L, 2);
  luaL_checkstring(L, 4);
  luaL_checkstring(L, 5);
  int64_t event = luaL_optinteger(L, 6, 0);
  cnk_outbox_push_text(
      L, &(struct cnk_new_text){.outbox = 1, .contact = 2, .id = luaL_checkinteger(L, 3), .to = 4, .text = 5});
  struct cnk_row *row = lua_touserdata(L, -1);
  row->event = event;
  lua_getiuservalue(L, -1, CNK_ROW_HANDLE);
  return 2;
}

/* outbox:new_row(contact, id, payload) -> row */
static int new_row(lua_State *L)
{
  cnk_bind_check_outbox(L);
  luaL_checkstring(L, 2);
  lua_Integer id = luaL_checkinteger(L, 3);
  luaL_checktype(L, 4, LUA_TTABLE);
  lua_settop(L, 4);
  push_row(L, 1, 2, id);
  lua_pushvalue(L, 4);
  lua_setfield(L, -2, "payload");
  add_handle(L, 1, id, CNK_ROW_PAYLOAD, CNK_SENT_PAYLOAD);
  return 1;
}

/* ---- before the commit ------------------------------------------------------------------------------------------- */

/* outbox:pass(row) -> seconds, is_for_all; nil: it has a permit, or needs none */
static int pass(lua_State *L)
{
  cnk_bind_check_outbox(L);
  cnk_bind_check_row(L, 2);
  bool is_for_all = false;
  double pause = cnk_outbox_pass(L, 1, 2, &is_for_all);
  if (pause < 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushnumber(L, pause);
  lua_pushboolean(L, is_for_all);
  return 2;
}

/* Whether it waits for anything else than its turn among the others. */
static bool has_time(lua_State *L, int row)
{
  bool has = cnk_bind_push_more(L, row, "due") != LUA_TNIL || cnk_bind_push_more(L, row, "hours") != LUA_TNIL;
  lua_settop(L, lua_gettop(L) - (has ? 1 : 2));
  return has;
}

/* Whether a row of a turn can be written as soon as the turn is committed; takes its permit and reserves its lane. */
static bool take_slot(lua_State *L, int index)
{
  struct cnk_lua_outbox *outbox = lua_touserdata(L, 1);
  const struct cnk_row *row = lua_touserdata(L, index);
  bool is_bulk = row->flags & CNK_ROW_IS_BULK, is_for_all;
  if (cnk_outbox_is_set(L, 1, is_bulk ? CNK_OUTBOX_BULK : CNK_OUTBOX_REPLIES, "has_more") ||
      cnk_outbox_is_after_delivery(L, index) || has_time(L, index))
    return false;
  if (cnk_outbox_is_set(L, 1, CNK_OUTBOX_PERSONS, "has_aliases")) {
    cnk_outbox_ask(L, 1, CNK_OUTBOX_IS_ELSEWHERE, index, 0, 1);
    bool is_elsewhere = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (is_elsewhere)
      return false;
  }
  cnk_bind_push_lane(L, index);
  struct cnk_text lane = cnk_bind_text(L, -1);
  bool is_reserved = cnk_lanes_reserve(&outbox->lanes->lanes, lane, is_bulk);
  if (is_reserved && cnk_outbox_take_permit(L, 1, index, &is_for_all) > 0) {
    cnk_lanes_release(&outbox->lanes->lanes, lane, L);
    is_reserved = false;
  }
  lua_pop(L, 1);
  return is_reserved;
}

/* The count of rows of its lane that were not marked, in the table at 3, where there is one; with one more it is set. */
static lua_Integer count_ahead(lua_State *L, int row, lua_Integer more)
{
  if (lua_isnil(L, 3))
    return 0;
  cnk_bind_push_lane(L, row);
  lua_pushvalue(L, -1);
  lua_rawget(L, 3);
  lua_Integer ahead = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (more) {
    lua_pushinteger(L, ahead + more);
    lua_rawset(L, 3);
  } else {
    lua_pop(L, 1);
  }
  return ahead;
}

/* Whether memory has no room for a row, `ahead` of whose lane and `beside` of all its turn stores before it. Where its contact has a
 * lane, that says so; the backlog says it of others. */
static bool must_park(lua_State *L, int index, lua_Integer ahead, lua_Integer beside)
{
  struct cnk_lua_outbox *outbox = lua_touserdata(L, 1);
  int top = lua_gettop(L);
  size_t count = 0;
  bool has_more = false, is_parked = cnk_bind_push_more(L, index, "due") != LUA_TNIL;
  if (!is_parked) {
    cnk_bind_push_lane(L, index);
    if (cnk_lanes_look(&outbox->lanes->lanes, cnk_bind_text(L, -1), &count, &has_more)) {
      is_parked = has_more || (lua_Integer)count - 1 + ahead >= outbox->of_contact;
    } else {
      lua_pushinteger(L, ahead);
      lua_pushinteger(L, beside);
      cnk_outbox_ask(L, 1, CNK_OUTBOX_MUST_PARK, index, 2, 1);
      is_parked = lua_toboolean(L, -1);
    }
  }
  lua_settop(L, top);
  return is_parked;
}

/* outbox:mark(rows): decides about the rows of a turn, see engine/outbox.lua */
static int mark(lua_State *L)
{
  cnk_bind_check_outbox(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushnil(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_settop(L, 3);
    lua_rawgeti(L, 2, i);
    struct cnk_row *row = cnk_bind_check_row(L, 4);
    /* It is marked already when the script has caught what an earlier commit of the turn raised. */
    lua_Integer ahead = count_ahead(L, 4, 0);
    if (!(row->flags & CNK_ROW_IS_MARKED) && ahead == 0 && take_slot(L, 4))
      row->flags |= CNK_ROW_IS_MARKED;
    if (row->flags & CNK_ROW_IS_MARKED)
      continue;
    if (lua_isnil(L, 3)) {
      lua_newtable(L);
      lua_replace(L, 3);
    }
    count_ahead(L, 4, 1);
    row->flags &= ~(unsigned)CNK_ROW_IS_PARKED;
    if (must_park(L, 4, ahead, i - 1))
      row->flags |= CNK_ROW_IS_PARKED;
  }
  return 0;
}

/* ---- after it ---------------------------------------------------------------------------------------------------- */

/* Puts a row that was marked into the lane that is reserved for it. */
static void start_marked(lua_State *L, int row)
{
  struct cnk_lua_outbox *outbox = lua_touserdata(L, 1);
  if (outbox->is_stopped) {
    cnk_outbox_ask(L, 1, CNK_OUTBOX_PUT_BACK, row, 0, 0);
    return;
  }
  lua_getiuservalue(L, 1, CNK_OUTBOX_LANES);
  cnk_bind_push_lane(L, row);
  if (!cnk_bind_start_reserved(L, outbox->lanes, row + 1, cnk_bind_text(L, row + 2), row))
    luaL_error(L, "the lane of a marked message is not reserved");
}

/* Queues a row behind the others of its contact. */
static void queue(lua_State *L, int index)
{
  struct cnk_lua_outbox *outbox = lua_touserdata(L, 1);
  const struct cnk_row *row = lua_touserdata(L, index);
  if (outbox->lanes->lanes.items >= MOST_IN_MEMORY)
    cnk_outbox_ask(L, 1, CNK_OUTBOX_QUEUE, index, 0, 0);
  lua_getiuservalue(L, 1, CNK_OUTBOX_LANES);
  cnk_bind_push_lane(L, index);
  cnk_bind_push_item(L, outbox->lanes, index + 1, cnk_bind_text(L, index + 2), index, row->flags & CNK_ROW_IS_BULK);
}

/* outbox:enqueue(rows): takes the rows of a committed turn */
static int enqueue(lua_State *L)
{
  cnk_bind_check_outbox(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
  cnk_bind_add_count(L, 1, CNK_OUTBOX_COUNTS, "messages_queued", count);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_settop(L, 2);
    lua_rawgeti(L, 2, i);
    const struct cnk_row *row = cnk_bind_check_row(L, 3);
    if (row->flags & CNK_ROW_IS_MARKED)
      start_marked(L, 3);
    else if (row->flags & CNK_ROW_IS_PARKED)
      cnk_outbox_ask(L, 1, CNK_OUTBOX_ADD_PARKED, 3, 0, 0);
    else
      queue(L, 3);
  }
  return 0;
}

/* outbox:send(row): it waits for nothing else */
static int send_row(lua_State *L)
{
  cnk_bind_check_outbox(L);
  cnk_bind_check_row(L, 2);
  cnk_outbox_send(L, 1, 2);
  return 0;
}

/* outbox:cancel(row): ends a request that C has; whether it has one */
static int cancel(lua_State *L)
{
  cnk_bind_check_outbox(L);
  const struct cnk_row *row = cnk_bind_check_row(L, 2);
  lua_pushboolean(L, row->post != NULL);
  if (row->post)
    cnk_post_cancel(row->post);
  return 1;
}

/* ---- recent messages --------------------------------------------------------------------------------------------- */

/* outbox:last_of(contact) -> the handle of its last message, if that is one of the recent ones */
static int last_of(lua_State *L)
{
  const struct cnk_lua_outbox *outbox = cnk_bind_check_outbox(L);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, CNK_OUTBOX_RECENT_CONTACTS);
  for (lua_Integer back = 0; back < CNK_OUTBOX_RECENT_MOST; back++) {
    lua_Integer place = (outbox->recent - 1 - back + CNK_OUTBOX_RECENT_MOST) % CNK_OUTBOX_RECENT_MOST + 1;
    lua_rawgeti(L, 3, place);
    bool is_it = lua_rawequal(L, 2, -1);
    lua_pop(L, 1);
    if (is_it) {
      lua_getiuservalue(L, 1, CNK_OUTBOX_RECENT);
      lua_rawgeti(L, -1, place);
      return 1;
    }
  }
  lua_pushnil(L);
  return 1;
}

/* outbox:join_recent(from, to): what was sent to one contact was sent to the other */
static int join_recent(lua_State *L)
{
  cnk_bind_check_outbox(L);
  luaL_checkstring(L, 2);
  luaL_checkstring(L, 3);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, CNK_OUTBOX_RECENT_CONTACTS);
  for (lua_Integer place = 1; place <= CNK_OUTBOX_RECENT_MOST; place++) {
    lua_rawgeti(L, 4, place);
    if (lua_rawequal(L, 2, -1)) {
      lua_pushvalue(L, 3);
      lua_rawseti(L, 4, place);
    }
    lua_pop(L, 1);
  }
  return 0;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* outbox:stop(): nothing is written any more */
static int stop(lua_State *L)
{
  cnk_bind_check_outbox(L)->is_stopped = true;
  return 0;
}

static int collect(lua_State *L)
{
  (void)L;
  return 0;
}

static void push_weak(lua_State *L)
{
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/* The tables of an outbox, which is on top. */
static void make_values(lua_State *L)
{
  int outbox = lua_gettop(L);
  push_weak(L);
  lua_setiuservalue(L, outbox, CNK_OUTBOX_BY_ID);
  push_weak(L);
  lua_setiuservalue(L, outbox, CNK_OUTBOX_BY_MESSAGE_ID);
  lua_createtable(L, CNK_OUTBOX_RECENT_MOST, 0);
  lua_setiuservalue(L, outbox, CNK_OUTBOX_RECENT);
  lua_createtable(L, CNK_OUTBOX_RECENT_MOST, 0);
  lua_setiuservalue(L, outbox, CNK_OUTBOX_RECENT_CONTACTS);
  lua_pushcfunction(L, cnk_outbox_on_mark);
  lua_setiuservalue(L, outbox, CNK_OUTBOX_ON_MARK);
  lua_pushcfunction(L, cnk_outbox_on_outcome);
  lua_setiuservalue(L, outbox, CNK_OUTBOX_ON_OUTCOME);
}

static void take_given(lua_State *L)
{
  static const char *const names[] = {
      "lanes",     "store",      "limiter",    "client",   "counts",      "unknown",    "log",
      "persons",   "replies",    "bulk",       "handles",  "accepted_id", "permit",     "is_elsewhere",
      "must_park", "add_parked", "make_light", "put_back", "run",         "not_marked", "transmit",
      "read",      "fail",       "on_answer",  "settle",   "store_again", "advance",
  };
  _Static_assert(sizeof names / sizeof *names == CNK_OUTBOX_GIVEN, "a name for each value");
  for (int i = 0; i < CNK_OUTBOX_GIVEN; i++) {
    lua_getfield(L, 1, names[i]);
    lua_setiuservalue(L, 2, i + 1);
  }
}

/* core.outbox(parts) -> outbox, by_id, by_message_id; sets the function `on_outcome` in the parts */
static int new_outbox(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct cnk_lua_outbox *outbox = lua_newuserdatauv(L, sizeof *outbox, CNK_OUTBOX_VALUES);
  memset(outbox, 0, sizeof *outbox);
  outbox->self = outbox;
  luaL_setmetatable(L, CNK_OUTBOX_CLASS);
  take_given(L);
  make_values(L);
  lua_pushcfunction(L, cnk_outbox_on_outcome);
  lua_setfield(L, 1, "on_outcome");
  lua_getiuservalue(L, 2, CNK_OUTBOX_STORE);
  outbox->store = luaL_checkudata(L, 3, CNK_BIND_STORE);
  lua_getiuservalue(L, 2, CNK_OUTBOX_LANES);
  outbox->lanes = luaL_checkudata(L, 4, CNK_LANES_CLASS);
  lua_getfield(L, 1, "of_contact");
  outbox->of_contact = luaL_checkinteger(L, -1);
  lua_pushvalue(L, 2);
  cnk_bind_own_lanes(L, 4, &cnk_outbox_owner);
  lua_settop(L, 2);
  lua_getiuservalue(L, 2, CNK_OUTBOX_BY_ID);
  lua_getiuservalue(L, 2, CNK_OUTBOX_BY_MESSAGE_ID);
  return 3;
}

void cnk_bind_open_outbox(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"new_text",    new_text   },
      {"new_row",     new_row    },
      {"pass",        pass       },
      {"mark",        mark       },
      {"enqueue",     enqueue    },
      {"send",        send_row   },
      {"cancel",      cancel     },
      {"last_of",     last_of    },
      {"join_recent", join_recent},
      {"stop",        stop       },
      {NULL,          NULL       },
  };
  cnk_bind_class(L, CNK_OUTBOX_CLASS, methods, collect);
  lua_pushcfunction(L, new_outbox);
  lua_setfield(L, -2, "outbox");
  lua_pushliteral(L, CNK_BULK_LANE);
  lua_setfield(L, -2, "bulk_lane");
}
