/* SPDX-License-Identifier: MIT */
/*
 * From a decoded webhook body to events: core.parse_webhook. What an event holds is documented in
 * lua/cunnekt/provider/webhook.lua; this file finds the items, message.c and event.c make an event of each.
 *
 * Whatever the body is, every item gives one event, and nothing raises: what has not the expected shape becomes an
 * event of kind "unknown" that holds it. Such an event's `raw`, parsed as a body, gives that one event again; this is
 * what webhook.wrap lives on.
 *
 * Bodies are nested at most CNK_JSON_DEPTH deep, so recursion over them is safe.
 */
#include "bind/webhook/webhook.h"

#include <string.h>

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

/* The lists of a value, in the order of their events. The words of most may mean something else in bodies whose form nobody
 * documents, so that these, where they are no lists, count beside other items only. */
static const struct part {
  const char *name;
  cnk_webhook_add_fn *add;
  bool is_always; /* an item, even where it is no list */
} parts[] = {
    {"messages",         cnk_webhook_add_message,         true },
    {"message_echoes",   cnk_webhook_add_echo,            false},
    {"statuses",         cnk_webhook_add_status,          true },
    {"calls",            cnk_webhook_add_call,            false},
    {"user_preferences", cnk_webhook_add_preference,      false},
    {"user_id_update",   cnk_webhook_add_user_id_update,  false},
    {"groups",           cnk_webhook_add_group,           false},
    {"automatic_events", cnk_webhook_add_automatic_event, false},
    {"history",          cnk_webhook_add_history,         false},
    {"state_sync",       cnk_webhook_add_state_sync,      false},
    {"errors",           cnk_webhook_add_error,           true },
};

enum { PARTS = sizeof parts / sizeof *parts };

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

static void read_part(struct cnk_webhook *w, int list, cnk_webhook_add_fn *add, const struct cnk_webhook_scope *scope)
{
  lua_Integer count = (lua_Integer)lua_rawlen(w->L, list);
  for (lua_Integer n = 1; n <= count && !w->is_too_much; n++) {
    lua_rawgeti(w->L, list, n);
    int item = lua_gettop(w->L);
    if (cnk_field_is_object(w->L, item))
      add(w, item, scope);
    else
      cnk_webhook_add_unknown(w, item);
    lua_pop(w->L, 1);
  }
}

/* The number of the part of that name; PARTS when there is none. */
static int find_part(const char *name, size_t length)
{
  if (strlen(name) != length)
    return PARTS;
  int i = 0;
  while (i < PARTS && (name[0] != parts[i].name[0] || strcmp(name, parts[i].name) != 0))
    i++;
  return i;
}

/* What a body or a value has: the parts that are lists, or count as items if they are none; whether there is more that may be
 * items; and what leads to other values. Found in one pass, since most of what could be there is not. */
struct contents {
  bool has[PARTS], has_more, has_entry, has_changes, has_value;
};

static bool is_no_part(const char *name)
{
  return strcmp(name, "contacts") == 0 || strcmp(name, "metadata") == 0 || strcmp(name, "entry") == 0 ||
         strcmp(name, "changes") == 0;
}

/* The value at `at` of the key below it. */
static void note_content(lua_State *L, int at, struct contents *found)
{
  size_t length;
  const char *name = lua_tolstring(L, at - 1, &length);
  int i = find_part(name, length);
  if (i < PARTS) {
    bool is_list = cnk_field_is_list(L, at);
    found->has[i] = (is_list || parts[i].is_always) && !lua_islightuserdata(L, at);
    found->has_more = found->has_more || !(is_list || parts[i].is_always);
  } else if (!lua_istable(L, at)) {
    return;
  } else if (strcmp(name, "entry") == 0) {
    found->has_entry = true;
  } else if (strcmp(name, "changes") == 0) {
    found->has_changes = true;
  } else if (strcmp(name, "value") == 0) {
    found->has_value = true;
  } else if (strcmp(name, "contacts") != 0 && strcmp(name, "metadata") != 0) {
    found->has_more = found->has_more || cnk_field_is_list(L, at);
  }
}

static struct contents find_contents(lua_State *L, int value)
{
  struct contents found = {{false}, false, false, false, false};
  for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING)
      note_content(L, lua_gettop(L), &found);
  return found;
}

/* The objects in the list at `list`, of the name at `list - 1`, that this version does not know: one unknown event each. */
static void read_unknown_part(struct cnk_webhook *w, int value, int list)
{
  lua_State *L = w->L;
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer n = 1; n <= count; n++) {
    lua_rawgeti(L, list, n);
    if (cnk_field_is_object(L, list + 1)) {
      lua_createtable(L, 1, 0);
      lua_insert(L, -2);
      lua_rawseti(L, -2, 1);
      add_bad_part(w, value, lua_tostring(L, list - 1));
    }
    lua_settop(L, list);
  }
}

/* What a value has beside the parts above; its order is that of the table. */
static void read_unknown_parts(struct cnk_webhook *w, int value)
{
  lua_State *L = w->L;
  for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1)) {
    int at = lua_gettop(L);
    size_t length;
    if (lua_type(L, at - 1) != LUA_TSTRING)
      continue;
    const char *name = lua_tolstring(L, at - 1, &length);
    int i = find_part(name, length);
    bool is_list = cnk_field_is_list(L, at);
    if (i == PARTS && is_list && !is_no_part(name))
      read_unknown_part(w, value, at);
    else if (i < PARTS && !is_list && !parts[i].is_always && !lua_islightuserdata(L, at))
      add_bad_part(w, value, name);
  }
}

/* Meta's `value`, which Cunnekt sends as the whole body. Messages of the field "history" are old ones. */
static void read_value(struct cnk_webhook *w, int value, const struct contents *found, bool is_history)
{
  lua_State *L = w->L;
  int top = lua_gettop(L);
  lua_Integer before = w->count;
  luaL_checkstack(L, 64, "too deep");
  struct cnk_webhook_scope scope = {0};
  for (int i = 0; i < PARTS; i++) {
    if (!found->has[i])
      continue;
    lua_getfield(L, value, parts[i].name);
    int part = lua_gettop(L);
    if (!cnk_field_is_list(L, part)) {
      add_bad_part(w, value, parts[i].name);
      continue;
    }
    if (lua_rawlen(L, part) > 0 && !scope.phone) {
      cnk_webhook_open_scope(w, value, &scope);
      cnk_webhook_open_contacts(w, value, &scope);
    }
    read_part(w, part, i == 0 && is_history ? cnk_webhook_add_old_message : parts[i].add, &scope);
  }
  lua_settop(L, top);
  if (found->has_more && w->count > before)
    read_unknown_parts(w, value);
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

/* The part of a change, or of a body, that is an object named "value". */
static void read_change(struct cnk_webhook *w, int change)
{
  lua_State *L = w->L;
  lua_getfield(L, change, "value");
  int value = lua_gettop(L);
  if (cnk_field_is_object(L, value)) {
    bool is_named = lua_getfield(L, change, "field") == LUA_TSTRING;
    bool is_history = is_named && strcmp(lua_tostring(L, -1), "history") == 0;
    if (is_named && lua_rawget(L, w->accounts) != LUA_TNIL) {
      cnk_webhook_add_account(w, change);
    } else {
      struct contents found = find_contents(L, value);
      read_value(w, value, &found, is_history);
    }
  }
  lua_settop(L, value - 1);
}

/* A body, or an entry or a change of an envelope: each is looked at alike, so that any of them, sent by itself, is
 * understood as well. One that gives nothing is an unknown event. */
static void read_body(struct cnk_webhook *w, int body)
{
  lua_State *L = w->L;
  lua_Integer before = w->count;
  luaL_checkstack(L, 8, "too deep");
  if (cnk_field_is_object(L, body)) {
    struct contents found = find_contents(L, body);
    int outer = w->entry;
    if (found.has_entry)
      read_list(w, body, "entry");
    w->entry = body;
    if (found.has_changes)
      read_list(w, body, "changes");
    w->entry = outer;
    if (found.has_value)
      read_change(w, body);
    read_value(w, body, &found, false);
  }
  if (w->count == before)
    cnk_webhook_add_unknown(w, body);
}

/* core.parse_webhook(body, decode, accounts, most_events, most_form_values) -> list of events, or nil when a bound is broken;
 * `body` comes from json.decode, which is `decode`; `accounts` is the set of fields whose changes are of kind "account". The
 * events share their `raw`, and what they take over from it unchanged, with the body. */
static int parse_webhook(lua_State *L)
{
  luaL_checkany(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checktype(L, 3, LUA_TTABLE);
  struct cnk_webhook w = {.L = L, .decode = 2, .accounts = 3, .events = 4};
  w.most_events = luaL_optinteger(L, 4, LUA_MAXINTEGER);
  w.has_form_bound = !lua_isnoneornil(L, 5);
  w.form_values = w.has_form_bound ? (size_t)luaL_checkinteger(L, 5) : 0;
  lua_settop(L, 3);
  lua_newtable(L);
  read_body(&w, 1);
  lua_settop(L, 4);
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
