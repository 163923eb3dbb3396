/* SPDX-License-Identifier: MIT */
/* How tables of older versions come up to date: the sections of sql/schema_postgres.sql. The lock is held. */
#include <inttypes.h>
#include <stdio.h>

#include "store/postgres/internal.h"
#include "store/sql/move.h"

/* See sqlite/migrate.c. */
enum { SEQUENCES_BITS = 40 };

/* The version's own table is the first that there is, and says whose the schema is. */
#define MAKE_VERSION "CREATE TABLE cunnekt_version (version bigint NOT NULL); INSERT INTO cunnekt_version VALUES (0)"

static int read_integer(struct cnk_postgres *store, const char *text, int64_t *out)
{
  PGresult *found = NULL;
  int status = cnk_wire_execute(store, text, &found);
  *out = cnk_wire_integer(found);
  PQclear(found);
  return status;
}

/* 0: there is nothing in the schema. */
static int read_version(struct cnk_postgres *store, int64_t *version)
{
  int64_t is_ours = 0, tables = 0;
  *version = 0;
  int status = read_integer(store, "SELECT (to_regclass('cunnekt_version') IS NOT NULL)::int", &is_ours);
  if (status == 0 && is_ours)
    return read_integer(store, "SELECT version FROM cunnekt_version", version);
  if (status == 0)
    status = read_integer(
        store, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND schemaname <> 'pg_catalog'",
        &tables);
  if (status == 0 && tables > 0)
    status = cnk_wire_fail(store, CNK_POSTGRES_STATEMENT,
                           "its schema has the tables of another program: name another one with "
                           "?options=-csearch_path%3DNAME in the store's URL");
  return status;
}

static int bring_up(struct cnk_postgres *store, int64_t version)
{
  char text[80];
  int status = version == 0 ? cnk_wire_execute(store, MAKE_VERSION, NULL) : 0;
  for (int next = (int)version + 1; next <= cnk_sql_version() && status == 0; next++) {
    int number = cnk_sql_find_version("schema_postgres", next);
    if (number >= 0)
      status = cnk_wire_execute(store, cnk_sql_texts[number].postgres, NULL);
  }
  snprintf(text, sizeof text, "UPDATE cunnekt_version SET version = %d", cnk_sql_version());
  if (status == 0 && version < cnk_sql_version())
    status = cnk_wire_execute(store, text, NULL);
  return status;
}

/* Where the opening itself may not be replicated the store is not writable yet; the thread goes on from there. */
static int commit_opening(struct cnk_postgres *store)
{
  store->has_warned = false;
  store->is_uncertain = true;
  int status = cnk_wire_execute(store, "COMMIT", NULL);
  store->is_uncertain = store->has_warned;
  if (status == 0 && store->has_warned)
    cnk_worker_set_unwritable(&store->worker, store->problem);
  return status;
}

static int open_anew(struct cnk_postgres *store, int64_t version)
{
  int status = cnk_wire_execute(store, "BEGIN; SET LOCAL statement_timeout = 0", NULL);
  store->is_migrating = true; /* tables of millions of rows may be written anew */
  if (status == 0)
    status = bring_up(store, version);
  store->is_migrating = false;
  if (status == 0)
    status = read_integer(store, cnk_sql_texts[store->session.writes[CNK_SQL_next_opening]].postgres, &store->opening);
  if (status == 0)
    status = commit_opening(store);
  store->session.sequence = store->opening << SEQUENCES_BITS;
  return status;
}

/* A host may not use a store that is half moved, or moved away. */
static int check_move(struct cnk_postgres *store)
{
  PGresult *found = NULL;
  char text[600];
  int status = cnk_wire_execute(store, cnk_sql_texts[cnk_sql_find("moves", "get_move")].postgres, &found);
  if (status == 0 && PQntuples(found) > 0 &&
      !cnk_move_allows(cnk_wire_integer(found), PQgetvalue(found, 0, 1), PQgetvalue(found, 0, 2), text, sizeof text))
    status = cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, text);
  PQclear(found);
  return status;
}

int cnk_postgres_migrate(struct cnk_postgres *store, bool is_owner)
{
  int64_t version;
  char text[160];
  int status = read_version(store, &version);
  if (status == 0 && version > cnk_sql_version()) {
    snprintf(text, sizeof text,
             "the store is of version %" PRId64 ", and this program knows only %d: the program is too old", version,
             cnk_sql_version());
    status = cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, text);
  }
  if (status == 0 && version >= CNK_MOVE_VERSION && !store->is_moving)
    status = check_move(store);
  store->is_outdated = version < cnk_sql_version();
  if (status == 0 && is_owner) {
    status = open_anew(store, version);
    version = cnk_sql_version();
  }
  if (status == 0 && !PQenterPipelineMode(store->connection))
    status = cnk_wire_fail(store, CNK_POSTGRES_LOST, "the connection takes no pipeline");
  store->worker.base.version = (int)version;
  return status;
}
