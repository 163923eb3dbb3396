/* SPDX-License-Identifier: MIT */
#include "store/sql/move.h"

#include <stdio.h>

bool cnk_move_allows(int64_t state, const char *origin, const char *target, char *message, size_t size)
{
  if (state == CNK_MOVE_COMING)
    snprintf(message, size,
             "the store is not complete: a move into it was interrupted; run it again: cunnekt store move %s %s",
             origin, target);
  else if (state == CNK_MOVE_GONE)
    snprintf(message, size,
             "the store was moved to %s: start the bot with that one, or take it back with: cunnekt store move %s %s",
             target, target, origin);
  else
    return true;
  return false;
}
