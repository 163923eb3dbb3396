/* SPDX-License-Identifier: MIT */
/*
 * What the store is told of an item; see event.h. Most of it is who the person is: all ids that it tells of them. The store makes
 * one conversation of them.
 */
#include "webhook/event.h"

#include <math.h>

#include "whatsapp/identity.h"
#include "whatsapp/status.h"

/* ---- the ids of a person --------------------------------------------------------------------------------------------- */

/* The most ids that an item can tell of. */
enum { MOST_IDS = 24 };

struct gathering {
  struct cnk_text ids[MOST_IDS];
  bool is_left[MOST_IDS];
  size_t count;
};

static void add(struct gathering *all, struct cnk_text id, bool is_left)
{
  if (!id.data || id.size == 0 || all->count == MOST_IDS)
    return;
  for (size_t i = 0; i < all->count; i++)
    if (cnk_text_is_equal(all->ids[i], id))
      return;
  all->is_left[all->count] = is_left;
  all->ids[all->count++] = id;
}

/* Whether an item says that a person has other ids now: then the provider says so, not they. */
static bool is_change(const struct cnk_webhook_facts *facts)
{
  return facts->kind == CNK_WEBHOOK_USER_ID_UPDATE || facts->change.is_there;
}

static bool is_sure(const struct cnk_webhook_facts *facts,
                    bool (*is_same)(void *context, struct cnk_text a, struct cnk_text b), void *context)
{
  const struct cnk_webhook_contact *contact = facts->contact;
  struct cnk_text user_id = facts->user_id.data ? facts->user_id : facts->recipient_user_id;
  struct cnk_text number = facts->from.data ? facts->from : facts->recipient;
  if (contact->user_id.data && user_id.data)
    return cnk_text_is_equal(contact->user_id, user_id);
  if (contact->parent_user_id.data && facts->parent_user_id.data &&
      !cnk_text_is_equal(contact->parent_user_id, facts->parent_user_id))
    return false;
  bool is_pair = facts->kind == CNK_WEBHOOK_MESSAGE && contact->senders == 1;
  if (!contact->wa_id.data || (!number.data && (!is_pair || user_id.data)))
    return false;
  return is_pair || cnk_text_is_equal(number, contact->wa_id) || is_same(context, number, contact->wa_id);
}

void cnk_webhook_settle_contact(struct cnk_webhook_facts *facts,
                                bool (*is_same)(void *context, struct cnk_text a, struct cnk_text b), void *context)
{
  facts->is_contact_sure = facts->contact && is_sure(facts, is_same, context);
}

/* The new ones of a change first, then the number, then the others. */
static void gather(const struct cnk_webhook_facts *facts, const struct cnk_webhook_contact *contact,
                   struct gathering *all)
{
  static const struct cnk_webhook_contact nobody = {0};
  const struct cnk_webhook_change *change = &facts->change;
  bool has_new = change->wa_id.data != NULL;
  bool is_update = facts->kind == CNK_WEBHOOK_USER_ID_UPDATE;
  contact = contact ? contact : &nobody;
  add(all, change->wa_id, false);
  add(all, facts->from, has_new);
  add(all, change->customer, has_new);
  add(all, contact->wa_id, false);
  add(all, facts->recipient, false);
  add(all, change->user_id, false);
  add(all, change->previous_user_id, true);
  add(all, facts->user_id, false);
  add(all, facts->recipient_user_id, false);
  add(all, facts->previous_user_id, is_update);
  add(all, contact->user_id, false);
  add(all, change->parent_user_id, false);
  add(all, change->previous_parent_user_id, true);
  add(all, facts->parent_user_id, false);
  add(all, facts->previous_parent_user_id, is_update);
  add(all, contact->parent_user_id, false);
}

static bool write_key(struct cnk_arena *arena, struct cnk_text phone_number_id, struct cnk_text customer,
                      struct cnk_text *key)
{
  const struct cnk_contact contact = {.phone_number_id = phone_number_id, .customer = customer};
  size_t size = cnk_contact_key_size(&contact);
  char *data = cnk_arena_take(arena, size);
  if (!data)
    return false;
  cnk_contact_write_key(&contact, data);
  *key = (struct cnk_text){data, size};
  return true;
}

/* The best known id is the event's, and the others are one person's with it. The form in which numbers are compared is an id as
 * well. */
static bool set_ids(const struct gathering *all, struct cnk_text phone, struct cnk_arena *arena,
                    struct cnk_event *event)
{
  char room[CNK_NUMBER_MAX];
  struct cnk_text common = cnk_identity_canonical(all->ids[0], room);
  bool has_form = common.data != all->ids[0].data;
  size_t count = all->count - 1 + has_form;
  if (!write_key(arena, phone, all->ids[0], &event->contact))
    return false;
  if (count == 0)
    return true;
  event->others.items = cnk_arena_take(arena, count * sizeof *event->others.items);
  if (!event->others.items)
    return false;
  event->others.count = count;
  for (size_t i = 0; i < count; i++) {
    struct cnk_person_id *other = &event->others.items[i];
    bool is_form = i + 1 == all->count;
    other->is_left = !is_form && all->is_left[i + 1];
    if (!write_key(arena, phone, is_form ? common : all->ids[i + 1], &other->key))
      return false;
  }
  return true;
}

/* Whether an item may tell of more than one id of its person; messages most often do not. */
static bool may_say_more(const struct cnk_webhook_facts *facts)
{
  char room[CNK_NUMBER_MAX];
  if (facts->kind != CNK_WEBHOOK_MESSAGE || facts->is_system || facts->user_id.data || facts->parent_user_id.data)
    return true;
  if (!facts->from.data)
    return facts->contact && facts->contact->wa_id.data;
  bool is_contact =
      !facts->contact || (facts->contact->wa_id.data && cnk_text_is_equal(facts->contact->wa_id, facts->from));
  return !is_contact || cnk_identity_canonical(facts->from, room).data != facts->from.data;
}

static bool fill_person(const struct cnk_webhook_facts *facts, struct cnk_arena *arena, struct cnk_event *event)
{
  struct gathering all = {.count = 0};
  event->is_from_contact = facts->kind == CNK_WEBHOOK_MESSAGE || cnk_webhook_is_inbound(facts);
  event->user_id = facts->user_id;
  if (may_say_more(facts)) {
    const struct cnk_webhook_contact *contact = facts->is_contact_sure ? facts->contact : NULL;
    gather(facts, contact, &all);
    if (all.count > 0 && is_change(facts))
      event->is_from_contact = false;
    if (all.count > 0 && contact && !event->user_id.data)
      event->user_id = contact->user_id;
  }
  if (all.count > 0)
    return set_ids(&all, facts->phone_number_id, arena, event);
  return write_key(arena, facts->phone_number_id, cnk_webhook_customer(facts), &event->contact);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static bool fill_key(const struct cnk_webhook_facts *facts, struct cnk_arena *arena, struct cnk_text *key)
{
  size_t size = cnk_webhook_key_size(facts);
  char *data = size > 0 ? cnk_arena_take(arena, size) : NULL;
  if (!data)
    return size == 0;
  cnk_webhook_write_key(facts, data);
  *key = (struct cnk_text){data, size};
  return true;
}

/* The message that tells whose an event is which names nobody by number. */
static struct cnk_text message_of(const struct cnk_webhook_facts *facts)
{
  bool has_message = facts->kind == CNK_WEBHOOK_STATUS || facts->kind == CNK_WEBHOOK_PAYMENT;
  bool is_number = facts->recipient.data &&
                   !(facts->recipient_user_id.data && cnk_text_is_equal(facts->recipient, facts->recipient_user_id));
  bool has_number = is_number || (facts->is_contact_sure && facts->contact->wa_id.data);
  return has_message && !has_number && !facts->group_id.data ? facts->id : (struct cnk_text){0};
}

bool cnk_webhook_fill_event(const struct cnk_webhook_facts *facts, struct cnk_arena *arena, struct cnk_event *event)
{
  event->inbound_at = cnk_webhook_is_inbound(facts) ? (double)facts->timestamp : NAN;
  if (!fill_person(facts, arena, event) || !fill_key(facts, arena, &event->key))
    return false;
  if (facts->kind == CNK_WEBHOOK_STATUS && cnk_status_rank(facts->status, &event->rank))
    event->status_of = facts->id;
  event->message_id = message_of(facts);
  return cnk_arena_copy(arena, event->user_id, &event->user_id) && cnk_arena_copy(arena, facts->name, &event->name) &&
         cnk_arena_copy(arena, facts->username, &event->username) &&
         cnk_arena_copy(arena, event->status_of, &event->status_of) &&
         cnk_arena_copy(arena, event->message_id, &event->message_id);
}
