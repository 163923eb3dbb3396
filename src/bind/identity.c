/* SPDX-License-Identifier: MIT */
/* The Lua face of whatsapp/identity.h: the keys of conversations, and forms of one number. */
#include "bind/bind.h"

#include "whatsapp/identity.h"

static struct cnk_text check_text(lua_State *L, int index)
{
  struct cnk_text text;
  text.data = luaL_checklstring(L, index, &text.size);
  return text;
}

static struct cnk_text opt_text(lua_State *L, int index)
{
  return lua_isnoneornil(L, index) ? (struct cnk_text){"", 0} : check_text(L, index);
}

static int push_key(lua_State *L, const struct cnk_contact *contact)
{
  size_t size = cnk_contact_key_size(contact);
  luaL_Buffer buffer;
  cnk_contact_write_key(contact, luaL_buffinitsize(L, &buffer, size));
  luaL_pushresultsize(&buffer, size);
  return 1;
}

/* core.contact_key(phone_number_id, customer) -> key; each may be nil. */
static int contact_key(lua_State *L)
{
  const struct cnk_contact contact = {.phone_number_id = opt_text(L, 1), .customer = opt_text(L, 2)};
  return push_key(L, &contact);
}

/* The field `name` of the event at index 1, pushed; an empty text when it is none. */
static struct cnk_text push_field(lua_State *L, const char *name)
{
  struct cnk_text text = {"", 0};
  if (lua_getfield(L, 1, name) == LUA_TSTRING)
    text.data = lua_tolstring(L, -1, &text.size);
  return text;
}

/* core.contact_of_event(event) -> key: of the conversation that a webhook's event belongs to. Its customer is who wrote,
 * by number or user id, or who a status is about. */
static int contact_of_event(lua_State *L)
{
  static const char *const who[] = {"from", "user_id", "recipient"};
  luaL_checktype(L, 1, LUA_TTABLE);
  struct cnk_contact contact = {
      .phone_number_id = push_field(L, "phone_number_id"), .customer = {"", 0}
  };
  for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
    contact.customer = push_field(L, who[i]);
    if (lua_isstring(L, -1))
      break;
  }
  return push_key(L, &contact);
}

/* core.contact_parts(key) -> phone_number_id or nil, customer; or nil when it is no key. */
static int contact_parts(lua_State *L)
{
  struct cnk_contact contact;
  if (!cnk_contact_read_key(check_text(L, 1), &contact)) {
    luaL_pushfail(L);
    return 1;
  }
  if (contact.phone_number_id.size > 0)
    lua_pushlstring(L, contact.phone_number_id.data, contact.phone_number_id.size);
  else
    lua_pushnil(L);
  lua_pushlstring(L, contact.customer.data, contact.customer.size);
  return 2;
}

/* core.contact_is(key, who) -> boolean: whether a key or a customer means the conversation of a key. */
static int contact_is(lua_State *L)
{
  lua_pushboolean(L, cnk_contact_is_meant(check_text(L, 1), check_text(L, 2)));
  return 1;
}

/* core.contact_behind(phone_number_id) -> the first text behind all keys of that number, in the order of bytes. */
static int contact_behind(lua_State *L)
{
  struct cnk_text number = opt_text(L, 1);
  const char behind[] = {CNK_CONTACT_BEHIND};
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addlstring(&buffer, number.data, number.size);
  luaL_addlstring(&buffer, behind, sizeof behind);
  luaL_pushresult(&buffer);
  return 1;
}

/* core.is_number(text, least, most) -> boolean: whether a value is a number as webhooks write it; see identity.h. */
static int is_number(lua_State *L)
{
  struct cnk_text text = {"", 0};
  if (lua_type(L, 1) == LUA_TSTRING)
    text.data = lua_tolstring(L, 1, &text.size);
  size_t least = (size_t)luaL_checkinteger(L, 2), most = (size_t)luaL_checkinteger(L, 3);
  lua_pushboolean(L, cnk_identity_is_number(text, least, most));
  return 1;
}

/* core.canonical_number(digits) -> digits: the form by which numbers are compared; see identity.h. */
static int canonical_number(lua_State *L)
{
  struct cnk_text number = check_text(L, 1);
  char room[CNK_NUMBER_MAX];
  struct cnk_text canonical = cnk_identity_canonical(number, room);
  if (canonical.data == number.data)
    lua_settop(L, 1);
  else
    lua_pushlstring(L, canonical.data, canonical.size);
  return 1;
}

static const luaL_Reg functions[] = {
    {"contact_key",      contact_key     },
    {"contact_of_event", contact_of_event},
    {"contact_parts",    contact_parts   },
    {"contact_is",       contact_is      },
    {"is_number",        is_number       },
    {"contact_behind",   contact_behind  },
    {"canonical_number", canonical_number},
    {NULL,               NULL            },
};

void cnk_bind_open_identity(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
