/* SPDX-License-Identifier: MIT */
#include "json/digits.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t cnk_number_integer(int64_t value, char out[CNK_NUMBER_ROOM])
{
  char digits[CNK_NUMBER_ROOM];
  size_t count = 0, size = 0;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do
    digits[count++] = (char)('0' + left % 10);
  while ((left /= 10) > 0);
  if (value < 0)
    out[size++] = '-';
  while (count > 0)
    out[size++] = digits[--count];
  return size;
}

/* ---- reals --------------------------------------------------------------------------------------------------------- */

/* A locale's decimal comma becomes a point. */
static size_t with_point(char *text)
{
  size_t size = strlen(text);
  for (char *at = text; *at; at++)
    if (!strchr("+-.e0123456789infa", *at))
      *at = '.';
  return size;
}

/* Whole part and `places` digits behind the point, as far as these are no noughts. */
static size_t write_fixed(int64_t whole, int64_t fraction, int places, char *out)
{
  size_t size = cnk_number_integer(whole, out);
  if (fraction == 0)
    return size;
  out[size] = '.';
  for (int i = places; i > 0; i--, fraction /= 10)
    out[size + (size_t)i] = (char)('0' + fraction % 10);
  size += 1 + (size_t)places;
  while (out[size - 1] == '0')
    size--;
  return size;
}

/*
 * Times are most of the reals that are written: nine or ten digits, and a fraction of a second. Both parts are exact as integers, so
 * printf and strtod are not needed to find how many digits bring the number back: a decimal fraction of so few digits is never
 * as close to the middle between two doubles that the sum could be rounded otherwise than its text. Gives 0, and writes nothing,
 * for other numbers.
 */
static size_t write_time(double value, char *out)
{
  if (!(value >= 1e8 && value < 1e10))
    return 0;
  double whole = floor(value), rest = value - whole;
  int places = value < 1e9 ? 5 : 4; /* 14 digits in all */
  for (double scale = places == 5 ? 1e5 : 1e4; places <= 7; places++, scale *= 10) {
    double fraction = nearbyint(rest * scale);
    if (fraction < scale && whole + fraction / scale == value)
      return write_fixed((int64_t)whole, (int64_t)fraction, places, out);
  }
  return 0;
}

size_t cnk_number_real(double value, char out[CNK_NUMBER_ROOM])
{
  if (value > -1e14 && value < 1e14 && (double)(int64_t)value == value && !(value == 0 && signbit(value)))
    return cnk_number_integer((int64_t)value, out);
  size_t size = write_time(value, out);
  if (size > 0)
    return size;
  int digits = 14;
  do
    snprintf(out, CNK_NUMBER_ROOM, "%.*g", digits, value);
  while (strtod(out, NULL) != value && ++digits <= 17);
  return with_point(out);
}

double cnk_number_read(const char *text, size_t size)
{
  char *end, usual[64];
  double value = strtod(text, &end);
  if (end == text + size)
    return value;
  char *copy = size < sizeof usual ? usual : malloc(size + 1); /* a locale with another decimal point */
  if (!copy)
    return NAN;
  memcpy(copy, text, size);
  copy[size] = '\0';
  char *point = strchr(copy, '.');
  if (point)
    *point = localeconv()->decimal_point[0];
  value = strtod(copy, NULL);
  if (copy != usual)
    free(copy);
  return value;
}

size_t cnk_number_shown(double value, char out[CNK_NUMBER_ROOM])
{
  snprintf(out, CNK_NUMBER_ROOM, "%.14g", value);
  size_t size = with_point(out);
  if (out[strspn(out, "-0123456789")] == '\0') {
    memcpy(out + size, ".0", 2);
    size += 2;
  }
  return size;
}
