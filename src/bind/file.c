/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of base/file.h: core.open, rename, unlink, mkdir, and files. A file runs one operation at a time, and is
 * anchored meanwhile. A file that is collected open is closed on the thread pool, too: close() may wait for a disk.
 */
#include "bind/bind.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_CLASS "cunnekt.file"
#define MAX_READ (16 << 20) /* bytes at once; larger files are read in parts */

/* Outlives its face when that is collected at the end of the state while work is under way. */
struct file {
  struct cnk_loop *loop;
  struct cnk_resource resource;
  struct file **face; /* the userdata, as long as it points here */
  struct operation *operation;
  int fd;
};

/* An operation with what it needs from Lua. The registry keeps the callback, and what the operation borrows or belongs to. */
struct operation {
  struct cnk_file_operation base;
  struct file *file; /* NULL for work on names */
  int callback, anchor;
  char names[]; /* path, NUL, target, NUL */
};

/* ---- life of files ----------------------------------------------------------------------------------------------- */

static void forget_file(struct file *file)
{
  cnk_loop_disown(&file->resource);
  if (file->face)
    *file->face = NULL;
  file->loop->counts.files--;
  free(file);
}

static void drop_file(struct file *file)
{
  if (file->fd >= 0)
    close(file->fd);
  forget_file(file);
}

static void free_operation(struct operation *operation)
{
  if (operation->file)
    operation->file->operation = NULL;
  free(operation->base.buffer);
  free(operation);
}

/* The loop ends. The descriptor is closed with the file or with its operation, whichever ends last: while the thread pool
 * works on it, it must not be closed. */
static void drop_operation(struct cnk_file_operation *base)
{
  struct operation *operation = (struct operation *)base;
  struct file *file = operation->file;
  bool is_last = file && !cnk_link_is_linked(&file->resource.link);
  if (file && base->task == CNK_FILE_OPEN && base->error == 0)
    file->fd = base->fd;
  if (file && base->task == CNK_FILE_CLOSE)
    file->fd = -1;
  free_operation(operation);
  if (is_last)
    drop_file(file);
}

static void shut_file(struct cnk_resource *resource)
{
  struct file *file = CNK_OWNER(resource, struct file, resource);
  if (!file->operation)
    drop_file(file);
}

/* ---- operations ----------------------------------------------------------------------------------------------------- */

static void push_result(lua_State *L, const struct operation *operation)
{
  const struct cnk_file_operation *base = &operation->base;
  switch (base->task) {
  case CNK_FILE_OPEN:
    operation->file->fd = base->fd;
    lua_rawgeti(L, LUA_REGISTRYINDEX, operation->anchor); /* its face */
    break;
  case CNK_FILE_READ:
    if (base->size > 0)
      lua_pushlstring(L, base->buffer, base->size);
    else
      lua_pushnil(L);
    break;
  default: lua_pushboolean(L, 1);
  }
}

static void push_failure(lua_State *L, const struct operation *operation)
{
  const char *reason = uv_strerror(operation->base.error);
  lua_pushnil(L);
  if (operation->names[0])
    lua_pushfstring(L, "%s: %s", operation->names, reason);
  else
    lua_pushstring(L, reason);
}

/* Releases everything before the callback runs: that may use the file again. */
static void end_operation(lua_State *L, struct operation *operation)
{
  struct file *file = operation->file;
  bool is_over = file && (operation->base.task == CNK_FILE_CLOSE ||
                          (operation->base.task == CNK_FILE_OPEN && operation->base.error != 0));
  cnk_bind_unref(L, &operation->callback);
  cnk_bind_unref(L, &operation->anchor);
  free_operation(operation);
  if (is_over)
    forget_file(file);
}

static int forward_result(lua_State *L)
{
  struct operation **held = lua_touserdata(L, 1);
  struct operation *operation = *held;
  lua_rawgeti(L, LUA_REGISTRYINDEX, operation->callback);
  if (operation->base.error == 0) {
    push_result(L, operation);
  } else {
    push_failure(L, operation);
  }
  *held = NULL;
  end_operation(L, operation);
  if (!lua_isnil(L, 2))
    lua_call(L, lua_gettop(L) - 2, 0);
  return 0;
}

static void deliver_operation(struct cnk_file_operation *base, void *context)
{
  lua_State *L = context;
  struct operation *operation = (struct operation *)base;
  lua_pushcfunction(L, forward_result);
  lua_pushlightuserdata(L, &operation);
  cnk_bind_call(L, 1);
  if (operation) /* no memory for the result */
    end_operation(L, operation);
}

/* Makes an operation for the callback at `callback` (a function, nil or none), keeping the value at `anchor` (0: none)
 * alive meanwhile. Not started yet. */
static struct operation *new_operation(lua_State *L, enum cnk_file_task task, struct file *file, const char *path,
                                       const char *target, int callback, int anchor)
{
  size_t path_size = path ? strlen(path) + 1 : 1, target_size = target ? strlen(target) + 1 : 0;
  if (!lua_isnoneornil(L, callback))
    luaL_checktype(L, callback, LUA_TFUNCTION);
  lua_settop(L, callback > lua_gettop(L) ? callback : lua_gettop(L));
  int callback_ref = cnk_bind_ref(L, callback);
  if (anchor)
    lua_pushvalue(L, anchor);
  else
    lua_pushnil(L);
  int anchor_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  struct operation *operation = calloc(1, sizeof *operation + path_size + target_size);
  if (!operation) {
    cnk_bind_unref(L, &callback_ref);
    cnk_bind_unref(L, &anchor_ref);
    luaL_error(L, "not enough memory");
    return NULL; /* not reached */
  }
  memcpy(operation->names, path ? path : "", path_size);
  memcpy(operation->names + path_size, target ? target : "", target_size);
  operation->base.task = task;
  operation->base.path = operation->names;
  operation->base.target = operation->names + path_size;
  operation->base.deliver = deliver_operation;
  operation->base.drop = drop_operation;
  operation->callback = callback_ref;
  operation->anchor = anchor_ref;
  operation->file = file;
  if (file) {
    file->operation = operation;
    operation->base.fd = file->fd;
  }
  return operation;
}

static int start(lua_State *L, struct operation *operation)
{
  int status = cnk_file_start(cnk_bind_loop(L), &operation->base);
  if (status == 0)
    return 0;
  cnk_bind_unref(L, &operation->callback);
  cnk_bind_unref(L, &operation->anchor);
  free_operation(operation);
  return luaL_error(L, "cannot start work on a file: %s", uv_strerror(status));
}

/* ---- methods ----------------------------------------------------------------------------------------------------- */

static struct file *check_file(lua_State *L)
{
  struct file **face = luaL_checkudata(L, 1, FILE_CLASS);
  if (!*face) {
    luaL_error(L, "the file is closed");
    return NULL; /* not reached */
  }
  if ((*face)->operation)
    luaL_error(L, "the file is busy: it does one thing at a time");
  return *face;
}

/* file:write(data, fn(true) or fn(nil, message)) */
static int file_write(lua_State *L)
{
  struct file *file = check_file(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_createtable(L, 2, 0); /* keeps both the file and the data alive */
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 2);
  struct operation *operation = new_operation(L, CNK_FILE_WRITE, file, NULL, NULL, 3, lua_gettop(L));
  operation->base.data = lua_tolstring(L, 2, &operation->base.size);
  return start(L, operation);
}

/* file:read(n, fn(data), fn(nil) at the end, or fn(nil, message)): from 1 to n bytes */
static int file_read(lua_State *L)
{
  struct file *file = check_file(L);
  lua_Integer size = luaL_checkinteger(L, 2);
  luaL_argcheck(L, size > 0 && size <= MAX_READ, 2, "must be from 1 to 16777216");
  luaL_checktype(L, 3, LUA_TFUNCTION);
  struct operation *operation = new_operation(L, CNK_FILE_READ, file, NULL, NULL, 3, 1);
  operation->base.size = (size_t)size;
  operation->base.buffer = malloc((size_t)size);
  if (!operation->base.buffer) {
    cnk_bind_unref(L, &operation->callback);
    cnk_bind_unref(L, &operation->anchor);
    free_operation(operation);
    return luaL_error(L, "not enough memory");
  }
  return start(L, operation);
}

/* file:sync(fn(true) or fn(nil, message)): what was written is on the disk then. */
static int file_sync(lua_State *L)
{
  struct file *file = check_file(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  return start(L, new_operation(L, CNK_FILE_SYNC, file, NULL, NULL, 2, 1));
}

/* file:close(fn?(true) or fn(nil, message)) */
static int file_close(lua_State *L)
{
  struct file *file = check_file(L);
  return start(L, new_operation(L, CNK_FILE_CLOSE, file, NULL, NULL, 2, 1));
}

/* __gc. When the state ends, the loop waits for what is under way; see shut_file. */
static int collect_file(lua_State *L)
{
  struct file **face = luaL_checkudata(L, 1, FILE_CLASS);
  struct file *file = *face;
  *face = NULL;
  if (!file)
    return 0;
  file->face = NULL;
  if (file->operation)
    return 0;
  struct operation *operation = calloc(1, sizeof *operation + 1);
  if (operation) {
    operation->base = (struct cnk_file_operation){
        .task = CNK_FILE_CLOSE, .fd = file->fd, .deliver = deliver_operation, .drop = drop_operation};
    operation->callback = operation->anchor = LUA_REFNIL;
    operation->file = file;
    file->operation = operation;
    if (cnk_file_start(file->loop, &operation->base) == 0)
      return 0;
    free_operation(operation);
  }
  drop_file(file);
  return 0;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static const char *check_path(lua_State *L, int index)
{
  size_t size;
  const char *path = luaL_checklstring(L, index, &size);
  luaL_argcheck(L, size > 0 && strlen(path) == size, index, "must be a path");
  return path;
}

/* core.open(path, mode, fn(file) or fn(nil, message)): mode "r", "w", "wx" (must not exist) or "a". */
static int open_file(lua_State *L)
{
  const char *path = check_path(L, 1), *mode = luaL_checkstring(L, 2);
  luaL_argcheck(L, cnk_file_is_mode(mode), 2, "must be r, w, wx or a");
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  struct file **face = lua_newuserdatauv(L, sizeof *face, 1);
  *face = NULL;
  luaL_setmetatable(L, FILE_CLASS);
  lua_pushvalue(L, 2); /* keeps the mode alive */
  lua_setiuservalue(L, 4, 1);
  struct operation *operation = new_operation(L, CNK_FILE_OPEN, NULL, path, NULL, 3, 4);
  struct file *file = calloc(1, sizeof *file);
  if (!file) {
    cnk_bind_unref(L, &operation->callback);
    cnk_bind_unref(L, &operation->anchor);
    free_operation(operation);
    return luaL_error(L, "not enough memory");
  }
  *file = (struct file){.loop = cnk_bind_loop(L), .face = face, .operation = operation, .fd = -1};
  file->resource.shut = shut_file;
  cnk_loop_own(file->loop, &file->resource);
  file->loop->counts.files++;
  *face = file;
  operation->file = file;
  operation->base.mode = mode;
  return start(L, operation);
}

/* core.rename(from, to, fn(true) or fn(nil, message)): lasting, once fn is called. */
static int rename_file(lua_State *L)
{
  const char *path = check_path(L, 1), *target = check_path(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  return start(L, new_operation(L, CNK_FILE_RENAME, NULL, path, target, 3, 0));
}

/* core.unlink(path, fn) */
static int unlink_file(lua_State *L)
{
  const char *path = check_path(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  return start(L, new_operation(L, CNK_FILE_UNLINK, NULL, path, NULL, 2, 0));
}

/* core.mkdir(path, fn): parents too; what exists is fine. */
static int make_folder(lua_State *L)
{
  const char *path = check_path(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  return start(L, new_operation(L, CNK_FILE_MKDIR, NULL, path, NULL, 2, 0));
}

static const luaL_Reg functions[] = {
    {"open",   open_file  },
    {"rename", rename_file},
    {"unlink", unlink_file},
    {"mkdir",  make_folder},
    {NULL,     NULL       },
};

static const luaL_Reg methods[] = {
    {"read",  file_read },
    {"write", file_write},
    {"sync",  file_sync },
    {"close", file_close},
    {NULL,    NULL      },
};

void cnk_bind_open_file(lua_State *L)
{
  cnk_bind_class(L, FILE_CLASS, methods, collect_file);
  luaL_setfuncs(L, functions, 0);
}
