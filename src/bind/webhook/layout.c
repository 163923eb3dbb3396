/* SPDX-License-Identifier: MIT */
/* The layouts of what events hold, and fitting decoded JSON to them; see layout.h for the contract. */
#include "bind/webhook/layout.h"

#include <math.h>
#include <string.h>

#include "bind/webhook/field.h"

/* ---- the layouts, as WhatsApp documents them -------------------------------------------------------------------- */

#define END                                                                                                            \
  {                                                                                                                    \
    NULL, CNK_LAYOUT_TEXT, NULL                                                                                        \
  }
#define TEXT(name)                                                                                                     \
  {                                                                                                                    \
    name, CNK_LAYOUT_TEXT, NULL                                                                                        \
  }
#define WORD(name)                                                                                                     \
  {                                                                                                                    \
    name, CNK_LAYOUT_WORD, NULL                                                                                        \
  }
#define ID(name)                                                                                                       \
  {                                                                                                                    \
    name, CNK_LAYOUT_ID, NULL                                                                                          \
  }
#define NUMBER(name)                                                                                                   \
  {                                                                                                                    \
    name, CNK_LAYOUT_NUMBER, NULL                                                                                      \
  }
#define FLAG(name)                                                                                                     \
  {                                                                                                                    \
    name, CNK_LAYOUT_FLAG, NULL                                                                                        \
  }
#define OBJECT(name, inner)                                                                                            \
  {                                                                                                                    \
    name, CNK_LAYOUT_OBJECT, inner                                                                                     \
  }
#define OBJECTS(name, inner)                                                                                           \
  {                                                                                                                    \
    name, CNK_LAYOUT_OBJECTS, inner                                                                                    \
  }

static const struct cnk_layout profile[] = {TEXT("name"), TEXT("username"), END};

const struct cnk_layout cnk_layout_address[] = {
    OBJECT("profile", profile), ID("wa_id"), ID("user_id"), ID("parent_user_id"), END,
};

const struct cnk_layout cnk_layout_any[] = {END};

const struct cnk_layout cnk_layout_call_permission[] = {
    TEXT("response"), TEXT("response_source"), NUMBER("expiration_timestamp"), FLAG("is_permanent"), END,
};

static const struct cnk_layout card_name[] = {TEXT("formatted_name"), TEXT("first_name"), TEXT("last_name"), END};
static const struct cnk_layout card_phone[] = {TEXT("phone"), ID("wa_id"), TEXT("type"), END};
static const struct cnk_layout card_email[] = {TEXT("email"), TEXT("type"), END};

const struct cnk_layout cnk_layout_card[] = {
    OBJECT("name", card_name),
    OBJECTS("phones", card_phone),
    OBJECTS("emails", card_email),
    OBJECTS("addresses", NULL),
    OBJECTS("urls", NULL),
    OBJECT("org", NULL),
    TEXT("birthday"),
    END,
};

static const struct cnk_layout product[] = {ID("catalog_id"), ID("product_retailer_id"), END};

const struct cnk_layout cnk_layout_context[] = {
    ID("from"), ID("id"), FLAG("forwarded"), FLAG("frequently_forwarded"), OBJECT("referred_product", product), END,
};

static const struct cnk_layout origin[] = {TEXT("type"), END};

const struct cnk_layout cnk_layout_conversation[] = {ID("id"), ID("expiration_timestamp"), OBJECT("origin", origin),
                                                     END};

const struct cnk_layout cnk_layout_edit[] = {ID("original_message_id"), OBJECT("message", NULL), END};

static const struct cnk_layout error_data[] = {TEXT("details"), END};

const struct cnk_layout cnk_layout_error[] = {
    NUMBER("code"),
    TEXT("title"),
    TEXT("message"),
    TEXT("details"),
    TEXT("href"),
    OBJECT("error_data", error_data),
    END,
};

const struct cnk_layout cnk_layout_location[] = {
    NUMBER("latitude"), NUMBER("longitude"), TEXT("name"), TEXT("address"), TEXT("url"), END,
};

static const struct cnk_layout order_item[] = {
    ID("product_retailer_id"), NUMBER("quantity"), NUMBER("item_price"), TEXT("currency"), END,
};

const struct cnk_layout cnk_layout_order[] = {
    ID("catalog_id"),
    TEXT("text"),
    OBJECTS("product_items", order_item),
    END,
};

static const struct cnk_layout amount[] = {NUMBER("value"), NUMBER("offset"), END};
static const struct cnk_layout transaction[] = {ID("id"), TEXT("type"), TEXT("status"), END};

const struct cnk_layout cnk_layout_payment[] = {
    ID("reference_id"), OBJECT("amount", amount), TEXT("currency"), OBJECT("transaction", transaction), END,
};

const struct cnk_layout cnk_layout_pricing[] = {
    FLAG("billable"), TEXT("pricing_model"), TEXT("category"), TEXT("type"), END,
};

/* A reaction that was taken back has no emoji, or an empty one. */
const struct cnk_layout cnk_layout_reaction[] = {ID("message_id"), WORD("emoji"), END};

const struct cnk_layout cnk_layout_referral[] = {
    TEXT("source_url"), ID("source_id"),   TEXT("source_type"), TEXT("headline"),      TEXT("body"), TEXT("ctwa_clid"),
    TEXT("media_type"), TEXT("image_url"), TEXT("video_url"),   TEXT("thumbnail_url"), END,
};

const struct cnk_layout cnk_layout_revoke[] = {ID("original_message_id"), END};

const struct cnk_layout cnk_layout_session[] = {TEXT("sdp_type"), TEXT("sdp"), END};

const struct cnk_layout cnk_layout_synced[] = {TEXT("full_name"), TEXT("first_name"), ID("phone_number"), END};

const struct cnk_layout cnk_layout_system[] = {
    TEXT("body"),      TEXT("type"),  ID("wa_id"),          ID("new_wa_id"),        ID("customer"),
    ID("identity"),    ID("user_id"), ID("parent_user_id"), ID("previous_user_id"), ID("previous_parent_user_id"),
    TEXT("marketing"), END,
};

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

/* Pushes a text's number: decimal, finite, and nothing beside it; or nil. */
static void push_number_of(lua_State *L, const struct cnk_node *string)
{
  size_t length;
  cnk_bind_push_text(L, string);
  const char *text = lua_tolstring(L, -1, &length);
  bool is_good = length > 0 && length <= 40 && strspn(text, "+-.0123456789eE") == length;
  if (!is_good || !lua_stringtonumber(L, text))
    lua_pushnil(L);
  lua_remove(L, -2);
  if (lua_isnumber(L, -1) && !isfinite(lua_tonumber(L, -1))) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Pushes a list of the objects in a list, each in its layout. */
static void push_objects(lua_State *L, const struct cnk_node *list, const struct cnk_layout *layout)
{
  const struct cnk_node *item = list + 1;
  uint32_t kept = 0;
  lua_createtable(L, cnk_bind_size(list), 0);
  for (uint32_t i = 0; i < list->count; i++, item = cnk_node_next(item)) {
    if (!cnk_field_is_object(item))
      continue;
    cnk_layout_push(L, item, layout, 0);
    lua_rawseti(L, -2, ++kept);
  }
  cnk_field_mark_list(L, kept, list->count);
}

static bool has_kind(const struct cnk_node *value, enum cnk_layout_kind kind)
{
  switch (kind) {
  case CNK_LAYOUT_TEXT: return value->kind == CNK_NODE_TEXT;
  case CNK_LAYOUT_WORD: return value->kind == CNK_NODE_TEXT && value->size > 0;
  case CNK_LAYOUT_NUMBER: return value->kind == CNK_NODE_INTEGER || value->kind == CNK_NODE_FLOAT;
  case CNK_LAYOUT_FLAG: return value->kind == CNK_NODE_TRUE || value->kind == CNK_NODE_FALSE;
  default: return false;
  }
}

/* Pushes the value as what the field may hold, or nil. */
static void push_as(lua_State *L, const struct cnk_node *value, enum cnk_layout_kind kind,
                    const struct cnk_layout *inner)
{
  if (has_kind(value, kind))
    cnk_bind_push_node(L, value);
  else if (kind == CNK_LAYOUT_ID)
    cnk_field_push_id(L, value);
  else if (kind == CNK_LAYOUT_OBJECT && cnk_field_is_object(value))
    cnk_layout_push(L, value, inner, 0);
  else if (kind == CNK_LAYOUT_OBJECTS && cnk_field_is_list(value))
    push_objects(L, value, inner);
  else if (kind == CNK_LAYOUT_NUMBER && cnk_node_is(value, CNK_NODE_TEXT))
    push_number_of(L, value);
  else
    lua_pushnil(L);
}

static const struct cnk_layout *find(const struct cnk_layout *layout, const struct cnk_node *name)
{
  while (layout->name && !cnk_node_says(name, layout->name))
    layout++;
  return layout->name ? layout : NULL;
}

void cnk_layout_push(lua_State *L, const struct cnk_node *object, const struct cnk_layout *layout, int more)
{
  const struct cnk_node *name = object + 1;
  luaL_checkstack(L, 12, "too deep");
  lua_createtable(L, 0, cnk_bind_size(object) + more);
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name)) {
    const struct cnk_layout *field = layout ? find(layout, name) : NULL;
    cnk_bind_push_text(L, name);
    if (field)
      push_as(L, cnk_node_value(name), field->kind, field->inner);
    else
      cnk_field_push(L, cnk_node_value(name));
    lua_rawset(L, -3);
  }
}

bool cnk_layout_copy(lua_State *L, const struct cnk_node *from, const char *name, int to,
                     const struct cnk_layout *layout)
{
  const struct cnk_node *object = cnk_node_field(from, name);
  if (!cnk_field_is_object(object))
    return false;
  cnk_layout_push(L, object, layout, 0);
  lua_setfield(L, to, name);
  return true;
}

bool cnk_layout_copy_list(lua_State *L, const struct cnk_node *from, const char *name, int to,
                          const struct cnk_layout *layout)
{
  const struct cnk_node *list = cnk_node_field(from, name);
  if (!cnk_field_is_list(list))
    return false;
  push_objects(L, list, layout);
  lua_setfield(L, to, name);
  return true;
}

bool cnk_layout_copy_value(lua_State *L, const struct cnk_node *from, const char *name, int to, const char *as,
                           enum cnk_layout_kind kind)
{
  const struct cnk_node *value = cnk_node_field(from, name);
  if (!value)
    return false;
  push_as(L, value, kind, NULL);
  bool is_there = !lua_isnil(L, -1);
  if (is_there)
    lua_setfield(L, to, as);
  else
    lua_pop(L, 1);
  return is_there;
}

/* An empty list of errors is none: `if status.errors then print(status.errors[1].title) end` must hold. */
bool cnk_layout_copy_errors(lua_State *L, const struct cnk_node *from, int to)
{
  const struct cnk_node *list = cnk_node_field(from, "errors");
  if (!cnk_field_is_list(list))
    return false;
  push_objects(L, list, cnk_layout_error);
  bool is_there = lua_rawlen(L, -1) > 0;
  if (is_there)
    lua_setfield(L, to, "errors");
  else
    lua_pop(L, 1);
  return is_there;
}
