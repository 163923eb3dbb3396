/* SPDX-License-Identifier: MIT */
/* Calls on their way through a backend: lists of them, with their sums. */
#ifndef CNK_STORE_CALLS_H
#define CNK_STORE_CALLS_H

#include "store/store.h"

/* Calls in their order, with their sum. Moved with cnk_store_calls_move, for a list must stay where it is. */
struct cnk_store_calls {
  struct cnk_list list; /* of cnk_store_call, by `link` */
  size_t count, bytes;
};

static inline struct cnk_store_call *cnk_store_call_of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_store_call, link);
}

static inline void cnk_store_calls_init(struct cnk_store_calls *calls)
{
  cnk_list_init(&calls->list);
  calls->count = calls->bytes = 0;
}

static inline void cnk_store_calls_add(struct cnk_store_calls *calls, struct cnk_store_call *call)
{
  cnk_list_add(&calls->list, &call->link);
  calls->count++;
  calls->bytes += call->charged;
}

/* The first call, taken out; NULL when there is none. */
static inline struct cnk_store_call *cnk_store_calls_take(struct cnk_store_calls *calls)
{
  struct cnk_link *link = cnk_list_take(&calls->list);
  struct cnk_store_call *call = link ? cnk_store_call_of(link) : NULL;
  if (call) {
    calls->count--;
    calls->bytes -= call->charged;
  }
  return call;
}

static inline void cnk_store_calls_move(struct cnk_store_calls *to, struct cnk_store_calls *from)
{
  cnk_list_move(&to->list, &from->list);
  to->count += from->count;
  to->bytes += from->bytes;
  from->count = from->bytes = 0;
}

#endif
