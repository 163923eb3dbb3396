/* SPDX-License-Identifier: MIT */
/* The tables of events: the facts of each, and the content of what is no message; see webhook.h. */
#include "bind/webhook/webhook.h"

#include <stddef.h>

#include "bind/webhook/field.h"
#include "bind/webhook/layout.h"

/* ---- facts --------------------------------------------------------------------------------------------------------- */

#define TEXT(name)                                                                                                     \
  {                                                                                                                    \
#name, offsetof(struct cnk_webhook_facts, name)                                                                    \
  }

/* In the order in which most events have them. */
static const struct fact {
  const char *name;
  size_t offset;
} facts[] = {
    TEXT(id),
    TEXT(from),
    TEXT(phone_number_id),
    TEXT(display_phone_number),
    TEXT(name),
    TEXT(username),
    TEXT(user_id),
    TEXT(parent_user_id),
    TEXT(group_id),
    TEXT(recipient),
    TEXT(recipient_user_id),
    TEXT(previous_user_id),
    TEXT(previous_parent_user_id),
    TEXT(status),
    TEXT(event),
    TEXT(category),
    TEXT(value),
    TEXT(account_id),
};

enum { FACTS = sizeof facts / sizeof *facts };

/* Pushes what was made for this address before; false, and pushes nothing, when there is none. */
static bool push_shared(const struct cnk_event_maker *maker, const void *address)
{
  if (!maker->shared)
    return false;
  bool is_there = lua_rawgetp(maker->L, maker->shared, address) != LUA_TNIL;
  if (!is_there)
    lua_pop(maker->L, 1);
  return is_there;
}

/* Notes what is on top for it. */
static void share(const struct cnk_event_maker *maker, const void *address)
{
  if (!maker->shared)
    return;
  lua_pushvalue(maker->L, -1);
  lua_rawsetp(maker->L, maker->shared, address);
}

/* Pushes a contact as events share it: in its layout, with the names of its profile beside the ids. */
static void push_contact(const struct cnk_event_maker *maker, const struct cnk_webhook_contact *contact)
{
  lua_State *L = maker->L;
  if (push_shared(maker, contact))
    return;
  cnk_layout_push(L, contact->node, cnk_layout_address, 2);
  const struct {
    const char *name;
    struct cnk_text text;
  } names[] = {
      {"name",     contact->name    },
      {"username", contact->username},
  };
  for (int i = 0; i < 2; i++) {
    if (names[i].text.data)
      lua_pushlstring(L, names[i].text.data, names[i].text.size);
    else if (cnk_node_field(contact->node, names[i].name))
      lua_pushnil(L); /* the contact itself has no names */
    else
      continue;
    lua_setfield(L, -2, names[i].name);
  }
  share(maker, contact);
}

/* Pushes a table of the facts. */
static void push_facts(const struct cnk_event_maker *maker, const struct cnk_webhook_facts *of)
{
  lua_State *L = maker->L;
  lua_createtable(L, 0, 14);
  cnk_field_set_text(L, lua_gettop(L), "kind", cnk_webhook_kinds[of->kind]);
  for (int i = 0; i < FACTS; i++) {
    const struct cnk_text *text = (const struct cnk_text *)(const void *)((const char *)of + facts[i].offset);
    if (!text->data)
      continue;
    lua_pushlstring(L, text->data, text->size);
    lua_setfield(L, -2, facts[i].name);
  }
  if (of->has_timestamp) {
    lua_pushinteger(L, of->timestamp);
    lua_setfield(L, -2, "timestamp");
  }
  if (of->contact && !maker->body) { /* else it is made with `raw`, when somebody asks for one of them */
    push_contact(maker, of->contact);
    lua_setfield(L, -2, "contact");
  }
}

static enum cnk_webhook_kind kind_of(const char *name)
{
  int kind = 0;
  while (kind < CNK_WEBHOOK_UNKNOWN && strcmp(name, cnk_webhook_kinds[kind]) != 0)
    kind++;
  return kind;
}

static bool is_remark(const char *type)
{
  const char *const *known = cnk_webhook_remark_types;
  while (*known && strcmp(*known, type) != 0)
    known++;
  return *known;
}

/* The string in a field of the event, which keeps it; "" for none. */
static const char *string_in(lua_State *L, int event, const char *name)
{
  const char *string = lua_getfield(L, event, name) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  lua_pop(L, 1);
  return string;
}

struct cnk_webhook_facts cnk_event_read_facts(lua_State *L, int event)
{
  struct cnk_webhook_facts of = {.kind = kind_of(string_in(L, event, "kind"))};
  for (int i = 0; i < FACTS; i++) {
    struct cnk_text *text = (struct cnk_text *)(void *)((char *)&of + facts[i].offset);
    if (lua_getfield(L, event, facts[i].name) == LUA_TSTRING)
      text->data = lua_tolstring(L, -1, &text->size);
    lua_pop(L, 1);
  }
  int is_whole;
  lua_getfield(L, event, "timestamp");
  of.timestamp = lua_tointegerx(L, -1, &is_whole);
  of.has_timestamp = is_whole;
  lua_pop(L, 1);
  of.is_remark = is_remark(string_in(L, event, "type"));
  return of;
}

/* ---- content ------------------------------------------------------------------------------------------------------- */

struct copied {
  const char *name;
  enum cnk_layout_kind kind;
};

/* Copies fields up to the one without a name. */
static void copy_fields(lua_State *L, const struct cnk_node *item, int event, const struct copied *fields)
{
  for (; fields->name; fields++)
    cnk_layout_copy_value(L, item, fields->name, event, fields->name, fields->kind);
}

/* A failure has its reason in errors[1]: scripts may rely on the table, though not on what is in it. */
static void add_reason(lua_State *L, int event)
{
  lua_createtable(L, 1, 0);
  lua_newtable(L);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, event, "errors");
}

static void set_status(lua_State *L, const struct cnk_node *item, int event)
{
  cnk_layout_copy(L, item, "conversation", event, cnk_layout_conversation);
  cnk_layout_copy(L, item, "pricing", event, cnk_layout_pricing);
  if (!cnk_layout_copy_errors(L, item, event) && cnk_node_says(cnk_node_field(item, "status"), "failed"))
    add_reason(L, event);
  cnk_field_copy_text(L, item, "biz_opaque_callback_data", event, "biz_opaque_callback_data");
}

static void set_call(lua_State *L, const struct cnk_node *item, int event)
{
  static const struct copied fields[] = {
      {"direction",                CNK_LAYOUT_TEXT  },
      {"duration",                 CNK_LAYOUT_NUMBER},
      {"start_time",               CNK_LAYOUT_NUMBER},
      {"end_time",                 CNK_LAYOUT_NUMBER},
      {"biz_opaque_callback_data", CNK_LAYOUT_TEXT  },
      {NULL,                       CNK_LAYOUT_TEXT  },
  };
  copy_fields(L, item, event, fields);
  cnk_layout_copy(L, item, "session", event, cnk_layout_session);
}

static void set_group(lua_State *L, const struct cnk_node *item, int event)
{
  static const struct copied fields[] = {
      {"type",       CNK_LAYOUT_TEXT},
      {"request_id", CNK_LAYOUT_ID  },
      {"subject",    CNK_LAYOUT_TEXT},
      {NULL,         CNK_LAYOUT_TEXT},
  };
  copy_fields(L, item, event, fields);
}

static void set_automatic_event(lua_State *L, const struct cnk_node *item, int event)
{
  static const struct copied fields[] = {
      {"event_name", CNK_LAYOUT_TEXT},
      {"ctwa_clid",  CNK_LAYOUT_TEXT},
      {NULL,         CNK_LAYOUT_TEXT},
  };
  copy_fields(L, item, event, fields);
  cnk_layout_copy(L, item, "custom_data", event, cnk_layout_any);
}

/* A file of the history comes by itself, in the form of a message. It is no new one. */
static void set_history(lua_State *L, const struct cnk_webhook_item *item, int event)
{
  static const struct copied fields[] = {
      {"phase",       CNK_LAYOUT_NUMBER},
      {"chunk_order", CNK_LAYOUT_NUMBER},
      {"progress",    CNK_LAYOUT_NUMBER},
      {NULL,          CNK_LAYOUT_TEXT  },
  };
  if (item->is_old) {
    cnk_field_push(L, item->node);
    lua_setfield(L, event, "message");
  } else {
    copy_fields(L, cnk_node_field(item->node, "metadata"), event, fields);
    cnk_layout_copy_list(L, item->node, "threads", event, NULL);
  }
}

static void set_state_sync(lua_State *L, const struct cnk_node *item, int event)
{
  cnk_field_copy_text(L, item, "type", event, "type");
  cnk_field_copy_text(L, item, "action", event, "action");
  cnk_layout_copy(L, item, "contact", event, cnk_layout_synced);
}

/* A change of the account, its numbers, templates or forms. */
static void set_account(lua_State *L, const struct cnk_node *change, int event)
{
  cnk_field_copy_text(L, change, "field", event, "type");
  cnk_field_push(L, cnk_node_field(change, "value"));
  lua_setfield(L, event, "value");
}

static void set_error(lua_State *L, const struct cnk_node *item, int event)
{
  lua_createtable(L, 1, 0);
  cnk_layout_push(L, item, cnk_layout_error, 0);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, event, "errors");
}

static void set_content(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item, int event)
{
  lua_State *L = maker->L;
  const struct cnk_node *node = item->node;
  switch (item->facts.kind) {
  case CNK_WEBHOOK_MESSAGE:
  case CNK_WEBHOOK_ECHO: cnk_event_set_message(maker, item, event); return;
  case CNK_WEBHOOK_STATUS: set_status(L, node, event); return;
  case CNK_WEBHOOK_PAYMENT: cnk_layout_copy(L, node, "payment", event, cnk_layout_payment); break;
  case CNK_WEBHOOK_CALL: set_call(L, node, event); break;
  case CNK_WEBHOOK_USER_PREFERENCES:
  case CNK_WEBHOOK_USER_ID_UPDATE: cnk_field_copy_text(L, node, "detail", event, "detail"); break;
  case CNK_WEBHOOK_GROUP: set_group(L, node, event); break;
  case CNK_WEBHOOK_AUTOMATIC_EVENT: set_automatic_event(L, node, event); break;
  case CNK_WEBHOOK_HISTORY: set_history(L, item, event); break;
  case CNK_WEBHOOK_STATE_SYNC: set_state_sync(L, node, event); return;
  case CNK_WEBHOOK_ACCOUNT: set_account(L, node, event); return;
  case CNK_WEBHOOK_ERROR: set_error(L, node, event); return;
  default: return;
  }
  cnk_layout_copy_errors(L, node, event);
}

/* ---- raw ----------------------------------------------------------------------------------------------------------- */

/* Pushes the change without what may stand beside it. */
static void push_change(lua_State *L, const struct cnk_node *change)
{
  static const char *const names[] = {"field", "value"};
  lua_createtable(L, 0, 2);
  for (int i = 0; i < 2; i++) {
    cnk_bind_push_node(L, cnk_node_field(change, names[i]));
    lua_setfield(L, -2, names[i]);
  }
}

/* Pushes the metadata of a value, or nil. */
static void push_metadata(const struct cnk_event_maker *maker, const struct cnk_node *metadata)
{
  if (!metadata) {
    lua_pushnil(maker->L);
  } else if (!push_shared(maker, metadata)) {
    cnk_bind_push_node(maker->L, metadata);
    share(maker, metadata);
  }
}

/* Pushes an object with a part of a value under its name, in a list if it is one item of it, and the metadata beside it. */
static void push_part(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item)
{
  lua_State *L = maker->L;
  bool is_one = item->node != cnk_node_value(item->part);
  lua_createtable(L, 0, 2);
  cnk_bind_push_text(L, item->part);
  if (is_one)
    lua_createtable(L, 1, 0);
  cnk_bind_push_node(L, item->node);
  if (is_one)
    lua_rawseti(L, -2, 1);
  lua_rawset(L, -3);
  push_metadata(maker, item->scope->metadata);
  lua_setfield(L, -2, "metadata");
}

static void push_raw(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item)
{
  if (item->facts.kind == CNK_WEBHOOK_ACCOUNT)
    push_change(maker->L, item->node);
  else if (item->part)
    push_part(maker, item);
  else
    cnk_bind_push_node(maker->L, item->node);
}

void cnk_event_push(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item)
{
  lua_State *L = maker->L;
  luaL_checkstack(L, 64, "too deep");
  push_facts(maker, &item->facts);
  int event = lua_gettop(L);
  set_content(maker, item, event);
  if (maker->body)
    lua_pushvalue(L, maker->body);
  else
    push_raw(maker, item);
  lua_setfield(L, event, maker->body ? "_body" : "raw");
}
