/* SPDX-License-Identifier: MIT */
/*
 * From a decoded webhook body to events: core.parse_webhook. What an event holds is documented in
 * lua/cunnekt/provider/webhook.lua; this file finds the items, event.c makes an event of each.
 *
 * Whatever the body is, every item gives one event, and nothing raises: what has not the expected shape becomes an
 * event of kind "unknown" that holds it. Such an event's `raw`, parsed as a body, gives that one event again; this is
 * what webhook.wrap lives on.
 *
 * Bodies are nested at most CNK_JSON_DEPTH deep, so recursion over them is safe.
 */
#include "bind/webhook/webhook.h"

#include "bind/webhook/field.h"

/* Pushes field `name` when it is a list, otherwise nothing. */
static bool push_list(lua_State *L, int at, const char *name)
{
  lua_getfield(L, at, name);
  if (cnk_field_is_list(L, -1))
    return true;
  lua_pop(L, 1);
  return false;
}

static void add_item(struct cnk_webhook *w, int item, const char *part, const struct cnk_webhook_scope *scope)
{
  if (!cnk_field_is_object(w->L, item))
    cnk_webhook_add_unknown(w, item);
  else if (part[0] == 'm')
    cnk_webhook_add_message(w, item, scope);
  else if (part[0] == 's')
    cnk_webhook_add_status(w, item, scope);
  else
    cnk_webhook_add_error(w, item, scope);
}

/* A part that is no list: one unknown event, which holds the part under its name and the metadata, if any. */
static void add_bad_part(struct cnk_webhook *w, int value, const char *part)
{
  lua_State *L = w->L;
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, part);
  lua_getfield(L, value, "metadata");
  if (lua_islightuserdata(L, -1))
    lua_pop(L, 1);
  else
    lua_setfield(L, -2, "metadata");
  cnk_webhook_add_unknown(w, lua_gettop(L));
  lua_pop(L, 1);
}

/* Meta's `value`, which Cunnekt sends as the whole body. */
static void read_value(struct cnk_webhook *w, int value)
{
  static const char *const parts[] = {"messages", "statuses", "errors"};
  lua_State *L = w->L;
  int top = lua_gettop(L);
  struct cnk_webhook_scope scope = {0};
  luaL_checkstack(L, 32, "too deep");
  for (int i = 0; i < 3; i++) {
    lua_getfield(L, value, parts[i]);
    int part = lua_gettop(L);
    if (cnk_field_is_list(L, part)) {
      lua_Integer count = (lua_Integer)lua_rawlen(L, part);
      if (count > 0 && !scope.phone)
        cnk_webhook_open_scope(w, value, &scope);
      for (lua_Integer n = 1; n <= count && !w->is_too_much; n++) {
        lua_rawgeti(L, part, n);
        add_item(w, lua_gettop(L), parts[i], &scope);
        lua_pop(L, 1);
      }
    } else if (!lua_isnil(L, part) && !lua_islightuserdata(L, part)) {
      add_bad_part(w, value, parts[i]);
    }
  }
  lua_settop(L, top);
}

static void read_body(struct cnk_webhook *w, int body);

static void read_list(struct cnk_webhook *w, int body, const char *name)
{
  if (!push_list(w->L, body, name))
    return;
  int list = lua_gettop(w->L);
  lua_Integer count = (lua_Integer)lua_rawlen(w->L, list);
  for (lua_Integer n = 1; n <= count && !w->is_too_much; n++) {
    lua_rawgeti(w->L, list, n);
    read_body(w, list + 1);
    lua_pop(w->L, 1);
  }
  lua_pop(w->L, 1);
}

/* A body, or an entry or a change of an envelope: each is looked at alike, so that any of them, sent by itself, is
 * understood as well. One that gives nothing is an unknown event. */
static void read_body(struct cnk_webhook *w, int body)
{
  lua_State *L = w->L;
  lua_Integer before = w->count;
  luaL_checkstack(L, 8, "too deep");
  if (cnk_field_is_object(L, body)) {
    read_list(w, body, "entry");
    read_list(w, body, "changes");
    lua_getfield(L, body, "value");
    if (cnk_field_is_object(L, -1))
      read_value(w, lua_gettop(L));
    lua_pop(L, 1);
    read_value(w, body);
  }
  if (w->count == before)
    cnk_webhook_add_unknown(w, body);
}

/* core.parse_webhook(body, decode, most_events, most_form_values) -> list of events, or nil when a bound is broken; `body`
 * comes from json.decode, which is `decode`. The events share their `raw`, and what they take over from it unchanged, with
 * the body. */
static int parse_webhook(lua_State *L)
{
  luaL_checkany(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct cnk_webhook w = {.L = L, .decode = 2, .events = 3};
  w.most_events = luaL_optinteger(L, 3, LUA_MAXINTEGER);
  w.has_form_bound = !lua_isnoneornil(L, 4);
  w.form_values = w.has_form_bound ? (size_t)luaL_checkinteger(L, 4) : 0;
  lua_settop(L, 2);
  lua_newtable(L);
  read_body(&w, 1);
  lua_settop(L, 3);
  if (w.is_too_much)
    luaL_pushfail(L);
  return 1;
}

/* core.safe_filename(name, mime_type, id) -> string; each may be nil. */
static int safe_filename(lua_State *L)
{
  lua_settop(L, 3);
  cnk_webhook_push_filename(L, 1, 2, 3);
  return 1;
}

static const luaL_Reg functions[] = {
    {"parse_webhook", parse_webhook},
    {"safe_filename", safe_filename},
    {NULL,            NULL         },
};

void cnk_bind_open_webhook(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
