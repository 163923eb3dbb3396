/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given back all at once: for what belongs to one request, whatever it holds. An arena of zeros is empty
 * and valid. Whoever holds the struct owns the memory; nothing here locks.
 */
#ifndef CNK_ARENA_H
#define CNK_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct cnk_arena_block;

struct cnk_arena {
  struct cnk_arena_block *blocks; /* the newest first; the last one is kept by a reset */
  size_t used;                    /* in the newest */
  size_t total;                   /* bytes given out since the last reset */
};

/* Zeroed bytes, aligned for any object. NULL when memory is out. */
void *cnk_arena_take(struct cnk_arena *arena, size_t size);

/* A copy of a text; no text gives no text. False when memory is out. */
bool cnk_arena_copy(struct cnk_arena *arena, struct cnk_text from, struct cnk_text *to);

/* Everything that was given out is void; keeps one small block for the next use. */
void cnk_arena_reset(struct cnk_arena *arena);
void cnk_arena_free(struct cnk_arena *arena);

#endif
