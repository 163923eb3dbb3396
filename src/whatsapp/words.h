/* SPDX-License-Identifier: MIT */
/*
 * The form in which words that people type are compared: Unicode's NFKC_Casefold, so that MENÚ, menú and its decomposed
 * form are one word, and marks that nobody sees do not count. Accents do. Beyond it the Turkish letters İ and ı are an i,
 * because people write capitals with and without their dot.
 *
 * What is not UTF-8, or longer than CNK_WORDS_MAX, is not folded: only A to Z become small letters there. Pure functions
 * over borrowed memory; no locale is involved.
 */
#ifndef CNK_WORDS_H
#define CNK_WORDS_H

#include "base/text.h"

/* Bytes of the longest text that is folded. WhatsApp's longest has 4,096 characters, 16 KiB at most; folding takes up to 24
 * times the text, for a moment. */
#define CNK_WORDS_MAX (64 * 1024)

/* How a text is folded. */
struct cnk_words_plan {
  enum { CNK_WORDS_SAME, CNK_WORDS_ASCII, CNK_WORDS_UNICODE } how;
  size_t room; /* bytes that cnk_words_fold() writes to, aligned for int32_t; 0: the text is its own folded form */
};

struct cnk_words_plan cnk_words_plan(struct cnk_text text);

/* Folds `text` into `room` and returns the size. Time grows with the size, whatever the text holds. */
size_t cnk_words_fold(struct cnk_text text, struct cnk_words_plan plan, void *room);

/* The part of a folded text without the blanks around it. */
struct cnk_text cnk_words_trim(struct cnk_text folded);

#endif
