/* SPDX-License-Identifier: MIT */
/* The Lua face of the loop: step, signals and the counts of what is open. */
#include "bind/bind.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/budget.h"
#include "terminal/editor.h"

#define SIGNAL "cunnekt.signal"

/* The C part lives on the heap, for libuv closes handles later than Lua collects userdata. */
struct watch {
  uv_signal_t signal;
  struct cnk_done done;
  struct cnk_resource resource;
  struct cnk_loop *loop;
  struct watch **face; /* the userdata, as long as it points here */
  int callback;
  bool is_ending; /* of a signal that ends the program */
};

/* ---- the second signal that ends a program ------------------------------------------------------------------------- */

/* libuv tells the loop of a signal, and the loop may never turn again: Lua is in a loop of its own, or waits for a file. So
 * the second one ends the process where it arrives. Of the process, as signals are. */
static struct {
  atomic_int watches, arrived;
  void (*tell_libuv)(int);
} endings;

static void on_ending(int number)
{
  int before = errno;
  if (atomic_load(&endings.watches) > 0 && atomic_fetch_add(&endings.arrived, 1) > 0) {
    cnk_editor_abandon();
    _exit(1);
  }
  endings.tell_libuv(number);
  errno = before;
}

/* After libuv has installed its handler; it takes ours away with the last watch. */
static void watch_ending(struct watch *watch, int number)
{
  struct sigaction action;
  if (number != SIGTERM && number != SIGINT)
    return;
  watch->is_ending = true;
  if (atomic_fetch_add(&endings.watches, 1) == 0)
    atomic_store(&endings.arrived, 0);
  if (sigaction(number, NULL, &action) != 0 || action.sa_handler == on_ending)
    return;
  endings.tell_libuv = action.sa_handler;
  action.sa_handler = on_ending;
  sigaction(number, &action, NULL);
}

/* ---- watches --------------------------------------------------------------------------------------------------------- */

static void free_watch(uv_handle_t *handle)
{
  free(handle->data);
}

static void shut_watch(struct watch *watch)
{
  if (watch->face)
    *watch->face = NULL;
  if (watch->is_ending)
    atomic_fetch_sub(&endings.watches, 1);
  cnk_loop_forget(&watch->done);
  cnk_loop_disown(&watch->resource);
  uv_close((uv_handle_t *)&watch->signal, free_watch);
}

static void shut_resource(struct cnk_resource *resource)
{
  shut_watch(CNK_OWNER(resource, struct watch, resource));
}

/* A signal is watched until it is closed, held or not: collecting its face only forgets that. */
static int collect_watch(lua_State *L)
{
  struct watch **face = lua_touserdata(L, 1);
  if (*face)
    (*face)->face = NULL;
  *face = NULL;
  return 0;
}

static int close_watch(lua_State *L)
{
  struct watch **face = lua_touserdata(L, 1);
  struct watch *watch = *face;
  if (watch) {
    int callback = watch->callback;
    shut_watch(watch);
    cnk_bind_unref(L, &callback);
  }
  return 0;
}

static int check_close(lua_State *L)
{
  luaL_checkudata(L, 1, SIGNAL);
  lua_settop(L, 1);
  return close_watch(L);
}

static void deliver_watch(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  struct watch *watch = CNK_OWNER(done, struct watch, done);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, watch->callback);
  cnk_bind_call(L, 0);
}

static void on_signal(uv_signal_t *signal, int number)
{
  (void)number;
  struct watch *watch = signal->data;
  cnk_loop_finish(watch->loop, &watch->done);
}

static struct watch **push_closed_face(lua_State *L)
{
  struct watch **face = lua_newuserdatauv(L, sizeof *face, 0);
  *face = NULL;
  luaL_setmetatable(L, SIGNAL);
  return face;
}

/* Pushes a face, whose watch is opened by the caller. */
static struct watch *new_watch(lua_State *L, int callback_index)
{
  struct watch **face = push_closed_face(L);
  int callback = cnk_bind_ref(L, callback_index);
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch) {
    cnk_bind_unref(L, &callback);
    luaL_error(L, "not enough memory");
    return NULL; /* not reached */
  }
  watch->loop = cnk_bind_loop(L);
  watch->callback = callback;
  watch->done.deliver = deliver_watch;
  watch->resource.shut = shut_resource;
  watch->signal.data = watch;
  watch->face = face;
  cnk_loop_own(watch->loop, &watch->resource);
  *face = watch;
  return watch;
}

static int signal_number(lua_State *L, const char *name)
{
  static const struct {
    const char *name;
    int number;
  } known[] = {
      {"SIGTERM", SIGTERM},
      {"SIGINT",  SIGINT },
      {"SIGHUP",  SIGHUP },
      {"SIGCONT", SIGCONT},
      {"SIGUSR1", SIGUSR1},
      {"SIGUSR2", SIGUSR2}
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].name, name) == 0)
      return known[i].number;
  return luaL_error(L, "unknown signal '%s'", name);
}

static bool is_ignored(int number)
{
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* core.signal(name, fn) -> handle: calls fn at every such signal, and does not keep the loop alive. While SIGTERM or SIGINT is
 * watched, the second of them ends the process at once, with 1. SIGHUP stays ignored where it is: `nohup` wants that. */
static int watch_signal(lua_State *L)
{
  int number = signal_number(L, luaL_checkstring(L, 1));
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (number == SIGHUP && is_ignored(number)) {
    push_closed_face(L);
    return 1;
  }
  struct watch *watch = new_watch(L, 2);
  uv_signal_init(&watch->loop->uv, &watch->signal);
  uv_unref((uv_handle_t *)&watch->signal);
  int status = uv_signal_start(&watch->signal, on_signal, number);
  if (status != 0) {
    lua_replace(L, 1);
    close_watch(L);
    return luaL_error(L, "cannot watch a signal: %s", uv_strerror(status));
  }
  watch_ending(watch, number);
  return 1;
}

/* core.step(wait) -> boolean: see cnk_loop_step. A turn that waits by stepping is not charged with what others do. */
static int step(lua_State *L)
{
  lua_State *main = cnk_bind_main(L);
  struct cnk_saved_charge before = cnk_charge_nobody(cnk_meter(), main);
  bool is_any = cnk_loop_step(cnk_bind_loop(L), lua_toboolean(L, 1), main);
  cnk_charge_again(cnk_meter(), &before);
  lua_pushboolean(L, is_any);
  if (*cnk_bind_out_of_memory(L)) {
    lua_pushliteral(L, "not enough memory"); /* Lua has this string already */
    lua_error(L);
  }
  return 1;
}

/* core.counts() -> table: what is open. */
static int counts(lua_State *L)
{
  const struct cnk_counts *now_open = &cnk_bind_loop(L)->counts;
  lua_newtable(L);
  const struct {
    const char *name;
    int count;
  } fields[] = {
      {"timers",    now_open->timers   },
      {"requests",  now_open->requests },
      {"listeners", now_open->listeners},
      {"exchanges", now_open->exchanges},
      {"files",     now_open->files    }
  };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_pushinteger(L, fields[i].count);
    lua_setfield(L, -2, fields[i].name);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"step",   step        },
    {"signal", watch_signal},
    {"counts", counts      },
    {NULL,     NULL        },
};

void cnk_bind_open_loop(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"close", check_close},
      {NULL,    NULL       }
  };
  cnk_bind_class(L, SIGNAL, methods, collect_watch);
  luaL_setfuncs(L, functions, 0);
}
