/* SPDX-License-Identifier: MIT */
/* Well-formed UTF-8; see utf8.h for the contract. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

size_t cnk_utf8_length(const char *text, size_t left, size_t *bad)
{
  const unsigned char *at = (const unsigned char *)text;
  unsigned char lead = at[0], low = 0x80, high = 0xBF; /* the range of the second byte */
  size_t length;
  *bad = 1;
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return 0;
  }
  for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
    if (i >= left || at[i] < low || at[i] > high) {
      *bad = i;
      return 0;
    }
  }
  return length;
}

size_t cnk_utf8_good(const char *text, size_t length)
{
  size_t at = 0;
  while (at < length) {
    uint64_t eight;
    if (length - at >= sizeof eight) {
      memcpy(&eight, text + at, sizeof eight);
      if (!(eight & UINT64_C(0x8080808080808080))) {
        at += sizeof eight;
        continue;
      }
    }
    size_t bad, one = cnk_utf8_length(text + at, length - at, &bad);
    if (one == 0)
      return at;
    at += one;
  }
  return at;
}

size_t cnk_utf8_write(long code, char *out)
{
  static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; i--, code >>= 6)
    out[i] = (char)(0x80 | (code & 0x3F));
  out[0] = (char)(leads[length] | code);
  return length;
}
