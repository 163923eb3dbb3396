/* SPDX-License-Identifier: MIT */
/*
 * Who a person is: the conversation that an event belongs to, by any id of the person. Two conversations that turn out to
 * be of one person are joined in the commit of the event that says so.
 *
 * What is in the memory of a process, or waits for its status, keeps the key that it had: a row in the outbox that is not
 * parked, and an accepted message. Whoever reads it asks for the alias of its contact.
 */
#include "store/verbs/verbs.h"
#include "whatsapp/identity.h"
#include "json/merge.h"

/* Most stores know no alias, and are not asked for one. */
bool cnk_work_has_aliases(struct cnk_work *work)
{
  struct cnk_sql_session *session = work->session;
  int64_t is_any;
  if (!session->knows_aliases && cnk_work_read(work, CNK_SQL_any_alias, &is_any, "")) {
    session->has_aliases = is_any != 0;
    session->knows_aliases = true;
  }
  return session->has_aliases;
}

/* The key of the conversation that an id belongs to. */
static struct cnk_text conversation_of(struct cnk_work *work, struct cnk_text key)
{
  struct cnk_text found = {0};
  if (cnk_work_has_aliases(work))
    found = cnk_work_read_text(work, CNK_SQL_get_alias, "t", key);
  return found.data ? found : key;
}

/* Two states as one: the one that was written last wins, key by key. One that is no object, which no program of ours has
 * written, loses. */
static struct cnk_text merge_states(struct cnk_work *work, struct cnk_text from, struct cnk_text to)
{
  struct cnk_text later = cnk_work_read_text(work, CNK_SQL_get_state, "t", to);
  struct cnk_text earlier = cnk_work_read_text(work, CNK_SQL_get_state, "t", from);
  int64_t version_to, version_from;
  cnk_work_read(work, CNK_SQL_get_version, &version_to, "t", to);
  cnk_work_read(work, CNK_SQL_get_version, &version_from, "t", from);
  if (version_from > version_to) {
    struct cnk_text other = later;
    later = earlier;
    earlier = other;
  }
  if (!later.data || !earlier.data)
    return later.data ? later : earlier;
  struct cnk_buffer merged = {0};
  struct cnk_text result = later;
  if (cnk_json_merge(&merged, later, earlier) &&
      !cnk_arena_copy(&work->call->arena, (struct cnk_text){merged.data, merged.size}, &result))
    cnk_work_fail(work, CNK_STORE_NO_MEMORY, "not enough memory for two states");
  cnk_buffer_reset(&merged, 0);
  return result;
}

/* True when there was something to join. */
static bool join(struct cnk_work *work, struct cnk_text from, struct cnk_text to)
{
  static const enum cnk_sql moves[] = {
      CNK_SQL_join_events, CNK_SQL_join_dead,  CNK_SQL_join_dialogs, CNK_SQL_join_kept_events,
      CNK_SQL_join_parked, CNK_SQL_join_ended, CNK_SQL_join_aliases, CNK_SQL_open_joined,
  };
  int64_t changes = 0;
  for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
    changes += cnk_work_run(work, moves[i], "tt", from, to);
  struct cnk_text state = merge_states(work, from, to);
  changes += cnk_work_run(work, CNK_SQL_join_conversation, "ttit", from, to, cnk_work_next(work), state);
  cnk_work_send(work, CNK_SQL_delete_conversation, "t", from);
  cnk_work_send(work, CNK_SQL_put_alias, "tti", from, to, (int64_t)0);
  work->session->joins++;
  return changes > 0;
}

/* Makes an id one of a conversation. */
static void add_id(struct cnk_work *work, struct cnk_person_id *id, struct cnk_text conversation)
{
  struct cnk_text owner = conversation_of(work, id->key);
  id->joined = (struct cnk_text){0};
  id->was_used = false;
  if (!cnk_text_is_equal(owner, conversation)) {
    id->was_used = join(work, owner, conversation);
    id->joined = owner;
  }
  if (!cnk_text_is_equal(id->key, conversation))
    cnk_work_send(work, CNK_SQL_put_alias, "tti", id->key, conversation, (int64_t)id->is_left);
  work->session->has_aliases = work->session->knows_aliases = true;
}

/* Whether the person has changed to the id that the event names first. */
static bool is_change(const struct cnk_event *event)
{
  for (size_t i = 0; i < event->others.count; i++)
    if (event->others.items[i].is_left)
      return true;
  return false;
}

/* Who uses an id now is another conversation than the person who had left it, or they have come back to it. Messages to that person
 * which are in the memory of a process still have it as their key. */
static void take_left_id(struct cnk_work *work, struct cnk_text id)
{
  struct cnk_text before = cnk_work_read_text(work, CNK_SQL_get_left_alias, "t", id);
  if (!before.data)
    return;
  cnk_work_send(work, CNK_SQL_take_left_alias, "t", id);
  cnk_work_send(work, CNK_SQL_rename_left, "tt", id, before);
}

/* Whoever got the message is known best by the id that it went to; what the event calls them is one more. */
static void follow_message(struct cnk_work *work, struct cnk_event *event)
{
  int64_t key = cnk_work_find_sent(work, event->message_id);
  struct cnk_text receiver = cnk_work_read_text(work, CNK_SQL_get_sent_contact, "it", key, event->message_id);
  struct cnk_contact before;
  if (!receiver.data || cnk_text_is_equal(receiver, event->contact))
    return;
  if (cnk_contact_read_key(event->contact, &before) && before.customer.size > 0) {
    size_t count = event->others.count + 1;
    struct cnk_person_id *ids = cnk_arena_take(&work->call->arena, count * sizeof *ids);
    if (!ids) {
      cnk_work_fail(work, CNK_STORE_NO_MEMORY, "not enough memory for the ids of a person");
      return;
    }
    ids[0] = (struct cnk_person_id){.key = event->contact};
    if (count > 1)
      memcpy(ids + 1, event->others.items, (count - 1) * sizeof *ids);
    event->others.items = ids;
    event->others.count = count;
  }
  event->contact = receiver;
}

void cnk_work_find_conversation(struct cnk_work *work, struct cnk_event *event)
{
  if (event->message_id.data)
    follow_message(work, event);
  if (event->others.count == 0 && !cnk_work_has_aliases(work))
    return;
  if ((event->is_from_contact || is_change(event)) && cnk_work_has_aliases(work))
    take_left_id(work, event->contact);
  struct cnk_text conversation = conversation_of(work, event->contact);
  for (size_t i = 0; i < event->others.count && work->status == 0; i++)
    add_id(work, &event->others.items[i], conversation);
  if (!cnk_text_is_equal(conversation, event->contact))
    event->conversation = conversation;
}

static void check(struct cnk_work *work, struct cnk_text contact)
{
  if (contact.data && !cnk_text_is_equal(conversation_of(work, contact), contact))
    cnk_work_conflict(work, "the conversation has become part of another one");
}

void cnk_work_check_joins(struct cnk_work *work, const struct cnk_turn *turn)
{
  if (turn->joins == work->session->joins)
    return;
  for (size_t i = 0; i < turn->messages.count; i++)
    check(work, turn->messages.items[i].contact);
  for (size_t i = 0; i < turn->states.count; i++)
    check(work, turn->states.items[i].contact);
  for (size_t i = 0; i < turn->pauses.count; i++)
    check(work, turn->pauses.items[i].contact);
  for (size_t i = 0; i < turn->watches.count; i++)
    check(work, turn->watches.items[i].contact);
  for (size_t i = 0; i < turn->kept_events.count; i++)
    check(work, turn->kept_events.items[i].contact);
  if (turn->run)
    check(work, turn->run->contact);
}
