/* SPDX-License-Identifier: MIT */
/*
 * The face of the inbox: webhooks on their way into the store (bind/webhook/accept.c), and the new events from there into their lanes.
 * What is rare is asked of functions of engine/inbox.lua.
 */
#include <string.h>

#include "bind/engine/outbox.h"

/* Of events beyond this number memory holds only the id, not the body. */
#define MOST_IN_MEMORY 2000

/* User values: what core.inbox is given, by these names in this order. */
enum {
  LANES = 1,
  STORE,
  SENDS,   /* the outbox's lanes */
  REPLIES, /* of the backlog: how many are only in the store */
  PERSONS,
  CONVERSATIONS, /* the cache of them */
  STORE_FACE,    /* that of store/init.lua: the joins that it knows of */
  COUNTS,
  WALL_CLOCK,
  DESCRIBE, /* functions, and so are the others */
  IS_SAME,
  NOTE_INBOUND,
  GENERAL, /* what is to be done with an answer of the store */
  ON_STATUS,
  IS_HEARD,
  GIVEN = IS_HEARD,
  ACCEPT, /* core.accept_webhook */
  VALUES = ACCEPT
};

#define INBOX_CLASS "cunnekt.core_inbox"

struct inbox {
  void *self;
  struct cnk_lua_lanes *lanes;
  const struct cnk_lua_lanes *sends; /* NULL: there is no outbox */
  lua_Integer capacity, accepting;
  bool minds_mail;
};

static struct inbox *check_inbox(lua_State *L)
{
  return cnk_bind_self(L, sizeof(struct inbox), INBOX_CLASS);
}

/* So many more events may be accepted. What earlier ones have caused counts, too: while the provider takes no messages new events
 * are refused in time, and come again later. */
static lua_Integer room_of(lua_State *L, int index)
{
  const struct inbox *inbox = lua_touserdata(L, index);
  lua_Integer room = inbox->capacity - (lua_Integer)inbox->lanes->lanes.items - inbox->accepting;
  lua_getiuservalue(L, index, REPLIES);
  lua_getfield(L, -1, "stored");
  room -= lua_tointeger(L, -1);
  lua_pop(L, 2);
  if (inbox->sends)
    room -= (lua_Integer)(inbox->sends->lanes.items - inbox->sends->lanes.background_items);
  return room;
}

/* The same for a webhook that another host has taken, which nobody repeats: it goes on alone where it has more events than there may be. */
static lua_Integer room_for_mail(lua_State *L, int index)
{
  const struct inbox *inbox = lua_touserdata(L, index);
  lua_Integer room = room_of(L, index);
  bool is_alone = inbox->lanes->lanes.items == 0 && inbox->accepting == 0;
  return is_alone && room > 0 ? LUA_MAXINTEGER : room;
}

/* ---- new events -------------------------------------------------------------------------------------------------- */

/* What the record on top causes before its turn. */
static void note_record(lua_State *L, int index)
{
  int record = lua_gettop(L);
  if (lua_getfield(L, record, "timestamp") != LUA_TNIL) {
    lua_getiuservalue(L, index, WALL_CLOCK);
    lua_getfield(L, -1, "witness");
    lua_insert(L, -2);
    lua_pushvalue(L, record + 1);
    lua_call(L, 2, 0);
  }
  if (lua_getfield(L, record, "is_status") != LUA_TNIL) {
    lua_getiuservalue(L, index, ON_STATUS);
    lua_pushvalue(L, record);
    lua_call(L, 1, 0);
  }
  lua_settop(L, record);
}

/* Puts the record on top into its lane, unless it is a status that nobody hears, and so is finished. */
static void queue_record(lua_State *L, int index)
{
  const struct inbox *inbox = lua_touserdata(L, index);
  int record = lua_gettop(L);
  luaL_checktype(L, record, LUA_TTABLE);
  lua_getfield(L, record, "id");
  bool is_finished = lua_tointeger(L, -1) == 0;
  lua_pop(L, 1);
  if (is_finished) {
    cnk_bind_add_count(L, index, COUNTS, "events_finished", 1);
    return;
  }
  if (inbox->lanes->lanes.items >= MOST_IN_MEMORY) {
    lua_pushnil(L);
    lua_setfield(L, record, "event");
    lua_pushnil(L);
    lua_setfield(L, record, "body");
  }
  lua_pushnumber(L, cnk_clock_monotonic(inbox->lanes->lanes.loop->clock));
  lua_setfield(L, record, "queued_at");
  lua_getiuservalue(L, index, LANES);
  lua_getfield(L, record, "contact");
  cnk_bind_push_item(L, inbox->lanes, record + 1, cnk_bind_text(L, record + 2), record, false);
  lua_settop(L, record);
}

static void for_each(lua_State *L, int index, int list, void (*fn)(lua_State *L, int inbox))
{
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, list, i);
    fn(L, index);
    lua_pop(L, 1);
  }
}

/* inbox:enqueue(records): in order of acceptance */
static int enqueue(lua_State *L)
{
  check_inbox(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  for_each(L, 1, 2, queue_record);
  return 0;
}

/* Whether one of the new events, in the list at 1, may be another conversation's than it says; `joins` is at 2. */
static bool may_be_elsewhere(lua_State *L, int index)
{
  if (cnk_outbox_is_set(L, index, PERSONS, "has_aliases"))
    return true;
  lua_getiuservalue(L, index, STORE_FACE);
  lua_getfield(L, -1, "joins");
  bool is_same = lua_compare(L, -1, 2, LUA_OPEQ);
  lua_pop(L, 2);
  return !is_same;
}

/* on_new(records, joins), or on_new(nil, err): the store has answered. */
enum { ON_INBOX = 1, ON_DONE, ON_SUBJECT, ON_COUNT, ON_PARTS };

static int ask_general(lua_State *L)
{
  lua_getiuservalue(L, lua_upvalueindex(ON_INBOX), GENERAL);
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(ON_COUNT));
  lua_pushvalue(L, lua_upvalueindex(ON_DONE));
  lua_pushvalue(L, lua_upvalueindex(ON_SUBJECT));
  lua_pushvalue(L, lua_upvalueindex(ON_PARTS));
  lua_call(L, 6, 0);
  return 0;
}

static int on_new(lua_State *L)
{
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(ON_INBOX));
  bool is_usual = lua_isnil(L, lua_upvalueindex(ON_PARTS)) && !lua_isnil(L, 1) && !may_be_elsewhere(L, 3);
  if (!is_usual) {
    lua_settop(L, 2);
    return ask_general(L);
  }
  struct inbox *inbox = lua_touserdata(L, 3);
  lua_Integer count = lua_tointeger(L, lua_upvalueindex(ON_COUNT)), fresh = (lua_Integer)lua_rawlen(L, 1);
  inbox->accepting -= count;
  cnk_bind_add_count(L, 3, COUNTS, "events_accepted", fresh);
  cnk_bind_add_count(L, 3, COUNTS, "events_deduplicated", count - fresh);
  if (!cnk_outbox_is_set(L, 3, CONVERSATIONS, "is_empty")) {
    lua_getiuservalue(L, 3, NOTE_INBOUND);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
  }
  lua_pushvalue(L, lua_upvalueindex(ON_DONE));
  lua_pushnil(L);
  lua_pushvalue(L, lua_upvalueindex(ON_SUBJECT));
  lua_call(L, 2, 0);
  for_each(L, 3, 1, note_record);
  for_each(L, 3, 1, queue_record);
  return 0;
}

/* Calls core.accept_webhook for the body at 2, with the function above, which is left below its results. */
static void give_to_store(lua_State *L, bool minds_mail)
{
  bool is_letter = lua_isinteger(L, 5);
  lua_Integer letter = lua_tointeger(L, 5);
  lua_settop(L, 4);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_pushvalue(L, 4);
  lua_pushinteger(L, 0); /* the count, which is not known yet */
  lua_pushnil(L);
  lua_pushcclosure(L, on_new, ON_PARTS);
  lua_getiuservalue(L, 1, ACCEPT);
  lua_getiuservalue(L, 1, STORE);
  lua_pushvalue(L, 2);
  lua_pushinteger(L, is_letter ? room_for_mail(L, 1) : room_of(L, 1));
  lua_getiuservalue(L, 1, DESCRIBE);
  lua_getiuservalue(L, 1, IS_SAME);
  lua_pushvalue(L, 5);
  lua_getiuservalue(L, 1, IS_HEARD);
  if (is_letter)
    lua_pushinteger(L, letter);
  else
    lua_pushboolean(L, minds_mail);
  lua_call(L, 8, LUA_MULTRET);
}

/* inbox:accept(body, done, subject, mail) -> true, is_whole | nil, message, code: stores the events of a webhook, then queues the
 * new ones. done(err, subject); after an error the sender must repeat the webhook, and what was stored is found as a duplicate
 * then. `mail`: the id of the letter that it is, which goes with its events where they are stored as a whole; or false: it came
 * after all that wait. */
static int accept_body(lua_State *L)
{
  struct inbox *inbox = check_inbox(L);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  give_to_store(L, inbox->minds_mail && lua_isnoneornil(L, 5));
  if (lua_isnil(L, 6))
    return lua_gettop(L) - 5; /* nil, message, code */
  lua_Integer count = lua_tointeger(L, 6), calls = lua_tointeger(L, 7);
  inbox->accepting += count;
  lua_pushinteger(L, count);
  lua_setupvalue(L, 5, ON_COUNT);
  bool is_whole = calls == 1 && lua_gettop(L) == 7;
  if (!is_whole) { /* several calls, or the last of them were not taken: a sentence and a code */
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, calls);
    lua_setfield(L, -2, "missing");
    lua_pushvalue(L, 8);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, 9);
    lua_setfield(L, -2, "code");
    lua_setupvalue(L, 5, ON_PARTS);
  }
  lua_pushboolean(L, true);
  lua_pushboolean(L, is_whole);
  return 2;
}

/* inbox:room() -> how many more events may be accepted */
static int room(lua_State *L)
{
  check_inbox(L);
  lua_pushinteger(L, room_of(L, 1));
  return 1;
}

/* inbox:ended(count): so many events are accepted no more, but there, or not stored */
static int ended(lua_State *L)
{
  check_inbox(L)->accepting -= luaL_checkinteger(L, 2);
  return 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static int collect(lua_State *L)
{
  (void)L;
  return 0;
}

static void take_given(lua_State *L)
{
  static const char *const names[] = {
      "lanes",      "store",    "sends",   "replies",      "persons", "conversations", "store_face", "counts",
      "wall_clock", "describe", "is_same", "note_inbound", "general", "on_status",     "is_heard",
  };
  _Static_assert(sizeof names / sizeof *names == GIVEN, "a name for each value");
  for (int i = 0; i < GIVEN; i++) {
    lua_getfield(L, 1, names[i]);
    lua_setiuservalue(L, 2, i + 1);
  }
}

/* core.inbox(parts) -> inbox */
static int new_inbox(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct inbox *inbox = lua_newuserdatauv(L, sizeof *inbox, VALUES);
  memset(inbox, 0, sizeof *inbox);
  inbox->self = inbox;
  luaL_setmetatable(L, INBOX_CLASS);
  take_given(L);
  lua_getfield(L, 1, "accept");
  lua_setiuservalue(L, 2, ACCEPT);
  inbox->capacity = cnk_bind_opt_integer(L, 1, "capacity", 0);
  lua_getfield(L, 1, "minds_mail");
  inbox->minds_mail = lua_toboolean(L, -1);
  lua_pop(L, 1);
  lua_getiuservalue(L, 2, LANES);
  inbox->lanes = luaL_checkudata(L, 3, CNK_LANES_CLASS);
  lua_getiuservalue(L, 2, SENDS);
  inbox->sends = lua_isnil(L, 4) ? NULL : luaL_checkudata(L, 4, CNK_LANES_CLASS);
  lua_settop(L, 2);
  return 1;
}

void cnk_bind_open_inbox(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"accept",  accept_body},
      {"enqueue", enqueue    },
      {"room",    room       },
      {"ended",   ended      },
      {NULL,      NULL       },
  };
  cnk_bind_class(L, INBOX_CLASS, methods, collect);
  lua_pushcfunction(L, new_inbox);
  lua_setfield(L, -2, "inbox");
}
