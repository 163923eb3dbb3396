/* SPDX-License-Identifier: MIT */
/* The usual reply of a bare turn: a text to the person whose message is handled. */
#include "bind/engine/turn.h"
#include "whatsapp/identity.h"
#include "whatsapp/message.h"

/* Whether the window of the event at `turn` is open for certain: `inbound_at` of its record. */
static bool is_open(lua_State *L, int turn, double window)
{
  int top = lua_gettop(L);
  lua_getiuservalue(L, turn, CNK_TURN_RECORD);
  lua_getfield(L, -1, "inbound_at");
  double at = lua_tonumber(L, -1);
  lua_getiuservalue(L, 1, CNK_TURNS_WALL_CLOCK);
  lua_getfield(L, -1, "now");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  bool is_it = at > 0 && at + window > lua_tonumber(L, -1);
  lua_settop(L, top);
  return is_it;
}

/* Whether there is a function of bot:before_send. */
static bool has_senders(lua_State *L)
{
  lua_getiuservalue(L, 1, CNK_TURNS_SENDERS);
  bool has = lua_rawgeti(L, -1, 1) != LUA_TNIL;
  lua_pop(L, 2);
  return has;
}

/* Whether the texts at 3 and 4 are a recipient and what can be sent as it is. */
static bool is_message(lua_State *L, const struct cnk_lua_turns *turns, struct cnk_text *to, struct cnk_text *text)
{
  if (lua_type(L, 3) != LUA_TSTRING || lua_type(L, 4) != LUA_TSTRING)
    return false;
  to->data = lua_tolstring(L, 3, &to->size);
  text->data = lua_tolstring(L, 4, &text->size);
  return cnk_message_is_text(*text, turns->most_characters) &&
         cnk_identity_is_number(*to, turns->least_digits, turns->most_digits);
}

static void push_json(lua_State *L, struct cnk_text text, struct cnk_text to)
{
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, cnk_message_room(text, to));
  luaL_pushresultsize(&buffer, cnk_message_write_text(text, to, out));
}

/* Adds the row on top to the turn at an index. */
static void add_row(lua_State *L, int index)
{
  struct cnk_bare_turn *turn = lua_touserdata(L, index);
  struct cnk_row *row = lua_touserdata(L, -1);
  row->event = turn->event;
  if (lua_getiuservalue(L, index, CNK_TURN_ROWS) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, index, CNK_TURN_ROWS);
  }
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, turn->rows + 1);
  turn->rows++;
  lua_pop(L, 1);
}

/* turns:say(contact, to, text) -> handle; nil where the running turn is no bare one of this contact, or something is not as usual */
int cnk_turns_say(lua_State *L)
{
  const struct cnk_lua_turns *turns = cnk_bind_self(L, sizeof *turns, CNK_TURNS_CLASS);
  struct cnk_text to, text;
  lua_settop(L, 4);
  if (!cnk_bind_push_bare(L))
    return 0;
  const struct cnk_bare_turn *turn = cnk_bare_turn_at(L, 5);
  if (!turn || turn->task.is_task)
    return 0;
  lua_getiuservalue(L, 5, CNK_TURN_TURNS);
  lua_getiuservalue(L, 5, CNK_TURN_CONTACT);
  bool is_usual = lua_touserdata(L, 6) == turns && lua_rawequal(L, 7, 2) && !has_senders(L) &&
                  is_message(L, turns, &to, &text) && is_open(L, 5, turns->window);
  if (!is_usual)
    return 0;
  lua_settop(L, 5);
  lua_getiuservalue(L, 1, CNK_TURNS_TAKE_ID);
  lua_call(L, 0, 1);
  if (lua_isnil(L, 6))
    return 0;
  push_json(L, text, to);
  lua_getiuservalue(L, 1, CNK_TURNS_OUTBOX);
  cnk_outbox_push_text(
      L, &(struct cnk_new_text){.outbox = 8, .contact = 2, .id = lua_tointeger(L, 6), .to = 3, .text = 7});
  add_row(L, 5);
  lua_getiuservalue(L, -1, CNK_ROW_HANDLE);
  return 1;
}
