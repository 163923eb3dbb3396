/* SPDX-License-Identifier: MIT */
/* One event from one item of a webhook; see webhook.h. Nothing here trusts a field to be there or to have its type. */
#include "bind/webhook/webhook.h"

#include <string.h>

#include "bind/webhook/field.h"
#include "whatsapp/filename.h"
#include "json/scan.h"

/* ---- what the items of a value share --------------------------------------------------------------------------- */

/* Under its id, unless another contact has that already. */
static void index_contact(lua_State *L, int contacts, int contact, const char *name)
{
  if (cnk_field_push_id(L, contact, name)) {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, contacts) == LUA_TNIL) {
      lua_pushvalue(L, -2);
      lua_pushvalue(L, contact);
      lua_rawset(L, contacts);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void index_contacts(lua_State *L, int list)
{
  lua_newtable(L);
  int contacts = lua_gettop(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer n = 1; n <= count; n++) {
    lua_rawgeti(L, list, n);
    if (cnk_field_is_object(L, contacts + 1)) {
      index_contact(L, contacts, contacts + 1, "wa_id");
      index_contact(L, contacts, contacts + 1, "user_id");
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
  lua_getfield(L, value, "contacts");
  int list = lua_gettop(L);
  if (!cnk_field_is_list(L, list))
    return;
  if (lua_rawlen(L, list) == 1) {
    lua_rawgeti(L, list, 1);
    scope->contact = cnk_field_is_object(L, -1) ? list + 1 : 0;
  } else {
    index_contacts(L, list);
    scope->contacts = list + 1;
  }
}

/* Pushes the table of a new event of this kind. */
static int push_event(lua_State *L, const char *kind, int size)
{
  lua_createtable(L, 0, size);
  int event = lua_gettop(L);
  cnk_field_set_text(L, event, "kind", kind);
  return event;
}

/* Adds the event on top of the stack, with its raw item, and takes it off. */
static void add_event(struct cnk_webhook *w, int item)
{
  lua_pushvalue(w->L, item);
  lua_setfield(w->L, -2, "raw");
  lua_rawseti(w->L, w->events, ++w->count);
  w->is_too_much |= w->count > w->most_events;
}

static void set_scope(lua_State *L, int event, const struct cnk_webhook_scope *scope)
{
  lua_pushvalue(L, scope->phone);
  lua_setfield(L, event, "phone_number_id");
  lua_pushvalue(L, scope->display);
  lua_setfield(L, event, "display_phone_number");
}

/* Pushes the contact that belongs to an event, or nil. */
static void push_contact(lua_State *L, int event, const struct cnk_webhook_scope *scope)
{
  static const char *const ids[] = {"from", "user_id"};
  for (int i = 0; scope->contacts && i < 2; i++) {
    if (lua_getfield(L, event, ids[i]) != LUA_TNIL && lua_rawget(L, scope->contacts) != LUA_TNIL)
      return;
    lua_pop(L, 1);
  }
  if (scope->contact)
    lua_pushvalue(L, scope->contact);
  else
    lua_pushnil(L);
}

/* The single contact gives its name in any case, but its user_id only when it is not plainly somebody else. */
static void set_contact(lua_State *L, int event, const struct cnk_webhook_scope *scope)
{
  push_contact(L, event, scope);
  int contact = lua_gettop(L);
  if (!lua_isnil(L, contact)) {
    lua_getfield(L, contact, "profile");
    if (cnk_field_is_object(L, -1))
      cnk_field_copy_plain(L, contact + 1, "name", event, LUA_TSTRING);
    cnk_field_push_id(L, contact, "wa_id");
    bool is_same = lua_getfield(L, event, "from") == LUA_TNIL || lua_rawequal(L, -1, -2);
    if (is_same && lua_getfield(L, event, "user_id") == LUA_TNIL)
      cnk_field_copy_id(L, contact, "user_id", event, "user_id");
  }
  lua_settop(L, contact - 1);
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

void cnk_webhook_push_filename(lua_State *L, int name, int mime_type, int id)
{
  char out[CNK_FILENAME_MAX + 1];
  struct cnk_text texts[3] = {
      {"", 0},
      {"", 0},
      {"", 0}
  };
  const int at[3] = {name, mime_type, id};
  for (int i = 0; i < 3; i++)
    if (lua_type(L, at[i]) == LUA_TSTRING)
      texts[i].data = lua_tolstring(L, at[i], &texts[i].size);
  lua_pushlstring(L, out, cnk_filename_make(out, texts[0], texts[1], texts[2]));
}

/* Each takes the field that is named like the message's type, an object, and gives the event's type; or NULL when the
 * field is of no use, and then it has set nothing. */
typedef const char *fill_fn(struct cnk_webhook *w, int field, int event, const char *type);

static const char *fill_text(struct cnk_webhook *w, int field, int event, const char *type)
{
  if (lua_getfield(w->L, field, "body") != LUA_TSTRING)
    return NULL;
  lua_setfield(w->L, event, "text");
  return type;
}

static const char *fill_media(struct cnk_webhook *w, int field, int event, const char *type)
{
  static const char *const texts[] = {"mime_type", "sha256", "filename", "caption", "link", "url"};
  lua_State *L = w->L;
  lua_createtable(L, 0, 8);
  int media = lua_gettop(L);
  cnk_field_copy_id(L, field, "id", media, "id");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    cnk_field_copy_plain(L, field, texts[i], media, LUA_TSTRING);
  cnk_field_copy_plain(L, field, "voice", media, LUA_TBOOLEAN);
  cnk_field_copy_plain(L, field, "animated", media, LUA_TBOOLEAN);
  lua_getfield(L, media, "filename");
  lua_getfield(L, media, "mime_type");
  lua_getfield(L, media, "id");
  cnk_webhook_push_filename(L, media + 1, media + 2, media + 3);
  lua_setfield(L, media, "safe_filename");
  lua_settop(L, media);
  lua_setfield(L, event, "media");
  return type;
}

static const char *fill_whole(struct cnk_webhook *w, int field, int event, const char *type)
{
  cnk_field_push_table(w->L, field);
  lua_setfield(w->L, event, type);
  return type;
}

static const char *fill_quick_reply(struct cnk_webhook *w, int field, int event, const char *type)
{
  cnk_field_copy_id(w->L, field, "payload", event, "payload");
  cnk_field_copy_plain(w->L, field, "text", event, LUA_TSTRING);
  return "quick_reply";
}

static void fill_reply(lua_State *L, int answer, int event)
{
  lua_createtable(L, 0, 3);
  int reply = lua_gettop(L);
  cnk_field_copy_id(L, answer, "id", reply, "id");
  cnk_field_copy_plain(L, answer, "description", reply, LUA_TSTRING);
  if (cnk_field_copy_plain(L, answer, "title", reply, LUA_TSTRING)) {
    lua_getfield(L, reply, "title");
    lua_setfield(L, event, "text");
  }
  lua_setfield(L, event, "reply");
}

static void forget(void *context, const char *bytes, size_t length)
{
  (void)context, (void)bytes, (void)length;
}

/* Whether the text on top of the stack may be decoded: the JSON in the strings of a body counts as the body's own does. */
static bool take_form_values(struct cnk_webhook *w)
{
  if (!w->has_form_bound)
    return true;
  struct cnk_jsonscan scan = {.write = forget, .most_values = w->form_values};
  scan.text = lua_tolstring(w->L, -1, &scan.length);
  w->is_too_much |= w->form_values == 0 || (!cnk_jsonscan_run(&scan) && scan.has_too_many);
  w->form_values -= w->is_too_much ? w->form_values : scan.values;
  return !w->is_too_much;
}

/* The form's answers are JSON within a string; an object is taken as it is. Without sense they stay in raw. */
static void fill_form(struct cnk_webhook *w, int answer, int event)
{
  lua_State *L = w->L;
  if (lua_getfield(L, answer, "response_json") == LUA_TSTRING && take_form_values(w)) {
    lua_pushvalue(L, w->decode);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
  }
  if (lua_istable(L, -1)) {
    cnk_field_push_table(L, lua_gettop(L));
    lua_setfield(L, event, "form");
  }
  lua_pop(L, 1);
}

static const char *fill_interactive(struct cnk_webhook *w, int field, int event, const char *type)
{
  static const char *const kinds[][2] = {
      {"button_reply", "button"},
      {"list_reply",   "list"  },
      {"nfm_reply",    "form"  }
  };
  lua_State *L = w->L;
  lua_getfield(L, field, "type");
  const char *kind = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  for (int i = 0; i < 3; i++) {
    if (strcmp(kind, kinds[i][0]) != 0)
      continue;
    lua_getfield(L, field, kind);
    int answer = lua_gettop(L);
    if (!cnk_field_is_object(L, answer))
      return NULL;
    if (i == 2)
      fill_form(w, answer, event);
    else
      fill_reply(L, answer, event);
    return kinds[i][1];
  }
  return NULL;
}

static const struct {
  const char *type;
  fill_fn *fill;
} types[] = {
    {"text",        fill_text       },
    {"interactive", fill_interactive},
    {"button",      fill_quick_reply},
    {"image",       fill_media      },
    {"document",    fill_media      },
    {"audio",       fill_media      },
    {"video",       fill_media      },
    {"sticker",     fill_media      },
    {"location",    fill_whole      },
    {"reaction",    fill_whole      },
    {"order",       fill_whole      },
    {"system",      fill_whole      },
};

/* Sets what a message's type calls for, and gives the event's type. */
static const char *fill_by_type(struct cnk_webhook *w, int item, int event)
{
  lua_State *L = w->L;
  lua_getfield(L, item, "type");
  const char *type = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(type, "unsupported") == 0)
    return "unsupported";
  if (strcmp(type, "contacts") == 0)
    return cnk_field_copy_table(L, item, "contacts", event, cnk_field_is_list) ? "contacts" : "unknown";
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(type, types[i].type) != 0)
      continue;
    lua_getfield(L, item, type);
    int field = lua_gettop(L);
    const char *found = cnk_field_is_object(L, field) ? types[i].fill(w, field, event, types[i].type) : NULL;
    return found ? found : "unknown";
  }
  return "unknown";
}

void cnk_webhook_add_message(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = push_event(L, "message", 12);
  cnk_field_copy_id(L, item, "id", event, "id");
  cnk_field_copy_id(L, item, "from", event, "from");
  if (!cnk_field_copy_id(L, item, "from_user_id", event, "user_id"))
    cnk_field_copy_id(L, item, "user_id", event, "user_id");
  cnk_field_copy_timestamp(L, item, event);
  set_scope(L, event, scope);
  set_contact(L, event, scope);
  cnk_field_copy_table(L, item, "context", event, cnk_field_is_object);
  cnk_field_copy_table(L, item, "referral", event, cnk_field_is_object);
  cnk_field_copy_errors(L, item, event);
  const char *type = fill_by_type(w, item, event);
  cnk_field_set_text(L, event, "type", type);
  lua_settop(L, event);
  add_event(w, item);
}

/* ---- the other kinds ------------------------------------------------------------------------------------------- */

void cnk_webhook_add_status(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = push_event(L, "status", 10);
  cnk_field_copy_id(L, item, "id", event, "id");
  if (!cnk_field_copy_plain(L, item, "status", event, LUA_TSTRING))
    cnk_field_set_text(L, event, "status", "unknown");
  if (!cnk_field_copy_id(L, item, "recipient_id", event, "recipient"))
    cnk_field_copy_id(L, item, "recipient_user_id", event, "recipient");
  cnk_field_copy_timestamp(L, item, event);
  set_scope(L, event, scope);
  cnk_field_copy_table(L, item, "conversation", event, cnk_field_is_object);
  cnk_field_copy_table(L, item, "pricing", event, cnk_field_is_object);
  cnk_field_copy_errors(L, item, event);
  cnk_field_copy_plain(L, item, "biz_opaque_callback_data", event, LUA_TSTRING);
  add_event(w, item);
}

void cnk_webhook_add_error(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope)
{
  lua_State *L = w->L;
  int event = push_event(L, "error", 5);
  lua_createtable(L, 1, 0);
  cnk_field_push_table(L, item);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, event, "errors");
  set_scope(L, event, scope);
  add_event(w, item);
}

/* Of the metadata that `raw` itself has, or a change in it: so that the raw part alone says as much. */
void cnk_webhook_add_unknown(struct cnk_webhook *w, int item)
{
  lua_State *L = w->L;
  int event = push_event(L, "unknown", 3);
  if (cnk_field_is_object(L, item)) {
    struct cnk_webhook_scope scope = {0};
    lua_getfield(L, item, "value");
    bool is_change = cnk_field_is_object(L, -1);
    cnk_webhook_open_scope(w, is_change ? lua_gettop(L) : item, &scope);
    set_scope(L, event, &scope);
    lua_settop(L, event);
  }
  add_event(w, item);
}
