/* SPDX-License-Identifier: MIT */
/*
 * One process a database, by two locks that end with the process, however it ends:
 *   - on one byte of the database itself, behind those that SQLite locks: it holds wherever the file is moved to;
 *   - on a file beside it, `path`-lock, with the owner's process number: for messages, and for versions of this program
 *     that know no other lock. It also holds a note of the log, see note.h; a database with another's log is refused.
 */
#ifndef CNK_STORE_LOCK_H
#define CNK_STORE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct cnk_lock {
  int database, file; /* descriptors; -1: none */
  dev_t device;       /* of the database, as is inode */
  ino_t inode;
  struct cnk_lock *next;
};

#define CNK_LOCK_NONE ((struct cnk_lock){.database = -1, .file = -1})

/* Locks a database that exists: for an owner, alone, or for a reader, who keeps owners away and creates nothing. False
 * with a sentence in `message`. */
bool cnk_lock_open(struct cnk_lock *lock, const char *path, bool is_reader, char *message, size_t size);

/* After the database was closed, for a descriptor of it is closed here. Idempotent. The lock file stays: removing it
 * would let two processes lock two different files. */
void cnk_lock_close(struct cnk_lock *lock);

/* For an owner: replaces the note in the lock file; on the disk before this returns, if it `must_last`. */
void cnk_lock_note(const struct cnk_lock *lock, const char *note, bool must_last);

/* For an owner: makes the lock file anew where it was removed. Without it the other lock holds. */
void cnk_lock_renew(struct cnk_lock *lock, const char *path);

/* Whether this process has locked a file. Nobody may open and close it then, for that ends SQLite's locks on it. */
bool cnk_lock_is_held_here(const struct stat *file);

/* The lock of a database on an open file, without the file beside it: kept until the descriptor is closed. */
bool cnk_lock_file(int descriptor, bool is_reader);

/* The absolute path of a file that may not exist yet, without symbolic links, so that each database has one lock; to
 * be freed. Falls back to a copy of `path`; NULL without memory. */
char *cnk_lock_resolve(const char *path);

#endif
