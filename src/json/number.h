/* SPDX-License-Identifier: MIT */
/* The numbers of a JSON text that are whole. */
#ifndef CNK_JSON_NUMBER_H
#define CNK_JSON_NUMBER_H

#include "json/tree.h"

/* Whether an integer fits 64 bits, and its value. */
bool cnk_node_integer(const struct cnk_node *integer, int64_t *value);

/* Whether a value is a number that is whole, however it is written ("1e3", "5.0"), and fits 64 bits. NULL is none. */
bool cnk_node_whole(const struct cnk_node *node, int64_t *value);

#endif
