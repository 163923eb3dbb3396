/* SPDX-License-Identifier: MIT */
/* A run of bytes that grows; see buffer.h. */
#include "base/buffer.h"

#include <stdint.h>
#include <stdlib.h>

bool cnk_buffer_reserve(struct cnk_buffer *buffer, size_t size)
{
  if (size <= buffer->room)
    return true;
  char *data = realloc(buffer->data, size);
  if (!data)
    return false;
  buffer->data = data;
  buffer->room = size;
  return true;
}

bool cnk_buffer_grow(struct cnk_buffer *buffer, size_t more)
{
  if (more > SIZE_MAX / 2 - buffer->size)
    return false;
  size_t need = buffer->size + more, room = buffer->room < 256 ? 256 : buffer->room;
  if (need <= buffer->room)
    return true;
  while (room < need)
    room += room / 2;
  return cnk_buffer_reserve(buffer, room);
}

void cnk_buffer_reset(struct cnk_buffer *buffer, size_t keep)
{
  buffer->size = 0;
  if (buffer->room > keep) {
    free(buffer->data);
    *buffer = (struct cnk_buffer){0};
  }
}
