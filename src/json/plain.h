/* SPDX-License-Identifier: MIT */
/* The bytes of a string that stand for themselves, eight at a time: texts have long runs of them. */
#ifndef CNK_JSON_PLAIN_H
#define CNK_JSON_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How many of the eight bytes at `text` come before the first that is a control character, a DEL, a quote or a backslash; or one
 * beyond ASCII, if only that is wanted. Of each sum the lowest byte with its top bit is the first such one. */
static inline unsigned cnk_plain_of_eight(const char *text, bool is_ascii)
{
  const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
  uint64_t eight;
  memcpy(&eight, text, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  eight = __builtin_bswap64(eight);
#endif
  uint64_t control = eight - ones * 0x20, removal = (eight ^ ones * 0x7F) - ones;
  uint64_t quote = (eight ^ ones * '"') - ones, backslash = (eight ^ ones * '\\') - ones;
  uint64_t found = (control | removal | quote | backslash) & ~eight & tops;
  if (is_ascii)
    found |= eight & tops;
  return found ? (unsigned)__builtin_ctzll(found) / 8 : 8;
}

/* Behind such bytes: at the first other one, or where fewer than eight are left. */
static inline const char *cnk_skip_plain(const char *at, const char *end, bool is_ascii)
{
  unsigned plain = 8;
  for (; plain == 8 && end - at >= 8; at += plain)
    plain = cnk_plain_of_eight(at, is_ascii);
  return at;
}

#endif
