/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of http/in/listener.h: core.listen, listeners and exchanges.
 *
 * An open listener is anchored in the registry, so that it serves until it is closed, held or not. An exchange is
 * not: one that Lua has dropped is answered 500 when it is collected.
 */
#include "bind/bind.h"

#include <netinet/in.h>
#include <string.h>

#include "http/in/listener.h"

#define LISTENER "cunnekt.listener"
#define EXCHANGE "cunnekt.exchange"

/* More is a misunderstanding, and they are kept on the C stack. */
#define MAX_FIELDS 64

struct listener {
  struct cnk_listener *listener; /* NULL when closed */
  int self, callback, refusal;   /* LUA_NOREF: no function */
};

struct exchange {
  void *self;                    /* see cnk_bind_self */
  struct cnk_exchange *exchange; /* NULL when answered */
};

/* ---- exchanges --------------------------------------------------------------------------------------------------- */

static int drop_exchange(lua_State *L)
{
  struct exchange *face = cnk_bind_self(L, sizeof(struct exchange), EXCHANGE);
  struct cnk_exchange *exchange = face->exchange;
  face->exchange = NULL;
  if (exchange)
    cnk_exchange_drop(exchange);
  return 0;
}

/* exchange:cut(): closes the connection without an answer. Nothing happens when it was answered. */
static int exchange_cut(lua_State *L)
{
  struct exchange *face = cnk_bind_self(L, sizeof(struct exchange), EXCHANGE);
  struct cnk_exchange *exchange = face->exchange;
  face->exchange = NULL;
  if (exchange)
    cnk_exchange_cut(exchange);
  return 0;
}

/* exchange:header(name) -> value, or nil: no such field, the exchange was answered, or the client has gone. */
static int exchange_header(lua_State *L)
{
  const struct exchange *face = cnk_bind_self(L, sizeof(struct exchange), EXCHANGE);
  const char *name = luaL_checkstring(L, 2);
  size_t size = 0;
  const char *value = face->exchange ? cnk_exchange_header(face->exchange, name, &size) : NULL;
  if (value)
    lua_pushlstring(L, value, size);
  else
    luaL_pushfail(L);
  return 1;
}

/* exchange:peer() -> the client's address without its port, or nil as for header. */
static int exchange_peer(lua_State *L)
{
  const struct exchange *face = cnk_bind_self(L, sizeof(struct exchange), EXCHANGE);
  char name[INET6_ADDRSTRLEN];
  if (face->exchange && cnk_exchange_peer(face->exchange, name, sizeof name))
    lua_pushstring(L, name);
  else
    luaL_pushfail(L);
  return 1;
}

/* Fills `fields` from the list at `index`, whose strings stay owned by it. */
static size_t check_fields(lua_State *L, int index, const char *fields[MAX_FIELDS])
{
  if (lua_isnoneornil(L, index))
    return 0;
  luaL_checktype(L, index, LUA_TTABLE);
  size_t count = (size_t)lua_rawlen(L, index);
  luaL_argcheck(L, count <= MAX_FIELDS, index, "too many header fields");
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
      luaL_argerror(L, index, "a header field must be a string \"Name: value\"");
    size_t size;
    fields[i] = lua_tolstring(L, -1, &size);
    luaL_argcheck(L, strlen(fields[i]) == size, index, "a header field holds a NUL");
    lua_pop(L, 1);
  }
  return count;
}

/* exchange:answer(status, body|nil, headers|nil) -> true, or false when the client has gone. Once. */
static int exchange_answer(lua_State *L)
{
  struct exchange *face = cnk_bind_self(L, sizeof(struct exchange), EXCHANGE);
  lua_Integer status = luaL_checkinteger(L, 2);
  size_t size;
  const char *body = luaL_optlstring(L, 3, "", &size);
  const char *fields[MAX_FIELDS];
  size_t count = check_fields(L, 4, fields);
  if (!face->exchange)
    return luaL_error(L, "the exchange has been answered already");
  luaL_argcheck(L, status >= 200 && status <= 599, 2, "must be from 200 to 599");
  enum cnk_answer answer = cnk_exchange_answer(face->exchange, (unsigned)status, body, size, fields, count);
  if (answer == CNK_ANSWER_REFUSED)
    return luaL_argerror(L, 4, "a header field cannot be sent");
  face->exchange = NULL;
  lua_pushboolean(L, answer == CNK_ANSWER_TAKEN);
  return 1;
}

/* ---- from the listener to Lua ------------------------------------------------------------------------------------ */

struct delivery {
  struct cnk_exchange *exchange; /* NULL once a face has it */
  int callback;
};

static void push_part(lua_State *L, const char *part, size_t size)
{
  if (part)
    lua_pushlstring(L, part, size);
  else
    lua_pushnil(L);
}

/* In a protected call, since everything here may run out of memory: on_request(exchange, method, path, query, body) */
static int deliver_exchange(lua_State *L)
{
  struct delivery *delivery = lua_touserdata(L, 1);
  struct cnk_exchange *exchange = delivery->exchange;
  size_t size;
  lua_rawgeti(L, LUA_REGISTRYINDEX, delivery->callback);
  struct exchange *face = lua_newuserdatauv(L, sizeof *face, 0);
  face->self = face;
  face->exchange = NULL;
  luaL_setmetatable(L, EXCHANGE);
  lua_pushstring(L, cnk_exchange_method(exchange));
  const char *part = cnk_exchange_path(exchange, &size);
  push_part(L, part, size);
  part = cnk_exchange_query(exchange, &size);
  push_part(L, part, size);
  part = cnk_exchange_body(exchange, &size);
  push_part(L, part, size);
  face->exchange = exchange;
  delivery->exchange = NULL;
  lua_call(L, 5, 0);
  return 0;
}

static void on_request(void *owner, struct cnk_exchange *exchange, void *context)
{
  lua_State *L = context;
  const struct listener *face = owner;
  struct delivery delivery = {.exchange = exchange, .callback = face->callback};
  lua_pushcfunction(L, deliver_exchange);
  lua_pushlightuserdata(L, &delivery);
  cnk_bind_call(L, 1);
  if (delivery.exchange)
    cnk_exchange_drop(delivery.exchange);
}

struct refusal {
  int callback;
  unsigned status, count;
};

/* In a protected call: on_refusal(status, count) */
static int deliver_refusal(lua_State *L)
{
  const struct refusal *refusal = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, refusal->callback);
  lua_pushinteger(L, refusal->status);
  lua_pushinteger(L, refusal->count);
  lua_call(L, 2, 0);
  return 0;
}

static void on_refusal(void *owner, unsigned status, unsigned count, void *context)
{
  lua_State *L = context;
  const struct listener *face = owner;
  struct refusal refusal = {.callback = face->refusal, .status = status, .count = count};
  lua_pushcfunction(L, deliver_refusal);
  lua_pushlightuserdata(L, &refusal);
  cnk_bind_call(L, 1);
}

/* ---- listeners --------------------------------------------------------------------------------------------------- */

static void on_shut(void *owner)
{
  struct listener *face = owner;
  face->listener = NULL;
}

static int close_listener(lua_State *L)
{
  struct listener *face = luaL_checkudata(L, 1, LISTENER);
  if (face->listener) {
    struct cnk_listener *listener = face->listener;
    face->listener = NULL;
    cnk_listener_close(listener);
  }
  cnk_bind_unref(L, &face->callback);
  cnk_bind_unref(L, &face->refusal);
  cnk_bind_unref(L, &face->self);
  return 0;
}

static struct cnk_listener *check_listener(lua_State *L)
{
  struct listener *face = luaL_checkudata(L, 1, LISTENER);
  if (!face->listener)
    luaL_error(L, "the listener is closed");
  return face->listener;
}

static int listener_port(lua_State *L)
{
  lua_pushinteger(L, cnk_listener_port(check_listener(L)));
  return 1;
}

/* listener:address() -> the host or the Unix socket's path that it was opened with */
static int listener_address(lua_State *L)
{
  check_listener(L);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

/* listener:pause(): gives the port back; what is under way is finished. */
static int listener_pause(lua_State *L)
{
  const struct listener *face = luaL_checkudata(L, 1, LISTENER);
  if (face->listener)
    cnk_listener_pause(face->listener);
  return 0;
}

static lua_Integer opt_number(lua_State *L, const char *name, lua_Integer otherwise, lua_Integer least)
{
  lua_Integer value = cnk_bind_opt_integer(L, 1, name, otherwise);
  if (value < least || value > INT32_MAX)
    luaL_error(L, "field '%s' must be from %d to %d", name, (int)least, INT32_MAX);
  return value;
}

/* core.listen(options, on_request) -> listener, or nil and a message. */
static int core_listen(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  const struct cnk_listener_options options = {
      .unix_path = cnk_bind_opt_string(L, 1, "unix", NULL),
      .host = cnk_bind_opt_string(L, 1, "host", "127.0.0.1"),
      .port = (int)opt_number(L, "port", 0, 0),
      .body_path = cnk_bind_opt_string(L, 1, "body_path", NULL),
      .body_field = cnk_bind_opt_string(L, 1, "body_field", NULL),
      .max_body = (size_t)opt_number(L, "max_body", 4 << 20, 0), /* the provider's webhooks reach 3 MB */
      .max_bodies = (size_t)opt_number(L, "max_bodies", 256 << 20, 0),
      .header_timeout_ms = (uint64_t)opt_number(L, "header_timeout_ms", 10000, 1),
      .body_timeout_ms = (uint64_t)opt_number(L, "body_timeout_ms", 30000, 1),
      .idle_timeout_ms = (uint64_t)opt_number(L, "idle_timeout_ms", 60000, 1),
      .retry_after_s = (unsigned)opt_number(L, "retry_after_s", 0, 0),
      .answer_timeout_ms = (uint64_t)opt_number(L, "answer_timeout_ms", 0, 0),
      /* A client whose head or body comes in one piece, as those of servers do, takes less by far. */
      .patience_ms = (uint64_t)opt_number(L, "patience_ms", 100, 1),
      .max_connections = (unsigned)opt_number(L, "max_connections", 1024, 1),
      .max_per_address = (unsigned)opt_number(L, "max_per_address", 0, 0),
  };
  struct listener *face = lua_newuserdatauv(L, sizeof *face, 1);
  *face = (struct listener){.self = LUA_NOREF, .callback = LUA_NOREF, .refusal = LUA_NOREF};
  luaL_setmetatable(L, LISTENER);
  lua_pushstring(L, options.unix_path ? options.unix_path : options.host);
  lua_setiuservalue(L, 3, 1);
  face->callback = cnk_bind_ref(L, 2);
  if (lua_getfield(L, 1, "on_refusal") == LUA_TFUNCTION)
    face->refusal = cnk_bind_ref(L, 4);
  lua_settop(L, 3);
  face->self = cnk_bind_ref(L, 3);
  char message[256];
  face->listener = cnk_listener_open(cnk_bind_loop(L), &options, on_request, on_shut, face, message, sizeof message);
  if (face->listener && face->refusal != LUA_NOREF)
    cnk_listener_hear_refusals(face->listener, on_refusal);
  if (face->listener)
    return 1;
  cnk_bind_unref(L, &face->callback);
  cnk_bind_unref(L, &face->self);
  luaL_pushfail(L);
  lua_pushstring(L, message);
  return 2;
}

static const luaL_Reg listener_methods[] = {
    {"port",    listener_port   },
    {"address", listener_address},
    {"pause",   listener_pause  },
    {"close",   close_listener  },
    {NULL,      NULL            },
};

static const luaL_Reg exchange_methods[] = {
    {"header", exchange_header},
    {"peer",   exchange_peer  },
    {"answer", exchange_answer},
    {"cut",    exchange_cut   },
    {NULL,     NULL           },
};

static const luaL_Reg functions[] = {
    {"listen", core_listen},
    {NULL,     NULL       },
};

void cnk_bind_open_listener(lua_State *L)
{
  cnk_bind_class(L, LISTENER, listener_methods, close_listener);
  cnk_bind_class(L, EXCHANGE, exchange_methods, drop_exchange);
  luaL_setfuncs(L, functions, 0);
}
