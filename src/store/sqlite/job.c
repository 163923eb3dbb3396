/* SPDX-License-Identifier: MIT */
/* Jobs: how statements, parameters and rows lie in memory; see job.h for the contract. */
#include "store/sqlite/job.h"

#include <stdlib.h>
#include <string.h>

/* Most jobs are one event: a few hundred bytes. What a large one needed goes back to the system. */
enum { KEPT_BYTES = 16384, KEPT_STATEMENTS = 64 };

static bool reserve(struct cnk_buffer *buffer, size_t more)
{
  if (more > CNK_JOB_BYTES_MAX || buffer->size + more > CNK_JOB_BYTES_MAX)
    return false;
  return cnk_buffer_grow(buffer, more);
}

struct cnk_job *cnk_job_new(void)
{
  return calloc(1, sizeof(struct cnk_job));
}

void cnk_job_free(struct cnk_job *job)
{
  if (!job)
    return;
  free(job->input.data);
  free(job->output.data);
  free(job->statements);
  free(job);
}

void cnk_job_reset(struct cnk_job *job)
{
  cnk_buffer_reset(&job->input, KEPT_BYTES);
  cnk_buffer_reset(&job->output, KEPT_BYTES);
  job->count = 0;
  if (job->capacity > KEPT_STATEMENTS) {
    free(job->statements);
    job->statements = NULL;
    job->capacity = 0;
  }
  job->status = 0;
  job->message[0] = '\0';
}

static bool grow_statements(struct cnk_job *job)
{
  size_t capacity = job->capacity ? job->capacity * 2 : 4;
  struct cnk_statement *statements = realloc(job->statements, capacity * sizeof *statements);
  if (!statements)
    return false;
  job->statements = statements;
  job->capacity = capacity;
  return true;
}

bool cnk_job_statement(struct cnk_job *job, unsigned sql, unsigned flags, uint32_t rows_max)
{
  if (job->count == CNK_JOB_STATEMENTS_MAX || (job->count == job->capacity && !grow_statements(job)))
    return false;
  job->statements[job->count++] = (struct cnk_statement){
      .sql = (uint16_t)sql, .flags = (uint8_t)flags, .rows_max = rows_max, .input = job->input.size};
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

static bool add(struct cnk_job *job, const struct cnk_value *value)
{
  if (!job->count || !cnk_value_write(&job->input, value))
    return false;
  job->statements[job->count - 1].parameters++;
  return true;
}

bool cnk_job_null(struct cnk_job *job)
{
  return add(job, &(struct cnk_value){.kind = CNK_VALUE_NULL});
}

bool cnk_job_integer(struct cnk_job *job, int64_t value)
{
  return add(job, &(struct cnk_value){.kind = CNK_VALUE_INTEGER, .as.integer = value});
}

bool cnk_job_real(struct cnk_job *job, double value)
{
  return add(job, &(struct cnk_value){.kind = CNK_VALUE_REAL, .as.real = value});
}

bool cnk_job_bytes(struct cnk_job *job, const char *data, size_t size)
{
  return add(job, &(struct cnk_value){
                      .kind = CNK_VALUE_BYTES, .as.bytes = {.data = data, .size = size}
  });
}

bool cnk_job_ref(struct cnk_job *job, size_t statement, enum cnk_ref_kind kind)
{
  if (!job->count || statement >= job->count - 1)
    return false;
  if (kind == CNK_REF_VALUE)
    job->statements[statement].flags |= CNK_STATEMENT_ROWS;
  struct cnk_value value = {.kind = CNK_VALUE_REF};
  value.as.ref.statement = (uint16_t)statement;
  value.as.ref.kind = (uint16_t)kind;
  return add(job, &value);
}
