/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of base/file.h: core.open, rename, unlink, mkdir, and files. A file does one thing at a time; while it
 * does, it is anchored. One that is dropped open is closed on the thread pool as well.
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
  struct errand *errand;
  int fd;
};

/* A job with what it needs from Lua. The registry keeps the callback and what the job borrows or belongs to. */
struct errand {
  struct cnk_file_job job;
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

static void free_errand(struct errand *errand)
{
  if (errand->file)
    errand->file->errand = NULL;
  free(errand->job.buffer);
  free(errand);
}

/* The loop ends. Whoever of file and errand ends last closes the descriptor. */
static void drop_errand(struct cnk_file_job *job)
{
  struct errand *errand = (struct errand *)job;
  struct file *file = errand->file;
  bool is_last = file && !cnk_link_is_linked(&file->resource.link);
  if (file && job->task == CNK_FILE_OPEN && job->error == 0)
    file->fd = job->fd;
  if (file && job->task == CNK_FILE_CLOSE)
    file->fd = -1;
  free_errand(errand);
  if (is_last)
    drop_file(file);
}

static void shut_file(struct cnk_resource *resource)
{
  struct file *file = CNK_OWNER(resource, struct file, resource);
  if (!file->errand)
    drop_file(file);
}

/* ---- errands ----------------------------------------------------------------------------------------------------- */

static void push_result(lua_State *L, const struct errand *errand)
{
  const struct cnk_file_job *job = &errand->job;
  switch (job->task) {
  case CNK_FILE_OPEN:
    errand->file->fd = job->fd;
    lua_rawgeti(L, LUA_REGISTRYINDEX, errand->anchor); /* its face */
    break;
  case CNK_FILE_READ:
    if (job->size > 0)
      lua_pushlstring(L, job->buffer, job->size);
    else
      lua_pushnil(L);
    break;
  default: lua_pushboolean(L, 1);
  }
}

static void push_failure(lua_State *L, const struct errand *errand)
{
  const char *reason = uv_strerror(errand->job.error);
  lua_pushnil(L);
  if (errand->names[0])
    lua_pushfstring(L, "%s: %s", errand->names, reason);
  else
    lua_pushstring(L, reason);
}

/* Lets go of everything before Lua hears: the callback may use the file again. */
static void end_errand(lua_State *L, struct errand *errand)
{
  struct file *file = errand->file;
  bool is_over =
      file && (errand->job.task == CNK_FILE_CLOSE || (errand->job.task == CNK_FILE_OPEN && errand->job.error != 0));
  cnk_bind_unref(L, &errand->callback);
  cnk_bind_unref(L, &errand->anchor);
  free_errand(errand);
  if (is_over)
    forget_file(file);
}

static int pass_on(lua_State *L)
{
  struct errand **held = lua_touserdata(L, 1);
  struct errand *errand = *held;
  lua_rawgeti(L, LUA_REGISTRYINDEX, errand->callback);
  if (errand->job.error == 0) {
    push_result(L, errand);
  } else {
    push_failure(L, errand);
  }
  *held = NULL;
  end_errand(L, errand);
  if (!lua_isnil(L, 2))
    lua_call(L, lua_gettop(L) - 2, 0);
  return 0;
}

static void deliver_errand(struct cnk_file_job *job, void *context)
{
  lua_State *L = context;
  struct errand *errand = (struct errand *)job;
  lua_pushcfunction(L, pass_on);
  lua_pushlightuserdata(L, &errand);
  cnk_bind_call(L, 1);
  if (errand) /* no memory for the result */
    end_errand(L, errand);
}

/* Makes an errand for the callback at `callback` (a function, nil or none), keeping the value at `anchor` (0: none)
 * alive meanwhile. Not started yet. */
static struct errand *new_errand(lua_State *L, enum cnk_file_task task, struct file *file, const char *path,
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
  struct errand *errand = calloc(1, sizeof *errand + path_size + target_size);
  if (!errand) {
    cnk_bind_unref(L, &callback_ref);
    cnk_bind_unref(L, &anchor_ref);
    luaL_error(L, "not enough memory");
    return NULL; /* not reached */
  }
  memcpy(errand->names, path ? path : "", path_size);
  memcpy(errand->names + path_size, target ? target : "", target_size);
  errand->job.task = task;
  errand->job.path = errand->names;
  errand->job.target = errand->names + path_size;
  errand->job.deliver = deliver_errand;
  errand->job.drop = drop_errand;
  errand->callback = callback_ref;
  errand->anchor = anchor_ref;
  errand->file = file;
  if (file) {
    file->errand = errand;
    errand->job.fd = file->fd;
  }
  return errand;
}

static int start(lua_State *L, struct errand *errand)
{
  int status = cnk_file_start(cnk_bind_loop(L), &errand->job);
  if (status == 0)
    return 0;
  cnk_bind_unref(L, &errand->callback);
  cnk_bind_unref(L, &errand->anchor);
  free_errand(errand);
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
  if ((*face)->errand)
    luaL_error(L, "the file is busy: it does one thing at a time");
  return *face;
}

/* file:write(data, fn(true) or fn(nil, message)) */
static int file_write(lua_State *L)
{
  struct file *file = check_file(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_createtable(L, 2, 0); /* both file and data are to live on */
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 2);
  struct errand *errand = new_errand(L, CNK_FILE_WRITE, file, NULL, NULL, 3, lua_gettop(L));
  errand->job.data = lua_tolstring(L, 2, &errand->job.size);
  return start(L, errand);
}

/* file:read(n, fn(data), fn(nil) at the end, or fn(nil, message)): from 1 to n bytes */
static int file_read(lua_State *L)
{
  struct file *file = check_file(L);
  lua_Integer size = luaL_checkinteger(L, 2);
  luaL_argcheck(L, size > 0 && size <= MAX_READ, 2, "must be from 1 to 16777216");
  luaL_checktype(L, 3, LUA_TFUNCTION);
  struct errand *errand = new_errand(L, CNK_FILE_READ, file, NULL, NULL, 3, 1);
  errand->job.size = (size_t)size;
  errand->job.buffer = malloc((size_t)size);
  if (!errand->job.buffer) {
    cnk_bind_unref(L, &errand->callback);
    cnk_bind_unref(L, &errand->anchor);
    free_errand(errand);
    return luaL_error(L, "not enough memory");
  }
  return start(L, errand);
}

/* file:sync(fn(true) or fn(nil, message)): what was written is on the disk then. */
static int file_sync(lua_State *L)
{
  struct file *file = check_file(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  return start(L, new_errand(L, CNK_FILE_SYNC, file, NULL, NULL, 2, 1));
}

/* file:close(fn?(true) or fn(nil, message)) */
static int file_close(lua_State *L)
{
  struct file *file = check_file(L);
  return start(L, new_errand(L, CNK_FILE_CLOSE, file, NULL, NULL, 2, 1));
}

/* Dropped, or the state ends: then the loop's end waits for what is under way. */
static int collect_file(lua_State *L)
{
  struct file **face = luaL_checkudata(L, 1, FILE_CLASS);
  struct file *file = *face;
  *face = NULL;
  if (!file)
    return 0;
  file->face = NULL;
  if (file->errand)
    return 0;
  struct errand *errand = calloc(1, sizeof *errand + 1);
  if (errand) {
    errand->job =
        (struct cnk_file_job){.task = CNK_FILE_CLOSE, .fd = file->fd, .deliver = deliver_errand, .drop = drop_errand};
    errand->callback = errand->anchor = LUA_REFNIL;
    errand->file = file;
    file->errand = errand;
    if (cnk_file_start(file->loop, &errand->job) == 0)
      return 0;
    free_errand(errand);
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
  struct errand *errand = new_errand(L, CNK_FILE_OPEN, NULL, path, NULL, 3, 4);
  struct file *file = calloc(1, sizeof *file);
  if (!file) {
    cnk_bind_unref(L, &errand->callback);
    cnk_bind_unref(L, &errand->anchor);
    free_errand(errand);
    return luaL_error(L, "not enough memory");
  }
  *file = (struct file){.loop = cnk_bind_loop(L), .face = face, .errand = errand, .fd = -1};
  file->resource.shut = shut_file;
  cnk_loop_own(file->loop, &file->resource);
  file->loop->counts.files++;
  *face = file;
  errand->file = file;
  errand->job.mode = mode;
  return start(L, errand);
}

/* core.rename(from, to, fn(true) or fn(nil, message)): lasting, once fn is called. */
static int rename_file(lua_State *L)
{
  const char *path = check_path(L, 1), *target = check_path(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  return start(L, new_errand(L, CNK_FILE_RENAME, NULL, path, target, 3, 0));
}

/* core.unlink(path, fn) */
static int unlink_file(lua_State *L)
{
  const char *path = check_path(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  return start(L, new_errand(L, CNK_FILE_UNLINK, NULL, path, NULL, 2, 0));
}

/* core.mkdir(path, fn): parents too; what exists is fine. */
static int make_folder(lua_State *L)
{
  const char *path = check_path(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  return start(L, new_errand(L, CNK_FILE_MKDIR, NULL, path, NULL, 2, 0));
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
