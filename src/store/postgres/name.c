/* SPDX-License-Identifier: MIT */
/* The URL of a store without what is secret in it: as libpq reads it, so only of one that has let us in. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres/internal.h"

struct shown_url {
  char *to;
  size_t size, used;
};

static void add(struct shown_url *name, const char *text)
{
  size_t size = strlen(text);
  if (size < name->size - name->used) {
    memcpy(name->to + name->used, text, size + 1);
    name->used += size;
  }
}

static void add_encoded(struct shown_url *name, const char *text)
{
  for (; *text; text++) {
    char sign[4] = {*text};
    if (!isalnum((unsigned char)*text) && !strchr("-._~/,", *text))
      snprintf(sign, sizeof sign, "%%%02X", (unsigned)(unsigned char)*text);
    add(name, sign);
  }
}

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
  for (; options->keyword; options++)
    if (strcmp(options->keyword, keyword) == 0)
      return options->val;
  return NULL;
}

/* user@host:port, of a single machine: false where that is in the options. */
static bool add_place(struct shown_url *name, const PQconninfoOption *options)
{
  const char *user = value_of(options, "user"), *host = value_of(options, "host"), *port = value_of(options, "port");
  if (!host || strpbrk(host, "/,:"))
    return false;
  if (user) {
    add_encoded(name, user);
    add(name, "@");
  }
  add(name, host);
  if (port) {
    add(name, ":");
    add_encoded(name, port);
  }
  return true;
}

/* libpq marks what no screen may show. */
static bool is_option(const PQconninfoOption *option, bool has_place)
{
  return option->val && strchr(option->dispchar, '*') == NULL && strcmp(option->keyword, "dbname") != 0 &&
         !(has_place && strstr(" user host port ", option->keyword));
}

void cnk_postgres_name(struct cnk_postgres *store)
{
  PQconninfoOption *options = PQconninfoParse(store->url, NULL);
  struct shown_url name = {.to = store->name, .size = sizeof store->name};
  if (!options)
    return;
  add(&name, "postgres://");
  bool has_place = add_place(&name, options);
  const char *database = value_of(options, "dbname"), *separator = "?";
  add(&name, "/");
  add_encoded(&name, database ? database : "");
  for (const PQconninfoOption *option = options; option->keyword; option++) {
    if (!is_option(option, has_place))
      continue;
    add(&name, separator);
    add(&name, option->keyword);
    add(&name, "=");
    add_encoded(&name, option->val);
    separator = "&";
  }
  PQconninfoFree(options);
  store->worker.base.name = store->name;
}
