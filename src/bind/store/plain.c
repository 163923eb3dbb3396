/* SPDX-License-Identifier: MIT */
/*
 * The calls that each event makes, without a table in between: the commit of a turn that only answers, the mark of a message,
 * and that it was accepted. What they do is what the verbs of shapes.c do with the same fields.
 */
#include <math.h>

#include "bind/engine/row.h"
#include "bind/store/verbs.h"

static void copy_text(lua_State *L, struct cnk_store_call *call, int index, struct cnk_text *to)
{
  struct cnk_text from;
  from.data = lua_tolstring(L, index, &from.size);
  if (from.data && !cnk_arena_copy(&call->arena, from, to))
    luaL_error(L, "not enough memory for a call of the store");
}

/* The field of the table at `index`, which keeps the text until it is copied. */
static void copy_field(lua_State *L, struct cnk_store_call *call, int index, const char *name, struct cnk_text *to)
{
  lua_getfield(L, index, name);
  copy_text(L, call, -1, to);
  lua_pop(L, 1);
}

static int64_t get_integer(lua_State *L, int index, const char *name)
{
  lua_getfield(L, index, name);
  int64_t value = luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  return value;
}

static bool get_boolean(lua_State *L, int index, const char *name)
{
  lua_getfield(L, index, name);
  bool is_true = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_true;
}

static void *take(lua_State *L, struct cnk_store_call *call, size_t size)
{
  void *memory = cnk_arena_take(&call->arena, size);
  if (!memory)
    luaL_error(L, "not enough memory for a call of the store");
  return memory;
}

/* The user value of the row on top, which keeps the text until it is copied. */
static void copy_value(lua_State *L, struct cnk_store_call *call, int which, struct cnk_text *to)
{
  lua_getiuservalue(L, -1, which);
  copy_text(L, call, -1, to);
  lua_pop(L, 1);
}

/* The row on top. */
static void read_message(lua_State *L, struct cnk_store_call *call, struct cnk_message *message)
{
  const struct cnk_row *row = cnk_bind_check_row(L, -1);
  message->id = row->id;
  copy_value(L, call, CNK_ROW_CONTACT, &message->contact);
  copy_value(L, call, CNK_ROW_TEXT, &message->payload);
  copy_value(L, call, CNK_ROW_UNKNOWN, &message->unknown);
  message->state = row->flags & CNK_ROW_IS_MARKED ? CNK_MESSAGE_SENDING : CNK_MESSAGE_QUEUED;
  message->is_parked = row->flags & CNK_ROW_IS_PARKED;
  message->due = message->expires = NAN;
}

static void read_step(lua_State *L, struct cnk_store_call *call, int index, struct cnk_step *step)
{
  luaL_checktype(L, index, LUA_TTABLE);
  step->n = get_integer(L, index, "n");
  copy_field(L, call, index, "mark", &step->mark);
  copy_field(L, call, index, "result", &step->result);
}

static void read_steps(lua_State *L, struct cnk_store_call *call, int part, struct cnk_dialog_change *run)
{
  lua_getfield(L, part, "steps");
  luaL_checktype(L, -1, LUA_TTABLE);
  int list = lua_gettop(L);
  run->steps.count = lua_rawlen(L, list);
  if (run->steps.count > 0)
    run->steps.items = take(L, call, run->steps.count * sizeof *run->steps.items);
  for (size_t i = 0; i < run->steps.count; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    read_step(L, call, list + 1, &run->steps.items[i]);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* A dialog that goes on to wait, at `part`. */
static void read_dialog(lua_State *L, struct cnk_store_call *call, int part, struct cnk_turn *turn)
{
  struct cnk_dialog_change *run = take(L, call, sizeof *run);
  struct cnk_only_dialog *only = take(L, call, sizeof *only);
  luaL_checktype(L, part, LUA_TTABLE);
  run->id = only->id = get_integer(L, part, "id");
  run->before = get_integer(L, part, "before");
  run->after = get_integer(L, part, "after");
  run->asks = get_boolean(L, part, "asks");
  copy_field(L, call, part, "waiting", &run->waiting);
  copy_field(L, call, part, "only", &only->contact);
  lua_getfield(L, part, "due");
  run->due = luaL_optnumber(L, -1, NAN);
  lua_pop(L, 1);
  run->started_at = NAN;
  read_steps(L, call, part, run);
  turn->run = run;
  turn->only = only->contact.data ? only : NULL;
}

int cnk_bind_commit_plain(lua_State *L, struct cnk_bind_store *face, const struct cnk_plain_turn *plain, int done,
                          int subject)
{
  struct cnk_store_call *call = cnk_bind_new_call(L, face, CNK_COMMIT_TURN);
  struct cnk_turn *turn = call->request;
  turn->event = plain->event;
  turn->joins = plain->joins;
  turn->now = cnk_clock_wall(face->loop->clock);
  turn->messages.count = plain->rows ? lua_rawlen(L, plain->rows) : 0;
  if (turn->messages.count > 0)
    turn->messages.items = take(L, call, turn->messages.count * sizeof *turn->messages.items);
  for (size_t i = 0; i < turn->messages.count; i++) {
    lua_rawgeti(L, plain->rows, (lua_Integer)i + 1);
    read_message(L, call, &turn->messages.items[i]);
    lua_pop(L, 1);
  }
  if (plain->part)
    read_dialog(L, call, plain->part, turn);
  return cnk_bind_run_plain(L, face, done, subject, false);
}

/* store:commit_plain(event, joins, rows, done, subject, part) -> true | nil, message, code: finishes an event, and queues
 * messages that have nothing but `id`, `contact`, `text`, `unknown`, `is_marked` and `is_parked`; `part`, if there is one, is
 * a dialog that goes on to wait. done(subject, true | nil, err): after a success `err` is the sequence of a question. */
static int commit_plain(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_find_store(L);
  if (!face)
    return 3;
  luaL_checktype(L, 4, LUA_TTABLE);
  luaL_checktype(L, 5, LUA_TFUNCTION);
  lua_settop(L, 7);
  const struct cnk_plain_turn plain = {
      .event = luaL_checkinteger(L, 2), .joins = luaL_optinteger(L, 3, 0), .rows = 4, .part = lua_isnil(L, 7) ? 0 : 7};
  return cnk_bind_commit_plain(L, face, &plain, 5, 6);
}

int cnk_bind_mark_plain(lua_State *L, struct cnk_bind_store *face, const struct cnk_mark *mark, int done, int subject)
{
  struct cnk_store_call *call = cnk_bind_new_call(L, face, CNK_MARK_SENDING);
  struct cnk_mark_sending *request = call->request;
  request->messages.items = take(L, call, sizeof *request->messages.items);
  request->messages.count = 1;
  request->messages.items[0] = *mark;
  request->now = cnk_clock_wall(face->loop->clock);
  return cnk_bind_run_plain(L, face, done, subject, false);
}

int cnk_bind_accepted_plain(lua_State *L, struct cnk_bind_store *face, const struct cnk_outcome *accepted, int done,
                            int subject)
{
  struct cnk_store_call *call = cnk_bind_new_call(L, face, CNK_SETTLE);
  struct cnk_settle *request = call->request;
  struct cnk_outcome *outcome = take(L, call, sizeof *outcome);
  request->outcomes.items = outcome;
  request->outcomes.count = 1;
  request->now = cnk_clock_wall(face->loop->clock);
  *outcome = *accepted;
  outcome->state = CNK_MESSAGE_ACCEPTED;
  outcome->at = outcome->due = NAN;
  if (!cnk_arena_copy(&call->arena, accepted->contact, &outcome->contact) ||
      !cnk_arena_copy(&call->arena, accepted->message_id, &outcome->message_id))
    luaL_error(L, "not enough memory for a call of the store");
  return cnk_bind_run_plain(L, face, done, subject, true);
}

void cnk_bind_add_plain(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"commit_plain", commit_plain},
      {NULL,           NULL        },
  };
  luaL_setfuncs(L, methods, 0);
}
