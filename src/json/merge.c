/* SPDX-License-Identifier: MIT */
/* See merge.h. The texts are valid, so only strings and brackets need a look to find where a value ends. */
#include "json/merge.h"

#include <string.h>

struct json_members {
  const char *at, *end;
};

struct member {
  struct cnk_text name, whole; /* the name with its quotes; the name, the colon and the value */
};

static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct json_members *reader)
{
  while (reader->at < reader->end && is_blank(*reader->at))
    reader->at++;
}

/* Takes the character, with blanks before it. */
static bool take(struct json_members *reader, char wanted)
{
  skip_blanks(reader);
  if (reader->at == reader->end || *reader->at != wanted)
    return false;
  reader->at++;
  return true;
}

/* From a quote to behind the next one that is not escaped. */
static bool skip_string(struct json_members *reader)
{
  if (!take(reader, '"'))
    return false;
  for (; reader->at < reader->end && *reader->at != '"'; reader->at++)
    if (*reader->at == '\\' && reader->at + 1 < reader->end)
      reader->at++;
  return take(reader, '"');
}

/* To the comma or bracket behind a value. */
static bool skip_value(struct json_members *reader)
{
  for (size_t depth = 0; reader->at < reader->end; reader->at++) {
    char c = *reader->at;
    if (c == '"') {
      if (!skip_string(reader))
        return false;
      reader->at--;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (depth > 0 && (c == '}' || c == ']')) {
      depth--;
    } else if (depth == 0 && (c == ',' || c == '}')) {
      return true;
    }
  }
  return false;
}

/* The next member; false at the end. */
static bool next(struct json_members *reader, struct member *member)
{
  skip_blanks(reader);
  member->name.data = reader->at;
  if (!skip_string(reader))
    return false;
  member->name.size = (size_t)(reader->at - member->name.data);
  if (!take(reader, ':') || !skip_value(reader))
    return false;
  member->whole = (struct cnk_text){member->name.data, (size_t)(reader->at - member->name.data)};
  take(reader, ',');
  return true;
}

static bool open(struct json_members *reader, struct cnk_text text)
{
  *reader = (struct json_members){text.data, text.data ? text.data + text.size : NULL};
  return take(reader, '{');
}

static bool has(struct cnk_text object, struct cnk_text name)
{
  struct json_members reader;
  struct member member;
  bool is_found = false;
  for (bool is_there = open(&reader, object); is_there && !is_found && next(&reader, &member);)
    is_found = member.name.size == name.size && memcmp(member.name.data, name.data, name.size) == 0;
  return is_found;
}

static bool add(struct cnk_buffer *out, const struct member *member, bool is_first)
{
  return cnk_buffer_grow(out, member->whole.size + 2) && (is_first || cnk_buffer_add(out, ",", 1)) &&
         cnk_buffer_add(out, member->whole.data, member->whole.size);
}

bool cnk_json_merge(struct cnk_buffer *out, struct cnk_text first, struct cnk_text second)
{
  struct json_members reader;
  struct member member;
  bool is_empty = true;
  if (!open(&reader, first) || !cnk_buffer_add(out, "{", 1))
    return false;
  for (; next(&reader, &member); is_empty = false)
    if (!add(out, &member, is_empty))
      return false;
  if (!take(&reader, '}') || !open(&reader, second))
    return false;
  while (next(&reader, &member)) {
    if (has(first, member.name))
      continue;
    if (!add(out, &member, is_empty))
      return false;
    is_empty = false;
  }
  return take(&reader, '}') && cnk_buffer_add(out, "}", 1);
}
