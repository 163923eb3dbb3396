/* SPDX-License-Identifier: MIT */
/* The escapes in JSON's strings: one owner for the reader, which checks them, for those that want the text, and for the writer. */
#ifndef CNK_JSON_ESCAPE_H
#define CNK_JSON_ESCAPE_H

#include <stddef.h>

#include "base/buffer.h"

enum {
  CNK_ESCAPE_LONE = -1,    /* half of a surrogate pair: it is no character */
  CNK_ESCAPE_UNKNOWN = -2, /* no escape of JSON */
  CNK_ESCAPE_SHORT = -3    /* \u without four hexadecimal digits */
};

/* The code point of the escape at a backslash, or one of the above; `*size` is how many bytes it has, if it is one. A byte
 * that belongs to no escape, such as a quote or a NUL, must follow the text. */
long cnk_escape_read(const char *at, size_t *size);

/* Appends well-formed text as a string of JSON has it, without its quotes. False when memory is out. */
bool cnk_escape_write(struct cnk_buffer *out, const char *text, size_t size);

#endif
