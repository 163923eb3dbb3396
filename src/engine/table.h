/* SPDX-License-Identifier: MIT */
/*
 * A table of objects by key. A node is a member of its object, and the key is bytes of the object, so adding one allocates
 * nothing that may fail: when there is no memory for more buckets, their chains get longer. Hashes are seeded at random,
 * for keys come from outside. Nothing here locks.
 */
#ifndef CNK_TABLE_H
#define CNK_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Buckets that every table has; a power of two, as all their numbers. */
#define CNK_TABLE_LEAST 16

struct cnk_table_node {
  struct cnk_text key; /* set before it is added; stays until it is removed */
  struct cnk_table_node *next;
  uint64_t hash;
};

/* It must stay where it was initialised. */
struct cnk_table {
  struct cnk_table_node **buckets;
  size_t size, count; /* of buckets; of nodes */
  uint64_t seed[2];
  struct cnk_table_node *least[CNK_TABLE_LEAST];
};

void cnk_table_init(struct cnk_table *table);

/* The nodes stay their owner's. */
void cnk_table_deinit(struct cnk_table *table);

/* NULL when there is none. */
struct cnk_table_node *cnk_table_find(const struct cnk_table *table, struct cnk_text key);

/* Adds a node, whose key is in no other. */
void cnk_table_add(struct cnk_table *table, struct cnk_table_node *node);

/* Removes a node, which is in the table. */
void cnk_table_remove(struct cnk_table *table, struct cnk_table_node *node);

/* The node after `node`, the first one after NULL; NULL at the end. In no order; nothing may be added or removed meanwhile. */
struct cnk_table_node *cnk_table_next(const struct cnk_table *table, const struct cnk_table_node *node);

#endif
