/* SPDX-License-Identifier: MIT */
/* The reader of answers (src/http/out/reply.h) for its target, without a connection. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "http/out/client.h"
#include "http/out/reply.h"

int luaopen_reader(lua_State *L);

/* From memory of its own, so that bytes behind it are noticed. */
static enum cnk_reply_state feed(struct cnk_reply *reply, const char *piece, size_t size, size_t *used)
{
  char *copy = malloc(size > 0 ? size : 1);
  if (!copy)
    abort();
  memcpy(copy, piece, size);
  enum cnk_reply_state state = cnk_reply_feed(reply, copy, size, used);
  free(copy);
  return state;
}

static const char *name_of(const struct cnk_reply *reply, enum cnk_reply_state state)
{
  switch (state) {
  case CNK_REPLY_MORE: return cnk_reply_may_end(reply) ? "ended" : "cut";
  case CNK_REPLY_DONE: return "whole";
  case CNK_REPLY_REFUSED: return "refused";
  case CNK_REPLY_TOO_LARGE: return "too_large";
  case CNK_REPLY_OUT_OF_MEMORY: break;
  }
  abort();
}

/* reader.read(most_body, pieces) -> how it ended, bytes used, status, head, body, whether the connection is kept */
static int read_pieces(lua_State *L)
{
  static struct cnk_reply reply;
  enum cnk_reply_state state = CNK_REPLY_MORE;
  size_t all = 0;
  cnk_reply_begin(&reply, CNK_HTTP_MOST_HEAD, (size_t)luaL_checkinteger(L, 1));
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 2) && state == CNK_REPLY_MORE; i++) {
    size_t size, used = 0;
    lua_rawgeti(L, 2, i);
    const char *piece = lua_tolstring(L, -1, &size);
    state = feed(&reply, piece, size, &used);
    all += used;
    lua_pop(L, 1);
  }
  lua_pushstring(L, name_of(&reply, state));
  lua_pushinteger(L, (lua_Integer)all);
  lua_pushinteger(L, reply.status);
  lua_pushlstring(L, reply.head.data ? reply.head.data : "", reply.head.size);
  lua_pushlstring(L, reply.body.data ? reply.body.data : "", reply.body.size);
  lua_pushboolean(L, reply.keeps_connection);
  return 6;
}

int luaopen_reader(lua_State *L)
{
  lua_newtable(L);
  lua_pushcfunction(L, read_pieces);
  lua_setfield(L, -2, "read");
  return 1;
}
