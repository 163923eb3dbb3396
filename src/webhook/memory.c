/* SPDX-License-Identifier: MIT */
/* What holds the items of a body; see webhook.h. */
#include <stdlib.h>

#include "webhook/webhook.h"

bool cnk_webhook_grow(struct cnk_webhook *it)
{
  size_t room = it->room ? 2 * it->room : 4;
  struct cnk_webhook_item *items = realloc(it->items, room * sizeof *items);
  it->has_no_memory |= !items;
  if (!items)
    return false;
  it->items = items;
  it->room = room;
  return true;
}

void *cnk_webhook_take(struct cnk_webhook *it, size_t size)
{
  void *taken = cnk_arena_take(&it->arena, size);
  it->has_no_memory |= !taken;
  return taken;
}

/* Items of which the memory is kept. */
enum { FEW = 64 };

void cnk_webhook_reset(struct cnk_webhook *it)
{
  struct cnk_webhook kept = {.arena = it->arena, .items = it->items, .room = it->room};
  cnk_arena_reset(&kept.arena);
  if (kept.room > FEW) {
    free(kept.items);
    kept.items = NULL;
    kept.room = 0;
  }
  *it = kept;
}

void cnk_webhook_free(struct cnk_webhook *it)
{
  cnk_arena_free(&it->arena);
  free(it->items);
  *it = (struct cnk_webhook){0};
}

bool cnk_webhook_shares_too_much(const struct cnk_webhook *it)
{
  size_t total = 0;
  for (size_t i = 0; it->count > 1 && i < it->count && total <= CNK_WEBHOOK_MOST_SHARED; i++) {
    const struct cnk_webhook_scope *scope = it->items[i].scope;
    const struct cnk_webhook_contact *contact = it->items[i].facts.contact;
    total += scope->phone_number_id.size + scope->display_phone_number.size + (contact ? contact->node->size : 0);
  }
  return total > CNK_WEBHOOK_MOST_SHARED;
}
