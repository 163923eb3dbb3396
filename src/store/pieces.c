/* SPDX-License-Identifier: MIT */
/* Free lists by size, of each thread; see pieces.h. */
#include "store/pieces.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where memory is checked nothing is kept, so that nobody uses a piece after its end unseen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_CHECKED 1
#endif
#endif
#ifdef IS_CHECKED
#define MOST_KEPT 0
#else
#define MOST_KEPT 64 /* of each size */
#endif

/* With its head, a piece has a multiple of GRAIN bytes. Larger ones are not kept. */
enum { GRAIN = 64, SIZES = 16 };

/* Before each piece. */
union head {
  uint64_t size; /* of all of it, while it is taken */
  union head *next;
};

struct list {
  union head *first;
  int count;
};

/* Lists are full until it is sure that they are emptied when the thread ends. */
static _Thread_local struct {
  struct list lists[SIZES + 1]; /* by the number of grains: the first has nothing */
  int most;
} kept;

/* ---- the end of a thread -------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int has_key;

static void empty(void *own)
{
  (void)own;
  for (struct list *list = kept.lists; list <= kept.lists + SIZES; list++)
    while (list->first) {
      union head *head = list->first;
      list->first = head->next;
      free(head);
    }
  memset(&kept, 0, sizeof kept);
}

static void make_key(void)
{
  has_key = pthread_key_create(&key, empty) == 0;
}

static void begin_keeping(void)
{
  pthread_once(&once, make_key);
  if (has_key && pthread_setspecific(key, &kept) == 0)
    kept.most = MOST_KEPT;
}

/* ---- pieces --------------------------------------------------------------------------------------------------------- */

static union head *head_of(void *piece)
{
  return (union head *)piece - 1;
}

static void *piece_of(union head *head, uint64_t whole)
{
  head->size = whole;
  return head + 1;
}

static struct list *list_of(uint64_t size)
{
  return size <= SIZES * GRAIN ? &kept.lists[size / GRAIN] : NULL;
}

static uint64_t whole_of(int size)
{
  uint64_t whole = (uint64_t)size + sizeof(union head), grain = whole <= SIZES * GRAIN ? GRAIN : sizeof(union head);
  return (whole + grain - 1) / grain * grain;
}

void *cnk_piece_take(int size)
{
  uint64_t whole = whole_of(size);
  struct list *list = list_of(whole);
  union head *head = list ? list->first : NULL;
  if (head) {
    list->first = head->next;
    list->count--;
  } else if (!(head = malloc(whole))) {
    return NULL;
  }
  return piece_of(head, whole);
}

void cnk_piece_give(void *piece)
{
  union head *head = head_of(piece);
  struct list *list = list_of(head->size);
  if (list && kept.most == 0)
    begin_keeping();
  if (!list || list->count >= kept.most) {
    free(head);
    return;
  }
  head->next = list->first;
  list->first = head;
  list->count++;
}

int cnk_piece_size(void *piece)
{
  return piece ? (int)(head_of(piece)->size - sizeof(union head)) : 0;
}

void *cnk_piece_resize(void *piece, int size)
{
  int had = cnk_piece_size(piece);
  if (size <= had)
    return piece;
  if (!list_of(head_of(piece)->size)) {
    uint64_t whole = whole_of(size);
    union head *head = realloc(head_of(piece), whole);
    return head ? piece_of(head, whole) : NULL;
  }
  void *other = cnk_piece_take(size);
  if (other) {
    memcpy(other, piece, (size_t)had);
    cnk_piece_give(piece);
  }
  return other;
}
