/* SPDX-License-Identifier: MIT */
/* Events of what is no message: statuses, calls, preferences, changes of the account, errors and the unknown; see webhook.h. */
#include "bind/webhook/webhook.h"

#include <string.h>

#include "bind/webhook/field.h"
#include "bind/webhook/layout.h"

struct copied {
  const char *name, *as;
  enum cnk_layout_kind kind;
};

/* Copies fields up to the one without a name. */
static void copy_fields(lua_State *L, int item, int event, const struct copied *fields)
{
  for (; fields->name; fields++)
    cnk_layout_copy_value(L, item, fields->name, event, fields->as, fields->kind);
}

/* The rest of an event. */
static void finish(struct cnk_webhook *w, int item, int event, const struct cnk_webhook_scope *scope)
{
  bool is_sender = lua_getfield(w->L, event, "from") != LUA_TNIL;
  is_sender = lua_getfield(w->L, event, "user_id") != LUA_TNIL || is_sender;
  lua_pop(w->L, 2);
  cnk_field_copy_time(w->L, item, "timestamp", event);
  cnk_webhook_set_scope(w, event, scope, is_sender);
  cnk_layout_copy_errors(w->L, item, event);
  cnk_webhook_add_event(w, item);
}

static bool has_text(lua_State *L, int at, const char *name, const char *text)
{
  bool is_equal = lua_getfield(L, at, name) == LUA_TSTRING && strcmp(lua_tostring(L, -1), text) == 0;
  lua_pop(L, 1);
  return is_equal;
}

/* ---- statuses -------------------------------------------------------------------------------------------------- */

static void set_recipient(lua_State *L, int item, int event)
{
  bool has_user_id = cnk_field_copy_id(L, item, "recipient_user_id", event, "recipient_user_id");
  if (!cnk_field_copy_id(L, item, "recipient_id", event, "recipient") && has_user_id)
    cnk_field_copy_id(L, item, "recipient_user_id", event, "recipient");
}

static void add_payment(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "payment", 10);
  cnk_field_copy_id(L, item, "id", event, "id");
  cnk_field_copy_plain(L, item, "status", event, LUA_TSTRING);
  set_recipient(L, item, event);
  cnk_layout_copy(L, item, "payment", event, cnk_layout_payment);
  finish(w, item, event, scope);
}

/* A failure has its reason in errors[1]: scripts may rely on the table, though not on what is in it. */
static void add_reason(lua_State *L, int event)
{
  if (has_text(L, event, "status", "failed") && lua_getfield(L, event, "errors") == LUA_TNIL) {
    lua_createtable(L, 1, 0);
    lua_newtable(L);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, event, "errors");
  }
  lua_settop(L, event);
}

void cnk_webhook_add_status(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  if (has_text(L, item, "type", "payment")) {
    add_payment(w, item, scope);
    return;
  }
  if (has_text(L, item, "type", "call")) {
    cnk_webhook_add_call(w, item, scope);
    return;
  }
  int event = cnk_webhook_push_event(w, "status", 10);
  cnk_field_copy_id(L, item, "id", event, "id");
  if (!cnk_field_copy_plain(L, item, "status", event, LUA_TSTRING))
    cnk_field_set_text(L, event, "status", "unknown");
  set_recipient(L, item, event);
  cnk_field_copy_time(L, item, "timestamp", event);
  cnk_webhook_set_scope(w, event, scope, false);
  cnk_layout_copy(L, item, "conversation", event, cnk_layout_conversation);
  cnk_layout_copy(L, item, "pricing", event, cnk_layout_pricing);
  cnk_layout_copy_errors(L, item, event);
  cnk_field_copy_plain(L, item, "biz_opaque_callback_data", event, LUA_TSTRING);
  add_reason(L, event);
  cnk_webhook_add_event(w, item);
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */

/* Whether the business called: as the call says, or else as its number does. */
static bool is_from_business(lua_State *L, int item, const struct cnk_webhook_scope *scope)
{
  int top = lua_gettop(L);
  bool is_ours;
  if (lua_getfield(L, item, "direction") == LUA_TSTRING)
    is_ours = strcmp(lua_tostring(L, -1), "BUSINESS_INITIATED") == 0;
  else
    is_ours = cnk_field_push_id(L, item, "from") && lua_rawequal(L, -1, scope->display);
  lua_settop(L, top);
  return is_ours;
}

/* The customer is `from` when they called, else `recipient`; a status of a call names its receiver. */
static void set_callee(lua_State *L, int item, int event)
{
  set_recipient(L, item, event);
  if (cnk_field_copy_id(L, item, "to_user_id", event, "recipient_user_id"))
    cnk_field_copy_id(L, item, "to_user_id", event, "recipient");
  cnk_field_copy_id(L, item, "to", event, "recipient");
}

void cnk_webhook_add_call(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
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
  if (has_text(L, item, "type", "call") || is_from_business(L, item, scope)) {
    set_callee(L, item, event);
  } else {
    cnk_field_copy_id(L, item, "from", event, "from");
    cnk_field_copy_id(L, item, "from_user_id", event, "user_id");
    cnk_field_copy_id(L, item, "from_parent_user_id", event, "parent_user_id");
  }
  finish(w, item, event, scope);
}

/* ---- customers and their ids ----------------------------------------------------------------------------------- */

void cnk_webhook_add_preference(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
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
static void set_changed_id(lua_State *L, int item, const char *name, int event, const char *previous)
{
  lua_getfield(L, item, name);
  int at = lua_gettop(L);
  if (cnk_field_is_object(L, at)) {
    cnk_field_copy_id(L, at, "current", event, name);
    cnk_field_copy_id(L, at, "previous", event, previous);
  } else {
    cnk_field_copy_id(L, item, name, event, name);
  }
  lua_pop(L, 1);
}

void cnk_webhook_add_user_id_update(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "user_id_update", 12);
  cnk_field_copy_id(L, item, "wa_id", event, "from");
  set_changed_id(L, item, "user_id", event, "previous_user_id");
  set_changed_id(L, item, "parent_user_id", event, "previous_parent_user_id");
  cnk_field_copy_plain(L, item, "detail", event, LUA_TSTRING);
  finish(w, item, event, scope);
}

void cnk_webhook_add_automatic_event(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
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

void cnk_webhook_add_group(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
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

void cnk_webhook_add_history(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  static const struct copied fields[] = {
      {"phase",       "phase",       CNK_LAYOUT_NUMBER},
      {"chunk_order", "chunk_order", CNK_LAYOUT_NUMBER},
      {"progress",    "progress",    CNK_LAYOUT_NUMBER},
      {NULL,          NULL,          CNK_LAYOUT_TEXT  },
  };
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "history", 10);
  lua_getfield(L, item, "metadata");
  if (cnk_field_is_object(L, event + 1))
    copy_fields(L, event + 1, event, fields);
  lua_pop(L, 1);
  cnk_layout_copy_list(L, item, "threads", event, NULL);
  finish(w, item, event, scope);
}

/* A file of the history comes by itself, in the form of a message. It is no new one. */
void cnk_webhook_add_old_message(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  int event = cnk_webhook_push_event(w, "history", 8);
  cnk_field_copy_id(w->L, item, "id", event, "id");
  cnk_field_push_table(w->L, item);
  lua_setfield(w->L, event, "message");
  finish(w, item, event, scope);
}

void cnk_webhook_add_state_sync(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "state_sync", 8);
  cnk_field_copy_plain(L, item, "type", event, LUA_TSTRING);
  cnk_field_copy_plain(L, item, "action", event, LUA_TSTRING);
  lua_getfield(L, item, "metadata");
  if (cnk_field_is_object(L, event + 1))
    cnk_field_copy_time(L, event + 1, "timestamp", event);
  lua_pop(L, 1);
  lua_pushvalue(L, scope->phone);
  lua_setfield(L, event, "phone_number_id");
  lua_pushvalue(L, scope->display);
  lua_setfield(L, event, "display_phone_number");
  cnk_layout_copy(L, item, "contact", event, cnk_layout_synced);
  cnk_webhook_add_event(w, item);
}

/* ---- the account, errors, and the unknown ---------------------------------------------------------------------- */

/* A change of the account, its numbers, templates or forms. Its raw part is the change without what may stand beside it. */
void cnk_webhook_add_account(struct cnk_webhook *w, int change)
{
  lua_State *L = w->L;
  struct cnk_webhook_scope scope = {0};
  int event = cnk_webhook_push_event(w, "account", 8);
  lua_getfield(L, change, "field");
  lua_setfield(L, event, "type");
  if (w->entry) {
    cnk_field_copy_id(L, w->entry, "id", event, "account_id");
    cnk_field_copy_time(L, w->entry, "time", event);
  }
  lua_getfield(L, change, "value");
  int value = lua_gettop(L);
  cnk_webhook_open_scope(w, value, &scope);
  cnk_webhook_set_scope(w, event, &scope, false);
  lua_settop(L, value);
  cnk_field_copy_plain(L, value, "event", event, LUA_TSTRING);
  cnk_field_push_table(L, value);
  lua_setfield(L, event, "value");
  lua_createtable(L, 0, 2);
  int raw = lua_gettop(L);
  lua_getfield(L, change, "field");
  lua_setfield(L, raw, "field");
  lua_pushvalue(L, value);
  lua_setfield(L, raw, "value");
  lua_pushvalue(L, event);
  cnk_webhook_add_event(w, raw);
  lua_settop(L, event - 1);
}

void cnk_webhook_add_error(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "error", 5);
  lua_createtable(L, 1, 0);
  cnk_layout_push(L, item, cnk_layout_error);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, event, "errors");
  if (w->entry)
    cnk_field_copy_time(L, w->entry, "time", event);
  cnk_webhook_set_scope(w, event, scope, false);
  cnk_webhook_add_event(w, item);
}

/* Of the metadata that `raw` itself has, or a change in it: so that the raw part alone says as much. */
void cnk_webhook_add_unknown(struct cnk_webhook *w, int item)
{
  lua_State *L = w->L;
  int event = cnk_webhook_push_event(w, "unknown", 3);
  if (cnk_field_is_object(L, item)) {
    struct cnk_webhook_scope scope = {0};
    lua_getfield(L, item, "value");
    bool is_change = cnk_field_is_object(L, -1);
    cnk_webhook_open_scope(w, is_change ? lua_gettop(L) : item, &scope);
    cnk_webhook_set_scope(w, event, &scope, false);
    lua_settop(L, event);
  }
  cnk_webhook_add_event(w, item);
}
