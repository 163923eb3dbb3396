/* SPDX-License-Identifier: MIT */
/*
 * A run of bytes that grows. It has no limit of its own: whoever fills it checks the size against a maximum first.
 * A buffer of zeros is empty and valid. Whoever holds the struct owns the bytes.
 */
#ifndef CNK_BUFFER_H
#define CNK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct cnk_buffer {
  char *data;
  size_t size, room;
};

/* Makes room for `size` bytes in all. False when memory is out; the buffer is unchanged then. */
bool cnk_buffer_reserve(struct cnk_buffer *buffer, size_t size);

/* Makes room for `more` bytes behind those that are there, and for some beyond, so that adding many small pieces copies
 * seldom. False when memory is out; the buffer is unchanged then. */
bool cnk_buffer_grow(struct cnk_buffer *buffer, size_t more);

/* Copies `size` bytes to the end. False when memory is out; the buffer is unchanged then. */
bool cnk_buffer_add(struct cnk_buffer *buffer, const void *data, size_t size);

/* Empties it, and gives the memory back when it holds room for more than `keep` bytes. */
void cnk_buffer_reset(struct cnk_buffer *buffer, size_t keep);

#endif
