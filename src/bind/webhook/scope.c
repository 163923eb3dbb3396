/* SPDX-License-Identifier: MIT */
/* What the items of a value share, the business number and the contacts, and how an event gets its part; see webhook.h. */
#include "bind/webhook/webhook.h"

#include "bind/webhook/field.h"
#include "bind/webhook/layout.h"

/* Pushes of a contact what events share: in its layout, with the names of its profile beside the ids. */
static void push_address(lua_State *L, const struct cnk_node *item)
{
  static const char *const names[] = {"name", "username"};
  const struct cnk_node *profile = cnk_node_field(item, "profile");
  cnk_layout_push(L, item, cnk_layout_address, 2);
  int contact = lua_gettop(L);
  for (int i = 0; i < 2; i++) {
    if (!cnk_field_copy_text(L, profile, names[i], contact, names[i]) && cnk_node_field(item, names[i])) {
      lua_pushnil(L); /* the contact itself has no names */
      lua_setfield(L, contact, names[i]);
    }
  }
}

/* The contact on top, under its id, unless another one has that already. */
static void index_contact(lua_State *L, int contacts, const char *name)
{
  int contact = lua_gettop(L);
  if (lua_getfield(L, contact, name) != LUA_TNIL) {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, contacts) == LUA_TNIL) {
      lua_pushvalue(L, contact + 1);
      lua_pushvalue(L, contact);
      lua_rawset(L, contacts);
    }
  }
  lua_settop(L, contact);
}

static void push_index(lua_State *L, const struct cnk_node *list)
{
  const struct cnk_node *item = list + 1;
  lua_newtable(L);
  int contacts = lua_gettop(L);
  for (uint32_t i = 0; i < list->count; i++, item = cnk_node_next(item)) {
    if (cnk_field_is_object(item)) {
      push_address(L, item);
      index_contact(L, contacts, "wa_id");
      index_contact(L, contacts, "user_id");
    }
    lua_settop(L, contacts);
  }
}

void cnk_webhook_open_scope(struct cnk_webhook *w, const struct cnk_node *value, struct cnk_webhook_scope *scope)
{
  const struct cnk_node *metadata = cnk_node_field(value, "metadata");
  cnk_field_push_id(w->L, cnk_node_field(metadata, "phone_number_id"));
  cnk_field_push_id(w->L, cnk_node_field(metadata, "display_phone_number"));
  scope->display = lua_gettop(w->L);
  scope->phone = scope->display - 1;
}

void cnk_webhook_open_contacts(struct cnk_webhook *w, const struct cnk_node *value, struct cnk_webhook_scope *scope)
{
  const struct cnk_node *list = cnk_node_field(value, "contacts");
  if (!cnk_field_is_list(list))
    return;
  if (list->count != 1) {
    push_index(w->L, list);
    scope->contacts = lua_gettop(w->L);
  } else if (cnk_field_is_object(list + 1)) {
    push_address(w->L, list + 1);
    scope->contact = lua_gettop(w->L);
  }
}

void cnk_webhook_open_metadata(struct cnk_webhook *w, const struct cnk_node *value, struct cnk_webhook_scope *scope)
{
  const struct cnk_node *metadata = cnk_node_field(value, "metadata");
  cnk_webhook_open_scope(w, value, scope);
  if (w->body || !metadata || cnk_node_is(metadata, CNK_NODE_NULL))
    lua_pushnil(w->L);
  else
    cnk_bind_push_node(w->L, metadata);
  scope->metadata = lua_gettop(w->L);
}

/* Pushes the contact that belongs to an event, or nil. */
static void push_contact(lua_State *L, int event, const struct cnk_webhook_scope *scope)
{
  static const char *const ids[] = {"from", "user_id", "recipient", "recipient_user_id"};
  for (int i = 0; scope->contacts && i < 4; i++) {
    if (lua_getfield(L, event, ids[i]) != LUA_TNIL && lua_rawget(L, scope->contacts) != LUA_TNIL)
      return;
    lua_pop(L, 1);
  }
  if (scope->contact)
    lua_pushvalue(L, scope->contact);
  else
    lua_pushnil(L);
}

/* Copies a text from table to table. */
static void copy_text(lua_State *L, int from, const char *name, int to)
{
  if (lua_getfield(L, from, name) == LUA_TSTRING)
    lua_setfield(L, to, name);
  else
    lua_pop(L, 1);
}

/* Of a sender: one that only names its receiver keeps to that name, since its conversation is that of the number. The single
 * contact gives its name in any case, but its ids only when the sender is not plainly somebody else. */
static void set_ids(lua_State *L, int event, int contact)
{
  static const char *const ids[] = {"user_id", "parent_user_id"};
  int top = lua_gettop(L);
  bool has_number = lua_getfield(L, event, "from") != LUA_TNIL;
  lua_getfield(L, contact, "wa_id");
  bool is_same = !has_number || lua_rawequal(L, top + 1, top + 2);
  for (int i = 0; is_same && i < 2; i++)
    if (lua_getfield(L, event, ids[i]) == LUA_TNIL)
      copy_text(L, contact, ids[i], event);
  lua_settop(L, top);
}

static void set_contact(struct cnk_webhook *w, int event, const struct cnk_webhook_scope *scope, bool is_sender)
{
  lua_State *L = w->L;
  push_contact(L, event, scope);
  int contact = lua_gettop(L);
  if (!lua_isnil(L, contact)) {
    copy_text(L, contact, "name", event);
    copy_text(L, contact, "username", event);
    if (is_sender)
      set_ids(L, event, contact);
    lua_pushvalue(L, contact);
    lua_setfield(L, event, "contact");
  }
  lua_settop(L, contact - 1);
}

void cnk_webhook_set_scope(struct cnk_webhook *w, int event, const struct cnk_webhook_scope *scope, bool is_sender)
{
  lua_State *L = w->L;
  lua_pushvalue(L, scope->phone);
  lua_setfield(L, event, "phone_number_id");
  lua_pushvalue(L, scope->display);
  lua_setfield(L, event, "display_phone_number");
  if (scope->contact || scope->contacts)
    set_contact(w, event, scope, is_sender);
}

int cnk_webhook_push_event(struct cnk_webhook *w, const char *kind, int size)
{
  lua_createtable(w->L, 0, size);
  int event = lua_gettop(w->L);
  cnk_field_set_text(w->L, event, "kind", kind);
  return event;
}

void cnk_webhook_add_event_with(struct cnk_webhook *w)
{
  if (w->body) {
    lua_pop(w->L, 1);
    lua_pushvalue(w->L, w->body);
  }
  lua_setfield(w->L, -2, w->body ? "_body" : "raw");
  lua_rawseti(w->L, w->events, ++w->count);
  w->is_too_much |= w->count > w->most_events;
  w->is_one_of_two = w->body && w->count > 1;
}

void cnk_webhook_add_event(struct cnk_webhook *w, const struct cnk_node *item)
{
  if (w->body)
    lua_pushnil(w->L);
  else
    cnk_bind_push_node(w->L, item);
  cnk_webhook_add_event_with(w);
}
