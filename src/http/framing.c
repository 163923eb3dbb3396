/* SPDX-License-Identifier: MIT */
/* Names and values of header fields; see framing.h. */
#include "http/framing.h"

#include <string.h>
#include <strings.h>

static bool is_control(unsigned char c)
{
  return c < 0x20 || c == 0x7f;
}

/* Not isalnum(): what is a letter must not depend on the locale of a script. */
bool cnk_framing_is_token(const char *text, size_t size)
{
  static const char marks[] = "!#$%&'*+-.^_`|~";
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    bool is_ok =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(marks, c));
    if (!is_ok)
      return false;
  }
  return size > 0;
}

bool cnk_framing_is_value(const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++)
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
