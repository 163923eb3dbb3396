/* SPDX-License-Identifier: MIT */
/* One process a database: an exclusive lock on a file beside it, which holds the owner's process number. */
#ifndef CNK_STORE_LOCK_H
#define CNK_STORE_LOCK_H

#include <stddef.h>

/* Locks `path`-lock. Returns a descriptor to give to cnk_lock_close(), or -1 with a sentence in `message`. */
int cnk_lock_open(const char *path, char *message, size_t size);

/* -1 is allowed. The file stays, for removing it would let two processes lock two different files. */
void cnk_lock_close(int descriptor);

#endif
