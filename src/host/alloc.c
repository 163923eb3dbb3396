/* SPDX-License-Identifier: MIT */
/*
 * Free lists by size, cut from chunks. Lua says how large a block is when it gives it back, so blocks need no header,
 * and a block is found or returned in a few instructions. Under load an event makes some hundred small objects, and
 * the general allocator took a third of the host's time to merge and split what the collector had freed.
 *
 * Chunks stay until the state is closed, as the general allocator would keep most of them, too. Larger blocks, and
 * everything under a sanitizer, are the general allocator's.
 */
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Up to SMALL in steps of STEP, a coroutine's first stack among them; beyond, seven sizes up to MOST: what stacks and
 * tables grow to, and what the collector leaves of the stacks of dialogs that wait. */
enum { STEP = 16, SMALL = 576, MOST = 3072, CHUNK = 64 * 1024 };

#if defined(__SANITIZE_ADDRESS__)
#define IS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_CHECKED 1
#endif
#endif

#ifdef IS_CHECKED

void *cnk_pool_alloc(void *pool, void *block, size_t old_size, size_t new_size)
{
  (void)pool, (void)old_size;
  if (new_size > 0)
    return realloc(block, new_size);
  free(block);
  return NULL;
}

#else

static const size_t large[] = {768, 1024, 1280, 1536, 2048, 2560, MOST};

/* The class of a size from 1 to MOST, and the size of its blocks. */
static unsigned class_of(size_t size, size_t *room)
{
  if (size <= SMALL) {
    unsigned class = (unsigned)((size - 1) / STEP);
    *room = ((size_t) class + 1) * STEP;
    return class;
  }
  unsigned i = 0;
  while (size > large[i])
    i++;
  *room = large[i];
  return SMALL / STEP + i;
}

/* The rest of a chunk that is too short for a block goes to the lists of those that fit. */
static void use_up(struct cnk_pool *pool)
{
  while (pool->fresh_end - pool->fresh >= STEP) {
    size_t left = (size_t)(pool->fresh_end - pool->fresh), room;
    if (left > SMALL)
      left = SMALL;
    unsigned class = class_of(left / STEP * STEP, &room);
    void *block = pool->fresh;
    *(void **)block = pool->free[class];
    pool->free[class] = block;
    pool->fresh += room;
  }
}

static void *cut(struct cnk_pool *pool, size_t room)
{
  if ((size_t)(pool->fresh_end - pool->fresh) < room) {
    char *chunk = malloc(CHUNK);
    if (!chunk)
      return NULL;
    use_up(pool);
    *(void **)chunk = pool->chunks;
    pool->chunks = chunk;
    pool->fresh = chunk + STEP;
    pool->fresh_end = chunk + CHUNK;
  }
  void *block = pool->fresh;
  pool->fresh += room;
  return block;
}

static void *take(struct cnk_pool *pool, size_t size)
{
  if (size > MOST)
    return malloc(size);
  size_t room;
  unsigned class = class_of(size, &room);
  void *block = pool->free[class];
  if (!block)
    return cut(pool, room);
  pool->free[class] = *(void **)block;
  /* It was freed some megabytes ago, and will be needed soon. */
  __builtin_prefetch(pool->free[class], 1);
  return block;
}

static void give_back(struct cnk_pool *pool, void *block, size_t size)
{
  if (size > MOST) {
    free(block);
    return;
  }
  size_t room;
  unsigned class = class_of(size, &room);
  *(void **)block = pool->free[class];
  pool->free[class] = block;
}

static void *resize(struct cnk_pool *pool, void *block, size_t old_size, size_t new_size)
{
  size_t old_room, new_room;
  if (old_size > MOST && new_size > MOST)
    return realloc(block, new_size);
  if (old_size <= MOST && new_size <= MOST && class_of(old_size, &old_room) == class_of(new_size, &new_room))
    return block;
  void *moved = take(pool, new_size);
  if (!moved)
    return NULL;
  memcpy(moved, block, old_size < new_size ? old_size : new_size);
  give_back(pool, block, old_size);
  return moved;
}

void *cnk_pool_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
  struct cnk_pool *pool = context;
  if (!block) /* then the old size is not a size: it says what kind of object the block is for */
    return new_size > 0 ? take(pool, new_size) : NULL;
  if (new_size > 0)
    return resize(pool, block, old_size, new_size);
  give_back(pool, block, old_size);
  return NULL;
}

#endif

void cnk_pool_deinit(struct cnk_pool *pool)
{
  while (pool->chunks) {
    void *chunk = pool->chunks;
    pool->chunks = *(void **)chunk;
    free(chunk);
  }
  *pool = (struct cnk_pool){0};
}
