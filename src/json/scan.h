/* SPDX-License-Identifier: MIT */
/*
 * Reads a JSON text, and checks that it is JSON by RFC 8259 and nothing more. What is read it gives to a tree, or to lua-cjson:
 * then it rewrites the few things that lua-cjson would get wrong. It builds no values.
 *
 * Rewritten are: bytes that are not UTF-8 and lone surrogates (to U+FFFD), and, to marks that json_mend replaces after decoding,
 * empty arrays, integers of more than 15 digits and fractions that may stand for a whole number. A mark is a string
 * that begins with the byte FF, which no other string of the rewritten text can hold. A leading byte order mark is
 * skipped.
 */
#ifndef CNK_JSONSCAN_H
#define CNK_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "json/tree.h"

/* Deeper nesting than this is refused: far beyond what the provider sends, and safe for every stack that walks it. */
#define CNK_JSON_DEPTH 128

/* Marks: "\xFF" "a" is an empty array, "\xFF" "n" and a JSON number is that number. */
#define CNK_JSON_MARK '\xFF'
#define CNK_JSON_MARK_ARRAY 'a'
#define CNK_JSON_MARK_NUMBER 'n'

struct cnk_jsonscan {
  /* Given: a borrowed text with a NUL after its last byte; and an empty tree, or else who takes the rewritten text, piece by
   * piece. */
  const char *text;
  size_t length;
  struct cnk_tree *tree;
  void (*write)(void *context, const char *bytes, size_t length);
  void *context;
  size_t most_values; /* scalars, arrays, objects, and repairs of text, all counted; 0: no bound */
  /* Found. */
  size_t values;
  bool has_too_many;  /* `fault` is that there are more than most_values, and the rest was not read */
  bool has_no_memory; /* for the tree; there is no `fault` */
  bool is_rewritten;  /* `write` has been called and got the whole new text; otherwise `text` is fine as it is */
  bool needs_mend;    /* there are marks, or whole numbers (which lua-cjson may give as floats) */
  const char *fault;  /* what is wrong, when cnk_jsonscan_run gave false */
  size_t fault_at;    /* where: an offset in bytes */
};

/* Gives false when the text is not JSON; then what is in the tree is of no use. May call `write`, which may jump away. */
bool cnk_jsonscan_run(struct cnk_jsonscan *scan);

#endif
