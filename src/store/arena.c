/* SPDX-License-Identifier: MIT */
/* Blocks in a list, each filled from its beginning; see arena.h for the contract. */
#include "store/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 2048 };

struct cnk_arena_block {
  struct cnk_arena_block *older;
  size_t room;
  max_align_t data[];
};

static struct cnk_arena_block *add_block(struct cnk_arena *arena, size_t size)
{
  size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
  if (room > SIZE_MAX - sizeof(struct cnk_arena_block))
    return NULL;
  struct cnk_arena_block *block = malloc(sizeof *block + room);
  if (!block)
    return NULL;
  block->older = arena->blocks;
  block->room = room;
  arena->blocks = block;
  arena->used = 0;
  return block;
}

static void *take(struct cnk_arena *arena, size_t size)
{
  const size_t unit = sizeof(max_align_t);
  if (size > SIZE_MAX - unit)
    return NULL;
  size = (size + unit - 1) / unit * unit;
  struct cnk_arena_block *block = arena->blocks;
  if ((!block || block->room - arena->used < size) && !(block = add_block(arena, size)))
    return NULL;
  void *taken = (char *)block->data + arena->used;
  arena->used += size;
  arena->total += size;
  return taken;
}

void *cnk_arena_take(struct cnk_arena *arena, size_t size)
{
  void *taken = take(arena, size);
  return taken ? memset(taken, 0, size) : NULL;
}

bool cnk_arena_copy(struct cnk_arena *arena, struct cnk_text from, struct cnk_text *to)
{
  *to = (struct cnk_text){0};
  if (!from.data)
    return true;
  char *data = take(arena, from.size ? from.size : 1);
  if (!data)
    return false;
  memcpy(data, from.data, from.size);
  *to = (struct cnk_text){.data = data, .size = from.size};
  return true;
}

void cnk_arena_reset(struct cnk_arena *arena)
{
  struct cnk_arena_block *block = arena->blocks;
  while (block && (block->older || block->room > BLOCK_BYTES)) {
    struct cnk_arena_block *older = block->older;
    free(block);
    block = older;
  }
  *arena = (struct cnk_arena){.blocks = block};
}

void cnk_arena_free(struct cnk_arena *arena)
{
  cnk_arena_reset(arena);
  free(arena->blocks);
  *arena = (struct cnk_arena){0};
}
