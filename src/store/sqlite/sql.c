/* SPDX-License-Identifier: MIT */
/* Finds named statements, and compiles them when they are first used; see sql.h. */
#include "store/sqlite/sql.h"

#include <stdlib.h>
#include <string.h>

#include "store/sqlite/internal.h"

int cnk_sql_find(const char *file, const char *name)
{
  for (unsigned i = 0; i < cnk_sql_count; i++) {
    const struct cnk_sql_text *text = &cnk_sql_texts[i];
    if (text->name && strcmp(text->name, name) == 0 && strcmp(text->file, file) == 0)
      return (int)i;
  }
  return -1;
}

/* Where the writes are among the texts: looked up once, on the loop's thread. */
static const unsigned *find_writes(void)
{
  static const char *const names[] = {
#define NAME(name) #name,
      CNK_SQL_WRITES(NAME)
#undef NAME
  };
  static unsigned writes[CNK_SQL_WRITES_COUNT];
  static bool is_known;
  for (int i = 0; i < CNK_SQL_WRITES_COUNT && !is_known; i++)
    writes[i] = (unsigned)cnk_sql_find("writes", names[i]);
  is_known = true;
  return writes;
}

bool cnk_sql_open(struct cnk_sqlite *store)
{
  store->statements = calloc(cnk_sql_count, sizeof(sqlite3_stmt *));
  store->columns = calloc(cnk_sql_count, sizeof(struct cnk_sql_columns));
  memcpy(store->writes, find_writes(), sizeof store->writes);
  return store->statements && store->columns;
}

void cnk_sql_finalize(struct cnk_sqlite *store)
{
  for (unsigned i = 0; store->statements && i < cnk_sql_count; i++) {
    sqlite3_finalize(store->statements[i]);
    store->statements[i] = NULL;
  }
}

void cnk_sql_close(struct cnk_sqlite *store)
{
  for (unsigned i = 0; store->columns && i < cnk_sql_count; i++) {
    for (size_t k = 0; k < store->columns[i].count; k++)
      free((char *)store->columns[i].names[k]);
    free((void *)store->columns[i].names);
  }
  free(store->columns);
  free((void *)store->statements);
  store->columns = NULL;
  store->statements = NULL;
}

/* Kept beyond the statement, which ends when the database is opened again: rows that are under way name them. */
static bool note_columns(struct cnk_sql_columns *columns, sqlite3_stmt *statement)
{
  size_t count = (size_t)sqlite3_column_count(statement);
  if (columns->names || count == 0)
    return true;
  const char **names = calloc(count, sizeof *names);
  for (size_t i = 0; names && i < count; i++) {
    const char *name = sqlite3_column_name(statement, (int)i);
    names[i] = name ? strdup(name) : NULL;
    if (!names[i]) {
      while (i)
        free((char *)names[--i]);
      free((void *)names);
      names = NULL;
    }
  }
  *columns = (struct cnk_sql_columns){.names = names, .count = names ? count : 0};
  return names != NULL;
}

int cnk_sql_compile(struct cnk_sqlite *store, unsigned number, sqlite3_stmt **out)
{
  sqlite3_stmt *statement = store->statements[number];
  if ((*out = statement))
    return SQLITE_OK;
  const struct cnk_sql_text *text = &cnk_sql_texts[number];
  /* With the final NUL counted, SQLite need not copy the text. */
  int status = sqlite3_prepare_v3(store->db, text->text, (int)text->size, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  if (status != SQLITE_OK)
    return status;
  if (!note_columns(&store->columns[number], statement)) {
    sqlite3_finalize(statement);
    return SQLITE_NOMEM;
  }
  *out = store->statements[number] = statement;
  return SQLITE_OK;
}
