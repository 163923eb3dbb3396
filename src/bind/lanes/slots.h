/* SPDX-License-Identifier: MIT */
/*
 * Items of lanes whose owner is Lua: each holds a Lua value, which is in a table of the lanes under the number of its slot. The
 * table keeps it alive, and goes with the lanes. Slots are reused; after a burst most of them are given back.
 */
#ifndef CNK_BIND_SLOTS_H
#define CNK_BIND_SLOTS_H

#include "bind/bind.h"
#include "engine/lanes.h"

struct cnk_slot {
  struct cnk_lane_item item;
  uint64_t start; /* the number of its running start; 0: it does not run */
  size_t number;  /* from 0 */
};

struct cnk_slots {
  struct cnk_list idle;
  struct cnk_slot **chunks;
  size_t chunk_count, chunk_room, used;
};

void cnk_slots_init(struct cnk_slots *slots);
void cnk_slots_deinit(struct cnk_slots *slots);

/* The slot for the value at `value`, for the lanes at `lanes`, whose first user value is the table. NULL when there is no memory;
 * may raise, too, and has taken none then. */
struct cnk_slot *cnk_slots_take(lua_State *L, struct cnk_slots *slots, int lanes, int value);

/* Pushes what is in a slot. */
void cnk_slots_push(lua_State *L, const struct cnk_slot *slot, int lanes);

/* Gives a slot back, whose item is in no lane. */
void cnk_slots_drop(lua_State *L, struct cnk_slots *slots, struct cnk_slot *slot, int lanes);

/* NULL when there is none of this number now. */
struct cnk_slot *cnk_slots_at(const struct cnk_slots *slots, size_t number);

static inline struct cnk_slot *cnk_slot_of(const struct cnk_lane_item *item)
{
  return CNK_OWNER(item, struct cnk_slot, item);
}

#endif
