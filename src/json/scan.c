/* SPDX-License-Identifier: MIT */
/* The scan of a JSON text; see scan.h for the contract.
 *
 * The NUL after the text stops every loop here, so that no other check of the end is needed: it is legal nowhere. */
#include "json/scan.h"

#include <string.h>

#include "base/utf8.h"

struct reader {
  struct cnk_jsonscan *scan;
  const char *at, *end;
  const char *copied; /* the text before this is written already, if anything is */
  int depth;
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

/* Writes what is pending up to `from`, then `bytes`, which stand for everything up to `to`. */
static void replace(struct reader *r, const char *from, const char *to, const char *bytes, size_t length)
{
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

/* Four hexadecimal digits, or -1. */
static int read_hex4(const char *at)
{
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = at[i], letter = (char)(c | 0x20);
    if (is_digit(c))
      value = value * 16 + (c - '0');
    else if (letter >= 'a' && letter <= 'f')
      value = value * 16 + (letter - 'a' + 10);
    else
      return -1;
  }
  return value;
}

/* At a backslash. A surrogate counts only as the first of a pair; alone it is no character. */
static bool read_escape(struct reader *r)
{
  const char *start = r->at;
  if (start[1] != 'u') {
    if (start[1] == '\0' || !strchr("\"\\/bfnrt", start[1]))
      return fail(r, start + 1, "unknown escape");
    r->at += 2;
    return true;
  }
  int code = read_hex4(start + 2);
  if (code < 0)
    return fail(r, start, "\\u without four hexadecimal digits");
  r->at += 6;
  if (code < 0xD800 || code > 0xDFFF)
    return true;
  int second = code < 0xDC00 && r->at[0] == '\\' && r->at[1] == 'u' ? read_hex4(r->at + 2) : -1;
  if (second >= 0xDC00 && second <= 0xDFFF)
    r->at += 6;
  else
    replace(r, start, r->at, CNK_UTF8_REPLACEMENT, 3);
  return count_value(r);
}

static bool read_string(struct reader *r)
{
  for (r->at++;;) {
    while (is_plain[(unsigned char)*r->at])
      r->at++;
    unsigned char c = (unsigned char)*r->at;
    if (c == '"') {
      r->at++;
      return true;
    }
    if (c == '\\') {
      if (!read_escape(r))
        return false;
    } else if (c < 0x20) {
      return fail(r, r->at, "control character in a string");
    } else {
      size_t bad, length = cnk_utf8_length(r->at, (size_t)(r->end - r->at), &bad);
      if (length == 0) {
        if (!count_value(r))
          return false;
        replace(r, r->at, r->at + bad, CNK_UTF8_REPLACEMENT, 3);
      }
      r->at += length ? length : bad;
    }
  }
}

/* Digits from `at` on; *some is set when one of them is not zero. */
static const char *skip_digits(const char *at, bool *some)
{
  for (; is_digit(*at); at++)
    *some |= *at != '0';
  return at;
}

/* Up to 15 digits a double is exact, so lua-cjson's float tells whether a whole number was meant. All other numbers
 * become marks, except fractions that surely are none: those lua-cjson reads right. */
static bool read_number(struct reader *r)
{
  const char *start = r->at, *whole = start + (*start == '-');
  if (!is_digit(*whole))
    return fail(r, whole, "a value is missing");
  bool some = false;
  const char *at = *whole == '0' ? whole + 1 : skip_digits(whole, &some);
  bool is_integer = true, is_clear = at - whole <= 15;
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
  }
  r->at = at;
  r->scan->needs_mend |= is_integer || !is_clear;
  if (!is_clear) {
    const char mark[] = {'"', CNK_JSON_MARK, CNK_JSON_MARK_NUMBER};
    replace(r, start, start, mark, sizeof mark);
    replace(r, at, at, "\"", 1);
  }
  return true;
}

static bool read_word(struct reader *r, const char *word, size_t length)
{
  if (strncmp(r->at, word, length) != 0)
    return fail(r, r->at, "a value is missing");
  r->at += length;
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

/* After an item: a comma gives true, and the closing bracket or anything else false, with *is_ok telling which. */
static bool goes_on(struct reader *r, char close, const char *fault, bool *is_ok)
{
  skip_space(r);
  char c = *r->at;
  if (c == ',') {
    r->at++;
    skip_space(r);
    return true;
  }
  if (c == close) {
    r->at++;
    r->depth--;
    *is_ok = true;
  } else {
    *is_ok = fail(r, r->at, fault);
  }
  return false;
}

static bool read_array(struct reader *r)
{
  const char *start = r->at;
  if (!enter(r))
    return false;
  if (*r->at == ']') {
    const char mark[] = {'"', CNK_JSON_MARK, CNK_JSON_MARK_ARRAY, '"'};
    r->at++;
    r->depth--;
    r->scan->needs_mend = true;
    replace(r, start, r->at, mark, sizeof mark);
    return true;
  }
  bool is_ok = false;
  do {
    if (!read_value(r))
      return false;
  } while (goes_on(r, ']', "',' or ']' is missing", &is_ok));
  return is_ok;
}

static bool read_object(struct reader *r)
{
  if (!enter(r))
    return false;
  if (*r->at == '}') {
    r->at++;
    r->depth--;
    return true;
  }
  bool is_ok = false;
  do {
    if (*r->at != '"')
      return fail(r, r->at, "a key in quotes is missing");
    if (!read_string(r))
      return false;
    skip_space(r);
    if (*r->at != ':')
      return fail(r, r->at, "':' is missing");
    r->at++;
    skip_space(r);
    if (!read_value(r))
      return false;
  } while (goes_on(r, '}', "',' or '}' is missing", &is_ok));
  return is_ok;
}

static bool read_value(struct reader *r)
{
  if (!count_value(r))
    return false;
  switch (*r->at) {
  case '"': return read_string(r);
  case '{': return read_object(r);
  case '[': return read_array(r);
  case 't': return read_word(r, "true", 4);
  case 'f': return read_word(r, "false", 5);
  case 'n': return read_word(r, "null", 4);
  default: return read_number(r);
  }
}

bool cnk_jsonscan_run(struct cnk_jsonscan *scan)
{
  scan->is_rewritten = scan->needs_mend = scan->has_too_many = false;
  scan->values = 0;
  struct reader r = {.scan = scan, .at = scan->text, .end = scan->text + scan->length, .copied = scan->text};
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
