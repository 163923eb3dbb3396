/* SPDX-License-Identifier: MIT */
/* The verbs' statements on the connection; see sql/session.h. */
#include <endian.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/internal.h"

/* The types of values, by their numbers in every PostgreSQL (pg_type.dat). */
enum {
  BOOL = 16,
  BYTEA = 17,
  NAME = 19,
  INT8 = 20,
  INT2 = 21,
  INT4 = 23,
  TEXT = 25,
  FLOAT8 = 701,
  UNKNOWN = 705,
  VARCHAR = 1043
};

static struct cnk_postgres *store_of(struct cnk_sql_session *session)
{
  return CNK_OWNER(session, struct cnk_postgres, session);
}

static const char *problem(struct cnk_sql_session *session)
{
  return store_of(session)->problem;
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void add(struct cnk_parameters *parameters, Oid type, const char *value, size_t size)
{
  int at = parameters->count++;
  parameters->types[at] = type;
  parameters->values[at] = value;
  parameters->lengths[at] = (int)size;
  parameters->formats[at] = 1;
}

static void add_integer(struct cnk_parameters *parameters, const int64_t *value)
{
  char *room = parameters->room[parameters->count];
  if (value) {
    uint64_t bits = htobe64((uint64_t)*value);
    memcpy(room, &bits, sizeof bits);
  }
  add(parameters, INT8, value ? room : NULL, sizeof(int64_t));
}

static void add_real(struct cnk_parameters *parameters, double value)
{
  char *room = parameters->room[parameters->count];
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bits = htobe64(bits);
  memcpy(room, &bits, sizeof bits);
  add(parameters, FLOAT8, isnan(value) ? NULL : room, sizeof bits);
}

static void add_bytes(struct cnk_parameters *parameters, struct cnk_text text)
{
  add(parameters, BYTEA, text.data, text.size);
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): the analyser does not see the callers' va_start */
static void add_all(struct cnk_parameters *parameters, const char *format, va_list values)
{
  for (parameters->count = 0; *format && parameters->count < CNK_POSTGRES_PARAMETERS_MOST; format++) {
    int64_t integer;
    switch (*format) {
    case 'i':
    case 'o':
      integer = va_arg(values, int64_t);
      add_integer(parameters, *format == 'o' && integer == 0 ? NULL : &integer);
      break;
    case 'r': add_real(parameters, va_arg(values, double)); break;
    default: add_bytes(parameters, va_arg(values, struct cnk_text));
    }
  }
}
/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

/* A number where integers are wanted: what compares and limits alike. */
static int64_t integer_of(double real)
{
  const double limit = 9223372036854775808.0;
  return real >= limit ? INT64_MAX : real < -limit ? INT64_MIN : (int64_t)floor(real);
}

static void add_value(struct cnk_parameters *parameters, char type, const struct cnk_value *value)
{
  bool is_integer = value->kind == CNK_VALUE_INTEGER, is_real = value->kind == CNK_VALUE_REAL;
  int64_t integer = is_integer ? value->as.integer : is_real ? integer_of(value->as.real) : 0;
  if (type == 'i') {
    add_integer(parameters, is_integer || is_real ? &integer : NULL);
  } else if (type == 'r') {
    add_real(parameters, is_integer ? (double)integer : is_real ? value->as.real : (double)NAN);
  } else { /* numbers come before all bytes */
    struct cnk_text bytes = value->kind == CNK_VALUE_BYTES ? value->as.bytes : (struct cnk_text){0};
    if (!bytes.data && value->kind != CNK_VALUE_NULL)
      bytes.data = "";
    add_bytes(parameters, bytes);
  }
}

static void add_values(struct cnk_parameters *parameters, unsigned number, const struct cnk_value *values, size_t count)
{
  parameters->count = 0;
  for (size_t i = 0; i < count && i < CNK_POSTGRES_PARAMETERS_MOST; i++)
    add_value(parameters, cnk_sql_texts[number].types[i], &values[i]);
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

static int64_t read_integer(const char *data, int size)
{
  uint64_t value = 0;
  for (int i = 0; i < size; i++)
    value = value << 8 | (unsigned char)data[i];
  return size == 2 ? (int16_t)value : size == 4 ? (int32_t)value : (int64_t)value;
}

/* False: a type that no statement should give. */
static bool value_of(const PGresult *result, int row, int column, struct cnk_value *value)
{
  const char *data = PQgetvalue(result, row, column);
  int size = PQgetlength(result, row, column);
  *value = (struct cnk_value){0};
  if (PQgetisnull(result, row, column))
    return true;
  switch (PQftype(result, column)) {
  case BOOL:
  case INT2:
  case INT4:
  case INT8:
    value->kind = CNK_VALUE_INTEGER;
    value->as.integer = read_integer(data, size);
    return true;
  case FLOAT8: {
    uint64_t bits = (uint64_t)read_integer(data, size);
    value->kind = CNK_VALUE_REAL;
    memcpy(&value->as.real, &bits, sizeof bits);
    return true;
  }
  case BYTEA:
  case NAME:
  case TEXT:
  case UNKNOWN:
  case VARCHAR:
    value->kind = CNK_VALUE_BYTES;
    value->as.bytes = (struct cnk_text){data, (size_t)size};
    return true;
  default: return false;
  }
}

static int refuse_type(struct cnk_postgres *store)
{
  return cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, "the database gave a value of an unknown type");
}

/* ---- statements ---------------------------------------------------------------------------------------------------- */

static int64_t changes_of(PGresult *result)
{
  return strtoll(PQcmdTuples(result), NULL, 10);
}

/* Sends it, or keeps it for others of its kind. */
static int hand_over(struct cnk_postgres *store, unsigned number, const struct cnk_parameters *parameters,
                     int64_t *changes)
{
  struct cnk_gathered *gathered = cnk_rows_of(store, number);
  store->has_written = true;
  if (gathered)
    return cnk_rows_add(store, gathered, parameters, changes);
  int status = cnk_rows_let_pass(store, number, changes != NULL) ? 0 : cnk_rows_flush(store);
  if (status == 0)
    status = cnk_wire_send(store, number, parameters);
  if (status == 0 && changes)
    cnk_wire_want_changes(store, changes);
  return status;
}

/* Sends it behind the rows that wait. */
static int send_behind(struct cnk_postgres *store, unsigned number, const struct cnk_parameters *parameters)
{
  int status = cnk_rows_flush(store);
  return status == 0 ? cnk_wire_send(store, number, parameters) : status;
}

static int run_bound(struct cnk_postgres *store, unsigned number, const struct cnk_parameters *parameters,
                     int64_t *changes)
{
  PGresult *result = NULL;
  if (!changes)
    return hand_over(store, number, parameters, NULL);
  int status = send_behind(store, number, parameters);
  store->has_written = true;
  if (status == 0)
    status = cnk_wire_collect(store, &result);
  if (status == 0)
    *changes = changes_of(result);
  PQclear(result);
  return status;
}

static int run(struct cnk_sql_session *session, unsigned number, const char *format, va_list values, int64_t *changes)
{
  struct cnk_parameters parameters;
  add_all(&parameters, format, values);
  return run_bound(store_of(session), number, &parameters, changes);
}

static int send_ahead(struct cnk_sql_session *session, unsigned number, const char *format, va_list values,
                      int64_t *changes)
{
  struct cnk_parameters parameters;
  add_all(&parameters, format, values);
  return hand_over(store_of(session), number, &parameters, changes);
}

static int change(struct cnk_sql_session *session, unsigned number, const struct cnk_value *values, size_t count,
                  int64_t *changes)
{
  struct cnk_parameters parameters;
  add_values(&parameters, number, values, count);
  return run_bound(store_of(session), number, &parameters, changes);
}

static int read_first(struct cnk_sql_session *session, unsigned number, const char *format, va_list values,
                      struct cnk_arena *arena, struct cnk_value *first, bool *has_written)
{
  struct cnk_postgres *store = store_of(session);
  struct cnk_parameters parameters;
  PGresult *result = NULL;
  add_all(&parameters, format, values);
  int status = send_behind(store, number, &parameters);
  if (status == 0)
    status = cnk_wire_collect(store, &result);
  if (status != 0)
    return status;
  first->kind = CNK_VALUE_NULL;
  *has_written = strncmp(PQcmdStatus(result), "SELECT", 6) != 0;
  store->has_written |= *has_written;
  if (PQntuples(result) > 0 && !value_of(result, 0, 0, first))
    status = refuse_type(store);
  else if (first->kind == CNK_VALUE_BYTES && !cnk_arena_copy(arena, first->as.bytes, &first->as.bytes))
    status = CNK_STORE_NO_MEMORY;
  PQclear(result);
  return status;
}

static bool note_columns(struct cnk_postgres_columns *columns, const PGresult *result)
{
  size_t count = (size_t)PQnfields(result);
  if (columns->names || count == 0)
    return true;
  const char **names = calloc(count, sizeof *names);
  for (size_t i = 0; names && i < count; i++)
    if (!(names[i] = strdup(PQfname(result, (int)i)))) {
      while (i)
        free((char *)names[--i]);
      free((void *)names);
      names = NULL;
    }
  *columns = (struct cnk_postgres_columns){.names = names, .count = names ? count : 0};
  return names != NULL;
}

static int keep_rows(struct cnk_postgres *store, const PGresult *result, struct cnk_query *query)
{
  int rows = PQntuples(result), columns = PQnfields(result);
  for (int row = 0; row < rows; row++) {
    for (int column = 0; column < columns; column++) {
      struct cnk_value value;
      if (!value_of(result, row, column, &value))
        return refuse_type(store);
      if (!cnk_value_write(&query->rows, &value))
        return CNK_STORE_TOO_MANY;
    }
    query->rows_count++;
  }
  return 0;
}

static int ask(struct cnk_sql_session *session, struct cnk_query *query)
{
  struct cnk_postgres *store = store_of(session);
  struct cnk_postgres_columns *columns = &store->columns[query->name];
  struct cnk_parameters parameters;
  PGresult *result = NULL;
  add_values(&parameters, query->name, query->parameters.items, query->parameters.count);
  int status = send_behind(store, query->name, &parameters);
  if (status == 0)
    status = cnk_wire_collect(store, &result);
  if (status == 0 && !note_columns(columns, result))
    status = CNK_STORE_NO_MEMORY;
  if (status == 0) {
    query->columns = columns->names;
    query->columns_count = columns->count;
    status = keep_rows(store, result, query);
  }
  PQclear(result);
  return status;
}

/* ---- copies -------------------------------------------------------------------------------------------------------- */

static int ask_text(struct cnk_sql_session *session, const char *text, const char *types,
                    const struct cnk_value *values, size_t count, struct cnk_query *rows)
{
  struct cnk_postgres *store = store_of(session);
  struct cnk_parameters parameters = {0};
  PGresult *result = NULL;
  for (size_t i = 0; i < count; i++)
    add_value(&parameters, types[i], &values[i]);
  int status = cnk_rows_flush(store);
  if (status == 0)
    status = cnk_wire_send_own(store, text, &parameters);
  if (status == 0)
    status = cnk_wire_collect(store, &result);
  if (status == 0)
    status = keep_rows(store, result, rows);
  PQclear(result);
  return status;
}

static int load(struct cnk_sql_session *session, const char *text, const char *types, const struct cnk_buffer *page)
{
  struct cnk_postgres *store = store_of(session);
  size_t columns = strlen(types), at = 0;
  int status = columns > CNK_POSTGRES_PARAMETERS_MOST ? refuse_type(store) : cnk_rows_flush(store);
  store->has_written = true;
  for (; at < page->size && status == 0; text = NULL) {
    struct cnk_parameters parameters = {0};
    for (size_t i = 0; i < columns; i++) {
      struct cnk_value value = cnk_value_read(page, &at);
      add_value(&parameters, types[i], &value);
    }
    status = cnk_wire_send_own(store, text, &parameters);
  }
  return status == 0 ? cnk_wire_collect(store, NULL) : status;
}

int cnk_postgres_run(struct cnk_postgres *store, enum cnk_sql sql, const char *format, PGresult **result, ...)
{
  struct cnk_parameters parameters;
  va_list values;
  va_start(values, result);
  add_all(&parameters, format, values);
  va_end(values);
  int status = cnk_wire_send(store, store->session.writes[sql], &parameters);
  return status == 0 ? cnk_wire_collect(store, result) : status;
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

static int begin(struct cnk_sql_session *session)
{
  struct cnk_postgres *store = store_of(session);
  cnk_rows_forget(store);
  store->has_written = false;
  store->is_in_transaction = true;
  return cnk_wire_send_text(store, "BEGIN");
}

/* A commit that nobody has confirmed may hold or not: is_uncertain says so until somebody looks. */
static int commit(struct cnk_sql_session *session)
{
  struct cnk_postgres *store = store_of(session);
  PGresult *result = NULL;
  int status = cnk_rows_flush(store);
  if (status == 0 && store->has_written && !atomic_load(&store->stands_by)) {
    struct cnk_parameters parameters = {0};
    store->batch = ++session->sequence;
    add_integer(&parameters, &store->batch);
    status = cnk_wire_send(store, session->writes[CNK_SQL_put_batch], &parameters);
  }
  if (status == 0)
    status = cnk_wire_send_text(store, "COMMIT");
  store->has_warned = false;
  if (status == 0) {
    store->is_uncertain = store->has_written && !atomic_load(&store->stands_by); /* mail may be there twice */
    store->is_in_transaction = false;
    status = cnk_wire_collect(store, &result);
  }
  if (status == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0)
    status = cnk_wire_fail(store, CNK_POSTGRES_STATEMENT, "the database rolled a transaction back");
  else if (status == 0 && store->has_warned)
    status = CNK_POSTGRES_LOST; /* committed here, and perhaps nowhere else */
  if (status == 0 && store->has_written && !atomic_load(&store->stands_by))
    store->confirmed = store->batch;
  if (status != CNK_POSTGRES_LOST)
    store->is_uncertain = false;
  store->is_in_transaction = status != 0; /* where what came before has failed, it was passed over */
  PQclear(result);
  return status;
}

static void roll_back(struct cnk_sql_session *session)
{
  struct cnk_postgres *store = store_of(session);
  cnk_rows_forget(store);
  if (!store->is_in_transaction || !store->connection || store->is_lost)
    return;
  cnk_wire_collect(store, NULL);
  store->is_in_transaction = false;
  if (!store->is_lost && cnk_wire_send_text(store, "ROLLBACK") == 0)
    cnk_wire_collect(store, NULL);
}

static bool is_fault(struct cnk_sql_session *session, int status)
{
  (void)session;
  return status >= CNK_POSTGRES_FULL;
}

static int save(struct cnk_sql_session *session)
{
  return cnk_wire_send_text(store_of(session), "SAVEPOINT call");
}

static int settle(struct cnk_sql_session *session)
{
  struct cnk_postgres *store = store_of(session);
  int status = cnk_rows_flush(store);
  return status == 0 ? cnk_wire_collect(store, NULL) : status;
}

static int undo(struct cnk_sql_session *session)
{
  return cnk_wire_send_text(store_of(session), "ROLLBACK TO call");
}

static int release(struct cnk_sql_session *session)
{
  return cnk_wire_send_text(store_of(session), "RELEASE call");
}

const struct cnk_sql_driver cnk_postgres_driver = {
    .run = run,
    .send_ahead = send_ahead,
    .read = read_first,
    .ask = ask,
    .change = change,
    .ask_text = ask_text,
    .load = load,
    .problem = problem,
    .begin = begin,
    .commit = commit,
    .roll_back = roll_back,
    .is_fault = is_fault,
    .save = save,
    .settle = settle,
    .undo = undo,
    .release = release,
};

const char *cnk_postgres_code_name(int status)
{
  switch (status) {
  case CNK_POSTGRES_CONSTRAINT: return "constraint";
  case CNK_POSTGRES_BUSY: return "busy";
  case CNK_POSTGRES_FULL: return "full";
  case CNK_POSTGRES_READ_ONLY: return "read_only";
  case CNK_POSTGRES_CORRUPT: return "corrupt";
  case CNK_POSTGRES_MEMORY: return "memory";
  case CNK_POSTGRES_IO:
  case CNK_POSTGRES_LOST: return "io";
  default: return "statement";
  }
}
