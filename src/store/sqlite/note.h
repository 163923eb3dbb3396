/* SPDX-License-Identifier: MIT */
/*
 * What the lock file says of a database's log, behind the owner's number: that there is none, or how it begins. SQLite
 * takes any log that lies beside a database for its own; with the note, that of another one is known at the next start.
 *
 * A note that is missing or not whole says nothing: then any log is taken, as SQLite does.
 */
#ifndef CNK_STORE_NOTE_H
#define CNK_STORE_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The owner's number and a note. */
enum { CNK_NOTE_BYTES = 128 };

/* After the log was removed. */
#define CNK_NOTE_CLOSED "closed\n"

/* The head of a log as it is in the file, as far as its first salt. */
struct cnk_log_head {
  uint32_t words[5];
};

/* Whether `next` can be what SQLite has made of the head `known`: it changes only when a log begins anew, and then its
 * sequence number and its first salt grow alike (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). */
bool cnk_note_is_same_log(const struct cnk_log_head *known, const struct cnk_log_head *next);

/* Writes the note of a log, and the inodes of the database and of the log. */
void cnk_note_write(char *note, size_t size, const struct cnk_log_head *head, ino_t database, ino_t log);

/* Whether the log that lies beside the database `path`, if any, may be its own by the content of its lock file. */
bool cnk_note_fits(const char *content, const char *path);

#endif
