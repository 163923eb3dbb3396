/* SPDX-License-Identifier: MIT */
/* What a store says of a move that it takes part in (the table `move` of schema.sql) to whoever opens it. */
#ifndef CNK_SQL_MOVE_H
#define CNK_SQL_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first version that knows of moves. */
enum { CNK_MOVE_VERSION = 10 };

enum cnk_move_state {
  CNK_MOVE_GOING = 1,
  CNK_MOVE_HAS_COME,
  CNK_MOVE_COMING,
  CNK_MOVE_GONE,
};

/* Whether a host may use a store in this state, with the names of both stores; false with a sentence. */
bool cnk_move_allows(int64_t state, const char *origin, const char *target, char *message, size_t size);

#endif
