/* SPDX-License-Identifier: MIT */
/* The ranks of states; see status.h. */
#include "whatsapp/status.h"

const struct cnk_status_name cnk_status_names[] = {
    {"accepted",  CNK_STATUS_ACCEPTED },
    {"sent",      CNK_STATUS_SENT     },
    {"delivered", CNK_STATUS_DELIVERED},
    {"read",      CNK_STATUS_READ     },
    {"played",    CNK_STATUS_PLAYED   },
    {"failed",    CNK_STATUS_FAILED   },
    {NULL,        0                   },
};

bool cnk_status_rank(struct cnk_text name, int64_t *rank)
{
  for (const struct cnk_status_name *known = cnk_status_names; known->name; known++) {
    if (!cnk_text_is_equal(name, (struct cnk_text){known->name, strlen(known->name)}))
      continue;
    *rank = known->rank;
    return true;
  }
  return false;
}
