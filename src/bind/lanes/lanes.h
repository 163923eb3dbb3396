/* SPDX-License-Identifier: MIT */
/* What the files of the face of engine/lanes.h share. */
#ifndef CNK_BIND_LANES_H
#define CNK_BIND_LANES_H

#include "bind/engine/engine.h"
#include "bind/lanes/slots.h"

/* User values of the lanes: the values of items, and the owner's functions. */
enum {
  CNK_LANES_ITEMS = 1,
  CNK_LANES_RUN,
  CNK_LANES_GATE,
  CNK_LANES_FILL,
  CNK_LANES_ADVANCE,
  CNK_LANES_QUIET,
  CNK_LANES_EMPTY,
  CNK_LANES_NATIVE,
  CNK_LANES_VALUES = CNK_LANES_NATIVE
};

struct cnk_lua_lanes;

/* The start of an item, which is over when it has ended, or is to be tried later. */
struct cnk_start {
  struct cnk_lua_lanes *lanes;
  size_t slot;
  uint64_t number;
};

/* An owner in C, for the items that are its own. Both have the lanes at 1, the owner's value at 3 and the item at 4, and may raise. */
struct cnk_native_owner {
  /* False for an item that is not its own: Lua's function runs it. cnk_bind_finish must follow. */
  bool (*run)(lua_State *L, const struct cnk_start *start);
  /* As the function `gate` of struct cnk_lanes_owner; NULL: each item may start. */
  double (*gate)(lua_State *L, bool *is_for_all);
};

struct cnk_lua_lanes {
  void *self; /* see cnk_bind_self; NULL when they are closed */
  struct cnk_lanes lanes;
  struct cnk_slots slots;
  uint64_t starts;
  const struct cnk_native_owner *native; /* NULL: there is none */
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

/* Makes the value on top, which it pops, the owner of the lanes at an index, until lanes:connect sets another one. */
void cnk_bind_own_lanes(lua_State *L, int lanes, const struct cnk_native_owner *native);

/* Ends a start, which counts once; after a pause in seconds that is not NAN, the item is run again. */
void cnk_bind_finish(lua_State *L, const struct cnk_start *start, double pause);

/* Pushes a function that does so: done(pause?). Nil where there was no start. */
void cnk_bind_push_done(lua_State *L, const struct cnk_start *start);

/* Adds the value at `item` at the end of its lane, as lanes:push, or starts it in a lane that is reserved; false where that is not. */
void cnk_bind_push_item(lua_State *L, struct cnk_lua_lanes *face, int lanes, struct cnk_text key, int item,
                        bool is_background);
bool cnk_bind_start_reserved(lua_State *L, struct cnk_lua_lanes *face, int lanes, struct cnk_text key, int item);

/* Their methods, for the table on top of the stack: on items (lanes_items.c), and for owners that hold more than a lane does
 * (lanes_owner.c). */
void cnk_bind_add_item_methods(lua_State *L);
void cnk_bind_add_owner_methods(lua_State *L);

#endif
