/* SPDX-License-Identifier: MIT */
/* The values of a query's rows, as they lie in memory. */
#include <string.h>

#include "store/store.h"

/* A value is its kind in one byte, then its content, unaligned. */
bool cnk_value_write(struct cnk_buffer *buffer, const struct cnk_value *value)
{
  uint64_t size = value->kind == CNK_VALUE_BYTES ? value->as.bytes.size : 0;
  if (size > CNK_STORE_CALL_BYTES_MAX || buffer->size + size > CNK_STORE_CALL_BYTES_MAX ||
      !cnk_buffer_grow(buffer, size + 1 + sizeof(uint64_t)))
    return false;
  char *to = buffer->data + buffer->size;
  *to++ = (char)value->kind;
  if (value->kind == CNK_VALUE_BYTES) {
    memcpy(to, &size, sizeof size);
    to += sizeof size;
    if (size)
      memcpy(to, value->as.bytes.data, size);
    to += size;
  } else if (value->kind != CNK_VALUE_NULL) {
    memcpy(to, &value->as, sizeof(uint64_t));
    to += sizeof(uint64_t);
  }
  buffer->size = (size_t)(to - buffer->data);
  return true;
}

struct cnk_value cnk_value_read(const struct cnk_buffer *buffer, size_t *at)
{
  struct cnk_value value = {0};
  const char *from = buffer->data + *at;
  value.kind = (enum cnk_value_kind) * from++;
  if (value.kind == CNK_VALUE_BYTES) {
    uint64_t size;
    memcpy(&size, from, sizeof size);
    from += sizeof size;
    value.as.bytes = (struct cnk_text){.data = from, .size = size};
    from += size;
  } else if (value.kind != CNK_VALUE_NULL) {
    memcpy(&value.as, from, sizeof(uint64_t));
    from += sizeof(uint64_t);
  }
  *at = (size_t)(from - buffer->data);
  return value;
}
