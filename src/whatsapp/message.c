/* SPDX-License-Identifier: MIT */
/* The usual message and its answer; see message.h for the contract. */
#include "whatsapp/message.h"

#include "base/utf8.h"

/* ---- a text ------------------------------------------------------------------------------------------------------ */

/* As Lua's %s. */
static bool is_blank(unsigned char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool cnk_message_is_text(struct cnk_text text, size_t most)
{
  size_t characters = 0;
  bool has_more = false;
  if (cnk_utf8_good(text.data, text.size) != text.size)
    return false;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    characters += (c & 0xC0) != 0x80;
    has_more |= !is_blank(c);
  }
  return has_more && characters <= most;
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

size_t cnk_message_write_text(struct cnk_text text, struct cnk_text to, char *out)
{
  char *at = add(out, before, sizeof before - 1);
  at = add(at, to.data, to.size);
  at = add(at, between, sizeof between - 1);
  for (size_t i = 0; i < text.size;) {
    size_t from = i;
    while (i < text.size && is_plain((unsigned char)text.data[i]))
      i++;
    at = add(at, text.data + from, i - from);
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
