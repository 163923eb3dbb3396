/* SPDX-License-Identifier: MIT */
/* Rows as Lua sees them, see row.h; and what rows and handles have in common. */
#include "bind/engine/row.h"

#include <string.h>

/* ---- fields, of rows and handles --------------------------------------------------------------------------------- */

/* The registry's function that reads JSON. */
static const char decode_key = 0;

void cnk_bind_fields(lua_State *L, const char *class, const struct cnk_field_name *names, lua_CFunction get,
                     lua_CFunction set)
{
  luaL_newmetatable(L, class);
  lua_newtable(L);
  for (; names->name; names++) {
    lua_pushinteger(L, names->number);
    lua_setfield(L, -2, names->name);
  }
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, get, 1);
  lua_setfield(L, -3, "__index");
  lua_pushcclosure(L, set, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pop(L, 1);
}

lua_Integer cnk_bind_field_number(lua_State *L)
{
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  lua_Integer number = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return number;
}

void cnk_bind_push_payload(lua_State *L, int text, int payload)
{
  if (lua_getiuservalue(L, 1, payload) != LUA_TNIL || lua_getiuservalue(L, 1, text) == LUA_TNIL)
    return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, payload);
}

void cnk_bind_get_more(lua_State *L, int more)
{
  if (lua_getiuservalue(L, 1, more) == LUA_TNIL)
    return;
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
}

void cnk_bind_set_more(lua_State *L, int more)
{
  if (lua_getiuservalue(L, 1, more) == LUA_TNIL) {
    if (lua_isnil(L, 3))
      return;
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, more);
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, -3);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Numbers of fields: those of user values, of flags with FLAG added to the bit's number, and these. */
enum { FLAG = 100, ID = 50, EVENT, ATTEMPTS, LANE, DONE };

static const struct cnk_field_name names[] = {
    {"id",          ID             },
    {"event",       EVENT          },
    {"attempts",    ATTEMPTS       },
    {"lane",        LANE           },
    {"done",        DONE           },
    {"contact",     CNK_ROW_CONTACT},
    {"to",          CNK_ROW_TO     },
    {"text",        CNK_ROW_TEXT   },
    {"payload",     CNK_ROW_PAYLOAD},
    {"unknown",     CNK_ROW_UNKNOWN},
    {"handle",      CNK_ROW_HANDLE },
    {"is_plain",    FLAG + 0       },
    {"is_marked",   FLAG + 1       },
    {"is_parked",   FLAG + 2       },
    {"has_permit",  FLAG + 3       },
    {"is_written",  FLAG + 4       },
    {"is_given_up", FLAG + 5       },
    {"is_dropped",  FLAG + 6       },
    {"is_light",    FLAG + 7       },
    {"has_waited",  FLAG + 8       },
    {"is_bulk",     FLAG + 9       },
    {"is_text",     FLAG + 10      },
    {NULL,          0              },
};

struct cnk_row *cnk_bind_check_row(lua_State *L, int index)
{
  struct cnk_row *row = cnk_bind_row(L, index);
  return row ? row : luaL_checkudata(L, index, CNK_ROW_CLASS);
}

struct cnk_row *cnk_bind_new_row(lua_State *L)
{
  struct cnk_row *row = lua_newuserdatauv(L, sizeof *row, CNK_ROW_VALUES);
  memset(row, 0, sizeof *row);
  row->self = row;
  row->anchor = LUA_NOREF;
  luaL_setmetatable(L, CNK_ROW_CLASS);
  return row;
}

void cnk_bind_push_lane(lua_State *L, int index)
{
  const struct cnk_row *row = lua_touserdata(L, index);
  lua_getiuservalue(L, index, CNK_ROW_CONTACT);
  if (row->flags & CNK_ROW_IS_BULK) {
    lua_pushliteral(L, CNK_BULK_LANE);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
}

int cnk_bind_push_more(lua_State *L, int index, const char *name)
{
  if (lua_getiuservalue(L, index, CNK_ROW_MORE) == LUA_TNIL)
    return LUA_TNIL;
  int type = lua_getfield(L, -1, name);
  lua_remove(L, -2);
  return type;
}

static int get_row(lua_State *L)
{
  struct cnk_row *row = cnk_bind_check_row(L, 1);
  lua_Integer number = cnk_bind_field_number(L);
  switch (number) {
  case 0: cnk_bind_get_more(L, CNK_ROW_MORE); break;
  case ID: lua_pushinteger(L, row->id); break;
  case EVENT:
    if (row->event)
      lua_pushinteger(L, row->event);
    else
      lua_pushnil(L);
    break;
  case ATTEMPTS: lua_pushinteger(L, row->attempts); break;
  case LANE: cnk_bind_push_lane(L, 1); break;
  case DONE: cnk_bind_push_done(L, &row->start); break;
  case CNK_ROW_PAYLOAD: cnk_bind_push_payload(L, CNK_ROW_TEXT, CNK_ROW_PAYLOAD); break;
  default:
    if (number >= FLAG)
      lua_pushboolean(L, (row->flags >> (number - FLAG)) & 1);
    else
      lua_getiuservalue(L, 1, (int)number);
  }
  return 1;
}

/* What a payload says of its message is kept beside it. */
static void note_payload(lua_State *L, struct cnk_row *row)
{
  row->flags &= ~(unsigned)CNK_ROW_IS_TEXT;
  if (!lua_istable(L, 3))
    return;
  lua_getfield(L, 3, "mobile");
  lua_setiuservalue(L, 1, CNK_ROW_TO);
  lua_getfield(L, 3, "type");
  if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "text") == 0)
    row->flags |= CNK_ROW_IS_TEXT;
  lua_pop(L, 1);
}

static int set_row(lua_State *L)
{
  struct cnk_row *row = cnk_bind_check_row(L, 1);
  lua_Integer number = cnk_bind_field_number(L);
  switch (number) {
  case 0: cnk_bind_set_more(L, CNK_ROW_MORE); return 0;
  case ID: row->id = luaL_checkinteger(L, 3); return 0;
  case EVENT: row->event = luaL_optinteger(L, 3, 0); return 0;
  case ATTEMPTS: row->attempts = luaL_checkinteger(L, 3); return 0;
  case LANE:
  case DONE: return luaL_error(L, "the lane of a row follows from its contact");
  case CNK_ROW_PAYLOAD: note_payload(L, row); break;
  default:
    if (number >= FLAG) {
      unsigned flag = 1U << (number - FLAG);
      row->flags = lua_toboolean(L, 3) ? row->flags | flag : row->flags & ~flag;
      return 0;
    }
  }
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, (int)number);
  return 0;
}

/* core.row(fields) -> row */
static int new_row(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  cnk_bind_new_row(L);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pushvalue(L, 3);
    lua_insert(L, 4);
    lua_settable(L, 2); /* takes the key's copy and the value */
  }
  return 1;
}

/* core.read_payloads(decode): sets what reads the texts of rows and handles */
static int read_payloads(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  return 0;
}

void cnk_bind_open_rows(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"row",           new_row      },
      {"read_payloads", read_payloads},
      {NULL,            NULL         },
  };
  cnk_bind_fields(L, CNK_ROW_CLASS, names, get_row, set_row);
  luaL_setfuncs(L, functions, 0);
}
