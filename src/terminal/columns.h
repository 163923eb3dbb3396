/* SPDX-License-Identifier: MIT */
/* How wide text is on a terminal, and how wide the terminal is. */
#ifndef CNK_TERMINAL_COLUMNS_H
#define CNK_TERMINAL_COLUMNS_H

#include <stddef.h>

/* The columns that UTF-8 text takes: two for wide characters, none for marks and controls. Bytes that are no UTF-8 count as one. */
size_t cnk_columns_of(const char *text, size_t size);

/* The columns of the terminal that is a file descriptor; 0 when it is none, or does not say. */
unsigned cnk_columns_of_terminal(int fd);

#endif
