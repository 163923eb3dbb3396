/* SPDX-License-Identifier: MIT */
/* Numbers as text, as JSON has them. No locale is involved. */
#ifndef CNK_JSON_DIGITS_H
#define CNK_JSON_DIGITS_H

#include <stddef.h>
#include <stdint.h>

/* Room for any number, with a NUL. */
#define CNK_NUMBER_ROOM 32

/* Writes an integer; gives how many bytes it takes. Adds no NUL. */
size_t cnk_number_integer(int64_t value, char out[CNK_NUMBER_ROOM]);

/* Writes a finite number with 14 digits, or with as many more as bring it back unchanged. */
size_t cnk_number_real(double value, char out[CNK_NUMBER_ROOM]);

/* Reads a number of JSON, behind which is a byte that belongs to no number: infinite beyond the range of a double; and not a number
 * where memory is out, for a very long one in a locale with a decimal comma. */
double cnk_number_read(const char *text, size_t size);

/* Writes a number as Lua's tostring does: 14 digits, and ".0" where it would look like an integer. */
size_t cnk_number_shown(double value, char out[CNK_NUMBER_ROOM]);

#endif
