/* SPDX-License-Identifier: MIT */
/*
 * A borrowed text: bytes that somebody else owns and keeps as long as the text is in use. {NULL, 0} is no text, which
 * is something else than an empty one. The bytes may hold anything; a NUL follows them only where a function says so.
 */
#ifndef CNK_TEXT_H
#define CNK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct cnk_text {
  const char *data;
  size_t size;
};

static inline bool cnk_text_is_equal(struct cnk_text a, struct cnk_text b)
{
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
