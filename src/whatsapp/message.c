/* SPDX-License-Identifier: MIT */
/* The usual message and its answer; see message.h for the contract. */
#include "whatsapp/message.h"

#include <stdint.h>

#include "base/utf8.h"

/* ---- a text ------------------------------------------------------------------------------------------------------ */

/* As Lua's %s. */
static bool is_blank(unsigned char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_all_blank(struct cnk_text text)
{
  size_t i = 0;
  while (i < text.size && is_blank((unsigned char)text.data[i]))
    i++;
  return i == text.size;
}

static size_t count_characters(struct cnk_text text)
{
  size_t characters = 0;
  for (size_t i = 0; i < text.size; i++)
    characters += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return characters;
}

bool cnk_message_is_text(struct cnk_text text, size_t most)
{
  if (cnk_utf8_good(text.data, text.size) != text.size || is_all_blank(text))
    return false;
  return text.size <= most || count_characters(text) <= most;
}

static const char before[] = "{\"type\":\"text\",\"mobile\":\"", between[] = "\",\"text\":\"", after[] = "\"}";

/* A control character takes six bytes. */
size_t cnk_message_room(struct cnk_text text, struct cnk_text to)
{
  return sizeof before + to.size + sizeof between + 6 * text.size + sizeof after;
}

static char *add(char *out, const char *bytes, size_t size)
{
  memcpy(out, bytes, size);
  return out + size;
}

static char *add_escape(char *out, unsigned char c)
{
  static const char digits[] = "0123456789abcdef";
  *out++ = '\\';
  switch (c) {
  case '\n': *out++ = 'n'; return out;
  case '\r': *out++ = 'r'; return out;
  case '\t': *out++ = 't'; return out;
  case '"':
  case '\\': *out++ = (char)c; return out;
  default: break;
  }
  out = add(out, "u00", 3);
  *out++ = digits[c >> 4];
  *out++ = digits[c & 15];
  return out;
}

static bool is_plain(unsigned char c)
{
  return c >= ' ' && c != '"' && c != '\\' && c != 0x7F;
}

/* The bytes at the beginning that need no escape. */
static size_t count_plain(const char *text, size_t size)
{
  const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
  size_t i = 0;
  for (uint64_t eight; size - i >= sizeof eight; i += sizeof eight) {
    memcpy(&eight, text + i, sizeof eight);
    /* A byte of zeros in one of these is one of `"`, `\` and DEL; or a byte below the blank, in the first. */
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\', del = eight ^ ones * 0x7F;
    uint64_t found = ((eight - ones * ' ') & ~eight) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                     ((del - ones) & ~del);
    if (found & high)
      break;
  }
  while (i < size && is_plain((unsigned char)text[i]))
    i++;
  return i;
}

size_t cnk_message_write_text(struct cnk_text text, struct cnk_text to, char *out)
{
  char *at = add(out, before, sizeof before - 1);
  at = add(at, to.data, to.size);
  at = add(at, between, sizeof between - 1);
  for (size_t i = 0; i < text.size;) {
    size_t plain = count_plain(text.data + i, text.size - i);
    at = add(at, text.data + i, plain);
    i += plain;
    if (i < text.size)
      at = add_escape(at, (unsigned char)text.data[i++]);
  }
  at = add(at, after, sizeof after - 1);
  return (size_t)(at - out);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* Members that may report a failure, or hold the answer of somebody else than Meta. */
static bool has_more(const struct cnk_node *body)
{
  static const char *const names[] = {"error", "errors", "status", "success", "data"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (cnk_node_field(body, names[i]))
      return true;
  return false;
}

const struct cnk_node *cnk_message_accepted_id(const struct cnk_node *body)
{
  const struct cnk_node *messages = cnk_node_field(body, "messages");
  if (!cnk_node_is(messages, CNK_NODE_LIST) || messages->count == 0 || has_more(body))
    return NULL;
  const struct cnk_node *id = cnk_node_field(messages + 1, "id");
  return cnk_node_is(id, CNK_NODE_TEXT) && id->size > 0 ? id : NULL;
}
