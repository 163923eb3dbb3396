/* SPDX-License-Identifier: MIT */
/* Folded words; see words.h for the contract. */
#include "whatsapp/words.h"

#include <stdint.h>
#include <utf8proc.h>

#include "base/utf8.h"

/* What a character becomes: 18 characters at most, an Arabic ligature. */
#define MOST_OF_ONE 32
/* Marks after a letter that are put in order together. Unicode's stream-safe texts have 30 at most; without a limit a text of
 * marks alone would take a time that grows with the square of its size. */
#define MOST_MARKS 64

#define DOTLESS_I 0x131
#define DOT_ABOVE 0x307

static const utf8proc_option_t STEPS =
    UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_DECOMPOSE;
static const utf8proc_option_t COMPOSED = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

/* ---- one character ------------------------------------------------------------------------------------------------- */

/* What the character at `*at` becomes; moves behind it. The text is well-formed. */
static size_t fold_one(const char **at, const char *end, int32_t out[MOST_OF_ONE])
{
  int32_t character = 0;
  int boundary = 0;
  *at += utf8proc_iterate((const utf8proc_uint8_t *)*at, end - *at, &character);
  utf8proc_ssize_t count = utf8proc_decompose_char(character, out, MOST_OF_ONE, STEPS, &boundary);
  if (count < 0 || count > MOST_OF_ONE) { /* no character of today does */
    out[0] = character;
    return 1;
  }
  for (utf8proc_ssize_t i = 0; i < count; i++)
    if (out[i] == DOTLESS_I)
      out[i] = 'i';
  return (size_t)count;
}

/* ---- a text -------------------------------------------------------------------------------------------------------- */

struct cnk_words_plan cnk_words_plan(struct cnk_text text)
{
  struct cnk_words_plan plan = {CNK_WORDS_SAME, 0};
  unsigned char bits = 0;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char one = (unsigned char)text.data[i];
    bits |= one;
    if (one >= 'A' && one <= 'Z')
      plan.how = CNK_WORDS_ASCII;
  }
  if (bits >= 0x80 && text.size <= CNK_WORDS_MAX && cnk_utf8_good(text.data, text.size) == text.size) {
    int32_t one[MOST_OF_ONE];
    size_t count = 1; /* utf8proc writes a NUL behind */
    for (const char *at = text.data, *end = at + text.size; at < end;)
      count += fold_one(&at, end, one);
    plan.how = CNK_WORDS_UNICODE;
    plan.room = count * sizeof *one;
  } else if (plan.how == CNK_WORDS_ASCII) {
    plan.room = text.size;
  }
  return plan;
}

static size_t fold_ascii(struct cnk_text text, char *out)
{
  for (size_t i = 0; i < text.size; i++) {
    char one = text.data[i];
    out[i] = one >= 'A' && one <= 'Z' ? (char)(one - 'A' + 'a') : one;
  }
  return text.size;
}

static int order_of(int32_t character)
{
  return utf8proc_get_property(character)->combining_class;
}

/* Puts the marks after each letter into Unicode's order. */
static void order_marks(int32_t *all, size_t count)
{
  size_t first = 0; /* of the marks that are put in order together */
  for (size_t i = 0; i < count; i++) {
    int32_t mark = all[i];
    int order = order_of(mark);
    if (order == 0 || i - first >= MOST_MARKS) {
      first = order == 0 ? i + 1 : i;
      continue;
    }
    size_t place = i;
    for (; place > first && order_of(all[place - 1]) > order; place--)
      all[place] = all[place - 1];
    all[place] = mark;
  }
}

size_t cnk_words_fold(struct cnk_text text, struct cnk_words_plan plan, void *room)
{
  if (plan.how != CNK_WORDS_UNICODE)
    return fold_ascii(text, room);
  int32_t *all = room, one[MOST_OF_ONE];
  size_t count = 0;
  for (const char *at = text.data, *end = at + text.size; at < end;) {
    size_t more = fold_one(&at, end, one);
    for (size_t i = 0; i < more; i++)
      if (one[i] != DOT_ABOVE || count == 0 || all[count - 1] != 'i')
        all[count++] = one[i];
  }
  order_marks(all, count);
  utf8proc_ssize_t size = utf8proc_reencode(all, (utf8proc_ssize_t)count, COMPOSED);
  return size > 0 ? (size_t)size : 0;
}

/* ---- blanks -------------------------------------------------------------------------------------------------------- */

/* Blanks that folding leaves as they are; it makes a space of the others. NEL, Ogham's, and two separators. */
static const char *const BLANKS[] = {"\xC2\x85", "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9"};

/* The size of the blank at the start of a text, or at its end; 0 when there is none. */
static size_t blank_at(struct cnk_text text, bool is_end)
{
  if (text.size == 0)
    return 0;
  char one = text.data[is_end ? text.size - 1 : 0];
  if (one == ' ' || (one >= '\t' && one <= '\r'))
    return 1;
  for (size_t i = 0; i < sizeof BLANKS / sizeof *BLANKS; i++) {
    size_t size = strlen(BLANKS[i]);
    if (size <= text.size && memcmp(text.data + (is_end ? text.size - size : 0), BLANKS[i], size) == 0)
      return size;
  }
  return 0;
}

struct cnk_text cnk_words_trim(struct cnk_text folded)
{
  size_t size;
  while ((size = blank_at(folded, false)) > 0)
    folded = (struct cnk_text){folded.data + size, folded.size - size};
  while ((size = blank_at(folded, true)) > 0)
    folded.size -= size;
  return folded;
}
