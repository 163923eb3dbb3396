/* SPDX-License-Identifier: MIT */
/* What the verbs hold by which a store is copied to another one; see store.h. */
#ifndef CNK_STORE_COPIES_H
#define CNK_STORE_COPIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* The copy of a store to another one, table by table, while no host has either: the question "tables" names them. A page is a
 * run of rows in the order of their keys, in a form that every backend takes. */
struct cnk_count_rows {
  struct cnk_text table;
  int64_t rows; /* out */
};

struct cnk_unload {
  struct cnk_text table;
  struct cnk_text after; /* where the page before ended; none: the first one */
  /* out; none where there are no more rows */
  struct cnk_text page, last; /* `after` of the next page */
  int64_t rows;
};

struct cnk_load {
  struct cnk_text table, page; /* none: it is empty */
  bool is_first;               /* what the table had before goes */
};

#endif
