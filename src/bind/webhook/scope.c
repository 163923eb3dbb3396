/* SPDX-License-Identifier: MIT */
/* What the items of a value share, the business number and the contacts, and how an event gets its part; see webhook.h. */
#include "bind/webhook/webhook.h"

#include <string.h>

#include "bind/webhook/field.h"
#include "bind/webhook/layout.h"

/* Whether the table at `at` has nothing but texts that are not empty, under names; in a contact, the profile is such a table. */
static bool has_only_texts(lua_State *L, int at, bool is_contact)
{
  for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
    int value = lua_gettop(L);
    bool is_fine = lua_type(L, value - 1) == LUA_TSTRING;
    if (is_fine && is_contact && strcmp(lua_tostring(L, value - 1), "profile") == 0)
      is_fine = cnk_field_is_object(L, value) && has_only_texts(L, value, false);
    else
      is_fine = is_fine && lua_type(L, value) == LUA_TSTRING && lua_rawlen(L, value) > 0;
    if (!is_fine) {
      lua_settop(L, value - 2);
      return false;
    }
  }
  return true;
}

/* Makes of the contact on top what events share: without nulls, in its layout, with the names of its profile beside the ids. It is
 * changed in place where it can be: nothing else has it. */
static void fit_contact(lua_State *L)
{
  static const char *const names[] = {"name", "username"};
  int contact = lua_gettop(L);
  if (!has_only_texts(L, contact, true)) { /* the usual contact needs no more */
    cnk_layout_push(L, contact, cnk_layout_address);
    lua_replace(L, contact);
  }
  bool has_profile = lua_getfield(L, contact, "profile") == LUA_TTABLE;
  for (int i = 0; i < 2; i++) {
    if (has_profile)
      lua_getfield(L, contact + 1, names[i]);
    else
      lua_pushnil(L);
    lua_setfield(L, contact, names[i]);
  }
  lua_settop(L, contact);
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

static void index_contacts(lua_State *L, int list)
{
  lua_newtable(L);
  int contacts = lua_gettop(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer n = 1; n <= count; n++) {
    lua_rawgeti(L, list, n);
    if (cnk_field_is_object(L, contacts + 1)) {
      fit_contact(L);
      index_contact(L, contacts, "wa_id");
      index_contact(L, contacts, "user_id");
    }
    lua_pop(L, 1);
  }
}

void cnk_webhook_open_scope(struct cnk_webhook *w, int value, struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  lua_getfield(L, value, "metadata");
  int metadata = lua_gettop(L);
  if (cnk_field_is_object(L, metadata)) {
    cnk_field_push_id(L, metadata, "phone_number_id");
    cnk_field_push_id(L, metadata, "display_phone_number");
  }
  lua_settop(L, metadata + 2);
  scope->phone = metadata + 1;
  scope->display = metadata + 2;
}

void cnk_webhook_open_contacts(struct cnk_webhook *w, int value, struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  lua_getfield(L, value, "contacts");
  int list = lua_gettop(L);
  if (!cnk_field_is_list(L, list))
    return;
  if (lua_rawlen(L, list) == 1) {
    lua_rawgeti(L, list, 1);
    scope->contact = cnk_field_is_object(L, -1) ? list + 1 : 0;
    if (scope->contact)
      fit_contact(L);
  } else {
    index_contacts(L, list);
    scope->contacts = list + 1;
  }
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
      cnk_field_copy_plain(L, contact, ids[i], event, LUA_TSTRING);
  lua_settop(L, top);
}

static void set_contact(struct cnk_webhook *w, int event, const struct cnk_webhook_scope *scope, bool is_sender)
{
  lua_State *L = w->L;
  push_contact(L, event, scope);
  int contact = lua_gettop(L);
  if (!lua_isnil(L, contact)) {
    cnk_field_copy_plain(L, contact, "name", event, LUA_TSTRING);
    cnk_field_copy_plain(L, contact, "username", event, LUA_TSTRING);
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

void cnk_webhook_add_event(struct cnk_webhook *w, int item)
{
  lua_pushvalue(w->L, item);
  lua_setfield(w->L, -2, "raw");
  lua_rawseti(w->L, w->events, ++w->count);
  w->is_too_much |= w->count > w->most_events;
}
