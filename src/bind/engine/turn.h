/* SPDX-License-Identifier: MIT */
/* Bare turns, for turn.c and say.c: see there. */
#ifndef CNK_BIND_TURN_H
#define CNK_BIND_TURN_H

#include "bind/engine/outbox.h"
#include "bind/engine/tasks.h"

/* User values of the turns of a bot: what core.bare_turns is given, by these names in this order, and what it makes. */
enum {
  CNK_TURNS_LANES = 1, /* of the inbox */
  CNK_TURNS_OUTBOX,    /* core.outbox */
  CNK_TURNS_STORE,     /* that of store/init.lua */
  CNK_TURNS_PERSONS,
  CNK_TURNS_ROUTES,
  CNK_TURNS_DIALOGS,
  CNK_TURNS_WITHOUT_DIALOGS, /* conversations that are known to have none */
  CNK_TURNS_TAPS,
  CNK_TURNS_BUDGET,
  CNK_TURNS_LOG,
  CNK_TURNS_SENDERS,
  CNK_TURNS_WALL_CLOCK,
  CNK_TURNS_COUNTS,
  CNK_TURNS_TAKE_ID, /* the functions */
  CNK_TURNS_SERVE,
  CNK_TURNS_MAKE_TASK,
  CNK_TURNS_FAIL,
  CNK_TURNS_GIVEN = CNK_TURNS_FAIL,
  CNK_TURNS_ON_COMMIT, /* a function of turn.c */
  CNK_TURNS_VALUES = CNK_TURNS_ON_COMMIT
};

struct cnk_lua_turns {
  void *self;
  struct cnk_lua_outbox *outbox;
  /* Of texts that are replied. */
  size_t most_characters, least_digits, most_digits;
  double window;
  lua_Integer open;
};

#define CNK_TURNS_CLASS "cunnekt.bare_turns"
#define CNK_BARE_CLASS "cunnekt.bare_turn"

/* User values of a bare turn. */
enum {
  CNK_TURN_RECORD = CNK_BARE_VALUES + 1,
  CNK_TURN_CONTACT,
  CNK_TURN_EVENT,
  CNK_TURN_ROWS, /* a list; nil: none */
  CNK_TURN_NAME, /* of the handler that runs */
  CNK_TURN_TURNS,
  CNK_TURN_VALUES = CNK_TURN_TURNS
};

struct cnk_bare_turn {
  struct cnk_bare_task task;
  struct cnk_start start;
  int64_t event;
  lua_Integer rows;
};

static inline struct cnk_bare_turn *cnk_bare_turn_at(lua_State *L, int index)
{
  struct cnk_bare_turn *turn = lua_touserdata(L, index);
  return turn && lua_rawlen(L, index) == sizeof *turn && turn->task.self == turn ? turn : NULL;
}

/* say.c: turns:say(contact, to, text) */
int cnk_turns_say(lua_State *L);

#endif
