/* SPDX-License-Identifier: MIT */
/* Compiles named statements when they are first used. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/internal.h"

bool cnk_statements_open(struct cnk_sqlite *store)
{
  store->statements = calloc(cnk_sql_count, sizeof(sqlite3_stmt *));
  store->columns = calloc(cnk_sql_count, sizeof(struct cnk_sql_columns));
  return store->statements && store->columns;
}

void cnk_statements_finalize(struct cnk_sqlite *store)
{
  for (unsigned i = 0; store->statements && i < cnk_sql_count; i++) {
    sqlite3_finalize(store->statements[i]);
    store->statements[i] = NULL;
  }
}

void cnk_statements_close(struct cnk_sqlite *store)
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

int cnk_statements_compile(struct cnk_sqlite *store, unsigned number, sqlite3_stmt **out)
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
