/* SPDX-License-Identifier: MIT */
/*
 * One delivery of a message, from the start of its row to the call of its end: mark, request, answer, acceptance. What waits, was
 * refused or has options is engine/delivery.lua's.
 */
#include <math.h>

#include "bind/engine/outbox.h"
#include "whatsapp/status.h"

/* ---- the start --------------------------------------------------------------------------------------------------- */

static bool has_more(lua_State *L, int row, const char *name)
{
  bool has = cnk_bind_push_more(L, row, name) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

/* Whether Lua has to look at it first. */
static bool is_special(lua_State *L, int outbox, int index)
{
  const struct cnk_row *row = lua_touserdata(L, index);
  if (row->flags & CNK_ROW_IS_DROPPED)
    return true;
  if (!(row->flags & CNK_ROW_IS_MARKED) &&
      (row->flags & CNK_ROW_IS_LIGHT || cnk_outbox_is_set(L, outbox, CNK_OUTBOX_PERSONS, "has_aliases")))
    return true;
  bool has_any = lua_getiuservalue(L, index, CNK_ROW_MORE) != LUA_TNIL;
  lua_pop(L, 1);
  return has_any && (has_more(L, index, "due") || has_more(L, index, "expires") || has_more(L, index, "hours") ||
                     has_more(L, index, "after"));
}

/* The lanes are at 1, the outbox at 3, the row at 4. */
static bool run(lua_State *L, const struct cnk_start *start)
{
  struct cnk_row *row = cnk_bind_row(L, 4);
  if (!row)
    return false;
  row->start = *start;
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 4, CNK_ROW_OUTBOX);
  if (is_special(L, 3, 4))
    cnk_outbox_ask(L, 3, CNK_OUTBOX_RUN, 4, 0, 0);
  else
    cnk_outbox_send(L, 3, 4);
  return true;
}

static double gate(lua_State *L, bool *is_for_all)
{
  return cnk_outbox_pass(L, 3, 4, is_for_all);
}

const struct cnk_native_owner cnk_outbox_owner = {.run = run, .gate = gate};

static void finish(lua_State *L, int index)
{
  const struct cnk_row *row = lua_touserdata(L, index);
  cnk_bind_finish(L, &row->start, NAN);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static void advance(lua_State *L, int outbox, int row, enum cnk_sent_state state, const char *name)
{
  lua_getiuservalue(L, row, CNK_ROW_HANDLE);
  int handle = lua_gettop(L);
  if (!cnk_bind_advance_sent(L, handle, state)) {
    lua_getiuservalue(L, outbox, CNK_OUTBOX_ADVANCE);
    lua_pushvalue(L, handle);
    lua_pushstring(L, name);
    lua_call(L, 2, 0);
  }
  lua_settop(L, handle - 1);
}

static bool has_early(lua_State *L, int outbox)
{
  lua_getiuservalue(L, outbox, CNK_OUTBOX_HANDLES);
  lua_getfield(L, -1, "early_count");
  bool has = lua_tointeger(L, -1) > 0;
  lua_pop(L, 2);
  return has;
}

/* Gives the acceptance to the store; what it cannot take now is given again until it can. */
static void store_accepted(lua_State *L, int outbox, int index, int message_id)
{
  struct cnk_lua_outbox *its = lua_touserdata(L, outbox);
  const struct cnk_row *row = lua_touserdata(L, index);
  int top = lua_gettop(L);
  lua_getiuservalue(L, outbox, CNK_OUTBOX_STORE_AGAIN);
  lua_getiuservalue(L, index, CNK_ROW_CONTACT);
  struct cnk_outcome accepted = {.id = row->id, .rank = CNK_STATUS_ACCEPTED};
  accepted.contact = cnk_bind_text(L, top + 2);
  accepted.message_id = cnk_bind_text(L, message_id);
  bool is_taken = its->store->store && cnk_bind_accepted_plain(L, its->store, &accepted, top + 1, index) == 1;
  if (!is_taken) {
    lua_settop(L, top + 1);
    lua_pushvalue(L, index);
    lua_call(L, 1, 0); /* (row): not ok */
  }
  lua_settop(L, top);
}

/* Notes whose message has this id, as long as somebody holds the handle. */
static void note_id(lua_State *L, int outbox, int row, int message_id)
{
  lua_getiuservalue(L, row, CNK_ROW_HANDLE);
  lua_getiuservalue(L, outbox, CNK_OUTBOX_BY_MESSAGE_ID);
  lua_pushvalue(L, message_id);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  lua_pushvalue(L, message_id);
  lua_setiuservalue(L, -2, CNK_SENT_MESSAGE_ID);
  lua_pop(L, 1);
}

/* A message was accepted, with the id at `message_id` or nil. */
static void settle(lua_State *L, int outbox, int row, int message_id)
{
  int top = lua_gettop(L);
  bool is_usual = lua_type(L, message_id) == LUA_TSTRING && !has_more(L, row, "track") && !has_early(L, outbox) &&
                  !cnk_outbox_is_set(L, outbox, CNK_OUTBOX_LOG, "is_debug");
  if (is_usual) {
    note_id(L, outbox, row, message_id); /* first: an event that reports the acceptance has it */
    lua_pushliteral(L, "accepted");
    cnk_outbox_ask(L, outbox, CNK_OUTBOX_ANSWER, row, 1, 1);
    is_usual = lua_isnil(L, -1);
  } else {
    lua_pushboolean(L, false);
  }
  if (is_usual) {
    cnk_bind_add_count(L, outbox, CNK_OUTBOX_COUNTS, "messages_accepted", 1);
    store_accepted(L, outbox, row, message_id);
    advance(L, outbox, row, CNK_SENT_ACCEPTED, "accepted");
  } else {
    lua_pushvalue(L, message_id);
    lua_insert(L, -2);
    cnk_outbox_ask(L, outbox, CNK_OUTBOX_SETTLE, row, 2, 0); /* (row, message_id, events or false: not asked) */
  }
  lua_settop(L, top);
}

/* on_outcome(row, message_id | nil, err): what the provider has said, or why nothing was heard */
int cnk_outbox_on_outcome(lua_State *L)
{
  struct cnk_row *row = cnk_bind_check_row(L, 1);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, CNK_ROW_OUTBOX);
  row->flags &= ~(unsigned)CNK_ROW_IS_WRITTEN;
  if (!(row->flags & CNK_ROW_IS_GIVEN_UP)) { /* else the program stops: its outcome is settled already */
    if (!lua_isnil(L, 3)) {
      lua_pushvalue(L, 3);
      cnk_outbox_ask(L, 4, CNK_OUTBOX_FAIL, 1, 1, 0);
      return 0;
    }
    settle(L, 4, 1, 2);
  }
  finish(L, 1);
  return 0;
}

/* (row, status, body, head), or (row, nil, kind, message, sent): the event of its request */
static int on_answer(lua_State *L)
{
  int values = lua_gettop(L);
  lua_getiuservalue(L, 1, CNK_ROW_OUTBOX);
  lua_insert(L, 2); /* the outbox at 2, the values from 3 */
  if (lua_isinteger(L, 3) && lua_tointeger(L, 3) < 300) {
    lua_getiuservalue(L, 2, CNK_OUTBOX_ACCEPTED_ID);
    lua_pushvalue(L, 4);
    lua_call(L, 1, 1);
    if (!lua_isnil(L, -1)) {
      int id = lua_gettop(L);
      if (lua_getiuservalue(L, 2, CNK_OUTBOX_LIMITER) == LUA_TUSERDATA) {
        lua_getiuservalue(L, 1, CNK_ROW_TO);
        cnk_bind_forgive(L, id + 1, id + 2);
      }
      lua_settop(L, id);
      lua_replace(L, 2);
      lua_settop(L, 2);
      return cnk_outbox_on_outcome(L);
    }
    lua_pop(L, 1);
  }
  cnk_outbox_ask(L, 2, CNK_OUTBOX_READ, 1, values - 1, 0);
  return 0;
}

/* The row stays on the stack until the core no longer points into it. */
static void on_event(struct cnk_post **slot, const struct cnk_http_event *event, void *context)
{
  lua_State *L = context;
  struct cnk_row *row = CNK_OWNER(slot, struct cnk_row, post);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, row->anchor);
  int at = lua_gettop(L);
  lua_pushcfunction(L, on_answer);
  lua_pushvalue(L, at);
  int values = cnk_bind_push_http_event(L, event);
  cnk_post_taken(row->post);
  cnk_bind_unref(L, &row->anchor);
  cnk_bind_call(L, values + 1);
  lua_settop(L, at - 1);
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

static void write_row(lua_State *L, int outbox, int index)
{
  struct cnk_row *row = lua_touserdata(L, index);
  int top = lua_gettop(L);
  row->flags = (row->flags | CNK_ROW_IS_WRITTEN) & ~(unsigned)CNK_ROW_IS_PARKED;
  lua_getiuservalue(L, outbox, CNK_OUTBOX_CLIENT);
  lua_getfield(L, -1, "texts");
  lua_replace(L, top + 1);
  bool has_text = lua_getiuservalue(L, index, CNK_ROW_TEXT) == LUA_TSTRING && row->flags & CNK_ROW_IS_TEXT;
  struct cnk_endpoint *endpoint = has_text && !lua_isnil(L, top + 1) ? cnk_bind_endpoint(L, top + 1) : NULL;
  if (endpoint) {
    struct cnk_text body = cnk_bind_text(L, top + 2);
    row->anchor = cnk_bind_ref(L, index);
    if (!cnk_post_start(endpoint, body, on_event, &row->post)) {
      cnk_bind_unref(L, &row->anchor);
      luaL_error(L, "not enough memory");
    }
  } else {
    lua_getiuservalue(L, outbox, CNK_OUTBOX_ON_OUTCOME);
    cnk_outbox_ask(L, outbox, CNK_OUTBOX_TRANSMIT, index, 1, 0);
  }
  lua_settop(L, top);
}

/* Who was stopped for long may have lost the store meanwhile, and what a mark allowed is no more theirs to do. */
static bool may_write(const struct cnk_lua_outbox *outbox)
{
  return !outbox->is_stopped && outbox->store->store && cnk_store_hold(outbox->store->store) == CNK_STORE_SURE;
}

/* on_mark(row, true | nil, err): the store has answered to the mark of a row */
int cnk_outbox_on_mark(lua_State *L)
{
  cnk_bind_check_row(L, 1);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, CNK_ROW_OUTBOX);
  const struct cnk_lua_outbox *outbox = lua_touserdata(L, 4);
  if (lua_toboolean(L, 2) && may_write(outbox)) {
    write_row(L, 4, 1);
  } else {
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    cnk_outbox_ask(L, 4, CNK_OUTBOX_NOT_MARKED, 1, 2, 0);
  }
  return 0;
}

static void mark(lua_State *L, int outbox, int index)
{
  struct cnk_lua_outbox *its = lua_touserdata(L, outbox);
  const struct cnk_row *row = lua_touserdata(L, index);
  int top = lua_gettop(L);
  const struct cnk_mark mark = {.id = row->id, .attempts = row->attempts, .is_parked = row->flags & CNK_ROW_IS_PARKED};
  lua_getiuservalue(L, outbox, CNK_OUTBOX_ON_MARK);
  if (!its->store->store) {
    lua_pushnil(L);
    lua_pushliteral(L, "the store is closed");
    lua_pushliteral(L, "closed");
  } else if (cnk_bind_mark_plain(L, its->store, &mark, top + 1, index) == 1) {
    lua_settop(L, top);
    return;
  }
  lua_remove(L, top + 1); /* nil, message, code */
  cnk_outbox_ask(L, outbox, CNK_OUTBOX_NOT_MARKED, index, 3, 0);
  lua_settop(L, top);
}

/* Keeps the handles of recent messages, for those with `after`. */
static void note_recent(lua_State *L, int outbox, int row)
{
  struct cnk_lua_outbox *its = lua_touserdata(L, outbox);
  its->recent = its->recent % CNK_OUTBOX_RECENT_MOST + 1;
  lua_getiuservalue(L, outbox, CNK_OUTBOX_RECENT);
  lua_getiuservalue(L, row, CNK_ROW_HANDLE);
  lua_rawseti(L, -2, its->recent);
  lua_getiuservalue(L, outbox, CNK_OUTBOX_RECENT_CONTACTS);
  lua_getiuservalue(L, row, CNK_ROW_CONTACT);
  lua_rawseti(L, -2, its->recent);
  lua_pop(L, 2);
}

void cnk_outbox_send(lua_State *L, int outbox, int index)
{
  struct cnk_row *row = lua_touserdata(L, index);
  note_recent(L, outbox, index);
  row->attempts++;
  advance(L, outbox, index, CNK_SENT_SENDING, "sending");
  if (!(row->flags & CNK_ROW_IS_MARKED)) {
    mark(L, outbox, index);
  } else if (may_write(lua_touserdata(L, outbox))) {
    write_row(L, outbox, index);
  } else {
    lua_pushboolean(L, 1);
    cnk_outbox_ask(L, outbox, CNK_OUTBOX_NOT_MARKED, index, 1, 0);
  }
}
