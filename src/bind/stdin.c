/* SPDX-License-Identifier: MIT */
/*
 * Standard input as a stream on the loop: a terminal, a pipe or a file, read in chunks. Splitting into lines is Lua's
 * business. One chunk is under way at a time: nothing more is read before the last one was delivered.
 */
#include "bind/bind.h"

#include <stdlib.h>

#define STDIN "cunnekt.stdin"

/* What a person types, or a script pipes in, fits well; longer input comes in several chunks. */
#define CHUNK 16384

/* On the heap, for libuv closes handles later than Lua collects userdata. */
struct input {
  union {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tty_t tty;
    uv_pipe_t pipe;
  } uv;
  uv_fs_t read; /* files are no streams to libuv: they are read on its thread pool */
  struct cnk_done done;
  struct cnk_resource resource;
  struct cnk_loop *loop;
  struct input **face; /* the userdata, as long as it points here */
  int callback;
  ssize_t length; /* of the chunk to deliver; 0 is the end */
  bool is_stream, is_terminal, is_reading, is_shut;
  char chunk[CHUNK];
};

static void free_input(uv_handle_t *handle)
{
  free(handle->data);
}

static void shut_input(struct input *input)
{
  if (input->is_shut)
    return;
  input->is_shut = true;
  if (input->face)
    *input->face = NULL;
  cnk_loop_forget(&input->done);
  cnk_loop_disown(&input->resource);
  if (input->is_stream)
    uv_close(&input->uv.any, free_input);
  else if (!input->is_reading)
    free(input); /* otherwise on_file_read does */
}

static void shut_resource(struct cnk_resource *resource)
{
  shut_input(CNK_OWNER(resource, struct input, resource));
}

static void on_chunk(struct input *input, ssize_t length)
{
  input->is_reading = false;
  input->length = length > 0 ? length : 0; /* an error counts as the end: nothing can be done about standard input */
  cnk_loop_finish(input->loop, &input->done);
}

static void on_file_read(uv_fs_t *request)
{
  struct input *input = request->data;
  ssize_t length = request->result;
  uv_fs_req_cleanup(request);
  if (input->is_shut)
    free(input);
  else
    on_chunk(input, length);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void)suggested;
  struct input *input = handle->data;
  *buffer = uv_buf_init(input->chunk, sizeof input->chunk);
}

static void on_stream_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
  (void)buffer;
  if (length == 0) /* libuv for "try again" */
    return;
  uv_read_stop(stream);
  on_chunk(stream->data, length);
}

static void read_more(struct input *input)
{
  int status = 0;
  input->is_reading = true;
  if (input->is_stream) {
    status = uv_read_start(&input->uv.stream, give_buffer, on_stream_read);
  } else {
    uv_buf_t buffer = uv_buf_init(input->chunk, sizeof input->chunk);
    status = uv_fs_read(&input->loop->uv, &input->read, 0, &buffer, 1, -1, on_file_read);
  }
  if (status != 0)
    on_chunk(input, 0);
}

static void deliver(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  struct input *input = CNK_OWNER(done, struct input, done);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, input->callback);
  if (input->length > 0) {
    lua_pushlstring(L, input->chunk, (size_t)input->length);
    read_more(input);
  } else {
    int callback = input->callback;
    lua_pushnil(L);
    shut_input(input);
    cnk_bind_unref(L, &callback);
  }
  cnk_bind_call(L, 1);
}

static int collect(lua_State *L)
{
  struct input **face = lua_touserdata(L, 1);
  if (*face)
    (*face)->face = NULL;
  *face = NULL;
  return 0;
}

static int check_close(lua_State *L)
{
  struct input **face = luaL_checkudata(L, 1, STDIN);
  if (*face) {
    int callback = (*face)->callback;
    shut_input(*face);
    cnk_bind_unref(L, &callback);
  }
  return 0;
}

/* handle:is_terminal(): whether a person types; false once the input has ended. */
static int is_terminal(lua_State *L)
{
  struct input **face = luaL_checkudata(L, 1, STDIN);
  lua_pushboolean(L, *face && (*face)->is_terminal);
  return 1;
}

static void open_handle(struct input *input)
{
  uv_handle_type type = uv_guess_handle(0);
  int status = UV_EINVAL;
  if (type == UV_TTY) {
    status = uv_tty_init(&input->loop->uv, &input->uv.tty, 0, 1);
    input->is_terminal = status == 0;
  } else if (type == UV_NAMED_PIPE) {
    uv_pipe_init(&input->loop->uv, &input->uv.pipe, 0);
    (void)uv_pipe_open(&input->uv.pipe, 0);
    /* An initialised handle must be closed by the loop, usable or not; reading a bad one fails, and that is its end. */
    status = 0;
  }
  input->is_stream = status == 0;
  input->uv.any.data = input;
}

/* core.stdin(fn) -> handle: fn(chunk) for what comes in, fn(nil) at the end. Reads until the end or handle:close(). */
static int open_stdin(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  struct input **face = lua_newuserdatauv(L, sizeof *face, 0);
  *face = NULL;
  luaL_setmetatable(L, STDIN);
  int callback = cnk_bind_ref(L, 1);
  struct input *input = calloc(1, sizeof *input);
  if (!input) {
    cnk_bind_unref(L, &callback);
    return luaL_error(L, "not enough memory");
  }
  input->loop = cnk_bind_loop(L);
  input->callback = callback;
  input->done.deliver = deliver;
  input->resource.shut = shut_resource;
  input->read.data = input;
  input->face = face;
  *face = input;
  open_handle(input);
  cnk_loop_own(input->loop, &input->resource);
  read_more(input);
  return 1;
}

void cnk_bind_open_stdin(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"stdin", open_stdin},
      {NULL,    NULL      }
  };
  static const luaL_Reg methods[] = {
      {"close",       check_close},
      {"is_terminal", is_terminal},
      {NULL,          NULL       }
  };
  cnk_bind_class(L, STDIN, methods, collect);
  luaL_setfuncs(L, functions, 0);
}
