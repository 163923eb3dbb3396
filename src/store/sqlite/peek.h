/* SPDX-License-Identifier: MIT */
/* Looks at a database without leaving a trace: no byte of it changes, and no file appears beside it. */
#ifndef CNK_STORE_PEEK_H
#define CNK_STORE_PEEK_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "cunk": what the application_id says in a database of ours. */
#define CNK_APPLICATION_ID 0x63756e6b

struct cnk_peek {
  bool is_new; /* there is nothing yet; the rest is not set */
  int32_t application_id, user_version;
  bool has_tables;   /* whether they were read: only of a database without an application_id or a version */
  char tables[4096]; /* their names, each with a newline behind it; as many as fit */
  size_t tables_size;
};

/* Looks at the file that a store would open. False with a sentence in `message`: it cannot be a store. */
bool cnk_peek(const char *path, struct cnk_peek *out, char *message, size_t size);

/* The same of a database that is open, as its log has it. Gives SQLite's code. */
int cnk_peek_read(sqlite3 *db, struct cnk_peek *out);

/* The application_id in the header of an open file; 0 when it is no database, or has none. */
int32_t cnk_peek_application_id(int descriptor);

/* Opens a database to read, with what is in its log; `path` has no symbolic links. Gives SQLite's code and, as
 * sqlite3_open() does, a connection to close in any case. Until it is closed nobody else may write to the database. */
int cnk_peek_open(const char *path, const char *vfs, sqlite3 **db);

#endif
