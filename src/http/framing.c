/* SPDX-License-Identifier: MIT */
/* Names and values of header fields; see framing.h. */
#include "http/framing.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool is_control(unsigned char c)
{
  return c < 0x20 || c == 0x7f;
}

/* The characters of tokens: letters, digits, and !#$%&'*+-.^_`|~ by sixteen from 0x20 on. */
/* clang-format off */
static const char token_characters[256] = {
    [0x20] =
    0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0,
};
/* clang-format on */

/* Not isalnum(): what is a letter must not depend on the locale of a script. */
bool cnk_framing_is_token(const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (!token_characters[(unsigned char)text[i]])
      return false;
  return size > 0;
}

/* Is any of eight bytes a control character? The two tests are those for a byte below n and for a byte of zeros from
 * https://graphics.stanford.edu/~seander/bithacks.html, which never miss one, nor find one where there is none. */
static bool has_control(const char *text)
{
  const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
  uint64_t eight;
  memcpy(&eight, text, sizeof eight);
  uint64_t delete = eight ^ ones * 0x7f;
  return (((eight - ones * 0x20) & ~eight) | ((delete - ones) & ~delete)) & high;
}

bool cnk_framing_is_value(const char *text, size_t size)
{
  bool is_sure = size >= 8;
  for (size_t i = 0; i < size && is_sure; i += 8)
    is_sure = !has_control(text + (i + 8 <= size ? i : size - 8)); /* the last ones twice */
  for (size_t i = 0; i < size && !is_sure; i++)
    if (is_control((unsigned char)text[i]) && text[i] != '\t')
      return false;
  return true;
}

bool cnk_framing_is_target(const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (is_control((unsigned char)text[i]) || text[i] == ' ')
      return false;
  return size > 0;
}

bool cnk_framing_is_name(const char *name, size_t size, const char *wanted)
{
  return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

bool cnk_framing_is_length(const char *name, size_t size)
{
  return cnk_framing_is_name(name, size, "Content-Length") || cnk_framing_is_name(name, size, "Transfer-Encoding");
}
