/* SPDX-License-Identifier: MIT */
/* What the files of the face of engine/lanes.h share. */
#ifndef CNK_BIND_LANES_H
#define CNK_BIND_LANES_H

#include "bind/engine/engine.h"
#include "bind/engine/slots.h"

/* User values of the lanes: the values of items, and the owner's functions. */
enum {
  CNK_LANES_ITEMS = 1,
  CNK_LANES_RUN,
  CNK_LANES_GATE,
  CNK_LANES_FILL,
  CNK_LANES_ADVANCE,
  CNK_LANES_QUIET,
  CNK_LANES_EMPTY,
  CNK_LANES_VALUES = CNK_LANES_EMPTY
};

struct cnk_lua_lanes {
  void *self; /* see cnk_bind_self; NULL when they are closed */
  struct cnk_lanes lanes;
  struct cnk_slots slots;
  uint64_t starts;
};

#define CNK_LANES_CLASS "cunnekt.lanes"

/* The lanes at 1; raises when there are none. */
static inline struct cnk_lua_lanes *cnk_bind_check_lanes(lua_State *L)
{
  struct cnk_lua_lanes *face = cnk_bind_self(L, sizeof(struct cnk_lua_lanes), CNK_LANES_CLASS);
  if (!face->self)
    luaL_error(L, "these lanes are closed");
  return face;
}

/* What could not be added was stored already: the program ends, and the next process takes it up. Raises. */
static inline int cnk_bind_lanes_no_memory(lua_State *L)
{
  *cnk_bind_out_of_memory(L) = true;
  return luaL_error(L, "not enough memory");
}

/* Their methods, for the table on top of the stack: on items (lanes_items.c), and for owners that hold more than a lane does
 * (lanes_owner.c). */
void cnk_bind_add_item_methods(lua_State *L);
void cnk_bind_add_owner_methods(lua_State *L);

#endif
