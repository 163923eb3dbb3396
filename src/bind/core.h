/* SPDX-License-Identifier: MIT */
/* The entry of the module `cunnekt.core`, for the host, which holds it inside, and for `require`, which loads core.so. */
#ifndef CNK_BIND_CORE_H
#define CNK_BIND_CORE_H

#include <lua.h>

/* For a program that has its process to itself, before it opens the module: see cnk_store_own_process(). */
void cnk_core_own_process(void);

__attribute__((visibility("default"))) int luaopen_cunnekt_core(lua_State *L);

#endif
