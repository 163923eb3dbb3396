/* SPDX-License-Identifier: MIT */
/* The Lua face of engine/limiter.h. */
#include "engine/limiter.h"

#include <string.h>

#include "bind/engine/engine.h"

#define LIMITER "cunnekt.limiter"

struct lua_limiter {
  void *self; /* see cnk_bind_self */
  struct cnk_limiter limiter;
  const struct cnk_loop *loop;
};

static struct lua_limiter *check_limiter(lua_State *L)
{
  return cnk_bind_self(L, sizeof(struct lua_limiter), LIMITER);
}

static double now(const struct lua_limiter *face)
{
  return cnk_clock_monotonic(face->loop->clock);
}

static double check_memory(lua_State *L, double seconds)
{
  if (seconds == CNK_LIMITER_NO_MEMORY)
    luaL_error(L, "not enough memory");
  return seconds;
}

double cnk_bind_take_permit(lua_State *L, int limiter, int to, bool *is_for_all)
{
  struct lua_limiter *face = lua_touserdata(L, limiter);
  return check_memory(L, cnk_limiter_delay(&face->limiter, cnk_bind_text(L, to), now(face), is_for_all));
}

void cnk_bind_forgive(lua_State *L, int limiter, int to)
{
  struct lua_limiter *face = lua_touserdata(L, limiter);
  cnk_limiter_forgive(&face->limiter, cnk_bind_text(L, to));
}

/* limiter:delay(to) -> seconds, is_for_all */
static int delay(lua_State *L)
{
  check_limiter(L);
  bool is_for_all;
  lua_pushnumber(L, cnk_bind_take_permit(L, 1, 2, &is_for_all));
  lua_pushboolean(L, is_for_all);
  return 2;
}

/* limiter:give_back(to) */
static int give_back(lua_State *L)
{
  cnk_limiter_give_back(&check_limiter(L)->limiter, cnk_bind_text(L, 2));
  return 0;
}

/* limiter:reserve_pair(to) -> seconds */
static int reserve_pair(lua_State *L)
{
  struct lua_limiter *face = check_limiter(L);
  lua_pushnumber(L, check_memory(L, cnk_limiter_reserve_pair(&face->limiter, cnk_bind_text(L, 2), now(face))));
  return 1;
}

/* limiter:reserve_number() -> seconds */
static int reserve_number(lua_State *L)
{
  struct lua_limiter *face = check_limiter(L);
  lua_pushnumber(L, cnk_limiter_reserve_number(&face->limiter, now(face)));
  return 1;
}

/* limiter:reserve(to, longest) -> seconds, is_whole, is_penalised; nil, seconds, true when a penalty lasts longer */
static int reserve(lua_State *L)
{
  struct lua_limiter *face = check_limiter(L);
  struct cnk_text to = cnk_bind_text(L, 2);
  double longest = luaL_checknumber(L, 3), time = now(face);
  bool is_penalised;
  double penalty = cnk_limiter_penalty(&face->limiter, to, time, &is_penalised);
  if (penalty > longest) {
    luaL_pushfail(L);
    lua_pushnumber(L, penalty);
  } else {
    double wait = check_memory(L, cnk_limiter_reserve_pair(&face->limiter, to, time));
    lua_pushnumber(L, wait > 0 ? wait : cnk_limiter_reserve_number(&face->limiter, time));
    lua_pushboolean(L, wait <= 0);
  }
  lua_pushboolean(L, is_penalised);
  return 3;
}

/* limiter:penalise(to) -> seconds */
static int penalise(lua_State *L)
{
  struct lua_limiter *face = check_limiter(L);
  lua_pushnumber(L, check_memory(L, cnk_limiter_penalise(&face->limiter, cnk_bind_text(L, 2), now(face))));
  return 1;
}

/* limiter:forgive(to) */
static int forgive(lua_State *L)
{
  cnk_limiter_forgive(&check_limiter(L)->limiter, cnk_bind_text(L, 2));
  return 0;
}

/* limiter:remembered() -> contacts */
static int remembered(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_limiter(L)->limiter.contacts.count);
  return 1;
}

static int close_limiter(lua_State *L)
{
  cnk_limiter_deinit(&((struct lua_limiter *)luaL_checkudata(L, 1, LIMITER))->limiter);
  return 0;
}

/* A rate in messages a second as the seconds for each. */
static double interval_of(double rate)
{
  return rate > 0 ? 1 / rate : 0;
}

static double number_field(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  double number = luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return number;
}

static double at_least_one(double burst)
{
  return burst > 1 ? burst : 1;
}

static void read_penalties(lua_State *L, struct cnk_limits *limits)
{
  luaL_argcheck(L, lua_getfield(L, 1, "penalties") == LUA_TTABLE, 1, "penalties must be a list");
  size_t count = lua_rawlen(L, -1);
  luaL_argcheck(L, count > 0 && count <= CNK_LIMITER_PENALTIES, 1, "penalties are too few, or too many");
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    limits->penalties[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  limits->penalty_count = count;
  lua_pop(L, 1);
}

/* core.limiter{rate=, burst=, pair_rate=, pair_burst=, penalties=} -> limiter */
static int new_limiter(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  struct cnk_limits limits = {
      .interval = interval_of(number_field(L, "rate")),
      .burst = at_least_one(number_field(L, "burst")),
      .pair_interval = interval_of(number_field(L, "pair_rate")),
      .pair_burst = at_least_one(number_field(L, "pair_burst")),
  };
  read_penalties(L, &limits);
  struct lua_limiter *face = lua_newuserdatauv(L, sizeof *face, 0);
  face->self = face;
  face->loop = cnk_bind_loop(L);
  cnk_limiter_init(&face->limiter, &limits);
  luaL_setmetatable(L, LIMITER);
  return 1;
}

void cnk_bind_open_limiter(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"delay",          delay         },
      {"give_back",      give_back     },
      {"reserve_pair",   reserve_pair  },
      {"reserve_number", reserve_number},
      {"reserve",        reserve       },
      {"penalise",       penalise      },
      {"forgive",        forgive       },
      {"remembered",     remembered    },
      {NULL,             NULL          },
  };
  static const luaL_Reg functions[] = {
      {"limiter", new_limiter},
      {NULL,      NULL       },
  };
  cnk_bind_class(L, LIMITER, methods, close_limiter);
  luaL_setfuncs(L, functions, 0);
}
