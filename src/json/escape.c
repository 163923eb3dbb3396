/* SPDX-License-Identifier: MIT */
/* Escapes; see escape.h for the contract. */
#include "json/escape.h"

#include <string.h>

#include "json/plain.h"

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

/* ---- writing ------------------------------------------------------------------------------------------------------- */

/* The letter of a byte's short escape, 'u' where it has none, 0 where it needs none. */
static const char escapes[256] = {
    'u',         'u',           'u',        'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u', /* to 15 */
    'u',         'u',           'u',        'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', /* to 31 */
    ['"'] = '"', ['\\'] = '\\', [127] = 'u'};

static char *write_escape(char *out, unsigned char byte, char letter)
{
  static const char hex[] = "0123456789abcdef";
  *out++ = '\\';
  *out++ = letter;
  if (letter == 'u') {
    *out++ = '0';
    *out++ = '0';
    *out++ = hex[byte >> 4];
    *out++ = hex[byte & 15];
  }
  return out;
}

static char *write_byte(char *out, char byte)
{
  char letter = escapes[(unsigned char)byte];
  if (letter)
    return write_escape(out, (unsigned char)byte, letter);
  *out = byte;
  return out + 1;
}

bool cnk_escape_write(struct cnk_buffer *out, const char *text, size_t size)
{
  static const size_t most = 4096; /* bytes at a time, each of which may need six */
  for (const char *end = text + size; text < end;) {
    const char *stop = (size_t)(end - text) > most ? text + most : end;
    size_t room = 6 * (size_t)(stop - text);
    if (out->room - out->size < room && !cnk_buffer_grow(out, room))
      return false;
    char *to = out->data + out->size;
    while (stop - text >= 8) {
      unsigned plain = cnk_plain_of_eight(text, false);
      memcpy(to, text, 8);
      to += plain;
      text += plain;
      if (plain < 8)
        to = write_byte(to, *text++);
    }
    while (text < stop)
      to = write_byte(to, *text++);
    out->size = (size_t)(to - out->data);
  }
  return true;
}
