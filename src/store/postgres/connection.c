/* SPDX-License-Identifier: MIT */
/*
 * The connection: how it is made and set up, and the lock that makes this host the only one of its tables.
 *
 * The lock is the connection's, on which all work is done: who has lost it cannot write. A host that stands by ends the
 * session of an owner that is silent, and so takes its lock. Whoever comes back to a database that another host had meanwhile,
 * or that lacks what it had confirmed, would go on with what it remembers, so it must not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/postgres/internal.h"

/* The next schema of the search path is the current one where this session does not see ours: while another host makes it, or it is
 * renamed. NULL then, and so no lock can be had: one of another schema would keep nobody out. */
#define SCHEMA_NUMBER "nullif(current_schema(), 'pg_catalog')::regnamespace::oid::bigint"

/* "cunk": the first half of the lock's key; the other one is the schema's number. */
#define LOCK_KEY "(1668640363::bigint << 32) | " SCHEMA_NUMBER

/* Who stands by shares another one, by which it is listed. A move has it alone: what was posted meanwhile would stay behind. */
#define SHARED_KEY "(1668640364::bigint << 32) | " SCHEMA_NUMBER

/* A statement, and a host that stops in the middle of a transaction, have so long. The server looks for a client that is
 * gone, so that the lock of a machine that has lost its power is free after half a minute. */
#define SET_UP                                                                                                         \
  "SET statement_timeout = 30000; SET idle_in_transaction_session_timeout = 60000; SET client_min_messages = "         \
  "warning; "                                                                                                          \
  "SET standard_conforming_strings = on; SET bytea_output = hex; SET jit = off; "                                      \
  "SET default_transaction_isolation = 'read committed'; SET tcp_keepalives_idle = 10; "                               \
  "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"

/* The tables are in a schema of their own, or in the one that the URL's options name as search_path. */
#define FIND_SCHEMA                                                                                                    \
  "SELECT CASE WHEN source = 'client' THEN trim(both ' \"' FROM split_part(setting, ',', 1)) ELSE 'cunnekt' END "      \
  "FROM pg_settings WHERE name = 'search_path'"

/* So long a lock may outlive the host that had it. */
enum { LOCK_TRIES = 30, LOCK_PAUSE_MS = 100 };

void cnk_postgres_disconnect(struct cnk_postgres *store)
{
  if (store->connection)
    PQfinish(store->connection);
  store->connection = NULL;
  store->sent_count = 0;
  store->is_in_transaction = false;
  memset(store->is_prepared, 0, cnk_sql_count * sizeof *store->is_prepared);
}

/* A warning while a transaction commits: it holds here, and was not replicated as it should be. */
static void on_notice(void *context, const PGresult *result)
{
  struct cnk_postgres *store = context;
  const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (!severity || strcmp(severity, "WARNING") != 0)
    return;
  char reason[200];
  snprintf(reason, sizeof reason, "a commit may not be replicated: %s", text ? text : "the database warned");
  store->has_warned = true;
  cnk_wire_fail(store, 0, reason);
}

/* ---- connecting ---------------------------------------------------------------------------------------------------- */

/* Whoever comes later overrides: what the URL says counts. Names are resolved, and hosts tried, on this thread. */
static PGconn *dial(struct cnk_postgres *store)
{
  const char *const names[] = {"connect_timeout",  "target_session_attrs",
                               "keepalives_idle",  "keepalives_interval",
                               "keepalives_count", "tcp_user_timeout",
                               "dbname",           "fallback_application_name",
                               "client_encoding",  NULL};
  const char *const values[] = {
      "5", store->is_read_only ? "any" : "read-write", "10", "5", "3", "20000", store->url, store->application, "UTF8",
      NULL};
  return PQconnectdbParams(names, values, 1);
}

/* Others are an end of the line before, or say where the password is from. */
static bool tells_why(const char *line)
{
  static const char *const others[] = {"\t", "DETAIL:", "HINT:", "password retrieved from file"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strncmp(line, others[i], strlen(others[i])) == 0)
      return false;
  return true;
}

/* The sentence of libpq has several lines where there are several hosts; the last one tells most. */
static int refuse(struct cnk_postgres *store)
{
  const char *message = PQerrorMessage(store->connection), *line = message;
  for (const char *at = message; (at = strchr(at, '\n')) && at[1]; at++)
    line = tells_why(at + 1) ? at + 1 : line;
  cnk_wire_fail(store, CNK_POSTGRES_LOST, *line ? line : "not enough memory");
  return CNK_POSTGRES_LOST;
}

/* One that this role may not use would be passed over, as if there were none. */
static int find_schema(struct cnk_postgres *store, const char *literal, const char *quoted, bool *is_there)
{
  char text[300], reason[500];
  PGresult *found = NULL;
  snprintf(text, sizeof text, "SELECT has_schema_privilege(oid, 'USAGE')::int FROM pg_namespace WHERE nspname = %s",
           literal);
  int status = cnk_wire_execute(store, text, &found);
  *is_there = status == 0 && PQntuples(found) > 0;
  bool may_use = cnk_wire_integer(found) == 1;
  PQclear(found);
  if (!*is_there || may_use)
    return status;
  snprintf(reason, sizeof reason,
           "this user may not use its schema: connect as the one who made it, or GRANT USAGE ON SCHEMA %s, and what is "
           "needed of its tables",
           quoted);
  return cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, reason);
}

/* Whoever only looks hears it as well: there is nothing yet, and a run would fail. */
static int check_may_make_schema(struct cnk_postgres *store)
{
  char reason[400];
  PGresult *found = NULL;
  int status = cnk_wire_execute(store,
                                "SELECT has_database_privilege(current_database(), 'CREATE')::int, "
                                "quote_ident(current_database()), quote_ident(current_user)",
                                &found);
  if (status == 0 && cnk_wire_integer(found) == 0) {
    snprintf(reason, sizeof reason, "this user may not make its schema: GRANT CREATE ON DATABASE %.150s TO %.150s",
             PQgetvalue(found, 0, 1), PQgetvalue(found, 0, 2));
    status = cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, reason);
  }
  PQclear(found);
  return status;
}

static int set_schema(struct cnk_postgres *store)
{
  PGresult *found = NULL;
  char text[300];
  bool is_there = false;
  int status = cnk_wire_execute(store, FIND_SCHEMA, &found);
  const char *name = status == 0 && PQntuples(found) > 0 ? PQgetvalue(found, 0, 0) : "";
  char *quoted = PQescapeIdentifier(store->connection, name, strlen(name));
  char *literal = PQescapeLiteral(store->connection, name, strlen(name));
  PQclear(found);
  if (status == 0 && (!quoted || !literal || strlen(literal) > 140))
    status = cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, "the name of the schema is too long");
  if (status == 0)
    status = find_schema(store, literal, quoted, &is_there);
  if (status == 0 && !is_there)
    status = check_may_make_schema(store);
  if (status == 0 && !is_there && !store->is_read_only) {
    snprintf(text, sizeof text, "CREATE SCHEMA IF NOT EXISTS %s", quoted);
    status = cnk_wire_execute(store, text, NULL);
    if (status == CNK_POSTGRES_CONSTRAINT) /* another host has just made it */
      status = 0;
  }
  if (status == 0) {
    snprintf(text, sizeof text, "SET search_path = %s, pg_catalog", quoted);
    status = cnk_wire_execute(store, text, NULL);
  }
  PQfreemem(quoted);
  PQfreemem(literal);
  return status;
}

/* ---- the lock ------------------------------------------------------------------------------------------------------ */

/* The session that has it, as far as this role may know. */
#define LOCK_HOLDER                                                                                                    \
  "pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid WHERE l.locktype = 'advisory' AND l.granted "                   \
  "AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "              \
  "AND ((l.classid::bigint << 32) | l.objid::bigint) = (" LOCK_KEY ")"

static void note_owner(struct cnk_postgres *store, const struct cnk_store_owner *owner)
{
  uv_mutex_lock(&store->worker.mutex);
  store->owner = *owner;
  uv_mutex_unlock(&store->worker.mutex);
}

int cnk_postgres_find_owner(struct cnk_postgres *store)
{
  PGresult *found = NULL;
  struct cnk_store_owner owner = {0};
  int status = cnk_wire_execute(
      store, "SELECT application_name, coalesce(host(client_addr), ''), state_change IS NULL FROM " LOCK_HOLDER,
      &found);
  store->is_owner_hidden = status == 0 && (PQntuples(found) == 0 || *PQgetvalue(found, 0, 2) == 't');
  if (status == 0 && PQntuples(found) > 0) {
    const char *name = PQgetvalue(found, 0, 0), *address = PQgetvalue(found, 0, 1);
    snprintf(owner.name, sizeof owner.name, "%.80s%s%.50s", *name ? name : "another host", *address ? ", at " : "",
             address);
  }
  PQclear(found);
  note_owner(store, &owner);
  return status;
}

static int refuse_second(struct cnk_postgres *store)
{
  char text[280];
  cnk_postgres_find_owner(store);
  snprintf(text, sizeof text, "it is in use by %s; one host at a time can use a database",
           *store->owner.name ? store->owner.name : "another host");
  return cnk_wire_fail(store, CNK_POSTGRES_BUSY, text);
}

/* Ends the session of an owner that is silent; 0, or why it could not. Each statement is its sign of life, by the server's clock: it knows when the
 * session's state has changed. While the server itself works for it, it is not silent. */
static int end_silent(struct cnk_postgres *store)
{
  char text[800];
  if (store->is_owner_hidden)
    return cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, "this user may not see when it was active last");
  snprintf(text, sizeof text,
           "SELECT pg_terminate_backend(a.pid) FROM " LOCK_HOLDER
           " AND clock_timestamp() - a.state_change > interval '%llu milliseconds' "
           "AND (a.state <> 'active' OR a.wait_event_type = 'Client')",
           (unsigned long long)(store->take_over_ns / 1000000));
  return cnk_wire_execute(store, text, NULL);
}

/* Of this very host, whose connection is gone while the server still thinks otherwise. */
static void end_own(struct cnk_postgres *store)
{
  char text[300], *name = PQescapeLiteral(store->connection, store->application, strlen(store->application));
  snprintf(text, sizeof text,
           "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %d AND application_name = %s",
           store->process, name ? name : "''");
  PQfreemem(name);
  if (store->process)
    cnk_wire_execute(store, text, NULL);
}

/* `text` is a statement that tries to have a lock. */
static int try_lock(struct cnk_postgres *store, const char *text, bool *is_taken)
{
  PGresult *found = NULL;
  int status = cnk_wire_execute(store, text, &found);
  *is_taken = cnk_wire_integer(found) == 1;
  PQclear(found);
  return status;
}

/* CNK_POSTGRES_BUSY: another host has it. */
static int take_lock(struct cnk_postgres *store, int tries)
{
  for (int i = 0; i < tries; i++) {
    bool is_taken;
    int status = try_lock(store, "SELECT pg_try_advisory_lock(" LOCK_KEY ")::int", &is_taken);
    if (is_taken)
      store->process = PQbackendPID(store->connection);
    if (status != 0 || is_taken)
      return status;
    if (i + 1 < tries)
      usleep(LOCK_PAUSE_MS * 1000);
  }
  return refuse_second(store);
}

static int read_counter(struct cnk_postgres *store, enum cnk_sql sql, int64_t *value)
{
  PGresult *found = NULL;
  int status = cnk_wire_execute(store, cnk_sql_texts[store->session.writes[sql]].postgres, &found);
  *value = cnk_wire_integer(found);
  PQclear(found);
  return status;
}

/* A standby was promoted that had not received it, for example. */
static int refuse_past(struct cnk_postgres *store)
{
  atomic_store(&store->is_behind, true);
  atomic_store(&store->is_foreign, true);
  return cnk_wire_fail(store, CNK_POSTGRES_BUSY, "the database lacks what it had confirmed: start this host anew");
}

static int check_confirmed(struct cnk_postgres *store)
{
  int64_t batch;
  int status = read_counter(store, CNK_SQL_get_batch, &batch);
  return status == 0 && batch < store->confirmed ? refuse_past(store) : status;
}

static int check_opening(struct cnk_postgres *store)
{
  int64_t next;
  int status = read_counter(store, CNK_SQL_get_opening, &next);
  if (status != 0 || next == store->opening + 1)
    return status;
  if (next <= store->opening)
    return refuse_past(store);
  atomic_store(&store->is_foreign, true);
  return cnk_wire_fail(store, CNK_POSTGRES_BUSY, "another host has used the database meanwhile: start this one anew");
}

void cnk_postgres_confirm(struct cnk_postgres *store, uint64_t asked_at)
{
  atomic_store(&store->confirmed_at, asked_at);
}

static int keep_mail_out(struct cnk_postgres *store)
{
  bool is_alone;
  int status = try_lock(store, "SELECT pg_try_advisory_lock(" SHARED_KEY ")::int", &is_alone);
  if (status != 0 || is_alone)
    return status;
  return cnk_wire_fail(store, CNK_POSTGRES_BUSY,
                       "hosts stand by for it, and take webhooks: stop them, then run the move again");
}

/* Who comes back looks first whether there was another: that one has the lock, and keeps it. */
static int own(struct cnk_postgres *store, bool is_again)
{
  int status = is_again ? check_opening(store) : 0;
  uint64_t asked_at = uv_hrtime();
  if (status == 0) {
    end_own(store);
    status = take_lock(store, store->may_stand_by && !is_again ? 1 : LOCK_TRIES);
  }
  if (status == 0 && store->is_moving)
    status = keep_mail_out(store);
  if (status == 0 && is_again)
    status = check_opening(store);
  if (status == 0 && is_again)
    status = check_confirmed(store);
  if (status == 0)
    cnk_postgres_confirm(store, asked_at);
  return status;
}

/* ---- standing by --------------------------------------------------------------------------------------------------- */

/* Another host has the lock: whatever keeps this one from ending its session is noted, and no failure. */
static int watch_owner(struct cnk_postgres *store)
{
  struct cnk_store_owner owner = store->owner;
  int status = end_silent(store);
  if (status != 0 && status != CNK_POSTGRES_LOST) {
    snprintf(owner.hindrance, sizeof owner.hindrance, "its session cannot be ended: %.120s", store->problem);
    note_owner(store, &owner);
    status = 0;
  }
  return status;
}

static int stand_by(struct cnk_postgres *store)
{
  bool may;
  int status = try_lock(store, "SELECT pg_try_advisory_lock_shared(" SHARED_KEY ")::int", &may);
  if (status == 0 && !may)
    return refuse_second(store);
  if (status == 0)
    atomic_store(&store->stands_by, true);
  return status;
}

/* The lock is this connection's. Where the tables cannot be used, nobody must wait for it. */
static int begin_to_own(struct cnk_postgres *store, uint64_t asked_at)
{
  int status = cnk_wire_execute(store, "SELECT pg_advisory_unlock_shared(" SHARED_KEY ")", NULL);
  if (status == 0)
    status = cnk_postgres_migrate(store, true);
  if (status == CNK_POSTGRES_LOST)
    return status; /* and so is the lock */
  if (status != 0)
    atomic_store(&store->is_foreign, true);
  cnk_postgres_confirm(store, asked_at);
  atomic_store(&store->stands_by, false);
  return status;
}

int cnk_postgres_try_to_own(struct cnk_postgres *store)
{
  uint64_t asked_at = uv_hrtime();
  if (!PQexitPipelineMode(store->connection))
    return cnk_wire_fail(store, CNK_POSTGRES_LOST, "the connection does not leave its pipeline");
  int status = take_lock(store, 1);
  if (status == 0)
    return begin_to_own(store, asked_at);
  if (status == CNK_POSTGRES_BUSY)
    status = watch_owner(store);
  if (status == 0 && store->is_outdated)
    return cnk_postgres_migrate(store, false);
  if (status == 0 && !PQenterPipelineMode(store->connection))
    status = cnk_wire_fail(store, CNK_POSTGRES_LOST, "the connection takes no pipeline");
  return status;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------- */

static int take_place(struct cnk_postgres *store, bool is_again)
{
  if (store->is_read_only)
    return cnk_postgres_find_owner(store);
  if (atomic_load(&store->stands_by))
    return stand_by(store);
  int status = own(store, is_again);
  if (status == CNK_POSTGRES_BUSY && store->may_stand_by && !is_again)
    status = watch_owner(store) == 0 ? stand_by(store) : CNK_POSTGRES_LOST;
  return status;
}

int cnk_postgres_connect(struct cnk_postgres *store, bool is_again)
{
  cnk_postgres_disconnect(store);
  store->is_lost = false;
  store->connection = dial(store);
  if (PQstatus(store->connection) != CONNECTION_OK)
    return refuse(store);
  PQsetNoticeReceiver(store->connection, on_notice, store);
  PQsetnonblocking(store->connection, 1);
  int status = cnk_wire_execute(store, SET_UP, NULL);
  if (status == 0 && store->is_read_only)
    status = cnk_wire_execute(store, "SET default_transaction_read_only = on", NULL);
  if (status == 0)
    status = set_schema(store);
  if (status == 0)
    status = take_place(store, is_again);
  if (status == 0 && is_again && !PQenterPipelineMode(store->connection))
    status = cnk_wire_fail(store, CNK_POSTGRES_LOST, "the connection takes no pipeline");
  return status;
}
