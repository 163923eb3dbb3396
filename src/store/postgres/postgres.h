/* SPDX-License-Identifier: MIT */
/*
 * The backend on PostgreSQL: one connection, on a thread of its own, which a lock makes the only one of its database.
 *
 * Calls that wait when the thread wakes up are committed together. When the connection is lost, what it had not committed is
 * run again on the next one; a commit whose outcome nobody knows is looked up there first.
 */
#ifndef CNK_STORE_POSTGRES_H
#define CNK_STORE_POSTGRES_H

#include "store/store.h"

/* Opens the database at a URL of libpq; see cnk_store_open(). Nothing that it says holds a password. */
struct cnk_store *cnk_postgres_open(struct cnk_loop *loop, const char *url, const struct cnk_store_options *options,
                                    char *message, size_t size);

#endif
