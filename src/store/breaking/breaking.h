/* SPDX-License-Identifier: MIT */
/*
 * A store that breaks promises on purpose, for the negative controls of the torture tests: a test that cannot see these is
 * worth nothing. Only builds for such tests have it (make torture); no other program can be made to break anything.
 */
#ifndef CNK_STORE_BREAKING_H
#define CNK_STORE_BREAKING_H

#include "store/store.h"

/* Wraps a store in the ways that the environment's CRASH_BREAK names, separated by commas; gives back `store` itself when it
 * names none. Words that are no way of this store's are left to others. NULL without memory; `store` is closed then. */
struct cnk_store *cnk_breaking_wrap(struct cnk_loop *loop, struct cnk_store *store);

#endif
