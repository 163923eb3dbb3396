/* SPDX-License-Identifier: MIT */
/* What the files of the PostgreSQL store share. All of it is the thread's, and the loop's before that starts and after it ends. */
#ifndef CNK_POSTGRES_INTERNAL_H
#define CNK_POSTGRES_INTERNAL_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "store/sql/session.h"
#include "store/worker/worker.h"

/* The backend's codes. */
enum cnk_postgres_code {
  CNK_POSTGRES_STATEMENT = 1,
  CNK_POSTGRES_CONSTRAINT,
  CNK_POSTGRES_BUSY,
  CNK_POSTGRES_FULL, /* from here on all calls of a batch share the reason */
  CNK_POSTGRES_IO,
  CNK_POSTGRES_READ_ONLY,
  CNK_POSTGRES_CORRUPT,
  CNK_POSTGRES_MEMORY,
  CNK_POSTGRES_LOST, /* the connection is */
};

/* A value is at most so many parameters of a statement. */
enum { CNK_POSTGRES_PARAMETERS_MOST = 24 };

/* The parameters of a statement, in the binary form. */
struct cnk_parameters {
  int count;
  Oid types[CNK_POSTGRES_PARAMETERS_MOST];
  const char *values[CNK_POSTGRES_PARAMETERS_MOST];
  int lengths[CNK_POSTGRES_PARAMETERS_MOST], formats[CNK_POSTGRES_PARAMETERS_MOST];
  char room[CNK_POSTGRES_PARAMETERS_MOST][8]; /* of numbers */
};

/* What was sent and not answered yet. */
enum cnk_command_kind { CNK_COMMAND_PREPARE, CNK_COMMAND_STATEMENT, CNK_COMMAND_SYNC };
struct cnk_command {
  enum cnk_command_kind kind;
  unsigned number;
  int64_t *changes; /* or NULL */
};

/* The names of a question's columns: kept until the store is freed, for rows that are under way name them. */
struct cnk_postgres_columns {
  const char **names;
  size_t count;
};

struct cnk_postgres {
  struct cnk_worker worker;
  struct cnk_sql_session session;
  char *url;
  bool is_read_only, is_moving, may_stand_by, is_owner_hidden;
  atomic_bool stands_by; /* another host has the database */
  bool is_outdated;      /* whose program is older: the tables are, too, so nothing can be posted */
  uint64_t next_try;     /* to have it */
  uint64_t take_over_ns;
  char name[400];
  char notes[600];              /* of the database's settings */
  struct cnk_store_owner owner; /* under the worker's mutex, but for the thread's own reading */

  PGconn *connection; /* NULL: there is none */
  char application[96];
  int process;            /* the server's, of the connection that had the lock last */
  int64_t opening;        /* that this store is */
  atomic_bool is_foreign; /* another host has used the database since: this one must begin anew */
  atomic_bool is_behind;  /* and so it must where the database lacks what it had confirmed */
  /* When what the server confirmed last was asked: until then, at least, nobody else had the database. Also the loop's. */
  _Atomic uint64_t confirmed_at;
  bool *is_prepared; /* of cnk_sql_texts, on this connection */
  struct cnk_postgres_columns *columns;
  struct cnk_gathered *gathered; /* of rows.c */
  struct cnk_command *sent;
  size_t sent_count, sent_room;
  bool is_lost, has_warned; /* the connection; while it committed */
  bool is_migrating;        /* it may take long to answer */
  bool is_in_transaction;
  bool has_written;  /* the transaction */
  bool is_uncertain; /* nobody knows whether the batch before was committed; */
  int64_t batch;     /* this one */
  int64_t confirmed; /* the newest that surely was; 0: none yet */
  char problem[600]; /* of the last failure, in one line */
  uint64_t probes;
};

/* wire.c: statements to the server and results back, each with a deadline. 0 or a code. */
/* A text of one or more statements, outside of the pipeline; `result`: of the last one, or NULL. */
int cnk_wire_execute(struct cnk_postgres *store, const char *text, PGresult **result);
/* Sends a statement of the texts, or a text without parameters, behind what was sent before; nothing is awaited. */
int cnk_wire_send(struct cnk_postgres *store, unsigned number, const struct cnk_parameters *parameters);
/* The same for a text that is not of them; NULL: for the last one again. */
int cnk_wire_send_own(struct cnk_postgres *store, const char *text, const struct cnk_parameters *parameters);
/* What the one sent last has changed will be there, if it succeeds. */
void cnk_wire_want_changes(struct cnk_postgres *store, int64_t *changes);
int cnk_wire_send_text(struct cnk_postgres *store, const char *text);
/* Awaits all that was sent. `result`: of the last statement, where it succeeds; the caller clears it. */
int cnk_wire_collect(struct cnk_postgres *store, PGresult **result);
int cnk_wire_fail(struct cnk_postgres *store, int status, const char *reason);
/* The first column of the first row as an integer; 0 where there is none. In text form. */
int64_t cnk_wire_integer(const PGresult *result);

/* rows.c: rows that wait to be sent with others. What rows of this statement are gathered in; NULL: it is sent at once, after a flush if it
 * may not pass those that wait. `is_expected`: the batch is undone where it changes nothing. */
struct cnk_gathered *cnk_rows_new(const unsigned *writes); /* NULL without memory */
void cnk_rows_free(struct cnk_gathered *all);
struct cnk_gathered *cnk_rows_of(struct cnk_postgres *store, unsigned number);
bool cnk_rows_let_pass(const struct cnk_postgres *store, unsigned number, bool is_expected);
/* `changes`: or NULL; there after the flush. 0 or a code. */
int cnk_rows_add(struct cnk_postgres *store, struct cnk_gathered *gathered, const struct cnk_parameters *row,
                 int64_t *changes);
int cnk_rows_flush(struct cnk_postgres *store);
void cnk_rows_forget(struct cnk_postgres *store);

/* connection.c: connects, takes the lock, and sees that nobody else was there meanwhile. 0 or a code; `problem` says why. */
int cnk_postgres_connect(struct cnk_postgres *store, bool is_again);
void cnk_postgres_disconnect(struct cnk_postgres *store);

/* What is confirmed now was asked at this time, of uv_hrtime(). */
void cnk_postgres_confirm(struct cnk_postgres *store, uint64_t asked_at);
/* Who has the lock, into `owner`; empty when nobody has it, or this role may not know. */
int cnk_postgres_find_owner(struct cnk_postgres *store);
/* While it stands by: has the database from now on, if it can. 0 also when it cannot. */
int cnk_postgres_try_to_own(struct cnk_postgres *store);

/* migrate.c: looks whether the tables can be used; base.version is theirs. An owner brings them up to date, and begins anew. */
int cnk_postgres_migrate(struct cnk_postgres *store, bool is_owner);

/* name.c: base.name, of a store that is open. */
void cnk_postgres_name(struct cnk_postgres *store);

/* driver.c */
extern const struct cnk_sql_driver cnk_postgres_driver;
const char *cnk_postgres_code_name(int status);
/* Runs the statement, and awaits it; its result in binary form. */
int cnk_postgres_run(struct cnk_postgres *store, enum cnk_sql sql, const char *format, PGresult **result, ...);

/* writer.c: one turn of the thread. */
bool cnk_postgres_take_turn(struct cnk_worker *worker);

#endif
