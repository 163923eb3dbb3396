/* SPDX-License-Identifier: MIT */
/* Buckets of contacts, and a memory that forgets them; see limiter.h. */
#include "engine/limiter.h"

#include <stdlib.h>

#include "whatsapp/identity.h"

/* Seconds for which a contact's count of penalties is remembered after the last of them has passed. */
#define PENALTY_MEMORY 3600.0

/* Shorter waits are rounding errors of floating-point time. */
#define NOTHING 1e-9

/* Entries that are looked at per call at most: more than the one that a call may add, so that those that are old get fewer. */
#define SWEPT_AT_ONCE 4

/* Seconds between two looks at an entry, at least. */
#define LEAST_PERIOD 60.0

struct contact {
  struct cnk_table_node node;
  struct cnk_link by_age;
  double looked_at;
  double full;        /* when its bucket will be */
  double over;        /* when its last penalty will be, if it has any */
  unsigned penalties; /* without a message that got through */
  char key[];
};

static double larger(double a, double b)
{
  return a > b ? a : b;
}

/* ---- contacts ---------------------------------------------------------------------------------------------------- */

static struct contact *contact_of(struct cnk_table_node *node)
{
  return node ? CNK_OWNER(node, struct contact, node) : NULL;
}

/* The contact as it is counted: in the one form of its number. */
static struct cnk_text counted(struct cnk_text to, char room[CNK_NUMBER_MAX])
{
  if (to.size > 1 && to.data[0] == '+')
    to = (struct cnk_text){to.data + 1, to.size - 1};
  return cnk_identity_canonical(to, room);
}

static struct contact *find(const struct cnk_limiter *limiter, struct cnk_text to)
{
  char room[CNK_NUMBER_MAX];
  return contact_of(cnk_table_find(&limiter->contacts, counted(to, room)));
}

/* NULL when there is no memory. */
static struct contact *add(struct cnk_limiter *limiter, struct cnk_text to, double now)
{
  char room[CNK_NUMBER_MAX];
  struct cnk_text key = counted(to, room);
  struct contact *contact = malloc(sizeof *contact + key.size);
  if (!contact)
    return NULL;
  memset(contact, 0, sizeof *contact);
  if (key.size > 0)
    memcpy(contact->key, key.data, key.size);
  contact->node.key = (struct cnk_text){contact->key, key.size};
  contact->looked_at = contact->full = now;
  cnk_table_add(&limiter->contacts, &contact->node);
  cnk_list_add(&limiter->by_age, &contact->by_age);
  return contact;
}

static void forget(struct cnk_limiter *limiter, struct contact *contact)
{
  cnk_table_remove(&limiter->contacts, &contact->node);
  cnk_list_remove(&contact->by_age);
  free(contact);
}

static bool matters(const struct contact *contact, double now)
{
  return contact->full > now || (contact->penalties > 0 && contact->over + PENALTY_MEMORY > now);
}

/* Looks at a few entries, if there are any at which nobody has looked for a while. */
static void sweep(struct cnk_limiter *limiter, double now)
{
  for (int i = 0; i < SWEPT_AT_ONCE && !cnk_list_is_empty(&limiter->by_age); i++) {
    struct contact *oldest = CNK_OWNER(cnk_list_first(&limiter->by_age), struct contact, by_age);
    if (now - oldest->looked_at < limiter->period)
      return;
    if (!matters(oldest, now)) {
      forget(limiter, oldest);
      continue;
    }
    oldest->looked_at = now;
    cnk_list_remove(&oldest->by_age);
    cnk_list_add(&limiter->by_age, &oldest->by_age);
  }
}

void cnk_limiter_init(struct cnk_limiter *limiter, const struct cnk_limits *limits)
{
  *limiter = (struct cnk_limiter){.limits = *limits};
  limiter->period = larger(LEAST_PERIOD, limits->pair_interval * limits->pair_burst);
  cnk_table_init(&limiter->contacts);
  cnk_list_init(&limiter->by_age);
}

void cnk_limiter_deinit(struct cnk_limiter *limiter)
{
  while (!cnk_list_is_empty(&limiter->by_age))
    forget(limiter, CNK_OWNER(cnk_list_first(&limiter->by_age), struct contact, by_age));
  cnk_table_deinit(&limiter->contacts);
}

/* ---- buckets ----------------------------------------------------------------------------------------------------- */

/* Seconds until a bucket that is full at `full` has a token. */
static double until_token(double full, double interval, double burst, double now)
{
  if (interval == 0)
    return 0;
  double wait = (full - now) - interval * (burst - 1);
  return wait > NOTHING ? wait : 0;
}

static double pair_wait(const struct cnk_limiter *limiter, const struct contact *contact, double now)
{
  if (!contact)
    return 0;
  const struct cnk_limits *limits = &limiter->limits;
  double wait = until_token(contact->full, limits->pair_interval, limits->pair_burst, now);
  return contact->penalties > 0 ? larger(wait, contact->over - now) : wait;
}

/* Takes a contact's token, though there may be none yet. False when there is no memory for it. */
static bool take_pair(struct cnk_limiter *limiter, struct contact *contact, struct cnk_text to, double now)
{
  if (limiter->limits.pair_interval == 0)
    return true;
  if (!contact)
    contact = add(limiter, to, now);
  if (!contact)
    return false;
  contact->full = larger(contact->full, now) + limiter->limits.pair_interval;
  return true;
}

static double number_wait(const struct cnk_limiter *limiter, double now)
{
  return until_token(limiter->full, limiter->limits.interval, limiter->limits.burst, now);
}

static void take_number(struct cnk_limiter *limiter, double now)
{
  limiter->full = larger(limiter->full, now) + limiter->limits.interval;
}

double cnk_limiter_delay(struct cnk_limiter *limiter, struct cnk_text to, double now, bool *is_for_all)
{
  sweep(limiter, now);
  struct contact *contact = find(limiter, to);
  double wait = pair_wait(limiter, contact, now);
  *is_for_all = false;
  if (wait > 0)
    return wait;
  wait = number_wait(limiter, now);
  if (wait > 0) {
    *is_for_all = true;
    return wait;
  }
  if (!take_pair(limiter, contact, to, now))
    return CNK_LIMITER_NO_MEMORY;
  take_number(limiter, now);
  return 0;
}

void cnk_limiter_give_back(struct cnk_limiter *limiter, struct cnk_text to)
{
  limiter->full -= limiter->limits.interval;
  struct contact *contact = find(limiter, to);
  if (contact)
    contact->full -= limiter->limits.pair_interval;
}

double cnk_limiter_reserve_pair(struct cnk_limiter *limiter, struct cnk_text to, double now)
{
  sweep(limiter, now);
  struct contact *contact = find(limiter, to);
  double wait = pair_wait(limiter, contact, now);
  return take_pair(limiter, contact, to, now) ? wait : CNK_LIMITER_NO_MEMORY;
}

double cnk_limiter_reserve_number(struct cnk_limiter *limiter, double now)
{
  double wait = number_wait(limiter, now);
  take_number(limiter, now);
  return wait;
}

/* ---- penalties --------------------------------------------------------------------------------------------------- */

double cnk_limiter_penalty(const struct cnk_limiter *limiter, struct cnk_text to, double now, bool *is_penalised)
{
  const struct contact *contact = limiter->has_penalties ? find(limiter, to) : NULL;
  *is_penalised = contact && contact->penalties > 0;
  return *is_penalised ? larger(0, contact->over - now) : 0;
}

double cnk_limiter_penalise(struct cnk_limiter *limiter, struct cnk_text to, double now)
{
  struct contact *contact = find(limiter, to);
  if (!contact)
    contact = add(limiter, to, now);
  if (!contact)
    return CNK_LIMITER_NO_MEMORY;
  const struct cnk_limits *limits = &limiter->limits;
  size_t last = limits->penalty_count - 1;
  double wait = limits->penalties[contact->penalties < last ? contact->penalties : last];
  contact->penalties++;
  contact->over = now + wait;
  limiter->has_penalties = true;
  return wait;
}

void cnk_limiter_forgive(struct cnk_limiter *limiter, struct cnk_text to)
{
  struct contact *contact = limiter->has_penalties ? find(limiter, to) : NULL;
  if (contact)
    contact->penalties = 0;
}
