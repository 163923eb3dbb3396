/* SPDX-License-Identifier: MIT */
/* Holding and reading a tree of nodes; see tree.h for the contract. */
#include "json/tree.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "json/escape.h"

/* Room at the start: more than the usual webhook has. */
#define FEW 128

bool cnk_tree_grow(struct cnk_tree *tree)
{
  size_t room = tree->room ? tree->room + tree->room / 2 : FEW;
  if (room > UINT32_MAX) /* spans are of 32 bits; such a tree would take 128 GB */
    return false;
  struct cnk_node *nodes = realloc(tree->nodes, room * sizeof *nodes);
  if (!nodes)
    return false;
  tree->nodes = nodes;
  tree->room = room;
  return true;
}

void cnk_tree_reset(struct cnk_tree *tree, size_t keep)
{
  tree->count = 0;
  if (tree->room > keep) {
    free(tree->nodes);
    *tree = (struct cnk_tree){0};
  }
}

/* A string's text is read in pieces: bytes that stand for themselves, or what an escape or a fault stands for. */
struct pieces {
  const char *at, *end;
  bool is_faulty;
  char made[4];
};

/* Gives a piece, and how long it is; NULL at the end. */
static const char *next_piece(struct pieces *pieces, size_t *size)
{
  const char *from = pieces->at;
  if (from == pieces->end)
    return NULL;
  if (*from == '\\') {
    size_t length = 0;
    long code = cnk_escape_read(from, &length);
    pieces->at += length;
    *size = cnk_utf8_write(code < 0 ? CNK_UTF8_REPLACEMENT_CODE : code, pieces->made);
    return pieces->made;
  }
  const char *backslash = memchr(from, '\\', (size_t)(pieces->end - from));
  size_t length = (size_t)((backslash ? backslash : pieces->end) - from), bad = 0;
  *size = pieces->is_faulty ? cnk_utf8_good(from, length) : length;
  pieces->at += *size;
  if (*size > 0)
    return from;
  cnk_utf8_length(from, length, &bad);
  pieces->at += bad;
  *size = cnk_utf8_write(CNK_UTF8_REPLACEMENT_CODE, pieces->made);
  return pieces->made;
}

static struct pieces pieces_of(const struct cnk_node *string)
{
  return (struct pieces){.at = string->text, .end = string->text + string->size, .is_faulty = string->is_faulty};
}

size_t cnk_node_decode(const struct cnk_node *string, char *out)
{
  struct pieces pieces = pieces_of(string);
  size_t size, written = 0;
  for (const char *piece; (piece = next_piece(&pieces, &size)); written += size)
    memcpy(out + written, piece, size);
  return written;
}

bool cnk_node_is_text(const struct cnk_node *string, const char *text, size_t size)
{
  if (string->is_plain)
    return string->size == size && memcmp(string->text, text, size) == 0;
  struct pieces pieces = pieces_of(string);
  size_t length, seen = 0;
  for (const char *piece; (piece = next_piece(&pieces, &length)); seen += length)
    if (length > size - seen || memcmp(text + seen, piece, length) != 0)
      return false;
  return seen == size;
}

const struct cnk_node *cnk_node_field(const struct cnk_node *object, const char *name)
{
  if (!cnk_node_is(object, CNK_NODE_OBJECT))
    return NULL;
  const struct cnk_node *member = object + 1, *found = NULL;
  for (uint32_t left = object->count; left > 0; left--, member = cnk_node_next_name(member))
    if (cnk_node_may_say(member, name) && cnk_node_says(member, name))
      found = cnk_node_value(member);
  return found;
}

const struct cnk_node *cnk_node_find(const struct cnk_node *object, const char *name, size_t size)
{
  if (!cnk_node_is(object, CNK_NODE_OBJECT))
    return NULL;
  const struct cnk_node *member = object + 1, *found = NULL;
  for (uint32_t left = object->count; left > 0; left--, member = cnk_node_next_name(member))
    if (cnk_node_is_text(member, name, size))
      found = cnk_node_value(member);
  return found;
}
