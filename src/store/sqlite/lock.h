/* SPDX-License-Identifier: MIT */
/* One process a database: an exclusive lock on a file beside it, which holds the owner's process number. */
#ifndef CNK_STORE_LOCK_H
#define CNK_STORE_LOCK_H

#include <stddef.h>

/* Locks `path`-lock. Returns a descriptor to give to cnk_lock_close(), or -1 with a sentence in `message`. */
int cnk_lock_open(const char *path, char *message, size_t size);

/* The absolute path of a file that may not exist yet, without symbolic links, so that each database has one lock; to
 * be freed. Falls back to a copy of `path`; NULL without memory. */
char *cnk_lock_resolve(const char *path);

/* -1 is allowed. The file stays, for removing it would let two processes lock two different files. */
void cnk_lock_close(int descriptor);

#endif
