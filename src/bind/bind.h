/* SPDX-License-Identifier: MIT */
/*
 * What the files of this folder share: the Lua faces of the C core. Internal to the module `cunnekt.core`.
 *
 * Rules: a userdata is created closed, with its metatable set, then opened. One idempotent closer serves close,
 * __close and __gc. What is in flight is anchored by a registry reference until its delivery has returned.
 */
#ifndef CNK_BIND_H
#define CNK_BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/loop.h"

/* state.c. The loop of this Lua state: made by luaopen_cunnekt_core, closed with the state. */
struct cnk_loop *cnk_bind_loop(lua_State *L);

/* Set when memory ran out in a callback: what it was about is half done, so the program must end, and core.step
 * raises. Stored work is recovered by the next process. */
bool *cnk_bind_out_of_memory(lua_State *L);

/* The main thread of the state: callbacks run there, never on the coroutine that happened to register them. */
lua_State *cnk_bind_main(lua_State *L);

/* The one way from C into Lua: calls the function below `args` arguments in a protected call, with a traceback
 * handler, and drops its results. An error goes to the function given to core.on_error, or to stderr. */
void cnk_bind_call(lua_State *L, int args);

/* References. cnk_bind_push_ref pushes what `*ref` holds, and clears it. */
int cnk_bind_ref(lua_State *L, int index);
void cnk_bind_unref(lua_State *L, int *ref);
void cnk_bind_push_ref(lua_State *L, int *ref);

/* Makes metatable `name` with __name, __index = methods, __gc and __close = closer; leaves nothing on the stack. */
void cnk_bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction closer);

/* The userdata at 1, of which `size` bytes begin with their own address; raises when it is no `class`. Every event comes here
 * several times: a class by its name would be looked up each time. */
static inline void *cnk_bind_self(lua_State *L, size_t size, const char *class)
{
  void *self = lua_touserdata(L, 1);
  if (lua_rawlen(L, 1) == size && self && *(void *const *)self == self)
    return self;
  return luaL_checkudata(L, 1, class);
}

/* options.c. Fields of the options table at `index`; absent or nil gives the default. The string stays owned by the table. */
lua_Integer cnk_bind_opt_integer(lua_State *L, int index, const char *name, lua_Integer otherwise);
const char *cnk_bind_opt_string(lua_State *L, int index, const char *name, const char *otherwise);
bool cnk_bind_opt_boolean(lua_State *L, int index, const char *name);

/* http.c: pushes what a request's event gives to its function; how many values. The endpoint at an index; NULL when there is none, or
 * it is closed. */
struct cnk_http_event;
struct cnk_endpoint;
int cnk_bind_push_http_event(lua_State *L, const struct cnk_http_event *event);
struct cnk_endpoint *cnk_bind_endpoint(lua_State *L, int index);

/* Each adds its functions to the module table on top of the stack. The state comes first. */
void cnk_bind_open_state(lua_State *L);
void cnk_bind_open_loop(lua_State *L);
void cnk_bind_open_clock(lua_State *L);
void cnk_bind_open_stdin(lua_State *L);
void cnk_bind_open_digest(lua_State *L);
void cnk_bind_open_file(lua_State *L);
void cnk_bind_open_http(lua_State *L);
void cnk_bind_open_listener(lua_State *L);
void cnk_bind_open_json(lua_State *L);
void cnk_bind_open_encode(lua_State *L);
void cnk_bind_open_mark(lua_State *L);
void cnk_bind_open_webhook(lua_State *L);
void cnk_bind_open_store(lua_State *L);
void cnk_bind_open_system(lua_State *L);
void cnk_bind_open_identity(lua_State *L);
void cnk_bind_open_words(lua_State *L);
void cnk_bind_open_budget(lua_State *L);
void cnk_bind_open_message(lua_State *L);
void cnk_bind_open_tasks(lua_State *L);
void cnk_bind_open_limiter(lua_State *L);
void cnk_bind_open_lanes(lua_State *L);
void cnk_bind_open_rows(lua_State *L);
void cnk_bind_open_sent(lua_State *L);
void cnk_bind_open_outbox(lua_State *L);
void cnk_bind_open_turns(lua_State *L);
void cnk_bind_open_inbox(lua_State *L);
void cnk_bind_open_terminal(lua_State *L);

#endif
