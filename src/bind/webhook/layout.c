/* SPDX-License-Identifier: MIT */
/* The layouts of what events hold, and fitting decoded JSON to them; see layout.h for the contract. */
#include "bind/webhook/layout.h"

#include <math.h>
#include <string.h>

#include "bind/json.h"
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

/* Pushes a text's number: decimal, finite, and nothing beside it. */
static bool push_number_of(lua_State *L, int at)
{
  size_t length;
  const char *text = lua_tolstring(L, at, &length);
  if (length == 0 || length > 40 || strspn(text, "+-.0123456789eE") != length || !lua_stringtonumber(L, text))
    return false;
  if (isfinite(lua_tonumber(L, -1)))
    return true;
  lua_pop(L, 1);
  return false;
}

/* The list on top becomes one of objects only, each in its layout. Gives whether it is the same table. */
static bool fit_list(lua_State *L, const struct cnk_layout *inner)
{
  int list = lua_gettop(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, list), kept = 0;
  bool is_same = true;
  lua_newtable(L);
  luaL_setmetatable(L, CNK_JSON_ARRAY); /* it may end up empty */
  for (lua_Integer n = 1; n <= count; n++) {
    lua_rawgeti(L, list, n);
    bool is_object = cnk_field_is_object(L, list + 2);
    bool is_fit = is_object && (!inner || cnk_layout_fit(L, inner));
    is_same = is_same && is_fit;
    if (is_object)
      lua_rawseti(L, list + 1, ++kept);
    lua_settop(L, list + 1);
  }
  if (is_same)
    lua_pop(L, 1);
  else
    lua_replace(L, list);
  return is_same;
}

/* The value on top becomes what the field may hold, or nil. Gives whether it stayed as it was. */
static bool convert(lua_State *L, enum cnk_layout_kind kind, const struct cnk_layout *inner)
{
  int at = lua_gettop(L), type = lua_type(L, at), is_whole = 0;
  bool is_text = type == LUA_TSTRING, is_word = is_text && lua_rawlen(L, at) > 0;
  if ((kind == CNK_LAYOUT_TEXT && is_text) || ((kind == CNK_LAYOUT_WORD || kind == CNK_LAYOUT_ID) && is_word) ||
      (kind == CNK_LAYOUT_FLAG && type == LUA_TBOOLEAN) ||
      (kind == CNK_LAYOUT_NUMBER && type == LUA_TNUMBER && isfinite(lua_tonumber(L, at))))
    return true;
  if (kind == CNK_LAYOUT_OBJECT && cnk_field_is_object(L, at))
    return !inner || cnk_layout_fit(L, inner);
  if (kind == CNK_LAYOUT_OBJECTS && cnk_field_is_list(L, at))
    return fit_list(L, inner);
  lua_Integer whole = kind == CNK_LAYOUT_ID && type == LUA_TNUMBER ? lua_tointegerx(L, at, &is_whole) : 0;
  if (is_whole)
    lua_pushfstring(L, "%I", (LUAI_UACINT)whole);
  else if (kind != CNK_LAYOUT_NUMBER || !is_text || !push_number_of(L, at))
    lua_pushnil(L);
  lua_replace(L, at);
  return false;
}

static void push_shallow_copy(lua_State *L, int at)
{
  lua_newtable(L);
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, at); lua_settop(L, copy + 1)) {
    lua_pushvalue(L, copy + 1);
    lua_insert(L, -2);
    lua_rawset(L, copy);
  }
}

bool cnk_layout_fit(lua_State *L, const struct cnk_layout *layout)
{
  int at = lua_gettop(L);
  bool is_same = true;
  luaL_checkstack(L, 12, "too deep");
  for (; layout->name; layout++) {
    bool has_to_change = lua_getfield(L, at, layout->name) != LUA_TNIL && !convert(L, layout->kind, layout->inner);
    if (!has_to_change) {
      lua_pop(L, 1);
      continue;
    }
    if (is_same) {
      push_shallow_copy(L, at);
      lua_replace(L, at);
      is_same = false;
    }
    lua_setfield(L, at, layout->name);
  }
  return is_same;
}

void cnk_layout_push(lua_State *L, int at, const struct cnk_layout *layout)
{
  cnk_field_push_table(L, at);
  cnk_layout_fit(L, layout);
}

bool cnk_layout_copy(lua_State *L, int from, const char *name, int to, const struct cnk_layout *layout)
{
  lua_getfield(L, from, name);
  bool is_there = cnk_field_is_object(L, lua_gettop(L));
  if (is_there) {
    cnk_layout_push(L, lua_gettop(L), layout);
    lua_setfield(L, to, name);
  }
  lua_pop(L, 1);
  return is_there;
}

bool cnk_layout_copy_list(lua_State *L, int from, const char *name, int to, const struct cnk_layout *layout)
{
  lua_getfield(L, from, name);
  bool is_there = cnk_field_is_list(L, lua_gettop(L));
  if (is_there) {
    cnk_field_push_table(L, lua_gettop(L));
    fit_list(L, layout);
    lua_setfield(L, to, name);
  }
  lua_pop(L, 1);
  return is_there;
}

bool cnk_layout_copy_value(lua_State *L, int from, const char *name, int to, const char *as, enum cnk_layout_kind kind)
{
  if (lua_getfield(L, from, name) != LUA_TNIL)
    convert(L, kind, NULL);
  bool is_there = !lua_isnil(L, -1);
  if (is_there)
    lua_setfield(L, to, as);
  else
    lua_pop(L, 1);
  return is_there;
}

/* An empty list of errors is none: `if status.errors then print(status.errors[1].title) end` must hold. */
bool cnk_layout_copy_errors(lua_State *L, int from, int to)
{
  if (!cnk_layout_copy_list(L, from, "errors", to, cnk_layout_error))
    return false;
  lua_getfield(L, to, "errors");
  bool is_there = lua_rawlen(L, -1) > 0;
  if (!is_there) {
    lua_pushnil(L);
    lua_setfield(L, to, "errors");
  }
  lua_pop(L, 1);
  return is_there;
}
