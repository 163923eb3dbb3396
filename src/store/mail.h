/* SPDX-License-Identifier: MIT */
/*
 * Mail: webhooks that a host has taken which does not have the database, as they came. Whoever has it accepts their events, in the
 * order of their ids, before those of webhooks of its own that came later; see store.h.
 */
#ifndef CNK_STORE_MAIL_H
#define CNK_STORE_MAIL_H

#include <stdbool.h>

#include "base/text.h"

/* Stores a webhook's body. The question "mail" reads, the repair "drop_mail" deletes. */
struct cnk_post_mail {
  struct cnk_text body;
  double now;
};

#endif
