/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of base/clock.h: the time, timers, and virtual clocks.
 *
 * A timer that runs is in a table of its clock, by address, and has its function as a user value: the clock keeps it
 * alive, held or not. The real clock's table is in the registry; a virtual clock has its own, so that one that is
 * dropped goes with its timers and all that their functions hold.
 */
#include "bind/bind.h"

#include <string.h>

#include "base/wall_clock.h"

#define TIMER "cunnekt.timer"
#define CLOCK "cunnekt.virtual_clock"
#define WALL_CLOCK "cunnekt.wall_clock"

/* 2023-11-14 22:13:20 UTC: where a virtual clock begins unless it is told. */
#define BEGINNING 1700000000

/* The registry's table of running timers, and the virtual clock that is installed. */
static const char running_key = 0, installed_key = 0;

enum { USER_FUNCTION = 1, USER_RUNNING, USER_VALUES = USER_RUNNING };

struct lua_timer {
  struct cnk_timer timer;
  struct cnk_done done;
  struct cnk_loop *loop;
  bool is_counted; /* on the real clock, and not over */
};

struct lua_clock {
  struct cnk_clock clock;
  struct cnk_loop *loop;
};

/* The functions of this file have the loop as an upvalue, for the time is asked several times an event. */
static struct cnk_loop *upvalue_loop(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

/* Ends it, with its function forgotten; does nothing the second time. The timer is at `index`. */
static void end_timer(lua_State *L, int index)
{
  struct lua_timer *timer = lua_touserdata(L, index);
  cnk_timer_stop(&timer->timer);
  cnk_loop_forget(&timer->done);
  timer->loop->counts.timers -= timer->is_counted;
  timer->is_counted = false;
  lua_pushnil(L);
  lua_setiuservalue(L, index, USER_FUNCTION);
  if (lua_getiuservalue(L, index, USER_RUNNING) == LUA_TTABLE) {
    lua_pushnil(L);
    lua_rawsetp(L, -2, timer);
  }
  lua_pop(L, 1);
}

static int close_timer(lua_State *L)
{
  luaL_checkudata(L, 1, TIMER);
  end_timer(L, 1);
  return 0;
}

/* Replaces the table of running timers on top of the stack by the timer's function; the timer is over then. */
static void take_function(lua_State *L, struct lua_timer *timer)
{
  lua_rawgetp(L, -1, timer);
  lua_getiuservalue(L, -1, USER_FUNCTION);
  lua_insert(L, -3);
  end_timer(L, lua_gettop(L));
  lua_pop(L, 2);
}

static void deliver_timer(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &running_key);
  take_function(L, CNK_OWNER(done, struct lua_timer, done));
  cnk_bind_call(L, 0);
}

/* On the real clock we are inside libuv: delivered with the rest, by core.step. On a virtual one inside clock:advance(),
 * whose caller gets the error of a function, and finds the clock where it was raised. */
static void fire(struct cnk_timer *base, void *context)
{
  struct lua_timer *timer = CNK_OWNER(base, struct lua_timer, timer);
  lua_State *L = context;
  if (!L) {
    cnk_loop_finish(timer->loop, &timer->done);
    return;
  }
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_getiuservalue(L, 1, 1);
  take_function(L, timer);
  lua_call(L, 0, 0);
}

/* Pushes the table of running timers of the clock in use, or the real one's. */
static struct cnk_clock *push_running(lua_State *L, struct cnk_loop *loop, bool is_real)
{
  if (!is_real && loop->clock != &loop->real_clock) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &installed_key);
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
    return loop->clock;
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &running_key);
  return &loop->real_clock;
}

static int new_timer(lua_State *L, bool is_real)
{
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_argcheck(L, seconds == seconds && seconds < 1e12, 1, "not a usable number of seconds");
  struct cnk_loop *loop = upvalue_loop(L);
  lua_settop(L, 2);
  struct lua_timer *timer = lua_newuserdatauv(L, sizeof *timer, USER_VALUES);
  memset(timer, 0, sizeof *timer);
  timer->loop = loop;
  timer->timer.fire = fire;
  timer->timer.keeps_loop = true;
  timer->done.deliver = deliver_timer;
  luaL_setmetatable(L, TIMER);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, USER_FUNCTION);
  struct cnk_clock *clock = push_running(L, loop, is_real);
  lua_pushvalue(L, 3);
  lua_rawsetp(L, 4, timer);
  lua_setiuservalue(L, 3, USER_RUNNING);
  cnk_timer_start(&timer->timer, clock, seconds);
  timer->is_counted = !clock->is_virtual;
  loop->counts.timers += timer->is_counted;
  return 1;
}

/* core.timer(seconds, fn) -> timer: calls fn once. The timer keeps itself alive until then. */
static int timer(lua_State *L)
{
  return new_timer(L, false);
}

/* core.real_timer(seconds, fn) -> timer: on the real clock, whatever clock is installed. */
static int real_timer(lua_State *L)
{
  return new_timer(L, true);
}

/* ---- the time ---------------------------------------------------------------------------------------------------- */

static int now(lua_State *L)
{
  lua_pushnumber(L, cnk_clock_wall(upvalue_loop(L)->clock));
  return 1;
}

static int monotonic(lua_State *L)
{
  lua_pushnumber(L, cnk_clock_monotonic(upvalue_loop(L)->clock));
  return 1;
}

/* core.real_monotonic() -> seconds, whatever clock is installed. */
static int real_monotonic(lua_State *L)
{
  lua_pushnumber(L, cnk_clock_monotonic(&upvalue_loop(L)->real_clock));
  return 1;
}

/* core.is_virtual() -> whether a virtual clock is installed. */
static int is_virtual(lua_State *L)
{
  lua_pushboolean(L, upvalue_loop(L)->clock->is_virtual);
  return 1;
}

/* core.skip_time(seconds): moves the real clock ahead. */
static int skip_time(lua_State *L)
{
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "not a usable number of seconds");
  cnk_clock_skip(&upvalue_loop(L)->real_clock, seconds);
  return 0;
}

/* core.next_timer() -> seconds until the first timer of the clock in use is due, or nil */
static int next_timer(lua_State *L)
{
  double seconds;
  if (!cnk_clock_next(upvalue_loop(L)->clock, &seconds))
    return 0;
  lua_pushnumber(L, seconds);
  return 1;
}

/* ---- the real time -------------------------------------------------------------------------------------------------- */

struct lua_wall_clock {
  void *self; /* see cnk_bind_self */
  struct cnk_wall_clock it;
  struct cnk_loop *loop;
};

/* core.wall_clock() -> wall clock */
static int wall_clock(lua_State *L)
{
  struct lua_wall_clock *face = lua_newuserdatauv(L, sizeof *face, 0);
  face->self = face;
  face->loop = upvalue_loop(L);
  cnk_wall_clock_init(&face->it, face->loop->clock);
  luaL_setmetatable(L, WALL_CLOCK);
  return 1;
}

static struct lua_wall_clock *check_wall_clock(lua_State *L)
{
  return cnk_bind_self(L, sizeof(struct lua_wall_clock), WALL_CLOCK);
}

/* wall clock:now() -> seconds since 1970 */
static int wall_now(lua_State *L)
{
  struct lua_wall_clock *face = check_wall_clock(L);
  lua_pushnumber(L, cnk_wall_clock_now(&face->it, face->loop->clock));
  return 1;
}

/* wall clock:witness(timestamp) */
static int wall_witness(lua_State *L)
{
  struct lua_wall_clock *face = check_wall_clock(L);
  cnk_wall_clock_witness(&face->it, face->loop->clock, luaL_checknumber(L, 2));
  return 0;
}

/* wall clock:certain() -> seconds since 1970, or nil */
static int wall_certain(lua_State *L)
{
  struct lua_wall_clock *face = check_wall_clock(L);
  double certain;
  if (cnk_wall_clock_certain(&face->it, face->loop->clock, &certain))
    lua_pushnumber(L, certain);
  else
    lua_pushnil(L);
  return 1;
}

/* ---- virtual clocks ---------------------------------------------------------------------------------------------- */

static struct lua_clock *check_clock(lua_State *L)
{
  return luaL_checkudata(L, 1, CLOCK);
}

static void use_real_clock(lua_State *L, struct cnk_loop *loop)
{
  loop->clock = &loop->real_clock;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &installed_key);
}

/* core.virtual_clock(wall?) -> clock, which stands still, and is not installed */
static int virtual_clock(lua_State *L)
{
  lua_Number wall = luaL_optnumber(L, 1, BEGINNING);
  struct lua_clock *face = lua_newuserdatauv(L, sizeof *face, 1);
  cnk_clock_init_virtual(&face->clock, wall);
  face->loop = upvalue_loop(L);
  luaL_setmetatable(L, CLOCK);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* clock:install() -> clock: in place of the real one, or of another. */
static int install(lua_State *L)
{
  struct lua_clock *face = check_clock(L);
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &installed_key); /* kept alive as long as it is in use */
  face->loop->clock = &face->clock;
  return 1;
}

/* clock:uninstall(): the real clock again, whichever was installed. */
static int uninstall(lua_State *L)
{
  use_real_clock(L, check_clock(L)->loop);
  return 0;
}

/* clock:advance(seconds): fires what falls due on the way. */
static int advance(lua_State *L)
{
  struct lua_clock *face = check_clock(L);
  lua_Number seconds = luaL_checknumber(L, 2);
  lua_settop(L, 1);
  cnk_clock_advance(&face->clock, seconds, L);
  return 0;
}

/* clock:set_wall(now) */
static int set_wall(lua_State *L)
{
  cnk_clock_set_wall(&check_clock(L)->clock, luaL_checknumber(L, 2));
  return 0;
}

/* Collected, or the state ends: then it may be installed still. */
static int collect_clock(lua_State *L)
{
  struct lua_clock *face = check_clock(L);
  if (face->loop->clock == &face->clock)
    use_real_clock(L, face->loop);
  cnk_clock_deinit(&face->clock);
  return 0;
}

static const luaL_Reg functions[] = {
    {"now",            now           },
    {"monotonic",      monotonic     },
    {"timer",          timer         },
    {"real_monotonic", real_monotonic},
    {"real_timer",     real_timer    },
    {"is_virtual",     is_virtual    },
    {"skip_time",      skip_time     },
    {"next_timer",     next_timer    },
    {"virtual_clock",  virtual_clock },
    {"wall_clock",     wall_clock    },
    {NULL,             NULL          },
};

static const luaL_Reg timer_methods[] = {
    {"close", close_timer},
    {NULL,    NULL       },
};

static const luaL_Reg wall_clock_methods[] = {
    {"now",     wall_now    },
    {"witness", wall_witness},
    {"certain", wall_certain},
    {NULL,      NULL        },
};

static const luaL_Reg clock_methods[] = {
    {"install",   install  },
    {"uninstall", uninstall},
    {"advance",   advance  },
    {"set_wall",  set_wall },
    {NULL,        NULL     },
};

void cnk_bind_open_clock(lua_State *L)
{
  cnk_bind_class(L, TIMER, timer_methods, close_timer);
  cnk_bind_class(L, CLOCK, clock_methods, collect_clock);
  luaL_newmetatable(L, WALL_CLOCK);
  luaL_newlib(L, wall_clock_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &running_key);
  lua_pushlightuserdata(L, cnk_bind_loop(L));
  luaL_setfuncs(L, functions, 1);
}
