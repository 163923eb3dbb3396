/* SPDX-License-Identifier: MIT */
/*
 * The intrusive list: doubly linked, a ring around its head. It allocates nothing and owns nothing. A link is a member
 * of the object that it links, and is in one list at most; a link of zeros is in none.
 *
 * A list must stay where it was initialised, for its links point back at it: to hand the contents on, use
 * cnk_list_move. Nothing here locks.
 */
#ifndef CNK_LIST_H
#define CNK_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct cnk_link {
  struct cnk_link *prev, *next;
};

struct cnk_list {
  struct cnk_link ring; /* next: the first; prev: the last; itself when empty */
};

/* The object of type `type` whose member `member` is at `pointer`, which must not be NULL. */
#define CNK_OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Goes through a list from its first link; the body must not remove `link`, nor anything else that is linked. */
#define CNK_LIST_EACH(link, list)                                                                                      \
  for (struct cnk_link *link = (list)->ring.next; /* NOLINT(bugprone-macro-parentheses) */                             \
       (link) != &(list)->ring; (link) = (link)->next)

static inline void cnk_list_init(struct cnk_list *list)
{
  list->ring.prev = list->ring.next = &list->ring;
}

static inline bool cnk_list_is_empty(const struct cnk_list *list)
{
  return list->ring.next == &list->ring;
}

static inline bool cnk_link_is_linked(const struct cnk_link *link)
{
  return link->next != NULL;
}

/* The first or the last link; NULL when the list is empty. */
static inline struct cnk_link *cnk_list_first(const struct cnk_list *list)
{
  return cnk_list_is_empty(list) ? NULL : list->ring.next;
}

static inline struct cnk_link *cnk_list_last(const struct cnk_list *list)
{
  return cnk_list_is_empty(list) ? NULL : list->ring.prev;
}

static inline void cnk_link_insert_before(struct cnk_link *place, struct cnk_link *link)
{
  link->prev = place->prev;
  link->next = place;
  link->prev->next = link->next->prev = link;
}

/* Adds a link that is in no list, at the end or at the front. */
static inline void cnk_list_add(struct cnk_list *list, struct cnk_link *link)
{
  cnk_link_insert_before(&list->ring, link);
}

static inline void cnk_list_add_first(struct cnk_list *list, struct cnk_link *link)
{
  cnk_link_insert_before(list->ring.next, link);
}

/* Takes a link out of its list. Nothing happens when it is in none. */
static inline void cnk_list_remove(struct cnk_link *link)
{
  if (!cnk_link_is_linked(link))
    return;
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link->prev = link->next = NULL;
}

/* Takes the first link out, and gives it; NULL when the list is empty. */
static inline struct cnk_link *cnk_list_take(struct cnk_list *list)
{
  struct cnk_link *first = cnk_list_first(list);
  if (!first)
    return NULL;
  /* By way of the list, not of first->prev, which is the same: so that an analyser sees that `first` is out of it. */
  list->ring.next = first->next;
  first->next->prev = &list->ring;
  first->prev = first->next = NULL;
  return first;
}

/* Moves everything from `from` to the end of `to`, in its order; both are initialised, `from` is empty afterwards. */
static inline void cnk_list_move(struct cnk_list *to, struct cnk_list *from)
{
  if (cnk_list_is_empty(from))
    return;
  struct cnk_link *first = from->ring.next, *last = from->ring.prev;
  first->prev = to->ring.prev;
  first->prev->next = first;
  last->next = &to->ring;
  to->ring.prev = last;
  cnk_list_init(from);
}

#endif
