/* SPDX-License-Identifier: MIT */
/* The entry of the module `cunnekt.core`, for the host, which holds it inside, and for `require`, which loads core.so. */
#ifndef CNK_BIND_CORE_H
#define CNK_BIND_CORE_H

#include <lua.h>

__attribute__((visibility("default"))) int luaopen_cunnekt_core(lua_State *L);

#endif
