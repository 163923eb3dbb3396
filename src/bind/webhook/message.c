/* SPDX-License-Identifier: MIT */
/*
 * What is in messages: of a customer, and in the echoes of what staff wrote in the app, which have the same content. Nothing
 * here trusts a field to be there or to have its type.
 */
#include "bind/webhook/webhook.h"

#include "bind/webhook/field.h"
#include "bind/webhook/layout.h"
#include "whatsapp/filename.h"

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

struct content;

/* Each takes the field that is named like the message's type, an object, and gives the event's type; or NULL when the
 * field is of no use, and then it has set nothing. */
typedef const char *fill_fn(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                            const struct content *content);

struct content {
  const char *type; /* on the wire, and the field's name */
  fill_fn *fill;
  const struct cnk_layout *layout; /* for fill_whole and those that use it */
};

/* Copies a text of the field as what the customer wrote. */
static bool set_text(lua_State *L, const struct cnk_node *field, const char *name, int event)
{
  return cnk_field_copy_text(L, field, name, event, "text");
}

static const char *fill_text(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                             const struct content *content)
{
  return set_text(maker->L, field, "body", event) ? content->type : NULL;
}

static const char *fill_media(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                              const struct content *content)
{
  static const char *const texts[] = {"mime_type", "sha256", "filename", "caption", "link", "url"};
  lua_State *L = maker->L;
  lua_createtable(L, 0, 8);
  int media = lua_gettop(L);
  cnk_field_copy_id(L, field, "id", media, "id");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    cnk_field_copy_text(L, field, texts[i], media, texts[i]);
  cnk_field_copy_flag(L, field, "voice", media);
  cnk_field_copy_flag(L, field, "animated", media);
  lua_getfield(L, media, "filename");
  lua_getfield(L, media, "mime_type");
  lua_getfield(L, media, "id");
  cnk_webhook_push_filename(L, media + 1, media + 2, media + 3);
  lua_setfield(L, media, "safe_filename");
  lua_settop(L, media);
  set_text(L, field, "caption", event);
  lua_setfield(L, event, "media");
  return content->type;
}

/* A voice note under its older name. */
static const char *fill_voice(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                              const struct content *content)
{
  fill_media(maker, field, event, content);
  lua_getfield(maker->L, event, "media");
  lua_pushboolean(maker->L, 1);
  lua_setfield(maker->L, -2, "voice");
  lua_pop(maker->L, 1);
  return "audio";
}

static const char *fill_whole(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                              const struct content *content)
{
  cnk_layout_push(maker->L, field, content->layout, 0);
  lua_setfield(maker->L, event, content->type);
  return content->type;
}

/* The new text of a message, or the new caption of its file. */
static const char *fill_edit(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                             const struct content *content)
{
  const struct cnk_node *message = cnk_node_field(field, "message"), *type = cnk_node_field(message, "type");
  if (cnk_node_is(type, CNK_NODE_TEXT)) {
    size_t size;
    cnk_bind_push_text(maker->L, type);
    const char *name = lua_tolstring(maker->L, -1, &size);
    set_text(maker->L, cnk_node_find(message, name, size), cnk_node_says(type, "text") ? "body" : "caption", event);
    lua_pop(maker->L, 1);
  }
  return fill_whole(maker, field, event, content);
}

/* WhatsApp repeats the button's text where the template gave no payload; so does this when nobody did. */
static const char *fill_quick_reply(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                                    const struct content *content)
{
  (void)content;
  bool has_text = set_text(maker->L, field, "text", event);
  if (!cnk_field_copy_id(maker->L, field, "payload", event, "payload")) {
    if (!has_text)
      return NULL;
    cnk_field_copy_text(maker->L, field, "text", event, "payload");
  }
  return "quick_reply";
}

static bool fill_reply(lua_State *L, const struct cnk_node *answer, int event)
{
  lua_createtable(L, 0, 3);
  int reply = lua_gettop(L);
  if (!cnk_field_copy_id(L, answer, "id", reply, "id")) {
    lua_pop(L, 1);
    return false;
  }
  cnk_field_copy_text(L, answer, "description", reply, "description");
  cnk_field_copy_text(L, answer, "title", reply, "title");
  set_text(L, answer, "title", event);
  lua_setfield(L, event, "reply");
  return true;
}

/* Reads the JSON in a string, which stays on the stack with its tree. NULL when it is of no use. */
static const struct cnk_node *push_form(const struct cnk_event_maker *maker, const struct cnk_node *string)
{
  struct cnk_jsonscan scan = {.tree = cnk_bind_push_tree(maker->L)};
  cnk_bind_push_text(maker->L, string);
  scan.text = lua_tolstring(maker->L, -1, &scan.length);
  return cnk_bind_read_nodes(maker->L, &scan);
}

/* The form's answers are JSON within a string; an object is taken as it is. Without sense they stay in raw. */
static void fill_form(const struct cnk_event_maker *maker, const struct cnk_node *answer, int event)
{
  lua_State *L = maker->L;
  int top = lua_gettop(L);
  const struct cnk_node *form = cnk_node_field(answer, "response_json");
  bool is_missing = !form || cnk_node_is(form, CNK_NODE_NULL);
  if (cnk_node_is(form, CNK_NODE_TEXT))
    form = push_form(maker, form);
  if (cnk_field_is_object(form)) {
    cnk_field_push(L, form);
    lua_setfield(L, event, "form");
  } else {
    const char *problem = is_missing ? "response_json is missing" : "response_json is not a JSON object";
    cnk_field_set_text(L, event, "form_error", problem);
  }
  lua_settop(L, top);
}

static const char *fill_interactive(const struct cnk_event_maker *maker, const struct cnk_node *field, int event,
                                    const struct content *content)
{
  static const struct content permission = {"call_permission_reply", fill_whole, cnk_layout_call_permission};
  static const char *const kinds[] = {"button_reply", "list_reply", "nfm_reply", "call_permission_reply"};
  const struct cnk_node *type = cnk_node_field(field, "type");
  int kind = 0;
  (void)content;
  while (kind < 4 && !cnk_node_says(type, kinds[kind]))
    kind++;
  const struct cnk_node *answer = kind < 4 ? cnk_node_field(field, kinds[kind]) : NULL;
  if (!cnk_field_is_object(answer))
    return NULL;
  if (kind < 2)
    return !fill_reply(maker->L, answer, event) ? NULL : kind == 0 ? "button" : "list";
  if (kind == 3)
    return fill_whole(maker, answer, event, &permission);
  fill_form(maker, answer, event);
  return "form";
}

static const struct content contents[] = {
    {"text",        fill_text,        NULL               },
    {"interactive", fill_interactive, NULL               },
    {"button",      fill_quick_reply, NULL               },
    {"image",       fill_media,       NULL               },
    {"document",    fill_media,       NULL               },
    {"audio",       fill_media,       NULL               },
    {"video",       fill_media,       NULL               },
    {"sticker",     fill_media,       NULL               },
    {"voice",       fill_voice,       NULL               },
    {"location",    fill_whole,       cnk_layout_location},
    {"reaction",    fill_whole,       cnk_layout_reaction},
    {"order",       fill_whole,       cnk_layout_order   },
    {"system",      fill_whole,       cnk_layout_system  },
    {"edit",        fill_edit,        cnk_layout_edit    },
    {"revoke",      fill_whole,       cnk_layout_revoke  },
};

/* Sets what a message's type calls for, and gives the event's type; NULL when there is nothing of use. */
static const char *fill_by_type(const struct cnk_event_maker *maker, const struct cnk_node *item, int event)
{
  const struct cnk_node *type = cnk_node_field(item, "type");
  for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
    if (!cnk_node_says(type, contents[i].type))
      continue;
    const struct cnk_node *field = cnk_node_field(item, contents[i].type);
    return cnk_field_is_object(field) ? contents[i].fill(maker, field, event, &contents[i]) : NULL;
  }
  if (cnk_node_says(type, "unsupported"))
    return "unsupported";
  if (cnk_node_says(type, "request_welcome"))
    return "request_welcome";
  if (cnk_node_says(type, "contacts") && cnk_layout_copy_list(maker->L, item, "contacts", event, cnk_layout_card))
    return "contacts";
  return NULL;
}

void cnk_event_set_message(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item, int event)
{
  lua_State *L = maker->L;
  const struct cnk_node *node = item->node;
  cnk_layout_copy(L, node, "context", event, cnk_layout_context);
  cnk_layout_copy(L, node, "referral", event, cnk_layout_referral);
  bool has_errors = cnk_layout_copy_errors(L, node, event);
  const char *type = fill_by_type(maker, node, event);
  /* What has errors in place of its content is known by its type, but WhatsApp cannot deliver it. */
  cnk_field_set_text(L, event, "type", type ? type : has_errors ? "unsupported" : "unknown");
}
