/* SPDX-License-Identifier: MIT */
/*
 * A connection to a database of SQL, as the verbs see it: they name statements, give values, and look at what comes back.
 * Each backend has a driver. A session belongs to one thread.
 *
 * What a driver gives back is 0, a code of the backend (positive), or one of enum cnk_store_code. After a code of the
 * backend, `problem` has its sentence, until the next use of the session.
 */
#ifndef CNK_SQL_SESSION_H
#define CNK_SQL_SESSION_H

#include <stdarg.h>

#include "store/sql/texts.h"
#include "store/store.h"

struct cnk_sql_session;

/* The tables whose rows have a digest. */
enum cnk_keyed { CNK_KEYED_SEEN, CNK_KEYED_SENT, CNK_KEYED_TABLES };

/* A page has so many bytes, and the rest of its last row. */
enum { CNK_SQL_PAGE_BYTES = 1 << 20 };

/* `number` is a statement's among cnk_sql_texts. `format` has a letter for each of its values:
 *   i  int64_t
 *   o  int64_t, 0 is NULL
 *   r  double, NAN is NULL
 *   t  struct cnk_text, bytes; no text is NULL */
struct cnk_sql_driver {
  /* Runs a statement that gives no rows; how many rows it has changed. Where nobody asks (NULL), a driver may send it and hear
   * of its failure later, at the latest when it settles or commits. */
  int (*run)(struct cnk_sql_session *session, unsigned number, const char *format, va_list values, int64_t *changes);
  /* Sends one whose changes are there when all of it is settled; NULL where nothing is gained by that. */
  int (*send_ahead)(struct cnk_sql_session *session, unsigned number, const char *format, va_list values,
                    int64_t *changes);
  /* The first column of the first row that a statement gives, or NULL; bytes are kept in `arena`. */
  int (*read)(struct cnk_sql_session *session, unsigned number, const char *format, va_list values,
              struct cnk_arena *arena, struct cnk_value *first, bool *has_written);
  /* All rows of a question, with the names of their columns. */
  int (*ask)(struct cnk_sql_session *session, struct cnk_query *query);
  /* Like `run`, for values of any kind. */
  int (*change)(struct cnk_sql_session *session, unsigned number, const struct cnk_value *values, size_t count,
                int64_t *changes);
  /* For the copy of a database: texts that are not of the files, `types` with a letter for each column. `ask_text` gives rows
   * until they fill a page; `load` runs a text for each row of a page. */
  int (*ask_text)(struct cnk_sql_session *session, const char *text, const char *types, const struct cnk_value *values,
                  size_t count, struct cnk_query *rows);
  int (*load)(struct cnk_sql_session *session, const char *text, const char *types, const struct cnk_buffer *page);
  const char *(*problem)(struct cnk_sql_session *session);
  /* Where rows of these tables are found by keys that the backend keeps itself, and not by an index of the database (NULL). The row of
   * a digest, which may have become another one, or 0; a number for a new one; and after a table was loaded. */
  int (*find_key)(struct cnk_sql_session *session, enum cnk_keyed table, int64_t hash, int64_t *id);
  int (*add_key)(struct cnk_sql_session *session, enum cnk_keyed table, int64_t hash, int64_t *id);
  int (*begin_keys_anew)(struct cnk_sql_session *session);

  /* A transaction. `is_fault`: whether what has failed ends all of it, and not one statement. */
  int (*begin)(struct cnk_sql_session *session);
  int (*commit)(struct cnk_sql_session *session);
  void (*roll_back)(struct cnk_sql_session *session); /* allowed where none is open */
  bool (*is_fault)(struct cnk_sql_session *session, int status);
  /* Within it, one at a time: `undo` goes back to where `save` was, and `release` ends it either way. `settle`: whether all
   * that was run since has succeeded. */
  int (*save)(struct cnk_sql_session *session);
  int (*settle)(struct cnk_sql_session *session);
  int (*undo)(struct cnk_sql_session *session);
  int (*release)(struct cnk_sql_session *session);
};

/* What a call of a batch expects of a statement that was sent: that it changes a row, or gives one. */
struct cnk_expectation {
  struct cnk_expectation *next;
  int64_t changes;
};

struct cnk_sql_session {
  const struct cnk_sql_driver *driver;
  const unsigned *writes; /* cnk_sql_writes() */
  /* The verbs' own. */
  int64_t sequence;                /* the last sequence or version that was given out */
  bool has_aliases, knows_aliases; /* whether there may be any; whether that was looked for */
  int64_t joins;                   /* of conversations, since the store was opened */
  int64_t next_id, ids_left;       /* of a block for events; no block outlives the transaction that is undone */
  int64_t mail;    /* how much there is, as far as is known: 1 or more where there is any; -1: unknown */
  bool knows_mail; /* nobody else posts any: it was looked for */
  bool is_whole;   /* a batch is run at once, on a network: what its calls expect is looked at when all was sent */
  struct cnk_expectation *expected; /* the newest first */
  int wary; /* turns compete: for so many batches what a call has read is compared before anything is sent of it */
  uint64_t redone; /* batches that were run again for the sake of a call that failed */
};

#endif
