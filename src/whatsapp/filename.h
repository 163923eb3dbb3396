/* SPDX-License-Identifier: MIT */
/*
 * A file name for what a stranger sent: one that stays in its folder and is a plain name on every system.
 * It only makes a name; whether such a file exists already is for the caller to check.
 */
#ifndef CNK_FILENAME_H
#define CNK_FILENAME_H

#include <stddef.h>

#include "base/text.h"

/* The longest name, in bytes: with room for a prefix and a temporary suffix below the 255 (eCryptfs: 143) of file systems. */
#define CNK_FILENAME_MAX 120

/* Writes a name with a NUL after it and returns its length, never 0. It is the last part of `name` when that holds a
 * usable one, otherwise `id` with the extension of `mime_type`. The result is UTF-8 without separators, controls,
 * invisible characters, those that Windows refuses, and leading dots, dashes or spaces; it is no device's name. */
size_t cnk_filename_make(char out[CNK_FILENAME_MAX + 1], struct cnk_text name, struct cnk_text mime_type,
                         struct cnk_text id);

#endif
