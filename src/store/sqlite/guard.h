/* SPDX-License-Identifier: MIT */
/*
 * Whether the files of an open database are still those that a start would find: SQLite goes on writing into a file
 * that was deleted or moved away, and what it says is on the disk is gone with the process.
 *
 * All is for the writer thread, and for the loop thread before it starts and after it has ended. Needs the lock.
 */
#ifndef CNK_STORE_GUARD_H
#define CNK_STORE_GUARD_H

#include <stdint.h>

#include "store/sqlite/lock.h"
#include "store/sqlite/note.h"

enum cnk_guard_state {
  CNK_GUARD_WELL,
  CNK_GUARD_NO_LOG,    /* the log or its index is not in its place, but its content can still be read */
  CNK_GUARD_NO_FILE,   /* the database is not in its place */
  CNK_GUARD_NO_CONTENT /* the database or the log was overwritten */
};

struct cnk_guard_file {
  dev_t device;
  ino_t inode;
  char *path;
};

struct cnk_guard {
  struct cnk_guard_file database, log, index, owner; /* owner: the lock file */
  char *path;                                        /* of the database, without links */
  off_t size; /* the database had so many bytes; it never shrinks, except by a checkpoint of ours */
  uint32_t
      schema; /* its schema has this number, in the header, which only grows; a copy of SQLite's backup has a lower one, see migrate.c */
  int log_file; /* to read its head; -1: none. SQLite locks nothing in it, so it may be opened and closed */
  struct cnk_log_head log_head;
  bool is_open, has_log_head, is_noted; /* is_noted: in the lock file */
  enum cnk_guard_state state;           /* as of the last check */
  char reason[160];                     /* what is wrong, and what to do */
};

/* Notes the files of a database that SQLite has opened: `path` without links, and as it was `given`. False when
 * memory is out. */
bool cnk_guard_open(struct cnk_guard *guard, const struct cnk_lock *lock, const char *path, const char *given);
void cnk_guard_close(struct cnk_guard *guard);

/* Compares what is there with what was noted, some microseconds without a disk, and sets `state` and `reason`. Makes a
 * lost lock file anew. `has_commits`: something was committed since it was opened. */
enum cnk_guard_state cnk_guard_check(struct cnk_guard *guard, struct cnk_lock *lock, bool has_commits);

/* Whether another log is in the place of the one that SQLite has open. */
bool cnk_guard_has_foreign_log(const struct cnk_guard *guard);

/* After a checkpoint: it may have shortened the database. */
void cnk_guard_note_size(struct cnk_guard *guard, const struct cnk_lock *lock);

#endif
