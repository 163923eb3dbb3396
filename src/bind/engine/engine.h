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

#endif
