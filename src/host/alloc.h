/* SPDX-License-Identifier: MIT */
/* Memory for the host's Lua state, of which almost all is small and short-lived. */
#ifndef CNK_HOST_ALLOC_H
#define CNK_HOST_ALLOC_H

#include <stddef.h>

/* A lua_Alloc; `pool` is a struct cnk_pool. */
void *cnk_pool_alloc(void *pool, void *block, size_t old_size, size_t new_size);

/* One list of free blocks for each size class; see alloc.c. */
#define CNK_POOL_CLASSES 43

struct cnk_pool {
  void *free[CNK_POOL_CLASSES];
  char *fresh, *fresh_end;
  char *region, *region_next, *region_end; /* chunks are cut from it in turn; NULL: there is none */
  struct cnk_meter *meter;                 /* counts the bytes, and is asked before they grow; see stop.h */
};

/* For the thread that calls it. */
void cnk_pool_init(struct cnk_pool *pool);

/* Gives everything back to the system. */
void cnk_pool_deinit(struct cnk_pool *pool);

#endif
