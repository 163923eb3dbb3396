/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of the HTTP client: core.request and its objects.
 *
 * The userdata holds, as user values, the functions to call and the body, which the C core only borrows. A registry
 * reference anchors it while a call is due; a stream without a read under way is collectable, and ends when it is collected.
 */
#include "bind/bind.h"

#include <limits.h>
#include <string.h>

#include "http/out/client.h"

#define REQUEST "cunnekt.request"

/* More headers than any API asks for; they are gathered on the stack. */
#define MOST_HEADERS 64

enum { USER_DONE = 1, USER_BODY, USER_READ, USER_VALUES = USER_READ };

struct request_face {
  struct cnk_http_request *request; /* first: NULL when it is gone */
  int anchor;                       /* while a call is due */
};

static const char client_key = 0;

static struct cnk_http_client *get_client(lua_State *L)
{
  struct cnk_loop *loop = cnk_bind_loop(L);
  if (!loop->is_open)
    luaL_error(L, "the loop is closed");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key);
  struct cnk_http_client *client = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (client)
    return client;
  client = cnk_http_client_new(loop);
  if (!client)
    luaL_error(L, "not enough memory");
  lua_pushlightuserdata(L, client);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
  return client;
}

static void anchor(lua_State *L, int index)
{
  struct request_face *face = lua_touserdata(L, index);
  face->anchor = cnk_bind_ref(L, index);
}

/* Replaces the userdata on top of the stack by one of its user values, which it loses. */
static void take_user_value(lua_State *L, int which)
{
  lua_getiuservalue(L, -1, which);
  lua_pushnil(L);
  lua_setiuservalue(L, -3, which);
  lua_remove(L, -2);
}

static int push_failure(lua_State *L, const struct cnk_http_event *event)
{
  lua_pushnil(L);
  lua_pushstring(L, cnk_http_kind_name(event->kind));
  lua_pushstring(L, event->message);
  lua_pushboolean(L, event->is_sent);
  return 4;
}

static int push_arguments(lua_State *L, const struct cnk_http_event *event)
{
  switch (event->what) {
  case CNK_HTTP_ANSWER:
  case CNK_HTTP_HEAD:
    lua_pushinteger(L, event->status);
    if (event->what == CNK_HTTP_ANSWER)
      lua_pushlstring(L, event->body.data, event->body.size);
    else
      lua_pushnil(L);
    lua_pushlstring(L, event->head.data, event->head.size);
    return 3;
  case CNK_HTTP_CHUNK: lua_pushlstring(L, event->body.data, event->body.size); return 1;
  case CNK_HTTP_END: lua_pushnil(L); return 1;
  case CNK_HTTP_FAILURE: break;
  }
  return push_failure(L, event);
}

/* Everything is taken out of the request before the callback runs: that may close it, read on, or send another, which may
 * get the memory of this one. */
static void on_event(struct cnk_http_request **slot, const struct cnk_http_event *event, void *context)
{
  lua_State *L = context;
  struct request_face *face = (struct request_face *)slot;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, face->anchor);
  lua_pushvalue(L, -1); /* stays on the stack until the core no longer points to it: nothing else keeps it alive */
  bool is_done = lua_getiuservalue(L, -1, USER_DONE) == LUA_TFUNCTION;
  lua_pop(L, 1);
  take_user_value(L, is_done ? USER_DONE : USER_READ);
  int arguments = push_arguments(L, event);
  struct cnk_http_request *request = face->request;
  cnk_http_taken(request);
  cnk_bind_unref(L, &face->anchor);
  lua_remove(L, -arguments - 2);
  cnk_bind_call(L, arguments);
}

/* close, __close and __gc. */
static int close_request(lua_State *L)
{
  struct request_face *face = luaL_checkudata(L, 1, REQUEST);
  if (face->request)
    cnk_http_cancel(face->request);
  return 0;
}

/* request:read(fn): calls fn(chunk), fn(nil) at the end, or fn(nil, kind, message, sent). */
static int read_request(lua_State *L)
{
  struct request_face *face = luaL_checkudata(L, 1, REQUEST);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (!face->request)
    return luaL_error(L, "nothing is left to read");
  if (face->anchor != LUA_NOREF)
    return luaL_error(L, "a call is due already");
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, USER_READ);
  anchor(L, 1);
  cnk_http_read(face->request);
  return 0;
}

static struct cnk_text get_text(lua_State *L, const char *name)
{
  struct cnk_text text = {0};
  int type = lua_getfield(L, 1, name);
  if (type == LUA_TSTRING)
    text.data = lua_tolstring(L, -1, &text.size);
  else if (type != LUA_TNIL)
    luaL_error(L, "field '%s' must be a string, got %s", name, luaL_typename(L, -1));
  lua_pop(L, 1); /* the options own it */
  return text;
}

static lua_Integer get_number(lua_State *L, const char *name, lua_Integer otherwise, lua_Integer most)
{
  lua_Integer number = cnk_bind_opt_integer(L, 1, name, otherwise);
  if (number < 0 || number > most)
    luaL_error(L, "field '%s' is out of range", name);
  return number;
}

static size_t get_headers(lua_State *L, struct cnk_text *headers)
{
  int type = lua_getfield(L, 1, "headers");
  if (type == LUA_TNIL) {
    lua_pop(L, 1);
    return 0;
  }
  if (type != LUA_TTABLE)
    luaL_error(L, "field 'headers' must be a table, got %s", luaL_typename(L, -1));
  size_t count = lua_rawlen(L, -1);
  if (count > MOST_HEADERS)
    luaL_error(L, "more than %d headers", MOST_HEADERS);
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING)
      luaL_error(L, "header %d must be a string, got %s", (int)i + 1, luaL_typename(L, -1));
    headers[i].data = lua_tolstring(L, -1, &headers[i].size);
    lua_pop(L, 1); /* the table owns it */
  }
  lua_pop(L, 1);
  return count;
}

static void get_options(lua_State *L, struct cnk_http_options *options, struct cnk_text *headers)
{
  options->method = get_text(L, "method");
  if (!options->method.data)
    options->method = (struct cnk_text){"GET", 3};
  options->url = get_text(L, "url");
  if (!options->url.data)
    luaL_error(L, "field 'url' is missing");
  options->ca_file = get_text(L, "ca_file");
  options->proxy = get_text(L, "proxy");
  options->unix_path = get_text(L, "unix");
  options->body = get_text(L, "body");
  options->headers = headers;
  options->header_count = get_headers(L, headers);
  options->timeout_ms = (long)get_number(L, "timeout_ms", 30000, INT_MAX);
  options->connect_timeout_ms = (long)get_number(L, "connect_timeout_ms", 10000, INT_MAX);
  options->max_bytes = (size_t)get_number(L, "max_bytes", 16 << 20, PTRDIFF_MAX);
  options->min_speed = (size_t)get_number(L, "min_speed", 0, INT_MAX);
  options->max_redirects = (int)get_number(L, "max_redirects", 0, 100);
  options->is_stream = cnk_bind_opt_boolean(L, 1, "stream");
}

/* core.request(options, done) -> request: done(status, body, head), or done(nil, kind, message, sent). With `stream`
 * done(status, nil, head) comes as soon as the head is in, and request:read(fn) gives the body. */
static int request(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_argcheck(L, !luaL_getmetafield(L, 1, "__index"), 1, "must own its strings"); /* they are used in place */
  struct cnk_text headers[MOST_HEADERS];
  struct cnk_http_options options;
  get_options(L, &options, headers);
  struct cnk_http_client *client = get_client(L);

  struct request_face *face = lua_newuserdatauv(L, sizeof *face, USER_VALUES);
  face->request = NULL;
  face->anchor = LUA_NOREF;
  luaL_setmetatable(L, REQUEST);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, USER_DONE);
  lua_getfield(L, 1, "body");
  lua_setiuservalue(L, -2, USER_BODY);
  anchor(L, lua_gettop(L));
  if (!cnk_http_start(client, &options, on_event, &face->request)) {
    cnk_bind_unref(L, &face->anchor);
    return luaL_error(L, "not enough memory");
  }
  return 1;
}

static const luaL_Reg methods[] = {
    {"close", close_request},
    {"read",  read_request },
    {NULL,    NULL         },
};

void cnk_bind_open_http(lua_State *L)
{
  cnk_bind_class(L, REQUEST, methods, close_request);
  lua_pushcfunction(L, request);
  lua_setfield(L, -2, "request");
}
