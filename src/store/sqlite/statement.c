/* SPDX-License-Identifier: MIT */
/* The texts of statements, numbered; and the words for what went wrong. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/internal.h"

/* Returns the end of the string, quoted name or comment that begins at `at`; `at` itself where none does. */
static const char *skip_quoted(const char *at, const char *end)
{
  const char *close = NULL;
  if (*at == '\'' || *at == '"' || *at == '`')
    close = memchr(at + 1, *at, (size_t)(end - at - 1));
  else if (*at == '[')
    close = memchr(at + 1, ']', (size_t)(end - at - 1));
  else if (end - at >= 2 && memcmp(at, "--", 2) == 0)
    close = memchr(at, '\n', (size_t)(end - at));
  else if (end - at >= 4 && memcmp(at, "/*", 2) == 0)
    close = (close = memmem(at + 2, (size_t)(end - at - 2), "*/", 2)) ? close + 1 : NULL;
  else
    return at;
  return close ? close + 1 : end;
}

/* Counted when a request is made, so that a wrong number of parameters is the caller's error at once. SQLite finds what
 * this count gets wrong, when it compiles the statement. */
static unsigned count_parameters(const char *text, size_t size)
{
  unsigned count = 0;
  for (const char *at = text, *end = text + size; at < end;) {
    const char *behind = skip_quoted(at, end);
    if (behind == at)
      count += *at++ == '?';
    else
      at = behind;
  }
  return count;
}

int cnk_store_prepare(struct cnk_store *store, const char *sql, size_t size)
{
  unsigned i = 0;
  while (i < store->sql_count && (store->sql[i].size != size || memcmp(store->sql[i].text, sql, size) != 0))
    i++;
  if (i == store->sql_count) {
    if (i == CNK_STORE_SQL_MAX)
      return -1;
    struct cnk_store_sql *entry = &store->sql[i];
    entry->text = malloc(size + 1);
    if (!entry->text)
      return -1;
    memcpy(entry->text, sql, size);
    entry->text[size] = '\0';
    entry->size = size;
    entry->parameters = count_parameters(sql, size);
    store->sql_count++;
  }
  return (int)i;
}

int cnk_store_parameters(const struct cnk_store *store, unsigned sql)
{
  return sql < store->sql_count ? (int)store->sql[sql].parameters : -1;
}

const char *cnk_store_code_name(int status)
{
  static const struct {
    int status;
    const char *name;
  } names[] = {
      {CNK_STORE_UNCHANGED, "unchanged" },
      {CNK_STORE_TOO_MANY,  "too_many"  },
      {CNK_STORE_CLOSED,    "closed"    },
      {CNK_STORE_MOVED,     "moved"     },
      {SQLITE_FULL,         "full"      },
      {SQLITE_IOERR,        "io"        },
      {SQLITE_CANTOPEN,     "io"        },
      {SQLITE_READONLY,     "read_only" },
      {SQLITE_BUSY,         "busy"      },
      {SQLITE_LOCKED,       "busy"      },
      {SQLITE_CONSTRAINT,   "constraint"},
      {SQLITE_CORRUPT,      "corrupt"   },
      {SQLITE_NOTADB,       "corrupt"   },
      {SQLITE_NOMEM,        "memory"    },
      {SQLITE_TOOBIG,       "too_many"  },
  };
  int primary = status > 0 ? status & 0xff : status;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].status == primary)
      return names[i].name;
  return "statement";
}
