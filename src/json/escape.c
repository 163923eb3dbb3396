/* SPDX-License-Identifier: MIT */
/* Escapes; see escape.h for the contract. */
#include "json/escape.h"

#include <string.h>

/* Four hexadecimal digits, or -1. */
static long read_hex4(const char *at)
{
  long value = 0;
  for (int i = 0; i < 4; i++) {
    char c = at[i], letter = (char)(c | 0x20);
    if (c >= '0' && c <= '9')
      value = value * 16 + (c - '0');
    else if (letter >= 'a' && letter <= 'f')
      value = value * 16 + (letter - 'a' + 10);
    else
      return -1;
  }
  return value;
}

/* At \u. A surrogate counts only as the first of a pair. */
static long read_code(const char *at, size_t *size)
{
  long code = read_hex4(at + 2);
  if (code < 0)
    return CNK_ESCAPE_SHORT;
  *size = 6;
  if (code < 0xD800 || code > 0xDFFF)
    return code;
  long second = code < 0xDC00 && at[6] == '\\' && at[7] == 'u' ? read_hex4(at + 8) : -1;
  if (second < 0xDC00 || second > 0xDFFF)
    return CNK_ESCAPE_LONE;
  *size = 12;
  return 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
}

long cnk_escape_read(const char *at, size_t *size)
{
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (at[1] == 'u')
    return read_code(at, size);
  const char *letter = at[1] == '\0' ? NULL : strchr(letters, at[1]);
  if (!letter)
    return CNK_ESCAPE_UNKNOWN;
  *size = 2;
  return meant[letter - letters];
}
