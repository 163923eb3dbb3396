/* SPDX-License-Identifier: MIT */
#include "json/canonical.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/digits.h"
#include "json/number.h"
#include "json/plain.h"

int cnk_canonical_compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* ---- scalars ------------------------------------------------------------------------------------------------------- */

bool cnk_canonical_word(struct cnk_buffer *out, const char *word)
{
  return cnk_buffer_add(out, word, strlen(word));
}

static bool is_special(unsigned char byte)
{
  return byte < ' ' || byte == '"' || byte == '\\' || byte == 127;
}

/* Behind the bytes that stay as they are. */
static const char *skip_plain(const char *at, const char *end)
{
  at = cnk_skip_plain(at, end, false);
  while (at < end && !is_special((unsigned char)*at))
    at++;
  return at;
}

/* What Lua's %q puts in the place of a special byte; gives how many bytes it takes. */
static int escape(unsigned char byte, char next, char code[8])
{
  if (byte == '"' || byte == '\\' || byte == '\n') {
    code[0] = '\\';
    code[1] = (char)byte;
    return 2;
  }
  return snprintf(code, 8, next >= '0' && next <= '9' ? "\\%03d" : "\\%d", byte);
}

bool cnk_canonical_string(struct cnk_buffer *out, const char *text, size_t size)
{
  const char *copied = text, *end = text + size;
  if (!cnk_buffer_grow(out, size + 2) || !cnk_buffer_add(out, "\"", 1))
    return false;
  for (const char *at; (at = skip_plain(copied, end)) < end; copied = at + 1) {
    char code[8];
    int length = escape((unsigned char)*at, at + 1 < end ? at[1] : '\0', code);
    if (!cnk_buffer_add(out, copied, (size_t)(at - copied)) || !cnk_buffer_add(out, code, (size_t)length))
      return false;
  }
  return cnk_buffer_add(out, copied, (size_t)(end - copied)) && cnk_buffer_add(out, "\"", 1);
}

bool cnk_canonical_integer(struct cnk_buffer *out, int64_t value)
{
  char text[CNK_NUMBER_ROOM];
  size_t size = cnk_number_integer(value, text);
  return cnk_buffer_add(out, text, size);
}

bool cnk_canonical_real(struct cnk_buffer *out, double value)
{
  char text[CNK_NUMBER_ROOM];
  size_t size = cnk_number_shown(value, text);
  return cnk_buffer_add(out, text, size);
}

bool cnk_canonical_null(struct cnk_buffer *out)
{
  return cnk_canonical_word(out, "userdata: (nil)");
}

/* ---- nodes --------------------------------------------------------------------------------------------------------- */

static bool write_number(struct cnk_buffer *out, const struct cnk_node *node)
{
  int64_t value;
  if (node->kind == CNK_NODE_INTEGER && cnk_node_integer(node, &value))
    return cnk_canonical_integer(out, value);
  return cnk_canonical_real(out, cnk_number_read(node->text, node->size));
}

/* A string that does not stand for its own bytes. */
static bool write_decoded(struct cnk_buffer *out, const struct cnk_node *node)
{
  char *text = malloc(cnk_node_room(node) + 1);
  bool is_done = text && cnk_canonical_string(out, text, cnk_node_decode(node, text));
  free(text);
  return is_done;
}

static bool write_string(struct cnk_buffer *out, const struct cnk_node *node)
{
  return node->is_plain ? cnk_canonical_string(out, node->text, node->size) : write_decoded(out, node);
}

static bool write_list(struct cnk_buffer *out, const struct cnk_node *list)
{
  const struct cnk_node *item = list + 1;
  bool is_good = cnk_canonical_word(out, "{");
  for (uint32_t i = 0; i < list->count && is_good; i++, item = cnk_node_next(item))
    is_good = cnk_canonical_integer(out, (int64_t)i + 1) && cnk_canonical_word(out, "=") &&
              cnk_canonical_node(out, item) && cnk_canonical_word(out, ",");
  return is_good && cnk_canonical_word(out, "}");
}

struct named {
  const char *name;
  size_t size;
  const struct cnk_node *node; /* of the name; of equal ones the last counts */
};

static int by_name(const void *a, const void *b)
{
  const struct named *one = a, *other = b;
  int order = cnk_canonical_compare(one->name, one->size, other->name, other->size);
  return order ? order : (one->node > other->node) - (one->node < other->node);
}

/* Reads the members of an object. What names stand for that have escapes is put into `room`. */
static void read_members(const struct cnk_node *object, struct named *members, char *room)
{
  const struct cnk_node *name = object + 1;
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name)) {
    struct named *it = &members[i];
    *it = (struct named){name->text, name->size, name};
    if (name->is_plain)
      continue;
    it->name = room;
    it->size = cnk_node_decode(name, room);
    room += it->size;
  }
}

static size_t room_of_names(const struct cnk_node *object)
{
  const struct cnk_node *name = object + 1;
  size_t room = 0;
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name))
    room += name->is_plain ? 0 : cnk_node_room(name);
  return room;
}

/* Objects are small, and written in the order of the names or close to it. */
static void sort(struct named *members, size_t count)
{
  if (count > 16) {
    qsort(members, count, sizeof *members, by_name);
    return;
  }
  for (size_t i = 1; i < count; i++) {
    struct named it = members[i];
    size_t at = i;
    for (; at > 0 && by_name(&it, &members[at - 1]) < 0; at--)
      members[at] = members[at - 1];
    members[at] = it;
  }
}

static bool write_members(struct cnk_buffer *out, const struct named *members, size_t count)
{
  bool is_good = cnk_canonical_word(out, "{");
  for (size_t i = 0; i < count && is_good; i++) {
    const struct named *it = &members[i], *next = it + 1;
    if (i + 1 < count && cnk_canonical_compare(it->name, it->size, next->name, next->size) == 0)
      continue;
    is_good = cnk_canonical_string(out, it->name, it->size) && cnk_canonical_word(out, "=") &&
              cnk_canonical_node(out, cnk_node_value(it->node)) && cnk_canonical_word(out, ",");
  }
  return is_good && cnk_canonical_word(out, "}");
}

static bool write_object(struct cnk_buffer *out, const struct cnk_node *object)
{
  struct named few[16], *members = few;
  size_t room = room_of_names(object), bytes = object->count * sizeof *members;
  char *made = NULL, none = '\0';
  if (room > 0 || object->count > sizeof few / sizeof *few) {
    made = malloc(bytes + room);
    if (!made)
      return false;
    members = (struct named *)(void *)made;
  }
  read_members(object, members, made ? made + bytes : &none);
  sort(members, object->count);
  bool is_done = write_members(out, members, object->count);
  free(made);
  return is_done;
}

bool cnk_canonical_node(struct cnk_buffer *out, const struct cnk_node *node)
{
  switch ((enum cnk_node_kind)node->kind) {
  case CNK_NODE_NULL: return cnk_canonical_null(out);
  case CNK_NODE_FALSE: return cnk_canonical_word(out, "false");
  case CNK_NODE_TRUE: return cnk_canonical_word(out, "true");
  case CNK_NODE_INTEGER:
  case CNK_NODE_FLOAT: return write_number(out, node);
  case CNK_NODE_TEXT: return write_string(out, node);
  case CNK_NODE_LIST: return write_list(out, node);
  case CNK_NODE_OBJECT: return write_object(out, node);
  }
  return false;
}
