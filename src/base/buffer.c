/* SPDX-License-Identifier: MIT */
/* A run of bytes that grows; see buffer.h. */
#include "base/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

bool cnk_buffer_add(struct cnk_buffer *buffer, const void *data, size_t size)
{
  if (size > buffer->room - buffer->size && !cnk_buffer_grow(buffer, size))
    return false;
  if (size > 0)
    memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
  return true;
}

void cnk_buffer_reset(struct cnk_buffer *buffer, size_t keep)
{
  buffer->size = 0;
  if (buffer->room > keep) {
    free(buffer->data);
    *buffer = (struct cnk_buffer){0};
  }
}
