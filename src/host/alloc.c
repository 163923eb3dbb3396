/* SPDX-License-Identifier: MIT */
/*
 * Free lists by size, cut from chunks. Lua says how large a block is when it gives it back, so blocks need no header,
 * and a block is found or returned in a few instructions. Under load an event makes some hundred small objects, and
 * the general allocator took a third of the host's time to merge and split what the collector had freed.
 *
 * Chunks are cut from one region of addresses, which stay with the state. Larger blocks, all that finds no room in the
 * region, and everything under a sanitizer, are the general allocator's: so what a runaway script has taken goes back to
 * the system when it is collected.
 *
 * Bytes are counted where chunks and larger blocks are taken; the free lists' blocks count as taken.
 */
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bind/budget.h"
#include "host/stop.h"

/* Up to SMALL in steps of STEP, a coroutine's first stack among them; beyond, seven sizes up to MOST: what stacks and
 * tables grow to, and what the collector leaves of the stacks of dialogs that wait. */
enum { STEP = 16, SMALL = 576, MOST = 3072, CHUNK = 64 * 1024 };
/* Enough for some 100,000 waiting events; untouched pages cost nothing. */
#define REGION ((size_t)32 * 1024 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define IS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_CHECKED 1
#endif
#endif

/* ---- the general allocator --------------------------------------------------------------------------------------- */

/* Sizes are those of the block's class; 0: there was none. */
static void *system_resize(struct cnk_pool *pool, void *block, size_t old_size, size_t new_size)
{
  if (new_size > old_size && !cnk_stop_may_grow(pool->meter, new_size - old_size))
    return NULL;
  void *moved = realloc(block, new_size);
  if (moved)
    pool->meter->held += new_size - old_size;
  return moved;
}

static void system_free(struct cnk_pool *pool, void *block, size_t size)
{
  pool->meter->held -= size;
  free(block);
}

#ifdef IS_CHECKED

void *cnk_pool_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
  struct cnk_pool *pool = context;
  if (new_size > 0)
    return system_resize(pool, block, block ? old_size : 0, new_size);
  if (block)
    system_free(pool, block, old_size);
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

/* A chunk of the region, if there is room. */
static bool add_chunk(struct cnk_pool *pool)
{
  if ((size_t)(pool->region_end - pool->region_next) < CHUNK || !cnk_stop_may_grow(pool->meter, CHUNK))
    return false;
  use_up(pool);
  pool->fresh = pool->region_next;
  pool->fresh_end = pool->region_next += CHUNK;
  pool->meter->held += CHUNK;
  return true;
}

static void *cut(struct cnk_pool *pool, size_t room)
{
  if ((size_t)(pool->fresh_end - pool->fresh) < room && !add_chunk(pool))
    return system_resize(pool, NULL, 0, room);
  void *block = pool->fresh;
  pool->fresh += room;
  return block;
}

static void *take(struct cnk_pool *pool, size_t size)
{
  if (size > MOST)
    return system_resize(pool, NULL, 0, size);
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

static bool is_in_region(const struct cnk_pool *pool, const char *block)
{
  return block >= pool->region && block < pool->region_end;
}

static void give_back(struct cnk_pool *pool, void *block, size_t size)
{
  if (size > MOST) {
    system_free(pool, block, size);
    return;
  }
  size_t room;
  unsigned class = class_of(size, &room);
  if (!is_in_region(pool, block)) {
    system_free(pool, block, room);
    return;
  }
  *(void **)block = pool->free[class];
  pool->free[class] = block;
}

static void *resize(struct cnk_pool *pool, void *block, size_t old_size, size_t new_size)
{
  size_t old_room, new_room;
  if (old_size > MOST && new_size > MOST)
    return system_resize(pool, block, old_size, new_size);
  if (old_size <= MOST && new_size <= MOST && class_of(old_size, &old_room) == class_of(new_size, &new_room))
    return block;
  void *moved = take(pool, new_size);
  if (!moved) /* Lua counts on blocks that shrink; this one goes to a smaller class later */
    return new_size < old_size ? block : NULL;
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

void cnk_pool_init(struct cnk_pool *pool)
{
  *pool = (struct cnk_pool){.meter = cnk_meter()};
#ifndef IS_CHECKED
  void *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region != MAP_FAILED) {
    pool->region = pool->region_next = region;
    pool->region_end = pool->region + REGION;
  }
#endif
}

void cnk_pool_deinit(struct cnk_pool *pool)
{
  if (pool->region)
    munmap(pool->region, REGION);
  *pool = (struct cnk_pool){0};
}
