/* SPDX-License-Identifier: MIT */
/*
 * The Lua faces of HTTP out: core.request and core.endpoint, and their objects.
 *
 * The userdata of a request holds, as user values, the functions to call and the body, which the C core only borrows. A registry
 * reference anchors it while a call is due; a stream without a read under way is collectable, and ends when it is collected.
 * A post is alike, but that the C core copies its body.
 */
#include "bind/bind.h"

#include <limits.h>
#include <string.h>

#include "http/out/client.h"
#include "http/out/endpoint.h"

#define REQUEST "cunnekt.request"
#define ENDPOINT "cunnekt.endpoint"
#define POST "cunnekt.post"

/* More headers than any API asks for; they are gathered on the stack. */
#define MOST_HEADERS 64
/* Values that a post keeps for its function. */
#define MOST_GIVENS 4

enum { USER_DONE = 1, USER_BODY, USER_READ, USER_VALUES = USER_READ };

struct request_face {
  struct cnk_http_request *request; /* first: NULL when it is gone */
  int anchor;                       /* while a call is due */
};

struct endpoint_face {
  struct cnk_endpoint *endpoint; /* first: NULL when it is closed */
};

struct post_face {
  struct cnk_post *post; /* first: NULL when it is gone */
  int anchor;
  int givens; /* user values: the function, and so many that it is called with */
};

static const char client_key = 0, posts_key = 0;

/* What the registry keeps at `key` for the loop, or NULL when it is to be made. */
static void *get_kept(lua_State *L, const char *key)
{
  if (!cnk_bind_loop(L)->is_open)
    luaL_error(L, "the loop is closed");
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  void *kept = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return kept;
}

static void *keep(lua_State *L, const char *key, void *made)
{
  if (!made)
    luaL_error(L, "not enough memory");
  lua_pushlightuserdata(L, made);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
  return made;
}

static struct cnk_http_client *get_client(lua_State *L)
{
  struct cnk_http_client *client = get_kept(L, &client_key);
  return client ? client : keep(L, &client_key, cnk_http_client_new(cnk_bind_loop(L)));
}

static struct cnk_posts *get_posts(lua_State *L)
{
  struct cnk_posts *posts = get_kept(L, &posts_key);
  return posts ? posts : keep(L, &posts_key, cnk_posts_new(cnk_bind_loop(L)));
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

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

int cnk_bind_push_http_event(lua_State *L, const struct cnk_http_event *event)
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
  int arguments = cnk_bind_push_http_event(L, event);
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

/* The table at 1 is to own its strings, for they are used in place. */
static void get_options(lua_State *L, struct cnk_http_options *options, struct cnk_text *headers)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argcheck(L, !luaL_getmetafield(L, 1, "__index"), 1, "must own its strings");
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
  luaL_checktype(L, 2, LUA_TFUNCTION);
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

/* ---- endpoints --------------------------------------------------------------------------------------------------- */

/* core.endpoint(options) -> endpoint, or nil when only core.request can do what they say. */
static int endpoint(lua_State *L)
{
  struct cnk_text headers[MOST_HEADERS];
  struct cnk_http_options options;
  get_options(L, &options, headers);
  if (!cnk_endpoint_suits(&options)) {
    luaL_pushfail(L);
    return 1;
  }
  struct cnk_posts *posts = get_posts(L);
  struct endpoint_face *face = lua_newuserdatauv(L, sizeof *face, 0);
  face->endpoint = NULL;
  luaL_setmetatable(L, ENDPOINT);
  if (!cnk_endpoint_open(posts, &options, &face->endpoint))
    return luaL_error(L, "not enough memory");
  return 1;
}

struct cnk_endpoint *cnk_bind_endpoint(lua_State *L, int index)
{
  const struct endpoint_face *face = luaL_testudata(L, index, ENDPOINT);
  return face ? face->endpoint : NULL;
}

static int close_endpoint(lua_State *L)
{
  struct endpoint_face *face = luaL_checkudata(L, 1, ENDPOINT);
  if (face->endpoint)
    cnk_endpoint_close(face->endpoint);
  return 0;
}

static void on_post_event(struct cnk_post **slot, const struct cnk_http_event *event, void *context)
{
  lua_State *L = context;
  struct post_face *face = (struct post_face *)slot;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, face->anchor); /* stays below until the core no longer points to it */
  int at = lua_gettop(L);
  for (int i = 1; i <= 1 + face->givens; i++)
    lua_getiuservalue(L, at, i);
  int arguments = face->givens + cnk_bind_push_http_event(L, event);
  cnk_post_taken(face->post);
  cnk_bind_unref(L, &face->anchor);
  lua_remove(L, at);
  cnk_bind_call(L, arguments);
}

/* endpoint:post(body, done, ...) -> post: done(..., status, body, head), or done(..., nil, kind, message, sent). */
static int post(lua_State *L)
{
  struct endpoint_face *face = luaL_checkudata(L, 1, ENDPOINT);
  struct cnk_text body;
  body.data = luaL_checklstring(L, 2, &body.size);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  int givens = lua_gettop(L) - 3;
  luaL_argcheck(L, givens <= MOST_GIVENS, 4, "too many values to keep");
  if (!face->endpoint)
    return luaL_error(L, "the endpoint is closed");
  struct post_face *made = lua_newuserdatauv(L, sizeof *made, 1 + givens);
  made->post = NULL;
  made->anchor = LUA_NOREF;
  made->givens = givens;
  luaL_setmetatable(L, POST);
  for (int i = 0; i <= givens; i++) {
    lua_pushvalue(L, 3 + i);
    lua_setiuservalue(L, -2, 1 + i);
  }
  made->anchor = cnk_bind_ref(L, lua_gettop(L));
  if (!cnk_post_start(face->endpoint, body, on_post_event, &made->post)) {
    cnk_bind_unref(L, &made->anchor);
    return luaL_error(L, "not enough memory");
  }
  return 1;
}

static int close_post(lua_State *L)
{
  struct post_face *face = luaL_checkudata(L, 1, POST);
  if (face->post)
    cnk_post_cancel(face->post);
  return 0;
}

void cnk_bind_open_http(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"request",  request },
      {"endpoint", endpoint},
      {NULL,       NULL    },
  };
  static const luaL_Reg request_methods[] = {
      {"close", close_request},
      {"read",  read_request },
      {NULL,    NULL         },
  };
  static const luaL_Reg endpoint_methods[] = {
      {"close", close_endpoint},
      {"post",  post          },
      {NULL,    NULL          },
  };
  static const luaL_Reg post_methods[] = {
      {"close", close_post},
      {NULL,    NULL      },
  };
  cnk_bind_class(L, REQUEST, request_methods, close_request);
  cnk_bind_class(L, ENDPOINT, endpoint_methods, close_endpoint);
  cnk_bind_class(L, POST, post_methods, close_post);
  luaL_setfuncs(L, functions, 0);
}
