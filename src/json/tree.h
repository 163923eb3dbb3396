/* SPDX-License-Identifier: MIT */
/*
 * A JSON text as an array of nodes, one for each value and one for each name, in the order of the text. cnk_jsonscan_run makes
 * it; this is what holds it, and how it is read. Nodes point into the text, and are valid as long as that and the tree are.
 *
 * An object's node is followed by its members, each the node of the name and then the value; an array's by its items. Behind
 * a value with all that is in it comes `node + node->span`.
 */
#ifndef CNK_JSON_TREE_H
#define CNK_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum cnk_node_kind {
  CNK_NODE_NULL,
  CNK_NODE_FALSE,
  CNK_NODE_TRUE,
  CNK_NODE_INTEGER, /* without fraction and exponent, of any size */
  CNK_NODE_FLOAT,
  CNK_NODE_TEXT, /* a string, or a name */
  CNK_NODE_LIST,
  CNK_NODE_OBJECT
};

struct cnk_node {
  const char *text; /* the value as it is written; of a string what is between the quotes */
  size_t size;
  uint32_t span;  /* nodes: this one, and those within it */
  uint32_t count; /* items, or members */
  uint8_t kind;   /* enum cnk_node_kind */
  bool is_plain;  /* a string: stands for its own bytes */
  bool is_faulty; /* a string: has bytes that are no UTF-8 */
};

/* A tree of zeros is empty and valid. Whoever holds the struct owns the nodes. */
struct cnk_tree {
  struct cnk_node *nodes; /* the first is the whole text's */
  size_t count, room;
};

/* Appends a node, which it does not set, and moves the others when there is no room. False when memory is out. */
bool cnk_tree_grow(struct cnk_tree *tree);
static inline bool cnk_tree_add(struct cnk_tree *tree)
{
  if (tree->count == tree->room && !cnk_tree_grow(tree))
    return false;
  tree->count++;
  return true;
}

/* Empties it, and gives the memory back when there is room for more than `keep` nodes. */
void cnk_tree_reset(struct cnk_tree *tree, size_t keep);

/* ---- reading; a node that is NULL counts as one of no kind ------------------------------------------------------- */

static inline bool cnk_node_is(const struct cnk_node *node, enum cnk_node_kind kind)
{
  return node && node->kind == kind;
}

/* A value of an object's member, from the node of its name. */
static inline const struct cnk_node *cnk_node_value(const struct cnk_node *name)
{
  return name + 1;
}

/* Behind an item of a list; behind a member, from the node of its name. */
static inline const struct cnk_node *cnk_node_next(const struct cnk_node *item)
{
  return item + item->span;
}
static inline const struct cnk_node *cnk_node_next_name(const struct cnk_node *name)
{
  return cnk_node_next(name + 1);
}

/* Writes what a string stands for: without escapes, and U+FFFD for each fault. Gives its size, which is at most
 * cnk_node_room(string). */
size_t cnk_node_decode(const struct cnk_node *string, char *out);
static inline size_t cnk_node_room(const struct cnk_node *string)
{
  return string->is_faulty ? 3 * string->size : string->size; /* U+FFFD has three bytes */
}

/* Whether a string stands for this text. */
bool cnk_node_is_text(const struct cnk_node *string, const char *text, size_t size);

/* Whether a string may stand for this text, which is not empty, by its first byte: most others are ruled out. */
static inline bool cnk_node_may_say(const struct cnk_node *string, const char *text)
{
  return string->text[0] == text[0] || !string->is_plain; /* of an empty string it is the quote behind it */
}

/* Whether a value is a string that stands for this text, which is not empty. */
static inline bool cnk_node_says(const struct cnk_node *node, const char *text)
{
  if (!cnk_node_is(node, CNK_NODE_TEXT) || !cnk_node_may_say(node, text))
    return false;
  if (!node->is_plain)
    return cnk_node_is_text(node, text, strlen(text));
  return strncmp(node->text, text, node->size) == 0 && text[node->size] == '\0';
}

/* The value of the last member of that name; NULL when there is none, or `object` is no object. Goes through all members. The name
 * that ends with a NUL is not empty. */
const struct cnk_node *cnk_node_field(const struct cnk_node *object, const char *name);
const struct cnk_node *cnk_node_find(const struct cnk_node *object, const char *name, size_t size);

#endif
