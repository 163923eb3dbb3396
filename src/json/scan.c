/* SPDX-License-Identifier: MIT */
/* The reader of JSON texts: the one owner of the grammar. See scan.h for the contract.
 *
 * The NUL after the text stops every loop here, so that no other check of the end is needed: it is legal nowhere. */
#include "json/scan.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "json/digits.h"
#include "json/escape.h"
#include "json/plain.h"

struct reader {
  struct cnk_jsonscan *scan;
  struct cnk_tree *tree; /* or NULL */
  const char *at, *end;
  const char *copied; /* the text before this is written already, if anything is */
  int depth;
  struct cnk_node last; /* what there is to say of the value that was read last, but for its place */
};

static bool read_value(struct reader *r);

static bool fail(struct reader *r, const char *at, const char *fault)
{
  r->scan->fault = at >= r->end ? "unexpected end" : fault;
  r->scan->fault_at = (size_t)((at > r->end ? r->end : at) - r->scan->text);
  return false;
}

static void write(struct reader *r, const char *bytes, size_t length)
{
  r->scan->is_rewritten = true;
  r->scan->write(r->scan->context, bytes, length);
}

/* Writes what is pending up to `from`, then `bytes`, which stand for everything up to `to`. A tree has the text as it is. */
static void replace(struct reader *r, const char *from, const char *to, const char *bytes, size_t length)
{
  if (r->tree)
    return;
  write(r, r->copied, (size_t)(from - r->copied));
  write(r, bytes, length);
  r->copied = to;
}

/* What costs more than its bytes tell. */
static bool count_value(struct reader *r)
{
  if (++r->scan->values <= r->scan->most_values || r->scan->most_values == 0)
    return true;
  r->scan->has_too_many = true;
  return fail(r, r->at, "too many values");
}

static void skip_space(struct reader *r)
{
  while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')
    r->at++;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* Bytes that mean themselves in a string: all of ASCII but controls, the quote and the backslash. */
#define ROW1 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
static const unsigned char is_plain[256] = {
    [0x20] = 1,    1,    0,          1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,       /* no quote */
    [0x30] = ROW1, ROW1, [0x50] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, /* no backslash */
    [0x60] = ROW1, ROW1,
};

/* At a backslash. A surrogate counts only as the first of a pair; alone it is no character. */
static bool read_escape(struct reader *r)
{
  size_t length;
  long code = cnk_escape_read(r->at, &length);
  if (code == CNK_ESCAPE_UNKNOWN)
    return fail(r, r->at + 1, "unknown escape");
  if (code == CNK_ESCAPE_SHORT)
    return fail(r, r->at, "\\u without four hexadecimal digits");
  if (code == CNK_ESCAPE_LONE)
    replace(r, r->at, r->at + length, CNK_UTF8_REPLACEMENT, 3);
  r->at += length;
  r->last.is_plain = false;
  return code == CNK_ESCAPE_LONE || code > 0xFFFF ? count_value(r) : true;
}

/* At the first byte of a character beyond ASCII. */
static bool read_character(struct reader *r)
{
  size_t bad, length = cnk_utf8_length(r->at, (size_t)(r->end - r->at), &bad);
  if (length == 0) {
    if (!count_value(r))
      return false;
    replace(r, r->at, r->at + bad, CNK_UTF8_REPLACEMENT, 3);
    r->last.is_plain = false;
    r->last.is_faulty = true;
  }
  r->at += length ? length : bad;
  return true;
}

/* Behind the bytes that mean themselves. */
static const char *skip_plain(const char *at, const char *end)
{
  at = cnk_skip_plain(at, end, true);
  while (is_plain[(unsigned char)*at])
    at++;
  return at;
}

static bool read_string(struct reader *r)
{
  r->last.kind = CNK_NODE_TEXT;
  r->last.is_plain = true;
  r->last.is_faulty = false;
  for (r->at++;;) {
    r->at = skip_plain(r->at, r->end);
    unsigned char c = (unsigned char)*r->at;
    if (c == '"') {
      r->at++;
      return true;
    }
    if (c < 0x20)
      return fail(r, r->at, "control character in a string");
    if (!(c == '\\' ? read_escape(r) : read_character(r)))
      return false;
  }
}

/* Digits from `at` on; *some is set when one of them is not zero. */
static const char *skip_digits(const char *at, bool *some)
{
  for (; is_digit(*at); at++)
    *some |= *at != '0';
  return at;
}

/* So many digits are no number beyond the range of a double, if no power follows. */
#define MOST_SURE_DIGITS 308

/* Up to 15 digits a double is exact, so lua-cjson's float tells whether a whole number was meant. All other numbers
 * become marks, except fractions that surely are none: those lua-cjson reads right. */
static bool read_number(struct reader *r)
{
  const char *start = r->at, *whole = start + (*start == '-');
  if (!is_digit(*whole))
    return fail(r, whole, "a value is missing");
  bool some = false;
  const char *at = *whole == '0' ? whole + 1 : skip_digits(whole, &some);
  bool is_integer = true, is_clear = at - whole <= 15, is_wide = at - whole > MOST_SURE_DIGITS;
  if (*at == '.') {
    bool has_part = false;
    const char *part = at + 1;
    at = skip_digits(part, &has_part);
    if (at == part)
      return fail(r, at, "a digit is missing");
    is_clear = has_part && at - whole <= 16;
    is_integer = false;
  }
  if (*at == 'e' || *at == 'E') {
    const char *power = at + 1;
    power += *power == '+' || *power == '-';
    at = skip_digits(power, &some);
    if (at == power)
      return fail(r, at, "a digit is missing");
    is_clear = is_integer = false;
    is_wide = true;
  }
  if (is_wide && !isfinite(cnk_number_read(start, (size_t)(at - start))))
    return fail(r, start, "a number beyond the range of a double");
  r->last.kind = is_integer ? CNK_NODE_INTEGER : CNK_NODE_FLOAT;
  r->at = at;
  r->scan->needs_mend |= is_integer || !is_clear;
  if (!is_clear) {
    const char mark[] = {'"', CNK_JSON_MARK, CNK_JSON_MARK_NUMBER};
    replace(r, start, start, mark, sizeof mark);
    replace(r, at, at, "\"", 1);
  }
  return true;
}

static bool read_word(struct reader *r, const char *word, size_t length, enum cnk_node_kind kind)
{
  if (strncmp(r->at, word, length) != 0)
    return fail(r, r->at, "a value is missing");
  r->at += length;
  r->last.kind = kind;
  return true;
}

static bool enter(struct reader *r)
{
  if (++r->depth > CNK_JSON_DEPTH)
    return fail(r, r->at, "nested deeper than 128 levels");
  r->at++;
  skip_space(r);
  return true;
}

/* At the closing bracket. */
static bool leave(struct reader *r, enum cnk_node_kind kind, uint32_t count)
{
  r->at++;
  r->depth--;
  r->last.kind = kind;
  r->last.count = count;
  return true;
}

/* After an item: a comma gives true, and the closing bracket or anything else false, with *is_ok telling which. */
static bool goes_on(struct reader *r, char close, const char *fault, bool *is_ok)
{
  skip_space(r);
  if (*r->at == ',') {
    r->at++;
    skip_space(r);
    return true;
  }
  *is_ok = *r->at == close || fail(r, r->at, fault);
  return false;
}

static bool read_array(struct reader *r)
{
  const char *start = r->at;
  if (!enter(r))
    return false;
  if (*r->at == ']') {
    const char mark[] = {'"', CNK_JSON_MARK, CNK_JSON_MARK_ARRAY, '"'};
    leave(r, CNK_NODE_LIST, 0);
    r->scan->needs_mend = true;
    replace(r, start, r->at, mark, sizeof mark);
    return true;
  }
  bool is_ok = false;
  uint32_t count = 0;
  do {
    if (!read_value(r))
      return false;
    count++;
  } while (goes_on(r, ']', "',' or ']' is missing", &is_ok));
  return is_ok && leave(r, CNK_NODE_LIST, count);
}

/* Reads something, and adds its node to the tree, if there is one. */
static bool read_node(struct reader *r, bool (*read)(struct reader *r))
{
  if (!r->tree)
    return read(r);
  const char *start = r->at;
  size_t number = r->tree->count;
  if (!cnk_tree_add(r->tree)) {
    r->scan->has_no_memory = true;
    return false;
  }
  if (!read(r))
    return false;
  size_t quote = r->last.kind == CNK_NODE_TEXT;
  struct cnk_node *node = &r->tree->nodes[number];
  *node = r->last;
  node->text = start + quote;
  node->size = (size_t)(r->at - start) - 2 * quote;
  node->span = (uint32_t)(r->tree->count - number);
  return true;
}

static bool read_object(struct reader *r)
{
  if (!enter(r))
    return false;
  if (*r->at == '}')
    return leave(r, CNK_NODE_OBJECT, 0);
  bool is_ok = false;
  uint32_t count = 0;
  do {
    if (*r->at != '"')
      return fail(r, r->at, "a key in quotes is missing");
    if (!read_node(r, read_string))
      return false;
    skip_space(r);
    if (*r->at != ':')
      return fail(r, r->at, "':' is missing");
    r->at++;
    skip_space(r);
    if (!read_value(r))
      return false;
    count++;
  } while (goes_on(r, '}', "',' or '}' is missing", &is_ok));
  return is_ok && leave(r, CNK_NODE_OBJECT, count);
}

static bool read_any(struct reader *r)
{
  switch (*r->at) {
  case '"': return read_string(r);
  case '{': return read_object(r);
  case '[': return read_array(r);
  case 't': return read_word(r, "true", 4, CNK_NODE_TRUE);
  case 'f': return read_word(r, "false", 5, CNK_NODE_FALSE);
  case 'n': return read_word(r, "null", 4, CNK_NODE_NULL);
  default: return read_number(r);
  }
}

static bool read_value(struct reader *r)
{
  return count_value(r) && read_node(r, read_any);
}

bool cnk_jsonscan_run(struct cnk_jsonscan *scan)
{
  scan->is_rewritten = scan->needs_mend = scan->has_too_many = scan->has_no_memory = false;
  scan->values = 0;
  struct reader r = {
      .scan = scan, .tree = scan->tree, .at = scan->text, .end = scan->text + scan->length, .copied = scan->text};
  if (scan->length >= 3 && memcmp(scan->text, "\xEF\xBB\xBF", 3) == 0) {
    r.at += 3;
    replace(&r, scan->text, r.at, "", 0);
  }
  skip_space(&r);
  if (!read_value(&r))
    return false;
  skip_space(&r);
  if (r.at < r.end)
    return fail(&r, r.at, "more text after the value");
  if (scan->is_rewritten)
    write(&r, r.copied, (size_t)(r.end - r.copied));
  return true;
}
