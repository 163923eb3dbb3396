/* SPDX-License-Identifier: MIT */
/*
 * Plain SQLite for specs that look into a database file, or make one, while no store has it open. It knows nothing of the
 * store. Strings are bound as blobs, and all text and blobs come back as strings.
 *
 *   local db = sqltool.open(path)                  -- or nil, message
 *   db:rows("SELECT ?", 1)                         -- {{1}}
 *   db:run("CREATE TABLE t (n); INSERT INTO ...")  -- any number of statements, without parameters
 *   db:close()
 */
#include <lauxlib.h>
#include <lua.h>
#include <sqlite3.h>

#define DATABASE "sqltool.database"

struct database {
  sqlite3 *db;
};

static sqlite3 *check_database(lua_State *L)
{
  struct database *database = luaL_checkudata(L, 1, DATABASE);
  if (!database->db)
    luaL_error(L, "the database is closed");
  return database->db;
}

static int fail(lua_State *L, sqlite3 *db)
{
  lua_pushnil(L);
  lua_pushstring(L, db ? sqlite3_errmsg(db) : "not enough memory");
  return 2;
}

static int open_database(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1), *vfs = luaL_optstring(L, 2, NULL);
  struct database *database = lua_newuserdatauv(L, sizeof *database, 0);
  database->db = NULL;
  luaL_setmetatable(L, DATABASE);
  if (sqlite3_open_v2(path, &database->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) != SQLITE_OK)
    return fail(L, database->db);
  return 1;
}

static void bind_value(lua_State *L, sqlite3_stmt *statement, int at, int index)
{
  size_t size;
  const char *text;
  switch (lua_type(L, index)) {
  case LUA_TNUMBER:
    if (lua_isinteger(L, index))
      sqlite3_bind_int64(statement, at, lua_tointeger(L, index));
    else
      sqlite3_bind_double(statement, at, lua_tonumber(L, index));
    break;
  case LUA_TBOOLEAN: sqlite3_bind_int64(statement, at, lua_toboolean(L, index)); break;
  case LUA_TSTRING:
    text = lua_tolstring(L, index, &size);
    sqlite3_bind_blob64(statement, at, text, size, SQLITE_TRANSIENT);
    break;
  default: sqlite3_bind_null(statement, at);
  }
}

static void push_column(lua_State *L, sqlite3_stmt *statement, int column)
{
  switch (sqlite3_column_type(statement, column)) {
  case SQLITE_INTEGER: lua_pushinteger(L, sqlite3_column_int64(statement, column)); break;
  case SQLITE_FLOAT: lua_pushnumber(L, sqlite3_column_double(statement, column)); break;
  case SQLITE_NULL: lua_pushnil(L); break;
  default: {
    const char *bytes = sqlite3_column_blob(statement, column);
    lua_pushlstring(L, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
  }
  }
}

/* db:rows(sql, ...) -> a list of lists, or nil, message */
static int read_rows(lua_State *L)
{
  sqlite3 *db = check_database(L);
  size_t size;
  const char *sql = luaL_checklstring(L, 2, &size);
  int last = lua_gettop(L), status;
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, sql, (int)size, &statement, NULL) != SQLITE_OK)
    return fail(L, db);
  for (int i = 3; i <= last; i++)
    bind_value(L, statement, i - 2, i);
  lua_newtable(L);
  for (lua_Integer row = 1; (status = sqlite3_step(statement)) == SQLITE_ROW; row++) {
    lua_newtable(L);
    for (int column = 0; column < sqlite3_column_count(statement); column++) {
      push_column(L, statement, column);
      lua_rawseti(L, -2, column + 1);
    }
    lua_rawseti(L, -2, row);
  }
  sqlite3_finalize(statement);
  return status == SQLITE_DONE ? 1 : fail(L, db);
}

/* db:run(sql) -> true, or nil, message */
static int run_statements(lua_State *L)
{
  sqlite3 *db = check_database(L);
  if (sqlite3_exec(db, luaL_checkstring(L, 2), NULL, NULL, NULL) != SQLITE_OK)
    return fail(L, db);
  lua_pushboolean(L, 1);
  return 1;
}

static int close_database(lua_State *L)
{
  struct database *database = luaL_checkudata(L, 1, DATABASE);
  sqlite3_close_v2(database->db);
  database->db = NULL;
  return 0;
}

__attribute__((visibility("default"))) int luaopen_sqltool(lua_State *L);

int luaopen_sqltool(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"open", open_database},
      {NULL,   NULL         },
  };
  static const luaL_Reg methods[] = {
      {"rows",  read_rows     },
      {"run",   run_statements},
      {"close", close_database},
      {NULL,    NULL          },
  };
  luaL_newmetatable(L, DATABASE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, close_database);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, close_database);
  lua_setfield(L, -2, "__close");
  luaL_newlib(L, functions);
  return 1;
}
