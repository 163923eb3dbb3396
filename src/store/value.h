/* SPDX-License-Identifier: MIT */
/* A value of a row, or of a parameter, and rows of them in memory. */
#ifndef CNK_STORE_VALUE_H
#define CNK_STORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

enum cnk_value_kind { CNK_VALUE_NULL, CNK_VALUE_INTEGER, CNK_VALUE_REAL, CNK_VALUE_BYTES };
struct cnk_value {
  enum cnk_value_kind kind;
  union {
    int64_t integer;
    double real;
    struct cnk_text bytes;
  } as;
};

/* Reads the value at `at` of a query's rows, and moves `at` behind it. */
struct cnk_value cnk_value_read(const struct cnk_buffer *buffer, size_t *at);
/* Appends a value; false without memory, or beyond CNK_STORE_CALL_BYTES_MAX. */
bool cnk_value_write(struct cnk_buffer *buffer, const struct cnk_value *value);

#endif
