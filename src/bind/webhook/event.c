/* SPDX-License-Identifier: MIT */
/* Events of what is no message: statuses, calls, preferences, changes of the account, errors and the unknown; see webhook.h. */
#include "bind/webhook/webhook.h"

#include "bind/webhook/field.h"
#include "bind/webhook/layout.h"

struct copied {
  const char *name, *as;
  enum cnk_layout_kind kind;
};

/* Copies fields up to the one without a name. */
static void copy_fields(lua_State *L, const struct cnk_node *item, int event, const struct copied *fields)
{
  for (; fields->name; fields++)
    cnk_layout_copy_value(L, item, fields->name, event, fields->as, fields->kind);
}

/* The rest of an event. */
static void finish(struct cnk_webhook *w, const struct cnk_node *item, int event, const struct cnk_webhook_scope *scope)
{
  bool is_sender = lua_getfield(w->L, event, "from") != LUA_TNIL;
  is_sender = lua_getfield(w->L, event, "user_id") != LUA_TNIL || is_sender;
  lua_pop(w->L, 2);
  cnk_field_set_time(w->L, cnk_node_field(item, "timestamp"), event);
  cnk_webhook_set_scope(w, event, scope, is_sender);
  cnk_layout_copy_errors(w->L, item, event);
  cnk_webhook_add_event(w, item);
}

static bool has_text(const struct cnk_node *from, const char *name, const char *text)
{
  return cnk_node_says(cnk_node_field(from, name), text);
}

/* ---- statuses -------------------------------------------------------------------------------------------------- */

static void set_recipient(lua_State *L, const struct cnk_node *item, int event)
{
  bool has_user_id = cnk_field_copy_id(L, item, "recipient_user_id", event, "recipient_user_id");
  if (!cnk_field_copy_id(L, item, "recipient_id", event, "recipient") && has_user_id)
    cnk_field_copy_id(L, item, "recipient_user_id", event, "recipient");
}

static void add_payment(struct cnk_webhook *w, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "payment", 10);
  cnk_field_copy_id(L, item, "id", event, "id");
  cnk_field_copy_text(L, item, "status", event, "status");
  set_recipient(L, item, event);
  cnk_layout_copy(L, item, "payment", event, cnk_layout_payment);
  finish(w, item, event, scope);
}

/* A failure has its reason in errors[1]: scripts may rely on the table, though not on what is in it. */
static void add_reason(lua_State *L, int event)
{
  lua_createtable(L, 1, 0);
  lua_newtable(L);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, event, "errors");
}

void cnk_webhook_add_status(struct cnk_webhook *w, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  if (has_text(item, "type", "payment")) {
    add_payment(w, item, scope);
    return;
  }
  if (has_text(item, "type", "call")) {
    cnk_webhook_add_call(w, item, scope);
    return;
  }
  int event = cnk_webhook_push_event(w, "status", 10);
  cnk_field_copy_id(L, item, "id", event, "id");
  if (!cnk_field_copy_text(L, item, "status", event, "status"))
    cnk_field_set_text(L, event, "status", "unknown");
  set_recipient(L, item, event);
  cnk_field_set_time(L, cnk_node_field(item, "timestamp"), event);
  cnk_webhook_set_scope(w, event, scope, false);
  cnk_layout_copy(L, item, "conversation", event, cnk_layout_conversation);
  cnk_layout_copy(L, item, "pricing", event, cnk_layout_pricing);
  if (!cnk_layout_copy_errors(L, item, event) && has_text(item, "status", "failed"))
    add_reason(L, event);
  cnk_field_copy_text(L, item, "biz_opaque_callback_data", event, "biz_opaque_callback_data");
  cnk_webhook_add_event(w, item);
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */

/* Whether the business called: as the call says, or else as its number does. */
static bool is_from_business(lua_State *L, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  const struct cnk_node *direction = cnk_node_field(item, "direction");
  if (cnk_node_is(direction, CNK_NODE_TEXT))
    return cnk_node_says(direction, "BUSINESS_INITIATED");
  bool is_ours = cnk_field_push_id(L, cnk_node_field(item, "from")) && lua_rawequal(L, -1, scope->display);
  lua_pop(L, 1);
  return is_ours;
}

/* The customer is `from` when they called, else `recipient`; a status of a call names its receiver. */
static void set_callee(lua_State *L, const struct cnk_node *item, int event)
{
  set_recipient(L, item, event);
  if (cnk_field_copy_id(L, item, "to_user_id", event, "recipient_user_id"))
    cnk_field_copy_id(L, item, "to_user_id", event, "recipient");
  cnk_field_copy_id(L, item, "to", event, "recipient");
}

void cnk_webhook_add_call(struct cnk_webhook *w, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  static const struct copied fields[] = {
      {"id",                       "id",                       CNK_LAYOUT_ID    },
      {"event",                    "event",                    CNK_LAYOUT_TEXT  },
      {"status",                   "status",                   CNK_LAYOUT_TEXT  },
      {"direction",                "direction",                CNK_LAYOUT_TEXT  },
      {"duration",                 "duration",                 CNK_LAYOUT_NUMBER},
      {"start_time",               "start_time",               CNK_LAYOUT_NUMBER},
      {"end_time",                 "end_time",                 CNK_LAYOUT_NUMBER},
      {"biz_opaque_callback_data", "biz_opaque_callback_data", CNK_LAYOUT_TEXT  },
      {NULL,                       NULL,                       CNK_LAYOUT_TEXT  },
  };
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "call", 14);
  copy_fields(L, item, event, fields);
  cnk_layout_copy(L, item, "session", event, cnk_layout_session);
  if (has_text(item, "type", "call") || is_from_business(L, item, scope)) {
    set_callee(L, item, event);
  } else {
    cnk_field_copy_id(L, item, "from", event, "from");
    cnk_field_copy_id(L, item, "from_user_id", event, "user_id");
    cnk_field_copy_id(L, item, "from_parent_user_id", event, "parent_user_id");
  }
  finish(w, item, event, scope);
}

/* ---- customers and their ids ----------------------------------------------------------------------------------- */

void cnk_webhook_add_preference(struct cnk_webhook *w, const struct cnk_node *item,
                                const struct cnk_webhook_scope *scope)
{
  static const struct copied fields[] = {
      {"wa_id",          "from",           CNK_LAYOUT_ID  },
      {"user_id",        "user_id",        CNK_LAYOUT_ID  },
      {"parent_user_id", "parent_user_id", CNK_LAYOUT_ID  },
      {"category",       "category",       CNK_LAYOUT_TEXT},
      {"value",          "value",          CNK_LAYOUT_TEXT},
      {"detail",         "detail",         CNK_LAYOUT_TEXT},
      {NULL,             NULL,             CNK_LAYOUT_TEXT},
  };
  int event = cnk_webhook_push_event(w, "user_preferences", 12);
  copy_fields(w->L, item, event, fields);
  finish(w, item, event, scope);
}

/* Sets an id from an object of the one before and the one now, or from an id alone. */
static void set_changed_id(lua_State *L, const struct cnk_node *item, const char *name, int event, const char *previous)
{
  const struct cnk_node *change = cnk_node_field(item, name);
  if (cnk_field_is_object(change)) {
    cnk_field_copy_id(L, change, "current", event, name);
    cnk_field_copy_id(L, change, "previous", event, previous);
  } else {
    cnk_field_copy_id(L, item, name, event, name);
  }
}

void cnk_webhook_add_user_id_update(struct cnk_webhook *w, const struct cnk_node *item,
                                    const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "user_id_update", 12);
  cnk_field_copy_id(L, item, "wa_id", event, "from");
  set_changed_id(L, item, "user_id", event, "previous_user_id");
  set_changed_id(L, item, "parent_user_id", event, "previous_parent_user_id");
  cnk_field_copy_text(L, item, "detail", event, "detail");
  finish(w, item, event, scope);
}

void cnk_webhook_add_automatic_event(struct cnk_webhook *w, const struct cnk_node *item,
                                     const struct cnk_webhook_scope *scope)
{
  static const struct copied fields[] = {
      {"id",         "id",         CNK_LAYOUT_ID  },
      {"event_name", "event_name", CNK_LAYOUT_TEXT},
      {"ctwa_clid",  "ctwa_clid",  CNK_LAYOUT_TEXT},
      {NULL,         NULL,         CNK_LAYOUT_TEXT},
  };
  int event = cnk_webhook_push_event(w, "automatic_event", 10);
  copy_fields(w->L, item, event, fields);
  cnk_layout_copy(w->L, item, "custom_data", event, cnk_layout_any);
  finish(w, item, event, scope);
}

/* ---- groups, and what the app on the phone knew ---------------------------------------------------------------- */

void cnk_webhook_add_group(struct cnk_webhook *w, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  static const struct copied fields[] = {
      {"group_id",   "id",         CNK_LAYOUT_ID  },
      {"type",       "type",       CNK_LAYOUT_TEXT},
      {"request_id", "request_id", CNK_LAYOUT_ID  },
      {"subject",    "subject",    CNK_LAYOUT_TEXT},
      {NULL,         NULL,         CNK_LAYOUT_TEXT},
  };
  int event = cnk_webhook_push_event(w, "group", 10);
  copy_fields(w->L, item, event, fields);
  finish(w, item, event, scope);
}

void cnk_webhook_add_history(struct cnk_webhook *w, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  static const struct copied fields[] = {
      {"phase",       "phase",       CNK_LAYOUT_NUMBER},
      {"chunk_order", "chunk_order", CNK_LAYOUT_NUMBER},
      {"progress",    "progress",    CNK_LAYOUT_NUMBER},
      {NULL,          NULL,          CNK_LAYOUT_TEXT  },
  };
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "history", 10);
  copy_fields(L, cnk_node_field(item, "metadata"), event, fields);
  cnk_layout_copy_list(L, item, "threads", event, NULL);
  finish(w, item, event, scope);
}

/* A file of the history comes by itself, in the form of a message. It is no new one. */
void cnk_webhook_add_old_message(struct cnk_webhook *w, const struct cnk_node *item,
                                 const struct cnk_webhook_scope *scope)
{
  int event = cnk_webhook_push_event(w, "history", 8);
  cnk_field_copy_id(w->L, item, "id", event, "id");
  cnk_field_push(w->L, item);
  lua_setfield(w->L, event, "message");
  finish(w, item, event, scope);
}

void cnk_webhook_add_state_sync(struct cnk_webhook *w, const struct cnk_node *item,
                                const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "state_sync", 8);
  cnk_field_copy_text(L, item, "type", event, "type");
  cnk_field_copy_text(L, item, "action", event, "action");
  const struct cnk_node *metadata = cnk_node_field(item, "metadata");
  cnk_field_set_time(L, cnk_node_field(metadata, "timestamp"), event);
  lua_pushvalue(L, scope->phone);
  lua_setfield(L, event, "phone_number_id");
  lua_pushvalue(L, scope->display);
  lua_setfield(L, event, "display_phone_number");
  cnk_layout_copy(L, item, "contact", event, cnk_layout_synced);
  cnk_webhook_add_event(w, item);
}

/* ---- the account, errors, and the unknown ---------------------------------------------------------------------- */

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

/* A change of the account, its numbers, templates or forms. */
void cnk_webhook_add_account(struct cnk_webhook *w, const struct cnk_node *change)
{
  lua_State *L = w->L;
  struct cnk_webhook_scope scope = {0};
  const struct cnk_node *value = cnk_node_field(change, "value");
  cnk_webhook_open_scope(w, value, &scope);
  int event = cnk_webhook_push_event(w, "account", 8);
  cnk_field_copy_text(L, change, "field", event, "type");
  cnk_field_set_id(L, w->entry.id, event, "account_id");
  cnk_field_set_time(L, w->entry.time, event);
  cnk_webhook_set_scope(w, event, &scope, false);
  cnk_field_copy_text(L, value, "event", event, "event");
  cnk_field_push(L, value);
  lua_setfield(L, event, "value");
  push_change(L, change);
  cnk_webhook_add_event_with(w);
  lua_pop(L, 2);
}

void cnk_webhook_add_error(struct cnk_webhook *w, const struct cnk_node *item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "error", 5);
  lua_createtable(L, 1, 0);
  cnk_layout_push(L, item, cnk_layout_error, 0);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, event, "errors");
  cnk_field_set_time(L, w->entry.time, event);
  cnk_webhook_set_scope(w, event, scope, false);
  cnk_webhook_add_event(w, item);
}

/* Of the metadata that `raw` itself has, or a change in it: so that the raw part alone says as much. */
void cnk_webhook_add_unknown(struct cnk_webhook *w, const struct cnk_node *item)
{
  const struct cnk_node *value = cnk_node_field(item, "value");
  struct cnk_webhook_scope scope = {0};
  int top = lua_gettop(w->L);
  cnk_webhook_open_scope(w, cnk_field_is_object(value) ? value : item, &scope);
  int event = cnk_webhook_push_event(w, "unknown", 4);
  cnk_webhook_set_scope(w, event, &scope, false);
  cnk_webhook_add_event(w, item);
  lua_settop(w->L, top);
}

void cnk_webhook_add_unknown_part(struct cnk_webhook *w, const struct cnk_node *name, const struct cnk_node *item,
                                  const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  bool is_item = item != cnk_node_value(name);
  int event = cnk_webhook_push_event(w, "unknown", 4), raw = event + 1;
  cnk_webhook_set_scope(w, event, scope, false);
  lua_createtable(L, 0, 2);
  cnk_bind_push_text(L, name);
  if (is_item)
    lua_createtable(L, 1, 0);
  cnk_bind_push_node(L, item);
  if (is_item)
    lua_rawseti(L, -2, 1);
  lua_rawset(L, raw);
  lua_pushvalue(L, scope->metadata);
  lua_setfield(L, raw, "metadata");
  cnk_webhook_add_event_with(w);
}
