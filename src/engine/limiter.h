/* SPDX-License-Identifier: MIT */
/*
 * Two rate limits: messages per second of the business number, and to one contact. It only counts; the caller waits.
 *
 * A bucket is one number: the time at which it will be full again (the "theoretical arrival time" of the generic cell rate
 * algorithm). Full buckets are not stored, so inactive contacts cost nothing; active ones are an entry each, removed again a
 * few at a time. A contact is one, in whichever form the number is written. Times are seconds of one clock that never
 * jumps. Where an entry cannot be made, nothing was taken.
 */
#ifndef CNK_LIMITER_H
#define CNK_LIMITER_H

#include "base/list.h"
#include "engine/table.h"

#define CNK_LIMITER_PENALTIES 16

struct cnk_limits {
  double interval, burst;           /* seconds for a message of the number, 0: no limit; how many at once */
  double pair_interval, pair_burst; /* the same for one contact */
  /* Seconds for which a contact gets nothing when WhatsApp refuses a message to it, then the next one, …; the last of
   * them for all that follow. At least one. */
  double penalties[CNK_LIMITER_PENALTIES];
  size_t penalty_count;
};

struct cnk_limiter {
  struct cnk_limits limits;
  struct cnk_table contacts;
  struct cnk_list by_age; /* of the same: in the order in which they were last looked at */
  double full, period;    /* period: seconds after which an entry is looked at again */
  bool has_penalties;     /* WhatsApp has refused a message to a contact */
};

/* What is given instead of seconds when there is no memory for a contact. */
#define CNK_LIMITER_NO_MEMORY (-1.0)

void cnk_limiter_init(struct cnk_limiter *limiter, const struct cnk_limits *limits);
void cnk_limiter_deinit(struct cnk_limiter *limiter);

/* Takes a token of both buckets, and gives 0; or the seconds until there may be one, and whether it is the number's bucket
 * that is empty. It reserves nothing: another caller may take the next token first. `to` is the recipient as a payload has
 * it, with a "+" or without. */
double cnk_limiter_delay(struct cnk_limiter *limiter, struct cnk_text to, double now, bool *is_for_all);

/* Gives back what cnk_limiter_delay took, for a message that was not sent. */
void cnk_limiter_give_back(struct cnk_limiter *limiter, struct cnk_text to);

/* Reserves the next token, which may become available only after the returned seconds. So callers are served in their order,
 * and each waits once. The number's comes last, for a message that can be sent then. */
double cnk_limiter_reserve_pair(struct cnk_limiter *limiter, struct cnk_text to, double now);
double cnk_limiter_reserve_number(struct cnk_limiter *limiter, double now);

/* Seconds for which WhatsApp accepts nothing for a contact; whether it has penalties to be forgiven. */
double cnk_limiter_penalty(const struct cnk_limiter *limiter, struct cnk_text to, double now, bool *is_penalised);

/* Notes that WhatsApp refused a message because of too many to this contact (131056). Gives the seconds until the next one
 * may go. */
double cnk_limiter_penalise(struct cnk_limiter *limiter, struct cnk_text to, double now);

/* Notes that a message to this contact was accepted: its penalties end. */
void cnk_limiter_forgive(struct cnk_limiter *limiter, struct cnk_text to);

#endif
