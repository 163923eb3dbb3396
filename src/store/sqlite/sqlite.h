/* SPDX-License-Identifier: MIT */
/*
 * The backend on SQLite: one database, one connection, on a thread of its own.
 *
 * Calls that wait when the writer wakes up are committed together, with one fsync. A call that fails is undone alone. A call
 * is delivered after the commit that holds it, never before.
 */
#ifndef CNK_STORE_SQLITE_H
#define CNK_STORE_SQLITE_H

#include "store/store.h"

/* Opens the database at `path`, or one in memory for ":memory:"; see cnk_store_open(). Fit to be called before any other
 * thread needs memory that is short: what libcrypto allocates once is allocated here. */
struct cnk_store *cnk_sqlite_open(struct cnk_loop *loop, const char *path, const struct cnk_store_options *options,
                                  char *message, size_t size);

/* SQLite keeps no statistics of its memory, for which each allocation would take a lock. No effect when it is in use already. */
void cnk_sqlite_own_process(void);

#endif
