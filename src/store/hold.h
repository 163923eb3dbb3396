/* SPDX-License-Identifier: MIT */
/* Whether a host has its store to itself, where others may take it; see store.h. */
#ifndef CNK_STORE_HOLD_H
#define CNK_STORE_HOLD_H

enum cnk_store_hold {
  CNK_STORE_SURE,
  CNK_STORE_UNSURE, /* nothing has confirmed it for almost as long as another one waits before it takes over */
  CNK_STORE_TAKEN,  /* another host has had it since, or it can be nobody's: what is in memory is of the past */
  CNK_STORE_BEHIND, /* the database lacks what it had confirmed: what is in memory never was */
  CNK_STORE_STANDS_BY, /* another one has it. Mail may be posted, and questions asked, until it is this host's: by itself */
};

/* Another host that has the database, as far as that is known. */
struct cnk_store_owner {
  char name[160];      /* empty: nobody has it, or nobody knows who */
  char hindrance[160]; /* why its session cannot be ended when it is silent; empty: nothing is in the way */
};

#endif
