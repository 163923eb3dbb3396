/* SPDX-License-Identifier: MIT */
/* What store.c and store_request.c share: the userdata of a store. Internal to the bindings. */
#ifndef CNK_BIND_STORE_H
#define CNK_BIND_STORE_H

#include "bind/bind.h"
#include "store/sqlite/store.h"

struct cnk_bind_store {
  struct cnk_store *store;            /* NULL when closed */
  struct cnk_store_request *building; /* kept here, so that an error while it is filled loses nothing */
};

/* store_request.c: the methods store:prepare(sql, options) and store:run(request, done). `face` is the open store at index 1. */
int cnk_bind_store_prepare(lua_State *L, struct cnk_bind_store *face);
int cnk_bind_store_run(lua_State *L, struct cnk_bind_store *face);

#endif
