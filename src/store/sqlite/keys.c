/* SPDX-License-Identifier: MIT */
/*
 * How rows of `seen` and `sent` are found by their digests. The rows are in the order in which they came, so that those of a commit
 * share pages; a table of them in the order of the digests would put each into a page of its own. So the digests of the newest rows
 * are in memory, and those of the others in a table of keys, `seen_key` or `sent_key`. When memory holds many they are folded: put
 * into that table in the order of the digests, so that many share a page there, some with each commit. `folded` says up to which row
 * that is done; what is above it is read into memory when the first digest is asked for.
 *
 * A key may name a row that is gone, or has become another one, or whose digest has the same first half: whoever follows it looks.
 *
 * All of it is the writer thread's, within a transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/internal.h"

/* So many digests are in memory before they are folded, of each table 128 KB; more wait only while a fold is under way. Of a large
 * table that few would find a page each, so there it is a part of the rows, up to so many: 1 MB of each. */
enum { FOLD_AT = 4096, FOLD_PART = 32, MOST_AT = 32768 };
/* So many are folded with a commit: they share pages, and take less time than a commit does. */
enum { FOLDED_AT_ONCE = 128 };
/* Where more are found when a store is opened, such as after a move, they are folded at once. */
enum { MOST_LOADED = 2 * MOST_AT };

struct statements {
  enum cnk_sql get_folded, put_folded, get_newest, get_span, list, get_key, put_key, fold_all, clear_keys;
};

static const struct statements statements_of[CNK_KEYED_TABLES] = {
    [CNK_KEYED_SEEN] = {CNK_SQL_get_folded_seen, CNK_SQL_put_folded_seen, CNK_SQL_get_newest_seen,
                        CNK_SQL_get_span_seen, CNK_SQL_list_new_seen, CNK_SQL_get_seen_key, CNK_SQL_put_seen_key,
                        CNK_SQL_fold_seen, CNK_SQL_forget_seen_keys},
    [CNK_KEYED_SENT] = {CNK_SQL_get_folded_sent, CNK_SQL_put_folded_sent, CNK_SQL_get_newest_sent,
                        CNK_SQL_get_span_sent, CNK_SQL_list_new_sent, CNK_SQL_get_sent_key, CNK_SQL_put_sent_key,
                        CNK_SQL_fold_sent, CNK_SQL_forget_sent_keys},
};

/* ---- statements -------------------------------------------------------------------------------------------------- */

static int prepare(struct cnk_sqlite *store, enum cnk_sql sql, const int64_t *values, int count, sqlite3_stmt **out)
{
  int status = cnk_statements_compile(store, store->session.writes[sql], out);
  for (int i = 0; i < count && status == SQLITE_OK; i++)
    status = sqlite3_bind_int64(*out, i + 1, values[i]);
  return status;
}

static int run(struct cnk_sqlite *store, enum cnk_sql sql, const int64_t *values, int count)
{
  sqlite3_stmt *statement = NULL;
  int status = prepare(store, sql, values, count, &statement);
  if (status != SQLITE_OK)
    return status;
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

/* An integer; 0 where there is no row. */
static int read_integer(struct cnk_sqlite *store, enum cnk_sql sql, const int64_t *values, int count, int64_t *out)
{
  sqlite3_stmt *statement = NULL;
  int status = prepare(store, sql, values, count, &statement);
  *out = 0;
  if (status != SQLITE_OK)
    return status;
  if (sqlite3_step(statement) == SQLITE_ROW)
    *out = sqlite3_column_int64(statement, 0);
  return sqlite3_reset(statement);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Digests are random already. */
static size_t slot_of(const struct cnk_key_set *set, int64_t hash)
{
  return (size_t)(uint64_t)hash & (set->room - 1);
}

static struct cnk_key *find_slot(const struct cnk_key_set *set, int64_t hash)
{
  size_t at = slot_of(set, hash);
  while (set->slots[at].id && set->slots[at].hash != hash)
    at = (at + 1) & (set->room - 1);
  return &set->slots[at];
}

static bool make_room(struct cnk_key_set *set, size_t count)
{
  size_t room = set->room ? set->room : (size_t)256;
  while (room / 4 * 3 < count)
    room *= 2;
  if (room == set->room)
    return true;
  struct cnk_key_set bigger = *set;
  bigger.slots = calloc(room, sizeof *bigger.slots);
  bigger.room = room;
  if (!bigger.slots)
    return false;
  for (size_t i = 0; i < set->room; i++)
    if (set->slots[i].id)
      *find_slot(&bigger, set->slots[i].hash) = set->slots[i];
  free(set->slots);
  *set = bigger;
  return true;
}

/* A newer row takes the place of an older one with the same digest. */
static bool remember(struct cnk_key_set *set, int64_t hash, int64_t id)
{
  if (!make_room(set, set->count + 1))
    return false;
  struct cnk_key *slot = find_slot(set, hash);
  set->count += slot->id == 0;
  *slot = (struct cnk_key){.hash = hash, .id = id};
  if (id > set->newest)
    set->newest = id;
  return true;
}

static void stop_folding(struct cnk_key_set *set)
{
  free(set->folding);
  set->folding = NULL;
  set->folding_count = set->folding_at = 0;
}

/* Those that are folded are found in their table. */
static bool forget_folded(struct cnk_key_set *set)
{
  struct cnk_key_set rest = {.folded = set->folding_to, .newest = set->newest};
  bool is_done = make_room(&rest, 1);
  for (size_t i = 0; i < set->room && is_done; i++)
    if (set->slots[i].id > set->folding_to)
      is_done = remember(&rest, set->slots[i].hash, set->slots[i].id);
  stop_folding(set);
  free(set->slots);
  *set = rest;
  return is_done;
}

void cnk_keys_reset(struct cnk_sqlite *store)
{
  for (size_t i = 0; i < CNK_KEYED_TABLES; i++) {
    stop_folding(&store->keys.sets[i]);
    free(store->keys.sets[i].slots);
  }
  store->keys = (struct cnk_keys){0};
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static int list(struct cnk_sqlite *store, const struct statements *of, struct cnk_key_set *set)
{
  sqlite3_stmt *statement = NULL;
  bool has_memory = make_room(set, 1);
  int status = prepare(store, of->list, &set->folded, 1, &statement);
  while (status == SQLITE_OK && has_memory && sqlite3_step(statement) == SQLITE_ROW)
    has_memory = remember(set, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1));
  if (status == SQLITE_OK)
    status = sqlite3_reset(statement);
  return has_memory ? status : SQLITE_NOMEM;
}

/* A store that is only read has its keys folded by nobody. */
static int fold_all(struct cnk_sqlite *store, const struct statements *of, struct cnk_key_set *set)
{
  int64_t rows[] = {set->folded, set->newest};
  int status = run(store, of->fold_all, rows, 2);
  if (status == SQLITE_OK)
    status = run(store, of->put_folded, &set->newest, 1);
  if (status == SQLITE_OK)
    set->folded = set->newest;
  return status;
}

/* When the next fold begins. */
static int scale(struct cnk_sqlite *store, const struct statements *of, struct cnk_key_set *set)
{
  int64_t span;
  int status = read_integer(store, of->get_span, NULL, 0, &span);
  size_t part = span > 0 ? (size_t)span / FOLD_PART : 0;
  set->fold_at = part < FOLD_AT ? FOLD_AT : part > MOST_AT ? MOST_AT : part;
  return status;
}

static int load_set(struct cnk_sqlite *store, enum cnk_keyed table)
{
  const struct statements *of = &statements_of[table];
  struct cnk_key_set *set = &store->keys.sets[table];
  int status = read_integer(store, of->get_folded, NULL, 0, &set->folded);
  if (status == SQLITE_OK)
    status = read_integer(store, of->get_newest, NULL, 0, &set->newest);
  if (set->newest < set->folded)
    set->newest = set->folded; /* the newest rows are gone */
  if (status == SQLITE_OK && set->newest - set->folded > MOST_LOADED && !store->options.is_read_only)
    status = fold_all(store, of, set);
  if (status == SQLITE_OK)
    status = list(store, of, set);
  return status == SQLITE_OK ? scale(store, of, set) : status;
}

static int load(struct cnk_sqlite *store)
{
  int status = SQLITE_OK;
  for (int i = 0; i < CNK_KEYED_TABLES && status == SQLITE_OK && !store->keys.is_loaded; i++)
    status = load_set(store, (enum cnk_keyed)i);
  if (status == SQLITE_OK)
    store->keys.is_loaded = true;
  else
    cnk_keys_reset(store);
  return status;
}

/* ---- use --------------------------------------------------------------------------------------------------------- */

int cnk_keys_find(struct cnk_sqlite *store, enum cnk_keyed table, int64_t hash, int64_t *id)
{
  int status = load(store);
  *id = 0;
  if (status != SQLITE_OK)
    return status;
  *id = find_slot(&store->keys.sets[table], hash)->id;
  return *id ? SQLITE_OK : read_integer(store, statements_of[table].get_key, &hash, 1, id);
}

int cnk_keys_add(struct cnk_sqlite *store, enum cnk_keyed table, int64_t hash, int64_t *id)
{
  struct cnk_key_set *set = &store->keys.sets[table];
  int status = load(store);
  if (status != SQLITE_OK)
    return status;
  *id = set->newest + 1;
  store->keys.has_new = true;
  return remember(set, hash, *id) ? SQLITE_OK : SQLITE_NOMEM;
}

int cnk_keys_begin_anew(struct cnk_sqlite *store)
{
  const int64_t none = 0;
  int status = SQLITE_OK;
  cnk_keys_reset(store);
  for (int i = 0; i < CNK_KEYED_TABLES && status == SQLITE_OK; i++) {
    status = run(store, statements_of[i].clear_keys, NULL, 0);
    if (status == SQLITE_OK)
      status = run(store, statements_of[i].put_folded, &none, 1);
  }
  return status;
}

/* ---- folding ----------------------------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
  int64_t left = ((const struct cnk_key *)a)->hash, right = ((const struct cnk_key *)b)->hash;
  return (left > right) - (left < right);
}

static bool begin_folding(struct cnk_key_set *set)
{
  set->folding = malloc(set->count * sizeof *set->folding);
  if (!set->folding)
    return false;
  for (size_t i = 0; i < set->room; i++)
    if (set->slots[i].id)
      set->folding[set->folding_count++] = set->slots[i];
  set->folding_to = set->newest;
  qsort(set->folding, set->folding_count, sizeof *set->folding, by_hash);
  return true;
}

static int fold(struct cnk_sqlite *store, const struct statements *of, struct cnk_key_set *set)
{
  int status = SQLITE_OK;
  for (int i = 0; i < FOLDED_AT_ONCE && set->folding_at < set->folding_count && status == SQLITE_OK; i++) {
    const struct cnk_key *key = &set->folding[set->folding_at++];
    int64_t values[] = {key->hash, key->id};
    status = run(store, of->put_key, values, 2);
  }
  if (status != SQLITE_OK || set->folding_at < set->folding_count)
    return status;
  status = run(store, of->put_folded, &set->folding_to, 1);
  if (status == SQLITE_OK && !forget_folded(set))
    status = SQLITE_NOMEM;
  return status == SQLITE_OK ? scale(store, of, set) : status;
}

int cnk_keys_fold(struct cnk_sqlite *store)
{
  int status = SQLITE_OK;
  if (!store->keys.has_new)
    return status;
  store->keys.has_new = false;
  for (int i = 0; i < CNK_KEYED_TABLES && status == SQLITE_OK; i++) {
    struct cnk_key_set *set = &store->keys.sets[i];
    if (!set->folding && set->count >= set->fold_at && !begin_folding(set))
      return SQLITE_NOMEM;
    if (set->folding)
      status = fold(store, &statements_of[i], set);
  }
  return status;
}
