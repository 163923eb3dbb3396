/* SPDX-License-Identifier: MIT */
/* Widths; see columns.h for the contract. */
#include "terminal/columns.h"

#include <stdint.h>
#include <sys/ioctl.h>
#include <utf8proc.h>

size_t cnk_columns_of(const char *text, size_t size)
{
  size_t columns = 0;
  for (size_t at = 0; at < size;) {
    int32_t character = 0;
    utf8proc_ssize_t length =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &character);
    if (length <= 0) {
      columns++;
      at++;
      continue;
    }
    int width = utf8proc_charwidth(character);
    columns += width > 0 ? (size_t)width : 0;
    at += (size_t)length;
  }
  return columns;
}

unsigned cnk_columns_of_terminal(int fd)
{
  struct winsize size;
  return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
