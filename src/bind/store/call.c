/* SPDX-License-Identifier: MIT */
/*
 * Calls of the store from Lua: a method for each verb takes a table, and a function that hears of the commit. What the verb
 * answers is set in the table.
 */
#include "bind/store/verbs.h"

struct cnk_bind_store *cnk_bind_check_store(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_self(L, sizeof(struct cnk_bind_store), CNK_BIND_STORE);
  if (!face->store)
    luaL_error(L, "the store is closed");
  return face;
}

struct cnk_store_call *cnk_bind_try_call(struct cnk_bind_store *face, enum cnk_verb verb)
{
  if (face->building)
    cnk_store_release(face->building); /* an error ended it */
  face->building = cnk_store_new_call(face->store, verb);
  return face->building;
}

struct cnk_store_call *cnk_bind_new_call(lua_State *L, struct cnk_bind_store *face, enum cnk_verb verb)
{
  struct cnk_store_call *call = cnk_bind_try_call(face, verb);
  if (!call)
    luaL_error(L, "not enough memory for a call of the store");
  return call;
}

struct cnk_store_call *cnk_bind_begin_call(lua_State *L, struct cnk_bind_store *face, enum cnk_verb verb)
{
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  return cnk_bind_new_call(L, face, verb);
}

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

/* nil, and what the store's function for failures makes of the message and the code; without one both of them. */
static int push_failure(lua_State *L, const char *message, const char *code)
{
  lua_pushnil(L);
  lua_pushstring(L, message);
  lua_pushstring(L, code);
  return 3;
}

static int push_failure_of(lua_State *L, const struct cnk_store_call *call)
{
  const char *code = cnk_store_code_name(call->store->backend, call->status);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, call->store) != LUA_TFUNCTION) {
    lua_pop(L, 1);
    return push_failure(L, call->message, code);
  }
  call->store->has_failed = true;
  lua_pushstring(L, call->message);
  lua_pushstring(L, code);
  lua_call(L, 2, 1);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* The first call that writes, and works again after a failure. */
static void tell_recovery(lua_State *L, struct cnk_store *store)
{
  store->has_failed = false;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, store) == LUA_TFUNCTION)
    lua_call(L, 0, 0);
  else
    lua_pop(L, 1);
}

/* The sequence with which the dialog of a turn has asked; 0: it has not. */
static int64_t asked_of(const struct cnk_store_call *call)
{
  const struct cnk_turn *turn = call->verb == CNK_COMMIT_TURN ? call->request : NULL;
  return turn && turn->run ? turn->run->asked : 0;
}

/* The same for the call at 1 that has no table. */
static int push_answer_plain(lua_State *L)
{
  const struct cnk_store_call *call = lua_touserdata(L, 1);
  if (call->status)
    return push_failure_of(L, call);
  tell_recovery(L, call->store);
  lua_pushboolean(L, 1);
  if (asked_of(call) == 0)
    return 1;
  lua_pushinteger(L, asked_of(call));
  return 2;
}

/* The arguments of `done` for the call at 1; its subject is at 2. */
static int push_answer(lua_State *L)
{
  const struct cnk_store_call *call = lua_touserdata(L, 1);
  if (call->status)
    return push_failure_of(L, call);
  if (call->store->has_failed && call->verb != CNK_QUERY)
    tell_recovery(L, call->store);
  const struct cnk_bind_form *form = call->form;
  return form->push(L, call, form);
}

/* The callback at 1, the call at 2, its subject at 3: protected by cnk_bind_call, and the call is given back whatever happens. */
static int complete(lua_State *L)
{
  struct cnk_store_call *call = lua_touserdata(L, 2);
  lua_pushcfunction(L, push_answer);
  lua_insert(L, 2);
  if (lua_pcall(L, 2, LUA_MULTRET, 0) != LUA_OK) {
    /* Only memory can be short. The call is committed, so it must not be said to have failed, and nobody can be told what
     * came of it. */
    cnk_store_release(call);
    *cnk_bind_out_of_memory(L) = true;
    return lua_error(L);
  }
  cnk_store_release(call);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

static void deliver(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_pushcfunction(L, complete);
  cnk_bind_push_ref(L, &call->callback);
  lua_pushlightuserdata(L, call);
  cnk_bind_push_ref(L, &call->subject);
  cnk_bind_call(L, 3);
}

/* Gives the call to the store. The results of the method. */
static int run(lua_State *L, struct cnk_bind_store *face, int done, int subject)
{
  struct cnk_store_call *call = face->building;
  call->callback = cnk_bind_ref(L, done);
  call->subject = cnk_bind_ref(L, subject);
  if (!cnk_store_run(face->store, call)) {
    cnk_bind_unref(L, &call->callback);
    cnk_bind_unref(L, &call->subject);
    return push_failure(L, "the store's queue is full", "busy");
  }
  face->building = NULL;
  lua_pushboolean(L, 1);
  return 1;
}

int cnk_bind_run_call(lua_State *L, struct cnk_bind_store *face, int subject, int callback,
                      const struct cnk_bind_form *form)
{
  face->building->done.deliver = deliver;
  face->building->form = form;
  return run(L, face, callback, subject);
}

/* ---- calls without a table ------------------------------------------------------------------------------------------- */

/* The callback at 1, its subject at 2, the call at 3: as `complete`, but that memory cannot be short before a success is told. */
static int complete_plain(lua_State *L)
{
  struct cnk_store_call *call = lua_touserdata(L, 3);
  lua_settop(L, 2);
  if (call->status == 0 && !call->store->has_failed) {
    int64_t asked = asked_of(call);
    cnk_store_release(call);
    lua_pushboolean(L, 1);
    if (asked)
      lua_pushinteger(L, asked);
    lua_call(L, asked ? 3 : 2, 0);
    return 0;
  }
  lua_pushcfunction(L, push_answer_plain);
  lua_pushlightuserdata(L, call);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) {
    cnk_store_release(call);
    *cnk_bind_out_of_memory(L) = true;
    return lua_error(L);
  }
  cnk_store_release(call);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

static void deliver_plain(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_pushcfunction(L, complete_plain);
  cnk_bind_push_ref(L, &call->callback);
  cnk_bind_push_ref(L, &call->subject);
  lua_pushlightuserdata(L, call);
  cnk_bind_call(L, 3);
}

/* Nobody waits for a success. */
static void deliver_quiet(struct cnk_done *done, void *context)
{
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  if (call->status || call->store->has_failed) {
    deliver_plain(done, context);
    return;
  }
  cnk_bind_unref(context, &call->callback);
  cnk_bind_unref(context, &call->subject);
  cnk_store_release(call);
}

int cnk_bind_run_plain(lua_State *L, struct cnk_bind_store *face, int done, int subject, bool is_quiet)
{
  face->building->done.deliver = is_quiet ? deliver_quiet : deliver_plain;
  return run(L, face, done, subject);
}

/* ---- the methods ----------------------------------------------------------------------------------------------------- */

/* The open store at 1; NULL with what the method gives where it is closed. */
struct cnk_bind_store *cnk_bind_find_store(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_self(L, sizeof(struct cnk_bind_store), CNK_BIND_STORE);
  if (face->store)
    return face;
  push_failure(L, "the store is closed", cnk_store_code_name(NULL, CNK_STORE_CLOSED));
  return NULL;
}

/* store:VERB(request, done) -> true | nil, message, code */
static int run_verb(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_find_store(L);
  if (!face)
    return 3;
  const struct cnk_verb_shape *verb = lua_touserdata(L, lua_upvalueindex(1));
  struct cnk_store_call *call = cnk_bind_begin_call(L, face, verb->verb);
  cnk_shape_push_names(L);
  const struct cnk_shape_reader reader = {
      .L = L, .names = lua_gettop(L), .now = cnk_clock_wall(face->loop->clock), .arena = &call->arena};
  cnk_shape_read(&reader, 2, verb->shape, call->request);
  lua_settop(L, 3);
  return cnk_bind_run_call(L, face, 2, 3, &verb->form);
}

/* store:on_failure(fn): fn(message, code) makes what `done` gets after nil; fn() hears that a call could write again. */
static int on_failure(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_check_store(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, face->store);
  return 0;
}

void cnk_bind_add_verbs(lua_State *L)
{
  lua_pushcfunction(L, on_failure);
  lua_setfield(L, -2, "on_failure");
  for (size_t i = 0; i < cnk_verb_shapes_count; i++) {
    cnk_shape_name(L, cnk_verb_shapes[i].shape);
    lua_pushlightuserdata(L, (void *)&cnk_verb_shapes[i]);
    lua_pushcclosure(L, run_verb, 1);
    lua_setfield(L, -2, cnk_verb_shapes[i].method);
  }
}
