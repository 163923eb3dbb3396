/* SPDX-License-Identifier: MIT */
/* Chains in buckets, twice as many whenever there are more nodes than buckets; see table.h. */
#include "engine/table.h"

#include <stdlib.h>

#include "base/digest.h"

/* ---- hashes ------------------------------------------------------------------------------------------------------ */

static uint64_t turned(uint64_t word)
{
  return word >> 32 | word << 32;
}

/* The four products of the halves, one over the other: each bit of the result depends on all of both. */
static uint64_t fold(uint64_t a, uint64_t b)
{
  uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
  return (a_high * b_high) ^ (a_low * b_low) ^ turned(a_high * b_low) ^ turned(a_low * b_high);
}

static uint64_t hash_of(const struct cnk_table *table, struct cnk_text key)
{
  uint64_t hash = table->seed[0] ^ key.size, word;
  size_t at = 0;
  for (; at + sizeof word <= key.size; at += sizeof word) {
    memcpy(&word, key.data + at, sizeof word);
    hash = fold(hash ^ word, table->seed[1]);
  }
  word = 0;
  if (at < key.size)
    memcpy(&word, key.data + at, key.size - at);
  return fold(hash ^ word, table->seed[1]);
}

/* ---- buckets ----------------------------------------------------------------------------------------------------- */

static struct cnk_table_node **bucket_of(const struct cnk_table *table, uint64_t hash)
{
  return &table->buckets[hash & (table->size - 1)];
}

static void put(const struct cnk_table *table, struct cnk_table_node *node)
{
  struct cnk_table_node **bucket = bucket_of(table, node->hash);
  node->next = *bucket;
  *bucket = node;
}

static void free_buckets(struct cnk_table *table, struct cnk_table_node **buckets)
{
  if (buckets != table->least)
    free(buckets);
}

/* Where there is no memory for it, it stays as it is. */
static void resize(struct cnk_table *table, size_t size)
{
  struct cnk_table_node **before = table->buckets, **buckets = table->least;
  if (size > CNK_TABLE_LEAST)
    buckets = calloc(size, sizeof(struct cnk_table_node *));
  else
    memset(table->least, 0, sizeof table->least); /* not in use: a table never gets from fewer to as many */
  if (!buckets)
    return;
  size_t size_before = table->size;
  table->buckets = buckets;
  table->size = size;
  for (size_t i = 0; i < size_before; i++)
    for (struct cnk_table_node *node = before[i], *next; node; node = next) {
      next = node->next;
      put(table, node);
    }
  free_buckets(table, before);
}

void cnk_table_init(struct cnk_table *table)
{
  memset(table, 0, sizeof *table);
  table->buckets = table->least;
  table->size = CNK_TABLE_LEAST;
  if (!cnk_random_bytes((unsigned char *)table->seed, sizeof table->seed))
    table->seed[0] = table->seed[1] = (uint64_t)(uintptr_t)table; /* also random, though less so */
  table->seed[1] |= 1;
}

void cnk_table_deinit(struct cnk_table *table)
{
  free_buckets(table, table->buckets);
  table->buckets = table->least;
  table->size = CNK_TABLE_LEAST;
}

struct cnk_table_node *cnk_table_find(const struct cnk_table *table, struct cnk_text key)
{
  uint64_t hash = hash_of(table, key);
  struct cnk_table_node *node = *bucket_of(table, hash);
  while (node && !(node->hash == hash && cnk_text_is_equal(node->key, key)))
    node = node->next;
  return node;
}

void cnk_table_add(struct cnk_table *table, struct cnk_table_node *node)
{
  if (table->count >= table->size)
    resize(table, table->size * 2);
  node->hash = hash_of(table, node->key);
  put(table, node);
  table->count++;
}

void cnk_table_remove(struct cnk_table *table, struct cnk_table_node *node)
{
  struct cnk_table_node **place = bucket_of(table, node->hash);
  while (*place != node)
    place = &(*place)->next;
  *place = node->next;
  node->next = NULL;
  table->count--;
  if (table->size > CNK_TABLE_LEAST && table->count < table->size / 8)
    resize(table, table->size / 2);
}

struct cnk_table_node *cnk_table_next(const struct cnk_table *table, const struct cnk_table_node *node)
{
  if (node && node->next)
    return node->next;
  size_t at = node ? (size_t)(node->hash & (table->size - 1)) + 1 : 0;
  while (at < table->size && !table->buckets[at])
    at++;
  return at < table->size ? table->buckets[at] : NULL;
}
