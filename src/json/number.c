/* SPDX-License-Identifier: MIT */
/* Whole numbers; see number.h. */
#include "json/number.h"

#include <math.h>

#include "json/digits.h"

bool cnk_node_integer(const struct cnk_node *integer, int64_t *value)
{
  const char *at = integer->text, *end = at + integer->size;
  bool is_negative = *at == '-';
  uint64_t sum = 0, most = (uint64_t)INT64_MAX + is_negative;
  for (at += is_negative; at < end; at++) {
    unsigned digit = (unsigned)(*at - '0');
    if (sum > (most - digit) / 10)
      return false;
    sum = sum * 10 + digit;
  }
  *value = (int64_t)(is_negative ? 0 - sum : sum);
  return true;
}

/* 2^63, the first whole number that is too large. */
#define BEYOND 9223372036854775808.0

bool cnk_node_whole(const struct cnk_node *node, int64_t *value)
{
  if (cnk_node_is(node, CNK_NODE_INTEGER))
    return cnk_node_integer(node, value);
  if (!cnk_node_is(node, CNK_NODE_FLOAT))
    return false;
  double real = cnk_number_read(node->text, node->size);
  if (!(fabs(real) < BEYOND) || real != floor(real))
    return false;
  *value = (int64_t)real;
  return true;
}
