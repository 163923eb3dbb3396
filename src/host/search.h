/* SPDX-License-Identifier: MIT */
/* Where `require` looks in the host: inside the binary first, then the user's paths, then beside the binary. */
#ifndef CNK_SEARCH_H
#define CNK_SEARCH_H

#include <lua.h>

/* Needs the standard library `package`; changes package.searchers, package.path and package.cpath. May raise. */
void cnk_search_init(lua_State *L);

#endif
