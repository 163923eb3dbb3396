/* SPDX-License-Identifier: MIT */
/* Requests: how statements, parameters and rows lie in memory; see request.h for the contract. */
#include "store/sqlite/request.h"

#include <stdlib.h>
#include <string.h>

/* Most requests are one event: a few hundred bytes. What a large one needed goes back to the system. */
enum { KEPT_BYTES = 16384, KEPT_STATEMENTS = 64 };

static bool reserve(struct cnk_buffer *buffer, size_t more)
{
  if (more > CNK_STORE_REQUEST_BYTES_MAX || buffer->size + more > CNK_STORE_REQUEST_BYTES_MAX)
    return false;
  return cnk_buffer_grow(buffer, more);
}

struct cnk_store_request *cnk_store_request_new(void)
{
  return calloc(1, sizeof(struct cnk_store_request));
}

void cnk_store_request_free(struct cnk_store_request *request)
{
  if (!request)
    return;
  free(request->input.data);
  free(request->output.data);
  free(request->statements);
  free(request);
}

void cnk_store_request_reset(struct cnk_store_request *request)
{
  cnk_buffer_reset(&request->input, KEPT_BYTES);
  cnk_buffer_reset(&request->output, KEPT_BYTES);
  request->count = 0;
  if (request->capacity > KEPT_STATEMENTS) {
    free(request->statements);
    request->statements = NULL;
    request->capacity = 0;
  }
  request->status = 0;
  request->message[0] = '\0';
}

static bool grow_statements(struct cnk_store_request *request)
{
  size_t capacity = request->capacity ? request->capacity * 2 : 4;
  struct cnk_statement *statements = realloc(request->statements, capacity * sizeof *statements);
  if (!statements)
    return false;
  request->statements = statements;
  request->capacity = capacity;
  return true;
}

bool cnk_store_request_statement(struct cnk_store_request *request, unsigned sql, unsigned flags, uint32_t rows_max)
{
  if (request->count == CNK_STORE_REQUEST_STATEMENTS_MAX ||
      (request->count == request->capacity && !grow_statements(request)))
    return false;
  request->statements[request->count++] = (struct cnk_statement){
      .sql = (uint16_t)sql, .flags = (uint8_t)flags, .rows_max = rows_max, .input = request->input.size};
  return true;
}

/* A value is its kind in one byte, then its content, unaligned. */
bool cnk_value_write(struct cnk_buffer *buffer, const struct cnk_value *value)
{
  size_t size = value->kind == CNK_VALUE_BYTES ? value->as.bytes.size : 0;
  if (!reserve(buffer, size) || !reserve(buffer, size + 1 + sizeof(uint64_t)))
    return false;
  char *to = buffer->data + buffer->size;
  *to++ = (char)value->kind;
  switch (value->kind) {
  case CNK_VALUE_NULL: break;
  case CNK_VALUE_INTEGER:
  case CNK_VALUE_REAL:
  case CNK_VALUE_REF:
    memcpy(to, &value->as, sizeof(uint64_t));
    to += sizeof(uint64_t);
    break;
  case CNK_VALUE_BYTES: {
    uint64_t length = size;
    memcpy(to, &length, sizeof length);
    to += sizeof length;
    if (size)
      memcpy(to, value->as.bytes.data, size);
    to += size;
    break;
  }
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
    uint64_t length;
    memcpy(&length, from, sizeof length);
    from += sizeof length;
    value.as.bytes.data = from;
    value.as.bytes.size = length;
    from += length;
  } else if (value.kind != CNK_VALUE_NULL) {
    memcpy(&value.as, from, sizeof(uint64_t));
    from += sizeof(uint64_t);
  }
  *at = (size_t)(from - buffer->data);
  return value;
}

static bool add(struct cnk_store_request *request, const struct cnk_value *value)
{
  if (!request->count || !cnk_value_write(&request->input, value))
    return false;
  request->statements[request->count - 1].parameters++;
  return true;
}

bool cnk_store_request_null(struct cnk_store_request *request)
{
  return add(request, &(struct cnk_value){.kind = CNK_VALUE_NULL});
}

bool cnk_store_request_integer(struct cnk_store_request *request, int64_t value)
{
  return add(request, &(struct cnk_value){.kind = CNK_VALUE_INTEGER, .as.integer = value});
}

bool cnk_store_request_real(struct cnk_store_request *request, double value)
{
  return add(request, &(struct cnk_value){.kind = CNK_VALUE_REAL, .as.real = value});
}

bool cnk_store_request_bytes(struct cnk_store_request *request, const char *data, size_t size)
{
  return add(request, &(struct cnk_value){
                          .kind = CNK_VALUE_BYTES, .as.bytes = {.data = data, .size = size}
  });
}

bool cnk_store_request_ref(struct cnk_store_request *request, size_t statement, enum cnk_ref_kind kind)
{
  if (!request->count || statement >= request->count - 1)
    return false;
  if (kind == CNK_REF_VALUE)
    request->statements[statement].flags |= CNK_STATEMENT_ROWS;
  struct cnk_value value = {.kind = CNK_VALUE_REF};
  value.as.ref.statement = (uint16_t)statement;
  value.as.ref.kind = (uint16_t)kind;
  return add(request, &value);
}
