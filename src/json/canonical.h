/* SPDX-License-Identifier: MIT */
/*
 * Values as text, equal for equal values whatever the order of an object's members: dialogs compare by it what a script does now
 * with what it did before, so journals hold it, and it never changes. It is that of lua/cunnekt/base/canonical.lua, where a
 * list is a table with the keys 1..n, and null is what Lua calls a NULL pointer.
 */
#ifndef CNK_JSON_CANONICAL_H
#define CNK_JSON_CANONICAL_H

#include "base/buffer.h"
#include "json/tree.h"

/* All of these append to `out`, and give false when memory is out. */
bool cnk_canonical_string(struct cnk_buffer *out, const char *text, size_t size);
bool cnk_canonical_integer(struct cnk_buffer *out, int64_t value);
bool cnk_canonical_real(struct cnk_buffer *out, double value);
bool cnk_canonical_null(struct cnk_buffer *out);
bool cnk_canonical_word(struct cnk_buffer *out, const char *word);

/* The value of a node, as json.decode gives it. */
bool cnk_canonical_node(struct cnk_buffer *out, const struct cnk_node *node);

/* The order of strings as keys: by their bytes. */
int cnk_canonical_compare(const char *a, size_t a_size, const char *b, size_t b_size);

#endif
