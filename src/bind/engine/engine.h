/* SPDX-License-Identifier: MIT */
/* What the faces of src/engine share. Internal to the module `cunnekt.core`. */
#ifndef CNK_BIND_ENGINE_H
#define CNK_BIND_ENGINE_H

#include "base/text.h"
#include "bind/bind.h"

/* A text that lives as long as its value is on the stack. */
static inline struct cnk_text cnk_bind_text(lua_State *L, int index)
{
  struct cnk_text text;
  text.data = luaL_checklstring(L, index, &text.size);
  return text;
}

/* limiter.c: takes a permit of the limiter at an index for the recipient at another one: the seconds until there may be one, 0: it is
 * taken. Forgives that recipient. */
double cnk_bind_take_permit(lua_State *L, int limiter, int to, bool *is_for_all);
void cnk_bind_forgive(lua_State *L, int limiter, int to);

#endif
