/* SPDX-License-Identifier: MIT */
/*
 * Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
 * Pure functions over borrowed memory; no locale is involved.
 */
#ifndef CNK_UTF8_H
#define CNK_UTF8_H

#include <stddef.h>

/* U+FFFD, which stands for what cannot be read. */
#define CNK_UTF8_REPLACEMENT "\xEF\xBF\xBD"
#define CNK_UTF8_REPLACEMENT_CODE 0xFFFD

/* The length of the character at `text`, of which `left` > 0 bytes may be read; or 0 when it is not well-formed,
 * and then *bad is the number of bytes that one U+FFFD replaces (Unicode's "maximal subpart"). */
size_t cnk_utf8_length(const char *text, size_t left, size_t *bad);

/* How many bytes at the start of `text` are well-formed: `length` when all are. */
size_t cnk_utf8_good(const char *text, size_t length);

/* Writes a code point, at most 0x10FFFF; gives how many bytes it takes, at most 4. */
size_t cnk_utf8_write(long code, char *out);

#endif
