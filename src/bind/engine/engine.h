/* SPDX-License-Identifier: MIT */
/* What the faces of src/engine share. Internal to the module `cunnekt.core`. */
#ifndef CNK_BIND_ENGINE_H
#define CNK_BIND_ENGINE_H

#include "base/text.h"
#include "bind/bind.h"

/* The userdata at 1, of which `size` bytes begin with their own address; raises when it is no `class`. Every event comes here
 * several times: a class by its name would be looked up each time. */
static inline void *cnk_bind_self(lua_State *L, size_t size, const char *class)
{
  void *self = lua_touserdata(L, 1);
  if (lua_rawlen(L, 1) == size && self && *(void *const *)self == self)
    return self;
  return luaL_checkudata(L, 1, class);
}

/* A text that lives as long as its value is on the stack. */
static inline struct cnk_text cnk_bind_text(lua_State *L, int index)
{
  struct cnk_text text;
  text.data = luaL_checklstring(L, index, &text.size);
  return text;
}

#endif
