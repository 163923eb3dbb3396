/* SPDX-License-Identifier: MIT */
/*
 * Copies a table to another store, in pages of rows in the order of their keys. The database itself says which tables there
 * are, and the statements are made of that by the question "tables" (sql/moves.sql).
 */
#include <string.h>

#include "store/verbs/verbs.h"

/* The columns of that question. */
enum { NAME, COLUMNS, TYPES, KEYS, COUNTING, FIRST_PAGE, NEXT_PAGE, LOADING, CLEARING, TABLE_COLUMNS };

struct table {
  char *types; /* of its columns, those of the key first */
  int64_t keys;
  char *texts[TABLE_COLUMNS]; /* each ends with a NUL; NULL of what is no text */
};

/* ---- which table --------------------------------------------------------------------------------------------------- */

static char *keep_text(struct cnk_work *work, const struct cnk_value *value)
{
  if (value->kind != CNK_VALUE_BYTES)
    return NULL;
  char *text = cnk_arena_take(&work->call->arena, value->as.bytes.size + 1);
  if (text && value->as.bytes.size > 0)
    memcpy(text, value->as.bytes.data, value->as.bytes.size);
  else if (!text)
    cnk_work_fail(work, CNK_STORE_NO_MEMORY, "not enough memory");
  return text;
}

static bool is_text(const struct cnk_value *value, struct cnk_text text)
{
  return value->kind == CNK_VALUE_BYTES && value->as.bytes.size == text.size &&
         memcmp(value->as.bytes.data, text.data, text.size) == 0;
}

static bool find_table(struct cnk_work *work, struct cnk_text name, struct table *table)
{
  struct cnk_query question = {.name = (unsigned)cnk_sql_find("moves", "tables")};
  struct cnk_value row[TABLE_COLUMNS];
  bool is_found = false;
  size_t at = 0;
  int status = work->session->driver->ask(work->session, &question);
  if (status != 0)
    cnk_work_refuse(work, status);
  for (size_t i = 0; i < question.rows_count && status == 0 && !is_found; i++) {
    for (int column = 0; column < TABLE_COLUMNS; column++)
      row[column] = cnk_value_read(&question.rows, &at);
    is_found = is_text(&row[NAME], name);
  }
  for (int column = 0; column < TABLE_COLUMNS && is_found; column++)
    table->texts[column] = keep_text(work, &row[column]);
  table->types = is_found ? table->texts[TYPES] : NULL;
  table->keys = is_found ? row[KEYS].as.integer : 0;
  cnk_buffer_reset(&question.rows, 0);
  if (!is_found && status == 0)
    cnk_work_fail(work, CNK_STORE_CONFLICT, "the store has no such table");
  return is_found && work->status == 0;
}

static int ask(struct cnk_work *work, const char *text, const char *types, const struct cnk_value *values, size_t count,
               struct cnk_query *rows)
{
  int status = work->session->driver->ask_text(work->session, text, types, values, count, rows);
  if (status != 0)
    cnk_work_refuse(work, status);
  return status;
}

/* ---- the verbs ------------------------------------------------------------------------------------------------------- */

void cnk_verb_count_rows(struct cnk_work *work, struct cnk_count_rows *request)
{
  struct table table = {0};
  struct cnk_query found = {0};
  size_t at = 0;
  if (find_table(work, request->table, &table) && ask(work, table.texts[COUNTING], "", NULL, 0, &found) == 0)
    request->rows = cnk_value_read(&found.rows, &at).as.integer;
  cnk_buffer_reset(&found.rows, 0);
}

/* The key of the last row, and the page, for the caller. */
static void give_page(struct cnk_work *work, const struct table *table, const struct cnk_query *rows,
                      struct cnk_unload *request)
{
  size_t columns = strlen(table->types), at = 0, first = 0, last = 0;
  for (size_t row = 0; row < rows->rows_count; row++) {
    first = at;
    for (size_t column = 0; column < columns; column++) {
      cnk_value_read(&rows->rows, &at);
      if ((int64_t)column + 1 == table->keys)
        last = at;
    }
  }
  struct cnk_text key = {rows->rows.data + first, last - first}, page = {rows->rows.data, rows->rows.size};
  request->rows = (int64_t)rows->rows_count;
  if (rows->rows_count > 0 && (!cnk_arena_copy(&work->call->arena, key, &request->last) ||
                               !cnk_arena_copy(&work->call->arena, page, &request->page)))
    cnk_work_fail(work, CNK_STORE_NO_MEMORY, "not enough memory");
}

void cnk_verb_unload(struct cnk_work *work, struct cnk_unload *request)
{
  struct table table = {0};
  struct cnk_query rows = {0};
  struct cnk_value key[CNK_SQL_PARAMETERS_MOST];
  struct cnk_buffer after = {.data = (char *)request->after.data, .size = request->after.size};
  size_t count = 0, at = 0;
  request->page = request->last = (struct cnk_text){0};
  if (!find_table(work, request->table, &table))
    return;
  while (at < after.size && (int64_t)count < table.keys && count < CNK_SQL_PARAMETERS_MOST)
    key[count++] = cnk_value_read(&after, &at);
  if (ask(work, table.texts[count ? NEXT_PAGE : FIRST_PAGE], table.types, key, count, &rows) == 0)
    give_page(work, &table, &rows, request);
  cnk_buffer_reset(&rows.rows, 0);
}

void cnk_verb_load(struct cnk_work *work, struct cnk_load *request)
{
  struct table table = {0};
  struct cnk_query none = {0};
  const struct cnk_buffer rows = {.data = (char *)request->page.data, .size = request->page.size};
  if (!find_table(work, request->table, &table))
    return;
  work->has_written = true;
  const struct cnk_sql_driver *driver = work->session->driver;
  int status = request->is_first && driver->begin_keys_anew ? driver->begin_keys_anew(work->session) : 0;
  if (status != 0)
    cnk_work_refuse(work, status);
  if (status != 0 || (request->is_first && ask(work, table.texts[CLEARING], "", NULL, 0, &none) != 0))
    return;
  status = driver->load(work->session, table.texts[LOADING], table.types, &rows);
  if (status != 0)
    cnk_work_refuse(work, status);
}
