/* SPDX-License-Identifier: MIT */
/* How far an accepted message is, by the name of its state. Names and numbers are persisted: neither changes without a migration. */
#ifndef CNK_STATUS_H
#define CNK_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* A message only moves up, whatever order its statuses come in, and a failure that the provider reports stands above all. */
enum cnk_status_rank {
  CNK_STATUS_ACCEPTED = 0,
  CNK_STATUS_SENT = 1,
  CNK_STATUS_DELIVERED = 2,
  CNK_STATUS_READ = 3,
  CNK_STATUS_PLAYED = 4,
  CNK_STATUS_FAILED = 9
};

/* Ends with a NULL name. */
extern const struct cnk_status_name {
  const char *name;
  int64_t rank;
} cnk_status_names[];

/* False for a status that advances no message. */
bool cnk_status_rank(struct cnk_text name, int64_t *rank);

#endif
