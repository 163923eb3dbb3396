/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of the store: opening, closing, backup and counts; requests are in store_request.c. See store/sqlite/store.h.
 *
 *   local insert = store:prepare("INSERT OR IGNORE INTO seen VALUES (?)", {want = "changes"})
 *   store:run({{insert, key}, {"INSERT INTO event VALUES (?, ?)", key, body, if_changed = true}}, done)
 *
 * Strings are bytes, bound as blobs: columns that hold them are declared BLOB. A store that is dropped is closed.
 */
#include <string.h>

#include "bind/store.h"
#include "store/sqlite/peek.h"

#define STORE "cunnekt.store"

static struct cnk_bind_store *check_store(lua_State *L)
{
  struct cnk_bind_store *face = luaL_checkudata(L, 1, STORE);
  if (!face->store)
    luaL_error(L, "the store is closed");
  return face;
}

/* ---- tasks: closing and backup --------------------------------------------------------------------------------- */

struct task {
  struct cnk_store_task task;
  int callback, self; /* it holds itself until it is delivered */
};

static void deliver_task(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  struct task *task = CNK_OWNER(done, struct task, task.done);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  cnk_bind_push_ref(L, &task->self);
  cnk_bind_push_ref(L, &task->callback);
  if (task->task.status) {
    lua_pushnil(L);
    lua_pushstring(L, task->task.message);
    lua_pushstring(L, cnk_store_code_name(task->task.status));
  } else {
    lua_pushboolean(L, 1);
  }
  cnk_bind_call(L, task->task.status ? 3 : 1);
  lua_pop(L, 1);
}

static struct task *new_task(lua_State *L, int callback)
{
  struct task *task = lua_newuserdatauv(L, sizeof *task, 0);
  memset(task, 0, sizeof *task);
  task->task.done.deliver = deliver_task;
  task->callback = cnk_bind_ref(L, callback);
  task->self = cnk_bind_ref(L, -1);
  lua_pop(L, 1);
  return task;
}

/* store:backup(path, done) -> true | nil, message */
static int back_up(lua_State *L)
{
  struct cnk_bind_store *face = check_store(L);
  const char *path = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  struct task *task = new_task(L, 3);
  if (cnk_store_backup(face->store, path, &task->task)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  cnk_bind_unref(L, &task->callback);
  cnk_bind_unref(L, &task->self);
  lua_pushnil(L);
  lua_pushliteral(L, "a backup is under way already");
  return 2;
}

static void close_face(struct cnk_bind_store *face, struct cnk_store_task *task)
{
  struct cnk_store *store = face->store;
  face->store = NULL;
  if (face->building)
    cnk_store_release(face->building);
  face->building = NULL;
  cnk_store_close(store, task);
}

static int collect(lua_State *L)
{
  struct cnk_bind_store *face = lua_touserdata(L, 1);
  if (face->store)
    close_face(face, NULL);
  return 0;
}

/* store:close(done): what is queued is written and delivered first. */
static int close_store(lua_State *L)
{
  struct cnk_bind_store *face = luaL_checkudata(L, 1, STORE);
  bool is_told = !lua_isnoneornil(L, 2);
  if (is_told)
    luaL_checktype(L, 2, LUA_TFUNCTION);
  if (face->store)
    close_face(face, is_told ? &new_task(L, 2)->task : NULL);
  else if (is_told)
    luaL_error(L, "the store is closed already");
  return 0;
}

/* ---- the store ------------------------------------------------------------------------------------------------- */

static void forget_store(void *context)
{
  struct cnk_bind_store *face = context;
  face->store = NULL;
  face->building = NULL; /* freed with the store */
}

static struct cnk_store_options read_store_options(lua_State *L)
{
  struct cnk_store_options options = cnk_store_defaults;
  options.path = luaL_checkstring(L, 1);
  if (lua_isnoneornil(L, 2))
    return options;
  luaL_checktype(L, 2, LUA_TTABLE);
  const char *level = cnk_bind_opt_string(L, 2, "synchronous", "full");
  options.synchronous = strcmp(level, "off") == 0 ? 0 : strcmp(level, "normal") == 0 ? 1 : 2;
  options.vfs = cnk_bind_opt_string(L, 2, "vfs", NULL);
  options.busy_ms = (int)cnk_bind_opt_integer(L, 2, "busy_ms", options.busy_ms);
  options.cache_kb = (int)cnk_bind_opt_integer(L, 2, "cache_kb", options.cache_kb);
  options.wal_pages = (int)cnk_bind_opt_integer(L, 2, "wal_pages", options.wal_pages);
  options.queue_requests = (size_t)cnk_bind_opt_integer(L, 2, "queue_jobs", (lua_Integer)options.queue_requests);
  options.queue_bytes = (size_t)cnk_bind_opt_integer(L, 2, "queue_bytes", (lua_Integer)options.queue_bytes);
  lua_getfield(L, 2, "read_only");
  options.is_read_only = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return options;
}

/* core.store_open(path, options) -> store | nil, message. Waits for the disk. */
static int open_store(lua_State *L)
{
  struct cnk_store_options options = read_store_options(L);
  struct cnk_bind_store *face = lua_newuserdatauv(L, sizeof *face, 1);
  memset(face, 0, sizeof *face);
  luaL_setmetatable(L, STORE);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  char message[300];
  face->store = cnk_store_open(cnk_bind_loop(L), &options, message, sizeof message);
  if (!face->store) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
  }
  cnk_store_on_shut(face->store, forget_store, face);
  return 1;
}

/* core.store_peek(path) -> {is_new, application_id, user_version, tables} | nil, message. Waits for the disk. */
static int peek(lua_State *L)
{
  struct cnk_peek found;
  char message[300];
  if (!cnk_peek(luaL_checkstring(L, 1), &found, message, sizeof message)) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
  }
  lua_createtable(L, 0, 4);
  lua_pushboolean(L, found.is_new);
  lua_setfield(L, -2, "is_new");
  lua_pushinteger(L, found.application_id);
  lua_setfield(L, -2, "application_id");
  lua_pushinteger(L, found.user_version);
  lua_setfield(L, -2, "user_version");
  if (found.has_tables) {
    lua_pushlstring(L, found.tables, found.tables_size);
    lua_setfield(L, -2, "tables");
  }
  return 1;
}

/* store:is_writable() -> true | false, why not */
static int read_writable(lua_State *L)
{
  struct cnk_store *store = check_store(L)->store;
  char message[160];
  bool is_writable = cnk_store_is_writable(store);
  lua_pushboolean(L, is_writable);
  if (is_writable)
    return 1;
  cnk_store_read_trouble(store, message, sizeof message);
  lua_pushstring(L, message);
  return 2;
}

static int read_stats(lua_State *L)
{
  struct cnk_store_stats now = cnk_store_read_stats(check_store(L)->store);
  const struct {
    const char *name;
    uint64_t value;
  } fields[] = {
      {"queued",            now.queued           },
      {"queued_bytes",      now.queued_bytes     },
      {"jobs",              now.requests         },
      {"failed",            now.failed           },
      {"batches",           now.batches          },
      {"redone",            now.redone           },
      {"checkpoints",       now.checkpoints      },
      {"probes",            now.probes           },
      {"wal_bytes",         now.wal_bytes        },
      {"last_commit_us",    now.last_commit_us   },
      {"max_commit_us",     now.max_commit_us    },
      {"max_checkpoint_us", now.max_checkpoint_us},
  };
  int count = sizeof fields / sizeof *fields;
  lua_createtable(L, 0, count + 2);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, (lua_Integer)fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
  lua_pushboolean(L, now.is_writable);
  lua_setfield(L, -2, "is_writable");
  lua_pushboolean(L, now.is_backing_up);
  lua_setfield(L, -2, "is_backing_up");
  return 1;
}

static int prepare(lua_State *L)
{
  return cnk_bind_store_prepare(L, check_store(L));
}

static int run(lua_State *L)
{
  return cnk_bind_store_run(L, check_store(L));
}

static const luaL_Reg methods[] = {
    {"prepare",     prepare      },
    {"run",         run          },
    {"backup",      back_up      },
    {"close",       close_store  },
    {"is_writable", read_writable},
    {"stats",       read_stats   },
    {NULL,          NULL         },
};

void cnk_bind_open_store(lua_State *L)
{
  cnk_bind_class(L, STORE, methods, collect);
  lua_pushcfunction(L, open_store);
  lua_setfield(L, -2, "store_open");
  lua_pushcfunction(L, peek);
  lua_setfield(L, -2, "store_peek");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "store_null");
}
