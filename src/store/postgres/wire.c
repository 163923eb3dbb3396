/* SPDX-License-Identifier: MIT */
/*
 * Statements to the server and results back. The connection is in pipeline mode: what is sent is not awaited until somebody
 * asks for a result, and then all of it is. After an error the server passes over the rest until the next sync.
 *
 * Each wait has a deadline of its own: a server that is there and says nothing is as lost as one that is gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/internal.h"

/* Longer than the server may take for one statement, see connection.c. Webhooks are refused before that: whoever sends them
 * waits no longer. Nor does a host that is to end, whose service manager kills it after a while. */
enum { WAIT_MS = 40000, MIGRATION_MS = 3600000, SLOW_MS = 5000, LAST_MS = 2000, LOOK_MS = 250 };

/* Error messages of libpq have several lines, and end with one. */
int cnk_wire_fail(struct cnk_postgres *store, int status, const char *reason)
{
  size_t size = strcspn(reason, "\n");
  snprintf(store->problem, sizeof store->problem, "%.*s", (int)size, reason);
  if (status == CNK_POSTGRES_LOST)
    store->is_lost = true;
  return status;
}

static int lose(struct cnk_postgres *store)
{
  const char *reason = PQerrorMessage(store->connection);
  return cnk_wire_fail(store, CNK_POSTGRES_LOST, *reason ? reason : "the connection to the database was lost");
}

/* As poll(), for one descriptor and some milliseconds, whatever signals come. */
static int poll_for(struct pollfd *found, uint64_t ms)
{
  uint64_t end = uv_hrtime() + ms * 1000000;
  for (uint64_t now; (now = uv_hrtime()) < end;) {
    int count = poll(found, 1, (int)((end - now) / 1000000) + 1);
    if (count > 0 || (count < 0 && errno != EINTR))
      return count;
  }
  return 0;
}

/* Why nothing comes: a commit waits for standbys of the database as well, however long that takes. Its result is `status`. */
static int note_silence(struct cnk_postgres *store, int status, int ms)
{
  const char *waits_for = store->is_uncertain ? "confirmed a commit" : "answered";
  const char *hint = store->is_uncertain ? "; it may wait for a standby (synchronous_standby_names)" : "";
  char reason[160];
  snprintf(reason, sizeof reason, "the database has not %s for %d seconds%s", waits_for, ms / 1000, hint);
  cnk_worker_set_unwritable(&store->worker, reason);
  return cnk_wire_fail(store, status, reason);
}

/* Some milliseconds at a time, for as long as it may take. `waited`: how long it took. */
static int poll_patiently(struct cnk_postgres *store, struct pollfd *found, int *waited)
{
  int count = 0, most = store->is_migrating ? MIGRATION_MS : WAIT_MS;
  for (*waited = 0; count == 0 && *waited < most; *waited += LOOK_MS) {
    if (*waited >= LAST_MS && cnk_worker_is_closing(&store->worker))
      break;
    if (*waited == SLOW_MS)
      note_silence(store, 0, SLOW_MS);
    count = poll_for(found, LOOK_MS);
  }
  return count;
}

/* Until the socket can be read, or written where that is wanted. */
static int await(struct cnk_postgres *store, bool may_write)
{
  struct pollfd found = {.fd = PQsocket(store->connection), .events = (short)(POLLIN | (may_write ? POLLOUT : 0))};
  if (found.fd < 0)
    return lose(store);
  int waited, count = poll_patiently(store, &found, &waited);
  if (count == 0)
    return note_silence(store, CNK_POSTGRES_LOST, waited);
  if (count < 0)
    return cnk_wire_fail(store, CNK_POSTGRES_LOST, strerror(errno));
  if (found.revents & (POLLIN | POLLHUP | POLLERR) && !PQconsumeInput(store->connection))
    return lose(store);
  return 0;
}

static int flush(struct cnk_postgres *store)
{
  int left;
  while ((left = PQflush(store->connection)) == 1) {
    int status = await(store, true);
    if (status != 0)
      return status;
  }
  return left < 0 ? lose(store) : 0;
}

/* The next result; NULL: the end of those of one statement. */
static int next_result(struct cnk_postgres *store, PGresult **result)
{
  *result = NULL;
  while (PQisBusy(store->connection)) {
    int status = await(store, false);
    if (status != 0)
      return status;
  }
  *result = PQgetResult(store->connection);
  return 0;
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static int code_of(const char *state)
{
  static const struct {
    const char *prefix; /* https://www.postgresql.org/docs/current/errcodes-appendix.html */
    enum cnk_postgres_code code;
  } codes[] = {
      {"08",    CNK_POSTGRES_LOST      },
      {"57P",   CNK_POSTGRES_LOST      },
      {"25006", CNK_POSTGRES_READ_ONLY },
      {"53100", CNK_POSTGRES_FULL      },
      {"58",    CNK_POSTGRES_IO        },
      {"42501", CNK_POSTGRES_IO        }, /* its tables may not be used any more, */
      {"42P01", CNK_POSTGRES_IO        }, /* or are gone */
      {"53200", CNK_POSTGRES_MEMORY    },
      {"53",    CNK_POSTGRES_BUSY      },
      {"40",    CNK_POSTGRES_BUSY      },
      {"55",    CNK_POSTGRES_BUSY      },
      {"57014", CNK_POSTGRES_BUSY      },
      {"23",    CNK_POSTGRES_CONSTRAINT},
      {"XX",    CNK_POSTGRES_CORRUPT   },
  };
  for (size_t i = 0; state && i < sizeof codes / sizeof *codes; i++)
    if (strncmp(state, codes[i].prefix, strlen(codes[i].prefix)) == 0)
      return codes[i].code;
  return CNK_POSTGRES_STATEMENT;
}

static int fail_by(struct cnk_postgres *store, const PGresult *result)
{
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *reason = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (!state) /* libpq's own */
    return lose(store);
  return cnk_wire_fail(store, code_of(state), reason ? reason : "the database refused a statement");
}

static bool is_good(const PGresult *result)
{
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* ---- outside of the pipeline --------------------------------------------------------------------------------------- */

int cnk_wire_execute(struct cnk_postgres *store, const char *text, PGresult **result)
{
  PGresult *last = NULL, *next;
  int status = PQsendQuery(store->connection, text) ? flush(store) : lose(store);
  int failure = 0;
  while (status == 0 && (status = next_result(store, &next)) == 0 && next) {
    if (failure == 0 && !is_good(next))
      failure = fail_by(store, next);
    PQclear(last);
    last = next;
  }
  status = status != 0 ? status : failure;
  if (status != 0 || !result) {
    PQclear(last);
    last = NULL;
  }
  if (result)
    *result = last;
  return status;
}

int64_t cnk_wire_integer(const PGresult *result)
{
  return result && PQntuples(result) > 0 && !PQgetisnull(result, 0, 0) ? strtoll(PQgetvalue(result, 0, 0), NULL, 10)
                                                                       : 0;
}

/* ---- in the pipeline ----------------------------------------------------------------------------------------------- */

static bool note(struct cnk_postgres *store, enum cnk_command_kind kind, unsigned number)
{
  if (store->sent_count == store->sent_room) {
    size_t room = store->sent_room ? 2 * store->sent_room : 64;
    struct cnk_command *sent = realloc(store->sent, room * sizeof *sent);
    if (!sent)
      return false;
    store->sent = sent;
    store->sent_room = room;
  }
  store->sent[store->sent_count++] = (struct cnk_command){.kind = kind, .number = number};
  return true;
}

static int note_sent(struct cnk_postgres *store, enum cnk_command_kind kind, unsigned number, int is_sent)
{
  if (!is_sent)
    return lose(store);
  return note(store, kind, number) ? 0 : cnk_wire_fail(store, CNK_POSTGRES_LOST, "not enough memory");
}

int cnk_wire_send(struct cnk_postgres *store, unsigned number, const struct cnk_parameters *parameters)
{
  char name[16];
  int status = 0;
  if (store->is_lost)
    return CNK_POSTGRES_LOST;
  snprintf(name, sizeof name, "s%u", number);
  if (!store->is_prepared[number]) {
    status = note_sent(
        store, CNK_COMMAND_PREPARE, number,
        PQsendPrepare(store->connection, name, cnk_sql_texts[number].postgres, parameters->count, parameters->types));
    store->is_prepared[number] = status == 0;
  }
  if (status != 0)
    return status;
  return note_sent(store, CNK_COMMAND_STATEMENT, number,
                   PQsendQueryPrepared(store->connection, name, parameters->count, parameters->values,
                                       parameters->lengths, parameters->formats, 1));
}

int cnk_wire_send_own(struct cnk_postgres *store, const char *text, const struct cnk_parameters *parameters)
{
  int status = store->is_lost ? CNK_POSTGRES_LOST : 0;
  if (status == 0 && text)
    status = note_sent(store, CNK_COMMAND_STATEMENT, 0,
                       PQsendPrepare(store->connection, "", text, parameters->count, parameters->types));
  if (status != 0)
    return status;
  return note_sent(store, CNK_COMMAND_STATEMENT, 0,
                   PQsendQueryPrepared(store->connection, "", parameters->count, parameters->values,
                                       parameters->lengths, parameters->formats, 1));
}

void cnk_wire_want_changes(struct cnk_postgres *store, int64_t *changes)
{
  store->sent[store->sent_count - 1].changes = changes;
}

int cnk_wire_send_text(struct cnk_postgres *store, const char *text)
{
  if (store->is_lost)
    return CNK_POSTGRES_LOST;
  return note_sent(store, CNK_COMMAND_STATEMENT, 0,
                   PQsendQueryParams(store->connection, text, 0, NULL, NULL, NULL, NULL, 1));
}

static int send_sync(struct cnk_postgres *store)
{
  int status = note_sent(store, CNK_COMMAND_SYNC, 0, PQpipelineSync(store->connection));
  return status == 0 ? flush(store) : status;
}

/* Awaits one of what was sent: its result, and its failure in `failure`. */
static int collect_one(struct cnk_postgres *store, const struct cnk_command *sent, PGresult **result, int *failure)
{
  PGresult *end = NULL;
  int status = next_result(store, result);
  if (status != 0)
    return status;
  if (!*result)
    return lose(store);
  if (sent->kind == CNK_COMMAND_SYNC)
    return PQresultStatus(*result) == PGRES_PIPELINE_SYNC ? 0 : lose(store);
  if (!is_good(*result)) {
    if (sent->kind == CNK_COMMAND_PREPARE)
      store->is_prepared[sent->number] = false;
    if (*failure == 0)
      *failure = fail_by(store, *result);
    if (*failure == CNK_POSTGRES_LOST)
      return *failure;
  }
  status = next_result(store, &end);
  PQclear(end);
  return status;
}

/* Outside of a transaction, what is sent is one until the next sync. */
static int ask_for_all(struct cnk_postgres *store)
{
  if (store->is_lost)
    return CNK_POSTGRES_LOST;
  if (!store->is_in_transaction)
    return send_sync(store);
  return PQsendFlushRequest(store->connection) ? flush(store) : lose(store);
}

int cnk_wire_collect(struct cnk_postgres *store, PGresult **result)
{
  PGresult *last = NULL;
  int failure = 0;
  int status = ask_for_all(store);
  for (size_t i = 0; i < store->sent_count && status == 0; i++) {
    struct cnk_command sent = store->sent[i];
    PGresult *next;
    bool has_failed = failure != 0;
    status = collect_one(store, &sent, &next, &failure);
    if (sent.kind == CNK_COMMAND_SYNC) {
      PQclear(next);
      continue;
    }
    if (status == 0 && failure == 0 && sent.changes)
      *sent.changes = strtoll(PQcmdTuples(next), NULL, 10);
    PQclear(last);
    last = next;
    if (status == 0 && failure != 0 && !has_failed && store->is_in_transaction) /* the server goes on after a sync */
      status = send_sync(store);
  }
  store->sent_count = 0;
  status = status != 0 ? status : failure;
  if (status != 0 || !result) {
    PQclear(last);
    last = NULL;
  }
  if (result)
    *result = last;
  return status;
}
