/* SPDX-License-Identifier: MIT */
/*
 * Turns of events that need nothing but their handler and its replies: they are no tables, and so is their task (tasks.h). Whatever asks
 * for the running task, turn or run makes them what they are in engine/turn.lua, with what they have buffered so far; then they go on
 * there. Events that need more from the beginning are not run here.
 */
#include "bind/engine/turn.h"

#include <math.h>
#include <string.h>

static struct cnk_lua_turns *check_turns(lua_State *L)
{
  return cnk_bind_self(L, sizeof(struct cnk_lua_turns), CNK_TURNS_CLASS);
}

static bool is_set(lua_State *L, int turns, int which, const char *name)
{
  return cnk_outbox_is_set(L, turns, which, name);
}

/* ---- what a turn is in Lua --------------------------------------------------------------------------------------- */

/* The task that the bare turn at an index becomes: make_task(turn) of dialog/dispatch.lua. */
static void push_task(lua_State *L, int index)
{
  lua_getiuservalue(L, index, CNK_TURN_TURNS);
  struct cnk_lua_turns *turns = lua_touserdata(L, -1);
  lua_getiuservalue(L, -1, CNK_TURNS_MAKE_TASK);
  lua_remove(L, -2);
  lua_pushvalue(L, index);
  lua_call(L, 1, 1);
  turns->open--;
}

enum { RECORD, EVENT, ROWS, NAME, THREAD, CHARGE, DONE, IS_TASK, INSTEAD, N };
static const char *const fields[] = {"record", "event", "rows",    "name",    "thread",
                                     "charge", "done",  "is_task", "instead", "n"};

/* A field of the run that the turn at 1 has become. */
static void push_run(lua_State *L)
{
  lua_getiuservalue(L, 1, CNK_BARE_TASK);
  lua_getfield(L, -1, "handlers_run");
}

/* turn.record, event, rows, name; thread, charge and done, for make_task; is_task; and what bot/route.lua reads of a run. */
static int get_turn(lua_State *L)
{
  struct cnk_bare_turn *turn = luaL_checkudata(L, 1, CNK_BARE_CLASS);
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  lua_Integer field = lua_tointeger(L, -1);
  if (turn->task.is_task && (field == NAME || field == INSTEAD || field == N)) {
    push_run(L);
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
  }
  switch (lua_isnil(L, 3) ? -1 : field) {
  case RECORD: lua_getiuservalue(L, 1, CNK_TURN_RECORD); break;
  case EVENT: lua_getiuservalue(L, 1, CNK_TURN_EVENT); break;
  case ROWS: lua_getiuservalue(L, 1, CNK_TURN_ROWS); break;
  case NAME: lua_getiuservalue(L, 1, CNK_TURN_NAME); break;
  case THREAD: lua_getiuservalue(L, 1, CNK_BARE_THREAD); break;
  case CHARGE: cnk_push_charge(L, &turn->task.charge); break;
  case DONE: cnk_bind_push_done(L, &turn->start); break;
  case IS_TASK: lua_pushboolean(L, turn->task.is_task); break;
  case N: lua_pushinteger(L, 0); break;
  default: lua_pushnil(L);
  }
  return 1;
}

static int set_turn(lua_State *L)
{
  const struct cnk_bare_turn *turn = luaL_checkudata(L, 1, CNK_BARE_CLASS);
  lua_settop(L, 3);
  if (turn->task.is_task) {
    push_run(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_settable(L, -3);
    return 0;
  }
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  if (lua_tointeger(L, -1) == NAME) {
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 1, CNK_TURN_NAME);
  }
  return 0;
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

/* Whether the event of the record at 4 may be for a dialog, or for a person who has taken over; the owner is at 3. */
static bool may_be_taken(lua_State *L)
{
  if (!is_set(L, 3, CNK_TURNS_DIALOGS, "is_used"))
    return false;
  if (is_set(L, 3, CNK_TURNS_DIALOGS, "has_paused"))
    return true;
  lua_getiuservalue(L, 3, CNK_TURNS_WITHOUT_DIALOGS);
  lua_getfield(L, 4, "contact");
  bool has_none = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return !has_none;
}

/* Whether something has to be looked at that only Lua does. */
static bool is_special(lua_State *L)
{
  return is_set(L, 3, CNK_TURNS_PERSONS, "has_aliases") || may_be_taken(L) ||
         is_set(L, 3, CNK_TURNS_ROUTES, "has_debounce") || is_set(L, 3, CNK_TURNS_TAPS, "is_used") ||
         is_set(L, 3, CNK_TURNS_BUDGET, "noted") || is_set(L, 3, CNK_TURNS_LOG, "is_debug");
}

static bool has_field(lua_State *L, int table, const char *name)
{
  bool has = lua_getfield(L, table, name) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

/* Pushes the event of the record at 4, if that is a message as it was accepted. */
static bool push_event(lua_State *L)
{
  if (lua_type(L, 4) != LUA_TTABLE || lua_getfield(L, 4, "event") != LUA_TTABLE)
    return false;
  bool is_message = lua_getfield(L, -1, "kind") == LUA_TSTRING && strcmp(lua_tostring(L, -1), "message") == 0;
  lua_pop(L, 1);
  return is_message && !has_field(L, 4, "joined") && !has_field(L, 4, "had_conflict") && !has_field(L, 4, "is_apart");
}

/* The bare turn of the record at 4, whose event is at 5. */
static struct cnk_bare_turn *push_turn(lua_State *L, const struct cnk_start *start)
{
  struct cnk_bare_turn *turn = lua_newuserdatauv(L, sizeof *turn, CNK_TURN_VALUES);
  memset(turn, 0, sizeof *turn);
  turn->task.self = turn;
  turn->task.push_task = push_task;
  turn->start = *start;
  int at = lua_gettop(L);
  luaL_setmetatable(L, CNK_BARE_CLASS);
  lua_getfield(L, 4, "id");
  turn->event = luaL_checkinteger(L, -1);
  lua_getiuservalue(L, 3, CNK_TURNS_BUDGET);
  lua_getfield(L, -1, "meter");
  turn->task.charge = cnk_new_charge(L, lua_gettop(L), turn->event);
  lua_settop(L, at);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, at, CNK_TURN_TURNS);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, at, CNK_TURN_RECORD);
  lua_pushvalue(L, 5);
  lua_setiuservalue(L, at, CNK_TURN_EVENT);
  lua_getfield(L, 4, "contact");
  lua_setiuservalue(L, at, CNK_TURN_CONTACT);
  return turn;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* Calls a method of the outbox with the rows of the turn at an index. */
static void ask_outbox(lua_State *L, int turns, int turn, const char *method)
{
  lua_getiuservalue(L, turns, CNK_TURNS_OUTBOX);
  lua_getfield(L, -1, method);
  lua_insert(L, -2);
  lua_getiuservalue(L, turn, CNK_TURN_ROWS);
  lua_call(L, 2, 0);
}

/* The turn's commit has failed, or was not begun: fail(turn, err | message, code) of dialog/dispatch.lua. Takes two values. */
static void fail(lua_State *L, int turns, int turn)
{
  ((struct cnk_lua_turns *)lua_touserdata(L, turns))->open--;
  lua_getiuservalue(L, turns, CNK_TURNS_FAIL);
  lua_insert(L, -3);
  lua_pushvalue(L, turn);
  lua_insert(L, -3);
  lua_call(L, 3, 0);
}

static void commit(lua_State *L, int turns, int index)
{
  const struct cnk_lua_turns *owner = lua_touserdata(L, turns);
  const struct cnk_bare_turn *turn = lua_touserdata(L, index);
  struct cnk_bind_store *store = owner->outbox->store;
  int top = lua_gettop(L);
  if (turn->rows)
    ask_outbox(L, turns, index, "mark");
  lua_getiuservalue(L, turns, CNK_TURNS_ON_COMMIT);
  lua_getiuservalue(L, index, CNK_TURN_ROWS);
  struct cnk_plain_turn plain = {.event = turn->event, .rows = turn->rows ? top + 2 : 0};
  lua_getiuservalue(L, turns, CNK_TURNS_STORE);
  lua_getfield(L, -1, "joins");
  plain.joins = lua_tointeger(L, -1);
  lua_settop(L, top + 2);
  if (!store->store) {
    lua_pushliteral(L, "the store is closed");
    lua_pushliteral(L, "closed");
    fail(L, turns, index);
  } else if (cnk_bind_commit_plain(L, store, &plain, top + 1, index) != 1) {
    fail(L, turns, index); /* takes the sentence and the code */
  }
  lua_settop(L, top);
}

/* on_commit(turn, true | nil, err) */
static int on_commit(lua_State *L)
{
  const struct cnk_bare_turn *turn = luaL_checkudata(L, 1, CNK_BARE_CLASS);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, CNK_TURN_TURNS);
  struct cnk_lua_turns *owner = lua_touserdata(L, 4);
  if (!lua_toboolean(L, 2)) {
    lua_pushvalue(L, 3);
    lua_pushnil(L);
    fail(L, 4, 1);
    return 0;
  }
  if (turn->rows)
    ask_outbox(L, 4, 1, "enqueue");
  cnk_bind_add_count(L, 4, CNK_TURNS_COUNTS, "events_finished", 1);
  owner->open--;
  cnk_bind_finish(L, &turn->start, NAN);
  return 0;
}

/* ---- the way between --------------------------------------------------------------------------------------------- */

/* The lanes are at 1, the owner at 3, the record at 4. */
static bool run(lua_State *L, const struct cnk_start *start)
{
  struct cnk_lua_turns *owner = lua_touserdata(L, 3);
  if (!push_event(L) || is_special(L))
    return false;
  push_turn(L, start); /* at 6 */
  lua_pushnil(L);
  lua_setfield(L, 4, "event"); /* a handler may change it, so the next turn parses it again */
  owner->open++;
  lua_getiuservalue(L, 3, CNK_TURNS_SERVE);
  lua_pushvalue(L, 6);
  lua_pushvalue(L, 5);
  lua_getiuservalue(L, 6, CNK_TURN_CONTACT);
  if (cnk_bind_run_bare(L, 6, 3))
    commit(L, 3, 6);
  return true;
}

static const struct cnk_native_owner owner_of_lanes = {.run = run};

/* turns:count() -> the number of bare turns that are open */
static int count(lua_State *L)
{
  lua_pushinteger(L, check_turns(L)->open);
  return 1;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void take_given(lua_State *L)
{
  static const char *const names[] = {
      "lanes", "outbox",  "store",      "persons", "routes",  "dialogs", "without_dialogs", "taps", "budget",
      "log",   "senders", "wall_clock", "counts",  "take_id", "serve",   "make_task",       "fail",
  };
  _Static_assert(sizeof names / sizeof *names == CNK_TURNS_GIVEN, "a name for each value");
  for (int i = 0; i < CNK_TURNS_GIVEN; i++) {
    lua_getfield(L, 1, names[i]);
    lua_setiuservalue(L, 2, i + 1);
  }
}

static int collect(lua_State *L)
{
  (void)L;
  return 0;
}

/* core.bare_turns(parts) -> turns */
static int new_turns(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct cnk_lua_turns *turns = lua_newuserdatauv(L, sizeof *turns, CNK_TURNS_VALUES);
  memset(turns, 0, sizeof *turns);
  turns->self = turns;
  luaL_setmetatable(L, CNK_TURNS_CLASS);
  take_given(L);
  lua_pushcfunction(L, on_commit);
  lua_setiuservalue(L, 2, CNK_TURNS_ON_COMMIT);
  lua_getiuservalue(L, 2, CNK_TURNS_OUTBOX);
  turns->outbox = luaL_checkudata(L, 3, CNK_OUTBOX_CLASS);
  turns->most_characters = (size_t)cnk_bind_opt_integer(L, 1, "most_characters", 0);
  turns->least_digits = (size_t)cnk_bind_opt_integer(L, 1, "least_digits", 0);
  turns->most_digits = (size_t)cnk_bind_opt_integer(L, 1, "most_digits", 0);
  turns->window = (double)cnk_bind_opt_integer(L, 1, "window", 0);
  lua_getiuservalue(L, 2, CNK_TURNS_LANES);
  luaL_checkudata(L, 4, CNK_LANES_CLASS);
  lua_pushvalue(L, 2);
  cnk_bind_own_lanes(L, 4, &owner_of_lanes);
  lua_settop(L, 2);
  return 1;
}

static void open_bare_class(lua_State *L)
{
  luaL_newmetatable(L, CNK_BARE_CLASS);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_pushinteger(L, (lua_Integer)i);
    lua_setfield(L, -2, fields[i]);
  }
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, get_turn, 1);
  lua_setfield(L, -3, "__index");
  lua_pushcclosure(L, set_turn, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pop(L, 1);
}

void cnk_bind_open_turns(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"say",   cnk_turns_say},
      {"count", count        },
      {NULL,    NULL         },
  };
  cnk_bind_class(L, CNK_TURNS_CLASS, methods, collect);
  open_bare_class(L);
  lua_pushcfunction(L, new_turns);
  lua_setfield(L, -2, "bare_turns");
}
