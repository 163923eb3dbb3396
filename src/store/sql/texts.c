/* SPDX-License-Identifier: MIT */
/* Finds named statements; see texts.h. */
#include "store/sql/texts.h"

#include <stdio.h>
#include <string.h>

int cnk_sql_find(const char *file, const char *name)
{
  for (unsigned i = 0; i < cnk_sql_count; i++) {
    const struct cnk_sql_text *text = &cnk_sql_texts[i];
    if (text->name && strcmp(text->name, name) == 0 && strcmp(text->file, file) == 0)
      return (int)i;
  }
  return -1;
}

int cnk_sql_find_version(const char *file, int version)
{
  char name[32];
  snprintf(name, sizeof name, "version_%d", version);
  return cnk_sql_find(file, name);
}

int cnk_sql_version(void)
{
  int version = 0;
  while (cnk_sql_find_version("schema", version + 1) >= 0)
    version++;
  return version;
}

int cnk_sql_find_asked(bool is_repair, const char *name, const char *const **parameters, size_t *count)
{
  int number = cnk_sql_find(is_repair ? "repairs" : "reads", name);
  if (number < 0 && !is_repair)
    number = cnk_sql_find("lists", name);
  if (number < 0 && !is_repair)
    number = cnk_sql_find("moves", name);
  *parameters = number < 0 ? NULL : cnk_sql_texts[number].parameters;
  *count = number < 0 ? 0 : cnk_sql_texts[number].parameters_count;
  return number;
}

const unsigned *cnk_sql_writes(void)
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
