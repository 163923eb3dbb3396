/* SPDX-License-Identifier: MIT */
/*
 * Which files may be opened, and how those of older versions come up to date. Another program's database is refused before
 * anything is written. The versions are the sections of sql/schema.sql.
 */
#include <stdio.h>
#include <string.h>

#include "store/sql/move.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/peek.h"

/* So many sequences may be given out between one opening and the next, whose own begin behind them. */
#define SEQUENCES_BITS 40

static int find_version(int version)
{
  return cnk_sql_find_version("schema", version);
}

/* ---- whose it is ------------------------------------------------------------------------------------------------- */

/* Whether one of the migrations to `last` makes this table. */
static bool is_own_table(const char *name, size_t size, int last)
{
  static const char create[] = "CREATE TABLE ";
  for (int version = 1; version <= last; version++)
    for (const char *at = cnk_sql_texts[find_version(version)].text; (at = strstr(at, create));) {
      at += sizeof create - 1;
      if (strncmp(at, name, size) == 0 && at[size] == ' ')
        return true;
    }
  return false;
}

/* Of version 1: what databases had before they were marked. */
static int count_own_tables(void)
{
  int count = 0;
  for (const char *at = cnk_sql_texts[find_version(1)].text; (at = strstr(at, "CREATE TABLE ")); at++)
    count++;
  return count;
}

enum owner { NOBODY, OURS, SOME_OF_OURS, FOREIGN };

static enum owner whose(const struct cnk_peek *found)
{
  int count = 0;
  int last = found->application_id == CNK_APPLICATION_ID ? cnk_sql_version() : 1;
  const char *at = found->tables, *end = found->tables + found->tables_size;
  for (const char *line; at < end && (line = memchr(at, '\n', (size_t)(end - at))); at = line + 1, count++)
    if (!is_own_table(at, (size_t)(line - at), last))
      return FOREIGN;
  return count == 0 ? NOBODY : count == count_own_tables() ? OURS : SOME_OF_OURS;
}

static bool is_foreign(const struct cnk_peek *found)
{
  int32_t id = found->application_id;
  if (id == CNK_APPLICATION_ID)
    return found->has_tables && whose(found) == FOREIGN;
  if (id != 0 || !found->has_tables)
    return id != 0;
  enum owner owner = whose(found);
  return owner == FOREIGN || (owner == NOBODY && found->user_version != 0) ||
         (owner == SOME_OF_OURS && found->user_version > 0);
}

/* Judges a database by what it says of itself. */
static bool judge(const char *path, const struct cnk_peek *found, char *message, size_t size)
{
  int version = found->user_version;
  if (is_foreign(found))
    snprintf(message, size,
             "the store %s is another program's database: choose another file with --store or CUNNEKT_STORE", path);
  else if (version < 0)
    snprintf(message, size, "the store is of version %d, which there never was: %s is damaged; restore a backup",
             version, path);
  else if (version > cnk_sql_version())
    snprintf(message, size, "the store is of version %d, and this program knows only %d: the program is too old",
             version, cnk_sql_version());
  else if (version == 0 && found->has_tables && whose(found) != NOBODY)
    snprintf(message, size, "the store has tables and no version: %s is damaged; restore a backup", path);
  else
    return true;
  return false;
}

bool cnk_migrate_look(const char *path, char *message, size_t size)
{
  struct cnk_peek found;
  return cnk_peek(path, &found, message, size) && (found.is_new || judge(path, &found, message, size));
}

/* ---- the way up -------------------------------------------------------------------------------------------------- */

static int execute(struct cnk_sqlite *store, const char *text)
{
  return sqlite3_exec(store->db, text, NULL, NULL, NULL);
}

static int set_number(struct cnk_sqlite *store, const char *pragma, int number)
{
  char text[64];
  snprintf(text, sizeof text, "PRAGMA %s = %d", pragma, number);
  return execute(store, text);
}

/* The first integer of a statement that changes something and tells it. */
static int read_next(struct cnk_sqlite *store, const char *name, int64_t *out)
{
  sqlite3_stmt *statement = NULL;
  int status = cnk_statements_compile(store, (unsigned)cnk_sql_find("writes", name), &statement);
  if (status != SQLITE_OK)
    return status;
  if (sqlite3_step(statement) == SQLITE_ROW)
    *out = sqlite3_column_int64(statement, 0);
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

/* A host may not use a store that is half moved, or moved away. */
static bool may_be_used(struct cnk_sqlite *store, int version, char *message, size_t size)
{
  sqlite3_stmt *statement = NULL;
  bool is_allowed = true;
  if (store->is_memory || store->options.is_moving || version < CNK_MOVE_VERSION)
    return true;
  int status = cnk_statements_compile(store, (unsigned)cnk_sql_find("moves", "get_move"), &statement);
  if (status == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
    is_allowed = cnk_move_allows(sqlite3_column_int64(statement, 0), (const char *)sqlite3_column_text(statement, 1),
                                 (const char *)sqlite3_column_text(statement, 2), message, size);
  sqlite3_reset(statement);
  return is_allowed;
}

/* SQLite begins the number of a schema anew in a copy that its backup makes, and raises it with each change of the schema. A copy that
 * becomes a store gets a higher one, by which the guard tells it from its own copies. */
static int tell_from_copies(struct cnk_sqlite *store)
{
  sqlite3_stmt *statement = NULL;
  int number = 2, status = sqlite3_prepare_v2(store->db, "PRAGMA schema_version", -1, &statement, NULL);
  if (status == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
    number = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  return number < 2 ? execute(store, "CREATE TABLE copied (n); DROP TABLE copied") : status;
}

static int bring_up(struct cnk_sqlite *store, const struct cnk_peek *found)
{
  int status = execute(store, "BEGIN IMMEDIATE"), last = cnk_sql_version();
  if (status == SQLITE_OK && found->application_id != CNK_APPLICATION_ID)
    status = set_number(store, "application_id", CNK_APPLICATION_ID);
  for (int version = found->user_version + 1; version <= last && status == SQLITE_OK; version++) {
    status = execute(store, cnk_sql_texts[find_version(version)].text);
    if (status == SQLITE_OK)
      status = set_number(store, "user_version", version);
  }
  int64_t opening = 0;
  if (status == SQLITE_OK && !store->is_memory)
    status = tell_from_copies(store);
  if (status == SQLITE_OK)
    status = read_next(store, "next_opening", &opening);
  if (status == SQLITE_OK)
    status = execute(store, "COMMIT");
  store->session.sequence = opening << SEQUENCES_BITS;
  return status;
}

/* ---- stores in memory -------------------------------------------------------------------------------------------- */

/* An empty database of the newest version. Tests open a store for each conversation, and the migrations take most of that. It is
 * made and read where stores are opened, on the loop's thread, and kept until the program ends. */
static sqlite3 *blank;

static int copy(sqlite3 *to, sqlite3 *from)
{
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  if (!backup)
    return sqlite3_errcode(to);
  sqlite3_backup_step(backup, -1);
  return sqlite3_backup_finish(backup);
}

/* Keeps a copy of a store that was just brought up. Without one the next store is migrated, too. */
static void keep_blank(struct cnk_sqlite *store)
{
  if (sqlite3_open_v2(":memory:", &blank, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) ==
          SQLITE_OK &&
      copy(blank, store->db) == SQLITE_OK)
    return;
  sqlite3_close(blank);
  blank = NULL;
}

bool cnk_migrate(struct cnk_sqlite *store, char *message, size_t size)
{
  struct cnk_peek found = {0};
  int status = store->is_memory && blank && !store->is_reused ? copy(store->db, blank) : SQLITE_OK;
  if (status == SQLITE_OK)
    status = cnk_peek_read(store->db, &found);
  if (status == SQLITE_OK && !judge(store->path, &found, message, size))
    return false;
  if (status == SQLITE_OK && !may_be_used(store, found.user_version, message, size))
    return false;
  store->worker.base.version = found.user_version;
  if (status == SQLITE_OK && !store->options.is_read_only) {
    status = bring_up(store, &found);
    store->worker.base.version = cnk_sql_version();
  }
  if (status == SQLITE_OK && store->is_memory && !blank)
    keep_blank(store);
  if (status == SQLITE_OK)
    return true;
  snprintf(message, size, "cannot open the store %s: %s", store->path, cnk_connection_problem(store));
  execute(store, "ROLLBACK");
  return false;
}
