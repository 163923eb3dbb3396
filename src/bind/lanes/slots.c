/* SPDX-License-Identifier: MIT */
/* Slots come in chunks, which stay where they are; see slots.h. */
#include "bind/lanes/slots.h"

#include <stdlib.h>
#include <string.h>

#define PER_CHUNK 64

/* So many chunks are kept when no slot is in use. */
#define MOST_IDLE 16

void cnk_slots_init(struct cnk_slots *slots)
{
  memset(slots, 0, sizeof *slots);
  cnk_list_init(&slots->idle);
}

static void add_idle(struct cnk_slots *slots, struct cnk_slot *chunk)
{
  for (size_t i = 0; i < PER_CHUNK; i++)
    cnk_list_add(&slots->idle, &chunk[i].item.link);
}

/* None is in use: keeps so many chunks. */
static void shrink(struct cnk_slots *slots, size_t chunks)
{
  while (slots->chunk_count > chunks)
    free(slots->chunks[--slots->chunk_count]);
  cnk_list_init(&slots->idle);
  for (size_t i = 0; i < slots->chunk_count; i++)
    add_idle(slots, slots->chunks[i]);
}

void cnk_slots_deinit(struct cnk_slots *slots)
{
  shrink(slots, 0);
  free(slots->chunks);
  slots->chunks = NULL;
  slots->chunk_room = 0;
}

static bool make_room(struct cnk_slots *slots)
{
  if (slots->chunk_count < slots->chunk_room)
    return true;
  size_t room = slots->chunk_room > 0 ? slots->chunk_room * 2 : MOST_IDLE;
  struct cnk_slot **chunks = realloc(slots->chunks, room * sizeof(struct cnk_slot *));
  if (!chunks)
    return false;
  slots->chunks = chunks;
  slots->chunk_room = room;
  return true;
}

static bool grow(struct cnk_slots *slots)
{
  if (!make_room(slots))
    return false;
  struct cnk_slot *chunk = calloc(PER_CHUNK, sizeof(struct cnk_slot));
  if (!chunk)
    return false;
  for (size_t i = 0; i < PER_CHUNK; i++)
    chunk[i].number = slots->chunk_count * PER_CHUNK + i;
  slots->chunks[slots->chunk_count++] = chunk;
  add_idle(slots, chunk);
  return true;
}

struct cnk_slot *cnk_slots_take(lua_State *L, struct cnk_slots *slots, int lanes, int value)
{
  if (slots->used == 0 && slots->chunk_count > MOST_IDLE) {
    lua_newtable(L);
    lua_setiuservalue(L, lanes, 1);
    shrink(slots, MOST_IDLE);
  }
  if (cnk_list_is_empty(&slots->idle) && !grow(slots))
    return NULL;
  struct cnk_slot *slot = cnk_slot_of(CNK_OWNER(cnk_list_first(&slots->idle), struct cnk_lane_item, link));
  lua_getiuservalue(L, lanes, 1);
  lua_pushvalue(L, value);
  lua_rawseti(L, -2, (lua_Integer)slot->number + 1); /* may raise: before it is taken */
  lua_pop(L, 1);
  cnk_list_remove(&slot->item.link);
  slot->item.lane = NULL;
  slot->start = 0;
  slots->used++;
  return slot;
}

void cnk_slots_push(lua_State *L, const struct cnk_slot *slot, int lanes)
{
  lua_getiuservalue(L, lanes, 1);
  lua_rawgeti(L, -1, (lua_Integer)slot->number + 1);
  lua_remove(L, -2);
}

/* The last one is the first to be used again. Its place in the table is there, so this takes no memory. */
void cnk_slots_drop(lua_State *L, struct cnk_slots *slots, struct cnk_slot *slot, int lanes)
{
  lua_getiuservalue(L, lanes, 1);
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, (lua_Integer)slot->number + 1);
  lua_pop(L, 1);
  slot->start = 0;
  cnk_list_add_first(&slots->idle, &slot->item.link);
  slots->used--;
}

struct cnk_slot *cnk_slots_at(const struct cnk_slots *slots, size_t number)
{
  bool is_there = number / PER_CHUNK < slots->chunk_count;
  return is_there ? &slots->chunks[number / PER_CHUNK][number % PER_CHUNK] : NULL;
}
