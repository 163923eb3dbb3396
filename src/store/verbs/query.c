/* SPDX-License-Identifier: MIT */
/* Named questions, and what operators repair. */
#include <string.h>

#include "store/verbs/verbs.h"

void cnk_verb_query(struct cnk_work *work, struct cnk_query *query)
{
  query->rows.size = 0;
  query->rows_count = query->columns_count = 0;
  int status = work->session->driver->ask(work->session, query);
  if (status != 0)
    cnk_work_refuse(work, status);
}

/* ---- repairs ----------------------------------------------------------------------------------------------------- */

static struct cnk_value value_of(const struct cnk_repair *repair, const char *name, int64_t id)
{
  const struct cnk_sql_text *whole = &cnk_sql_texts[repair->name];
  for (size_t i = 0; i < repair->parameters.count && strcmp(name, "id") != 0; i++)
    if (strcmp(whole->parameters[i], name) == 0)
      return repair->parameters.items[i];
  return (struct cnk_value){.kind = CNK_VALUE_INTEGER, .as.integer = id};
}

/* One part of a repair: it has some of the parameters, by name. */
static bool run_part(struct cnk_work *work, const struct cnk_repair *repair, unsigned number, int64_t id)
{
  const struct cnk_sql_text *part = &cnk_sql_texts[number];
  struct cnk_value values[CNK_SQL_PARAMETERS_MOST];
  for (size_t i = 0; i < part->own_count; i++)
    values[i] = value_of(repair, part->parameters[i], id);
  int64_t changes = 0;
  int status = work->session->driver->change(work->session, number, values, part->own_count, &changes);
  if (status != 0)
    cnk_work_refuse(work, status);
  work->has_written |= changes > 0;
  return changes > 0;
}

void cnk_verb_repair(struct cnk_work *work, struct cnk_repair *repair)
{
  for (size_t i = 0; i < repair->ids.count; i++) {
    unsigned number = repair->name;
    repair->is_changed[i] = false;
    do
      repair->is_changed[i] |= run_part(work, repair, number, repair->ids.items[i]);
    while (work->status == 0 && ++number < cnk_sql_count && !cnk_sql_texts[number].name);
    if (work->status != 0)
      return;
  }
}
