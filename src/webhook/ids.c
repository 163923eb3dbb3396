/* SPDX-License-Identifier: MIT */
/* Texts that are looked up by their bytes; see webhook.h. Sorted: whoever sends a body cannot make a lookup slow. */
#include <stdlib.h>
#include <string.h>

#include "webhook/webhook.h"

struct entry {
  struct cnk_text text;
  size_t number;
};

struct cnk_webhook_ids {
  size_t count;
  struct entry entries[];
};

struct cnk_webhook_ids *cnk_webhook_new_ids(struct cnk_webhook *it, size_t most)
{
  struct cnk_webhook_ids *ids = NULL;
  if (most <= (SIZE_MAX - sizeof *ids) / sizeof(struct entry))
    ids = cnk_webhook_take(it, sizeof *ids + most * sizeof(struct entry));
  return ids;
}

void cnk_webhook_add_id(struct cnk_webhook_ids *ids, struct cnk_text text, size_t number)
{
  if (text.data)
    ids->entries[ids->count++] = (struct entry){text, number};
}

static int compare_texts(struct cnk_text a, struct cnk_text b)
{
  size_t size = a.size < b.size ? a.size : b.size;
  int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare(const void *left, const void *right)
{
  const struct entry *a = left, *b = right;
  int order = compare_texts(a->text, b->text);
  return order ? order : (a->number > b->number) - (a->number < b->number);
}

void cnk_webhook_sort_ids(struct cnk_webhook_ids *ids)
{
  qsort(ids->entries, ids->count, sizeof *ids->entries, compare);
}

/* How many entries are before those of a text; with them when `is_behind`. */
static size_t count_before(const struct cnk_webhook_ids *ids, struct cnk_text text, bool is_behind)
{
  size_t low = 0, high = ids->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = compare_texts(ids->entries[middle].text, text);
    if (order < 0 || (is_behind && order == 0))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static size_t number_at(const struct cnk_webhook_ids *ids, size_t at, struct cnk_text text, size_t otherwise)
{
  bool is_there = at < ids->count && compare_texts(ids->entries[at].text, text) == 0;
  return is_there ? ids->entries[at].number : otherwise;
}

size_t cnk_webhook_first_of(const struct cnk_webhook_ids *ids, struct cnk_text text, size_t otherwise)
{
  return number_at(ids, count_before(ids, text, false), text, otherwise);
}

size_t cnk_webhook_last_of(const struct cnk_webhook_ids *ids, struct cnk_text text, size_t otherwise)
{
  size_t behind = count_before(ids, text, true);
  return behind ? number_at(ids, behind - 1, text, otherwise) : otherwise;
}
