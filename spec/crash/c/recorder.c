/* SPDX-License-Identifier: MIT */
/* The Lua module `recorder`: faults, recordings and crash images for the specs; see recorder.h. */
#include "recorder.h"

#include <lauxlib.h>
#include <lua.h>
#include <sqlite3.h>

#define IMAGER "recorder.imager"
#define READER "recorder.reader"

static const char *const modes[] = {"all", "nothing", "prefix", "ops", "sectors", "pages", "garbage", NULL};

static int begin(lua_State *L)
{
  (void)L;
  recorder_begin();
  return 0;
}

/* recorder.mark() -> number of operations until now */
static int mark(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)recorder_mark());
  return 1;
}

static int count(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)recorder_recording()->count);
  return 1;
}

static lua_Integer field(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  lua_Integer value = lua_isboolean(L, -1) ? lua_toboolean(L, -1) : lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

/* recorder.faults{after=, times=, code="full"|"io", write=, sync=, truncate=, database_only=, lying=, sync_delay=ms} */
static int set_faults(lua_State *L)
{
  struct recorder_faults faults = {0};
  if (lua_istable(L, 1)) {
    lua_getfield(L, 1, "code");
    bool is_full = lua_isstring(L, -1) && *lua_tostring(L, -1) == 'f';
    lua_pop(L, 1);
    faults.fail_after = (int)field(L, "after");
    faults.fail_for = field(L, "times") > 0 ? (int)field(L, "times") - 1 : 0;
    faults.is_write = field(L, "write");
    faults.is_sync = field(L, "sync");
    faults.is_truncate = field(L, "truncate");
    faults.code = is_full ? SQLITE_FULL : faults.is_sync && !faults.is_write ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
    faults.is_database_only = field(L, "database_only");
    faults.is_lying = field(L, "lying");
    faults.sync_delay_ms = (int)field(L, "sync_delay");
  }
  recorder_set_faults(&faults);
  return 0;
}

/* recorder.failed() -> how many operations failed, how many matched */
static int failed(lua_State *L)
{
  struct recorder_faults faults = recorder_faults();
  lua_pushinteger(L, faults.failed);
  lua_pushinteger(L, faults.seen);
  return 2;
}

static int new_imager(lua_State *L)
{
  struct imager **face = lua_newuserdatauv(L, sizeof *face, 0);
  *face = NULL;
  luaL_setmetatable(L, IMAGER);
  *face = imager_new(recorder_recording(), (uint64_t)luaL_checkinteger(L, 1));
  return 1;
}

static int collect_imager(lua_State *L)
{
  struct imager **face = luaL_checkudata(L, 1, IMAGER);
  if (*face)
    imager_free(*face);
  *face = NULL;
  return 0;
}

/* imager:write(moment, mode, seed, folder); moments must not go back */
static int write_image(lua_State *L)
{
  struct imager **face = luaL_checkudata(L, 1, IMAGER);
  size_t moment = (size_t)luaL_checkinteger(L, 2);
  enum image_mode mode = (enum image_mode)luaL_checkoption(L, 3, NULL, modes);
  uint64_t seed = (uint64_t)luaL_checkinteger(L, 4);
  if (!*face || !imager_write(*face, moment, mode, seed, luaL_checkstring(L, 5)))
    luaL_error(L, "cannot write an image");
  return 0;
}

static int fail(lua_State *L, sqlite3 *db, sqlite3_stmt *statement)
{
  lua_pushnil(L);
  lua_pushstring(L, sqlite3_errmsg(db));
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return 2;
}

/* recorder.query(path, sql) -> list of rows | nil, message: by SQLite itself, as a judge that knows nothing of us */
static int query(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK ||
      sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK)
    return fail(L, db, statement);
  lua_newtable(L);
  int status;
  for (int row = 1; (status = sqlite3_step(statement)) == SQLITE_ROW; row++) {
    lua_newtable(L);
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
      if (sqlite3_column_type(statement, i) == SQLITE_INTEGER)
        lua_pushinteger(L, sqlite3_column_int64(statement, i));
      else
        lua_pushlstring(L, sqlite3_column_blob(statement, i), (size_t)sqlite3_column_bytes(statement, i));
      lua_rawseti(L, -2, i + 1);
    }
    lua_rawseti(L, -2, row);
  }
  if (status != SQLITE_DONE)
    return fail(L, db, statement);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return 1;
}

/* recorder.reader(path) -> reader, which sees the database as it is now until reader:close(), as a shell might */
static int new_reader(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  sqlite3 **face = lua_newuserdatauv(L, sizeof *face, 0);
  *face = NULL;
  luaL_setmetatable(L, READER);
  if (sqlite3_open_v2(path, face, SQLITE_OPEN_READONLY, "unix") != SQLITE_OK ||
      sqlite3_exec(*face, "BEGIN; SELECT * FROM sqlite_master", NULL, NULL, NULL) != SQLITE_OK)
    luaL_error(L, "cannot read: %s", sqlite3_errmsg(*face));
  return 1;
}

static int close_reader(lua_State *L)
{
  sqlite3 **face = luaL_checkudata(L, 1, READER);
  sqlite3_close(*face);
  *face = NULL;
  return 0;
}

static void make_class(lua_State *L, const char *name, lua_CFunction closer, const luaL_Reg *methods)
{
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, closer);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_recorder(lua_State *L);

int luaopen_recorder(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"begin",  begin     },
      {"mark",   mark      },
      {"count",  count     },
      {"faults", set_faults},
      {"failed", failed    },
      {"imager", new_imager},
      {"query",  query     },
      {"reader", new_reader},
      {NULL,     NULL      },
  };
  if (!recorder_install())
    return luaL_error(L, "cannot register the recording VFS");
  make_class(L, IMAGER, collect_imager,
             (const luaL_Reg[]){
                 {"write", write_image},
                 {NULL,    NULL       }
  });
  make_class(L, READER, close_reader,
             (const luaL_Reg[]){
                 {"close", close_reader},
                 {NULL,    NULL        }
  });
  luaL_newlib(L, functions);
  return 1;
}
