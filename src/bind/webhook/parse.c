/* SPDX-License-Identifier: MIT */
/*
 * From a webhook body to events: core.parse_webhook. What an event holds is documented in
 * lua/cunnekt/provider/webhook.lua; this file finds the items, message.c and event.c make an event of each.
 *
 * Whatever the body is, every item gives one event, and nothing raises: what has not the expected shape becomes an
 * event of kind "unknown" that holds it. Such an event's `raw`, parsed as a body, gives that one event again; this is
 * what webhook.wrap lives on.
 *
 * Bodies are nested at most CNK_JSON_DEPTH deep, so recursion over them is safe.
 */
#include "bind/webhook/webhook.h"

#include "bind/webhook/field.h"

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

static void read_part(struct cnk_webhook *w, const struct cnk_node *list, cnk_webhook_add_fn *add,
                      const struct cnk_webhook_scope *scope)
{
  const struct cnk_node *item = list + 1;
  for (uint32_t i = 0; i < list->count && !cnk_webhook_is_over(w); i++, item = cnk_node_next(item)) {
    if (cnk_field_is_object(item))
      add(w, item, scope);
    else
      cnk_webhook_add_unknown(w, item);
  }
}

/* The number of the part of that name; PARTS when there is none. */
static int find_part(const struct cnk_node *name)
{
  int i = 0;
  while (i < PARTS && !(cnk_node_may_say(name, parts[i].name) && cnk_node_says(name, parts[i].name)))
    i++;
  return i;
}

/* What a body or a value has: the names of the parts that are lists, or count as items if they are none; whether there may
 * be more that is an item; and what leads to other values. Found in one pass, since most of what could be there is not. */
struct contents {
  const struct cnk_node *parts[PARTS], *entry, *changes, *value;
  bool has_more;
};

/* Names that never hold items. */
static bool is_no_part(const struct cnk_node *name)
{
  return cnk_node_says(name, "contacts") || cnk_node_says(name, "metadata") || cnk_node_says(name, "entry") ||
         cnk_node_says(name, "changes");
}

/* Of equal names the last one counts, so that it takes the place of what was found before. */
static void note_content(const struct cnk_node *name, struct contents *found)
{
  const struct cnk_node *value = cnk_node_value(name);
  bool is_list = cnk_field_is_list(value);
  int i = find_part(name);
  if (i < PARTS) {
    bool is_item = is_list || (parts[i].is_always && !cnk_node_is(value, CNK_NODE_NULL));
    found->parts[i] = is_item ? name : NULL;
    found->has_more |= !is_item;
  } else if (cnk_node_says(name, "entry")) {
    found->entry = value;
  } else if (cnk_node_says(name, "changes")) {
    found->changes = value;
  } else {
    found->value = cnk_node_says(name, "value") ? value : found->value;
    found->has_more |= is_list && !is_no_part(name);
  }
}

static struct contents find_contents(const struct cnk_node *value)
{
  struct contents found = {.has_more = false};
  const struct cnk_node *name = value + 1;
  for (uint32_t i = 0; i < value->count; i++, name = cnk_node_next_name(name))
    note_content(name, &found);
  return found;
}

/* Pushes a table of the position that the last member of each name has. */
static void push_positions(lua_State *L, const struct cnk_node *object)
{
  const struct cnk_node *name = object + 1;
  lua_createtable(L, 0, cnk_bind_size(object));
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name)) {
    cnk_bind_push_text(L, name);
    lua_pushinteger(L, i);
    lua_rawset(L, -3);
  }
}

/* Whether a member is the last of its name. */
static bool is_last(lua_State *L, int positions, const struct cnk_node *name, lua_Integer position)
{
  cnk_bind_push_text(L, name);
  lua_rawget(L, positions);
  bool is_equal = lua_tointeger(L, -1) == position;
  lua_pop(L, 1);
  return is_equal;
}

/* Adds an unknown event for each object in a list that this version does not know, or for the whole of what is no list. */
static void read_unknown_part(struct cnk_webhook *w, const struct cnk_node *name, const struct cnk_webhook_scope *scope)
{
  const struct cnk_node *part = cnk_node_value(name), *item = part + 1;
  if (!cnk_field_is_list(part)) {
    cnk_webhook_add_unknown_part(w, name, part, scope);
    return;
  }
  for (uint32_t i = 0; i < part->count && !cnk_webhook_is_over(w); i++, item = cnk_node_next(item))
    if (cnk_field_is_object(item))
      cnk_webhook_add_unknown_part(w, name, item, scope);
}

/* What a value has beside the parts above, in the order of the text. */
static void read_unknown_parts(struct cnk_webhook *w, const struct cnk_node *value)
{
  const struct cnk_node *name = value + 1;
  struct cnk_webhook_scope scope = {0};
  int top = lua_gettop(w->L);
  cnk_webhook_open_metadata(w, value, &scope);
  push_positions(w->L, value);
  int positions = lua_gettop(w->L);
  for (uint32_t i = 0; i < value->count && !cnk_webhook_is_over(w); i++, name = cnk_node_next_name(name)) {
    const struct cnk_node *part = cnk_node_value(name);
    bool is_list = cnk_field_is_list(part), is_null = cnk_node_is(part, CNK_NODE_NULL);
    int known = find_part(name);
    bool is_item = known < PARTS ? !is_list && !parts[known].is_always : is_list && !is_no_part(name);
    if (is_item && !is_null && is_last(w->L, positions, name, i))
      read_unknown_part(w, name, &scope);
  }
  lua_settop(w->L, top);
}

/* A part that is no list is an item itself. */
static void add_bad_part(struct cnk_webhook *w, const struct cnk_node *value, const struct cnk_node *name)
{
  struct cnk_webhook_scope scope = {0};
  int top = lua_gettop(w->L);
  cnk_webhook_open_metadata(w, value, &scope);
  cnk_webhook_add_unknown_part(w, name, cnk_node_value(name), &scope);
  lua_settop(w->L, top);
}

/* Meta's `value`, which Cunnekt sends as the whole body. Messages of the field "history" are old ones. */
static void read_value(struct cnk_webhook *w, const struct cnk_node *value, const struct contents *found,
                       bool is_history)
{
  int top = lua_gettop(w->L);
  lua_Integer before = w->count;
  struct cnk_webhook_scope scope = {0};
  luaL_checkstack(w->L, 64, "too deep");
  for (int i = 0; i < PARTS; i++) {
    if (!found->parts[i])
      continue;
    const struct cnk_node *part = cnk_node_value(found->parts[i]);
    if (!cnk_field_is_list(part)) {
      add_bad_part(w, value, found->parts[i]);
      continue;
    }
    if (part->count > 0 && !scope.phone) {
      cnk_webhook_open_scope(w, value, &scope);
      cnk_webhook_open_contacts(w, value, &scope);
    }
    read_part(w, part, i == 0 && is_history ? cnk_webhook_add_old_message : parts[i].add, &scope);
  }
  lua_settop(w->L, top);
  if (found->has_more && w->count > before)
    read_unknown_parts(w, value);
}

static void read_body(struct cnk_webhook *w, const struct cnk_node *body);

static void read_list(struct cnk_webhook *w, const struct cnk_node *list)
{
  if (!cnk_field_is_list(list))
    return;
  const struct cnk_node *item = list + 1;
  for (uint32_t i = 0; i < list->count && !cnk_webhook_is_over(w); i++, item = cnk_node_next(item))
    read_body(w, item);
}

/* The changes of an entry. */
static void read_changes(struct cnk_webhook *w, const struct cnk_node *entry, const struct cnk_node *changes)
{
  struct cnk_webhook_entry outer = w->entry;
  if (!cnk_field_is_list(changes))
    return;
  w->entry = (struct cnk_webhook_entry){cnk_node_field(entry, "id"), cnk_node_field(entry, "time")};
  read_list(w, changes);
  w->entry = outer;
}

static bool is_account(struct cnk_webhook *w, const struct cnk_node *field)
{
  if (!cnk_node_is(field, CNK_NODE_TEXT))
    return false;
  cnk_bind_push_text(w->L, field);
  bool is_known = lua_rawget(w->L, w->accounts) != LUA_TNIL;
  lua_pop(w->L, 1);
  return is_known;
}

/* The part of a change, or of a body, that is an object named "value". */
static void read_change(struct cnk_webhook *w, const struct cnk_node *change, const struct cnk_node *value)
{
  const struct cnk_node *field = cnk_node_field(change, "field");
  if (!cnk_field_is_object(value))
    return;
  if (is_account(w, field)) {
    cnk_webhook_add_account(w, change);
  } else {
    struct contents found = find_contents(value);
    read_value(w, value, &found, cnk_node_says(field, "history"));
  }
}

/* A body, or an entry or a change of an envelope: each is looked at alike, so that any of them, sent by itself, is
 * understood as well. One that gives nothing is an unknown event. */
static void read_body(struct cnk_webhook *w, const struct cnk_node *body)
{
  lua_Integer before = w->count;
  luaL_checkstack(w->L, 16, "too deep");
  if (cnk_field_is_object(body)) {
    struct contents found = find_contents(body);
    read_list(w, found.entry);
    read_changes(w, body, found.changes);
    read_change(w, body, found.value);
    read_value(w, body, &found, false);
  }
  if (w->count == before)
    cnk_webhook_add_unknown(w, body);
}

/* Pushes the list of the events of a body. `body`: the text's index when its only event is to have that in place of `raw`, else
 * 0. */
static void push_events(struct cnk_webhook *w, const struct cnk_node *root, int body, size_t form_values)
{
  lua_createtable(w->L, 1, 0);
  w->events = lua_gettop(w->L);
  w->body = body;
  w->count = 0;
  w->form_values = form_values;
  w->is_one_of_two = false;
  read_body(w, root);
  lua_settop(w->L, w->events);
}

/* nil, and the error of the message on top of the stack */
static int fail(lua_State *L, int new_error, const char *kind)
{
  lua_pushvalue(L, new_error);
  lua_insert(L, -2);
  lua_pushstring(L, kind);
  lua_insert(L, -2);
  lua_call(L, 2, 1);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

enum { BODY = 1, ACCOUNTS, NEW_ERROR, IS_LATER, MOST_VALUES, MOST_EVENTS, TREE };
#define KEPT_TREE 1 /* the function's upvalue */

/* core.parse_webhook(body, accounts, new_error, is_raw_later, most_values, most_events) -> list of events; or nil, error; or
 * nil, when there are too many events or too much in forms. See the stub. */
static int parse_webhook(lua_State *L)
{
  struct cnk_jsonscan scan = {.most_values = (size_t)luaL_optinteger(L, MOST_VALUES, 0)};
  struct cnk_webhook w = {.L = L, .accounts = ACCOUNTS, .most_events = luaL_optinteger(L, MOST_EVENTS, LUA_MAXINTEGER)};
  scan.text = luaL_checklstring(L, BODY, &scan.length);
  luaL_checktype(L, ACCOUNTS, LUA_TTABLE);
  luaL_checktype(L, NEW_ERROR, LUA_TFUNCTION);
  lua_settop(L, MOST_EVENTS);
  scan.tree = cnk_bind_take_tree(L, KEPT_TREE);
  const struct cnk_node *root = cnk_bind_read_nodes(L, &scan);
  if (root) {
    w.has_form_bound = scan.most_values > 0;
    push_events(&w, root, lua_toboolean(L, IS_LATER) ? BODY : 0, scan.most_values);
    if (w.is_one_of_two)
      push_events(&w, root, 0, scan.most_values);
  }
  cnk_bind_keep_tree(L, TREE, KEPT_TREE);
  if (!root)
    return fail(L, NEW_ERROR, scan.has_too_many ? "too_large" : "invalid");
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
  lua_pushnil(L); /* no tree is kept yet */
  luaL_setfuncs(L, functions, 1);
}
