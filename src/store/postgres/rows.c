/* SPDX-License-Identifier: MIT */
/*
 * Rows that are gathered. While a batch is run as a whole, what its calls insert into a table is sent as one statement with an array for
 * each column (sql/rows.sql): a statement costs the database more than its row.
 *
 * They are sent before whatever could read or change them, and before the batch is committed. Statements go ahead of them only where the
 * order makes no difference, or shows as something that a call expected and did not find; then the batch is run again, one by one.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/internal.h"

enum { ROWS_MOST = 128, COLUMNS_MOST = 11, KEPT_BYTES = 1 << 16 };

/* The types of arrays, by their numbers in every PostgreSQL (pg_type.dat). */
enum { BYTEA_ARRAY = 1001, INT8_ARRAY = 1016, FLOAT8_ARRAY = 1022 };

/* An array's binary form: this, in the order of the network, then each value behind its size, -1 without one. */
struct header {
  uint32_t dimensions, has_null, type, count, lower_bound;
};

struct cnk_gathered {
  unsigned one, many; /* the statement's number in cnk_sql_texts for one row, and for many */
  int count, columns;
  Oid types[COLUMNS_MOST]; /* of a value */
  bool has_null[COLUMNS_MOST];
  struct cnk_buffer arrays[COLUMNS_MOST];
  size_t keys[ROWS_MOST]; /* where the rows' values of the first column begin, which are all different */
  int64_t *changes[ROWS_MOST];
  bool wants_changes;
};

static const enum cnk_sql kinds[] = {CNK_SQL_see,         CNK_SQL_put_event,  CNK_SQL_note_inbound,
                                     CNK_SQL_note_person, CNK_SQL_put_outbox, CNK_SQL_put_sent};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* What no gathered row is about; and what changes a row that cannot be one of this batch. */
static const enum cnk_sql passing[] = {
    CNK_SQL_delete_event, CNK_SQL_accept_outbox, CNK_SQL_check_version, CNK_SQL_check_value_version,
    CNK_SQL_put_state,    CNK_SQL_put_value,     CNK_SQL_change_dialog, CNK_SQL_put_step,
    CNK_SQL_any_mail,     CNK_SQL_drop_letter,
};

struct cnk_gathered *cnk_rows_new(const unsigned *writes)
{
  struct cnk_gathered *all = calloc(KINDS, sizeof *all);
  for (int i = 0; all && i < KINDS; i++) {
    all[i].one = writes[kinds[i]];
    all[i].many = (unsigned)cnk_sql_find("rows", cnk_sql_texts[all[i].one].name);
  }
  return all;
}

static void empty(struct cnk_gathered *gathered)
{
  for (int i = 0; i < gathered->columns; i++) {
    cnk_buffer_reset(&gathered->arrays[i], KEPT_BYTES);
    gathered->has_null[i] = false;
  }
  gathered->count = 0;
  gathered->wants_changes = false;
}

void cnk_rows_forget(struct cnk_postgres *store)
{
  for (int i = 0; store->gathered && i < KINDS; i++)
    empty(&store->gathered[i]);
}

void cnk_rows_free(struct cnk_gathered *all)
{
  for (int i = 0; all && i < KINDS; i++)
    for (int k = 0; k < COLUMNS_MOST; k++)
      free(all[i].arrays[k].data);
  free(all);
}

/* ---- gathering ------------------------------------------------------------------------------------------------------- */

struct cnk_gathered *cnk_rows_of(struct cnk_postgres *store, unsigned number)
{
  for (int i = 0; store->session.is_whole && i < KINDS; i++)
    if (store->gathered[i].one == number)
      return &store->gathered[i];
  return NULL;
}

bool cnk_rows_let_pass(const struct cnk_postgres *store, unsigned number, bool is_expected)
{
  for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
    if (store->session.writes[passing[i]] == number)
      return true;
  return is_expected && store->session.writes[CNK_SQL_change_outbox] == number;
}

static bool has_key(const struct cnk_gathered *gathered, const struct cnk_parameters *row)
{
  size_t size = (size_t)row->lengths[0];
  uint32_t prefix = htonl((uint32_t)size);
  for (int i = 0; i < gathered->count; i++) {
    const char *key = gathered->arrays[0].data + gathered->keys[i];
    if (memcmp(key, &prefix, sizeof prefix) == 0 && memcmp(key + sizeof prefix, row->values[0], size) == 0)
      return true;
  }
  return false;
}

static void begin(struct cnk_gathered *gathered, const struct cnk_parameters *row)
{
  gathered->columns = row->count;
  memcpy(gathered->types, row->types, (size_t)row->count * sizeof *row->types);
}

static bool add_value(struct cnk_gathered *gathered, int column, const char *value, int length)
{
  static const struct header header;
  struct cnk_buffer *array = &gathered->arrays[column];
  uint32_t prefix = htonl(value ? (uint32_t)length : UINT32_MAX);
  gathered->has_null[column] |= !value;
  return (array->size > 0 || cnk_buffer_add(array, &header, sizeof header)) &&
         cnk_buffer_add(array, &prefix, sizeof prefix) && (!value || cnk_buffer_add(array, value, (size_t)length));
}

int cnk_rows_add(struct cnk_postgres *store, struct cnk_gathered *gathered, const struct cnk_parameters *row,
                 int64_t *changes)
{
  int status = row->count > COLUMNS_MOST ? CNK_STORE_TOO_MANY : 0;
  if (status == 0 && (gathered->count == ROWS_MOST || has_key(gathered, row)))
    status = cnk_rows_flush(store);
  if (status != 0)
    return status;
  if (gathered->count == 0)
    begin(gathered, row);
  gathered->keys[gathered->count] = gathered->count ? gathered->arrays[0].size : sizeof(struct header);
  for (int i = 0; i < row->count; i++)
    if (!add_value(gathered, i, row->values[i], row->lengths[i]))
      return CNK_STORE_NO_MEMORY;
  gathered->changes[gathered->count++] = changes;
  gathered->wants_changes |= changes != NULL;
  return 0;
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static Oid array_of(Oid type)
{
  enum { BYTEA = 17, INT8 = 20 };
  return type == BYTEA ? BYTEA_ARRAY : type == INT8 ? INT8_ARRAY : FLOAT8_ARRAY;
}

static void complete(struct cnk_gathered *gathered, int column)
{
  struct header header = {
      .dimensions = htonl(1),
      .has_null = htonl(gathered->has_null[column]),
      .type = htonl(gathered->types[column]),
      .count = htonl((uint32_t)gathered->count),
      .lower_bound = htonl(1),
  };
  memcpy(gathered->arrays[column].data, &header, sizeof header);
}

/* The keys that the statement gave are of the rows that it changed. */
static void note_changes(struct cnk_gathered *gathered, const PGresult *result)
{
  for (int i = 0; i < gathered->count; i++) {
    const char *key = gathered->arrays[0].data + gathered->keys[i] + sizeof(uint32_t);
    int64_t changes = 0;
    for (int row = 0; row < PQntuples(result) && !changes; row++)
      changes = PQgetlength(result, row, 0) == sizeof(int64_t) &&
                memcmp(PQgetvalue(result, row, 0), key, sizeof(int64_t)) == 0;
    if (gathered->changes[i])
      *gathered->changes[i] = changes;
  }
}

static int send_rows(struct cnk_postgres *store, struct cnk_gathered *gathered)
{
  struct cnk_parameters parameters = {.count = gathered->columns};
  PGresult *result = NULL;
  for (int i = 0; i < gathered->columns; i++) {
    complete(gathered, i);
    parameters.types[i] = array_of(gathered->types[i]);
    parameters.values[i] = gathered->arrays[i].data;
    parameters.lengths[i] = (int)gathered->arrays[i].size;
    parameters.formats[i] = 1;
  }
  int status = cnk_wire_send(store, gathered->many, &parameters);
  if (gathered->wants_changes && status == 0)
    status = cnk_wire_collect(store, &result);
  if (gathered->wants_changes && status == 0)
    note_changes(gathered, result);
  PQclear(result);
  return status;
}

int cnk_rows_flush(struct cnk_postgres *store)
{
  int status = 0;
  for (int i = 0; i < KINDS; i++) {
    if (store->gathered[i].count && status == 0)
      status = send_rows(store, &store->gathered[i]);
    empty(&store->gathered[i]);
  }
  return status;
}
