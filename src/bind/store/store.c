/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of the store: opening, closing, backup and counts; the verbs are in call.c and query.c. See store/store.h.
 *
 * Strings are bytes. A store that is dropped is closed.
 */
#include <string.h>

#include "bind/store/verbs.h"

/* ---- tasks: closing and backup --------------------------------------------------------------------------------- */

struct task {
  struct cnk_store_task task;
  const struct cnk_store_backend *backend; /* which outlives the store */
  int callback, self;                      /* it holds itself until it is delivered */
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
    lua_pushstring(L, cnk_store_code_name(task->backend, task->task.status));
  } else {
    lua_pushboolean(L, 1);
  }
  cnk_bind_call(L, task->task.status ? 3 : 1);
  lua_pop(L, 1);
}

static struct task *new_task(lua_State *L, const struct cnk_store *store, int callback)
{
  struct task *task = lua_newuserdatauv(L, sizeof *task, 0);
  memset(task, 0, sizeof *task);
  task->backend = store->backend;
  task->task.done.deliver = deliver_task;
  task->callback = cnk_bind_ref(L, callback);
  task->self = cnk_bind_ref(L, -1);
  lua_pop(L, 1);
  return task;
}

/* store:backup(path, done) -> true | nil, message */
static int back_up(lua_State *L)
{
  struct cnk_bind_store *face = cnk_bind_check_store(L);
  const char *path = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  struct task *task = new_task(L, face->store, 3);
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
  struct cnk_bind_store *face = cnk_bind_self(L, sizeof(struct cnk_bind_store), CNK_BIND_STORE);
  bool is_told = !lua_isnoneornil(L, 2);
  if (is_told)
    luaL_checktype(L, 2, LUA_TFUNCTION);
  if (face->store)
    close_face(face, is_told ? &new_task(L, face->store, 2)->task : NULL);
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
  options.url = luaL_checkstring(L, 1);
  if (lua_isnoneornil(L, 2))
    return options;
  luaL_checktype(L, 2, LUA_TTABLE);
  const char *level = cnk_bind_opt_string(L, 2, "synchronous", "full");
  options.synchronous = strcmp(level, "off") == 0 ? 0 : strcmp(level, "normal") == 0 ? 1 : 2;
  options.vfs = cnk_bind_opt_string(L, 2, "vfs", NULL);
  options.busy_ms = (int)cnk_bind_opt_integer(L, 2, "busy_ms", options.busy_ms);
  options.cache_kb = (int)cnk_bind_opt_integer(L, 2, "cache_kb", options.cache_kb);
  options.wal_pages = (int)cnk_bind_opt_integer(L, 2, "wal_pages", options.wal_pages);
  options.queue_calls = (size_t)cnk_bind_opt_integer(L, 2, "queue_calls", (lua_Integer)options.queue_calls);
  options.queue_bytes = (size_t)cnk_bind_opt_integer(L, 2, "queue_bytes", (lua_Integer)options.queue_bytes);
  options.take_over_ms = (int)cnk_bind_opt_integer(L, 2, "take_over_ms", options.take_over_ms);
  lua_getfield(L, 2, "may_stand_by");
  options.may_stand_by = lua_toboolean(L, -1);
  lua_getfield(L, 2, "read_only");
  options.is_read_only = lua_toboolean(L, -1);
  lua_getfield(L, 2, "in_place");
  options.is_in_place = lua_toboolean(L, -1);
  lua_getfield(L, 2, "moving");
  options.is_moving = lua_toboolean(L, -1);
  lua_pop(L, 4);
  return options;
}

/* core.store_open(url, options) -> store | nil, message. Waits for the disk. */
static int open_store(lua_State *L)
{
  struct cnk_store_options options = read_store_options(L);
  struct cnk_bind_store *face = lua_newuserdatauv(L, sizeof *face, 2);
  memset(face, 0, sizeof *face);
  face->self = face;
  luaL_setmetatable(L, CNK_BIND_STORE);
  for (int i = 1; i <= 2; i++) { /* names of queries, and of repairs */
    lua_newtable(L);
    lua_setiuservalue(L, -2, i);
  }
  char message[600];
  face->loop = cnk_bind_loop(L);
  face->store = cnk_store_open(face->loop, &options, message, sizeof message);
  if (!face->store) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
  }
  cnk_store_on_shut(face->store, forget_store, face);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, face->store); /* of an earlier store at this address */
  return 1;
}

/* store:version() -> the version of its tables; 0: there is nothing in it yet */
static int read_version(lua_State *L)
{
  lua_pushinteger(L, cnk_bind_check_store(L)->store->version);
  return 1;
}

/* store:name() -> its URL without what is secret in it; nil: it was opened with that */
static int read_name(lua_State *L)
{
  lua_pushstring(L, cnk_bind_check_store(L)->store->name);
  return 1;
}

/* store:notes() -> what it may lose by the settings of its database, a list of sentences */
static int read_notes(lua_State *L)
{
  const char *at = cnk_bind_check_store(L)->store->notes;
  lua_newtable(L);
  for (lua_Integer i = 1; at && *at; i++) {
    size_t size = strcspn(at, "\n");
    lua_pushlstring(L, at, size);
    lua_rawseti(L, -2, i);
    at += size + (at[size] == '\n');
  }
  return 1;
}

/* store:is_writable() -> true | false, why not */
static int read_writable(lua_State *L)
{
  struct cnk_store *store = cnk_bind_check_store(L)->store;
  char message[160];
  bool is_writable = cnk_store_is_writable(store);
  lua_pushboolean(L, is_writable);
  if (is_writable)
    return 1;
  cnk_store_read_trouble(store, message, sizeof message);
  lua_pushstring(L, message);
  return 2;
}

/* store:hold() -> "sure" | "unsure" | "taken" | "behind" | "stands_by" */
static int read_hold(lua_State *L)
{
  static const char *const words[] = {"sure", "unsure", "taken", "behind", "stands_by"};
  lua_pushstring(L, words[cnk_store_hold(cnk_bind_check_store(L)->store)]);
  return 1;
}

/* store:owner() -> the host that has the database, or nil; why its session cannot be ended, or nil */
static int read_owner(lua_State *L)
{
  struct cnk_store_owner owner = cnk_store_read_owner(cnk_bind_check_store(L)->store);
  lua_pushstring(L, *owner.name ? owner.name : NULL); /* nil for NULL */
  lua_pushstring(L, *owner.hindrance ? owner.hindrance : NULL);
  return 2;
}

static int read_stats(lua_State *L)
{
  struct cnk_store_stats now = cnk_store_read_stats(cnk_bind_check_store(L)->store);
  const struct {
    const char *name;
    uint64_t value;
  } fields[] = {
      {"queued",            now.queued           },
      {"queued_bytes",      now.queued_bytes     },
      {"calls",             now.calls            },
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

static const luaL_Reg methods[] = {
    {"version",     read_version },
    {"backup",      back_up      },
    {"close",       close_store  },
    {"name",        read_name    },
    {"notes",       read_notes   },
    {"is_writable", read_writable},
    {"hold",        read_hold    },
    {"owner",       read_owner   },
    {"stats",       read_stats   },
    {NULL,          NULL         },
};

void cnk_bind_open_store(lua_State *L)
{
  cnk_bind_class(L, CNK_BIND_STORE, methods, collect);
  luaL_getmetatable(L, CNK_BIND_STORE);
  lua_getfield(L, -1, "__index");
  cnk_bind_add_verbs(L);
  cnk_bind_add_plain(L);
  cnk_bind_add_queries(L);
  lua_pop(L, 2);
  lua_pushcfunction(L, open_store);
  lua_setfield(L, -2, "store_open");
  lua_pushinteger(L, cnk_store_version());
  lua_setfield(L, -2, "store_version");
}
