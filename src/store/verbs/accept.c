/* SPDX-License-Identifier: MIT */
/* Events, from their acceptance to their end without a turn; timers, which become events. */
#include <math.h>

#include "store/verbs/verbs.h"
#include "whatsapp/status.h"

bool cnk_work_has_arrived(int64_t rank)
{
  return rank >= CNK_STATUS_DELIVERED && rank < CNK_STATUS_FAILED;
}

static void note_raised(struct cnk_work *work, int64_t key, struct cnk_text message_id, int64_t rank)
{
  if (cnk_work_has_arrived(rank))
    cnk_work_send(work, CNK_SQL_delete_accepted, "it", key, message_id);
}

bool cnk_work_raise_sent(struct cnk_work *work, struct cnk_text message_id, int64_t rank, struct cnk_text reason,
                         double now)
{
  int64_t key = cnk_work_find_sent(work, message_id);
  bool is_raised = cnk_work_run(work, CNK_SQL_raise_sent, "itriti", rank, reason, now, key, message_id, rank) > 0;
  if (is_raised)
    note_raised(work, key, message_id, rank);
  return is_raised;
}

/* The message of a status, which may have been accepted in this batch, after what was sent ahead. */
static bool raise_message(struct cnk_work *work, const struct cnk_event *event, double now)
{
  if (!event->is_raise_ahead || event->raised == 0)
    return cnk_work_raise_sent(work, event->status_of, event->rank, event->error, now);
  note_raised(work, cnk_work_find_sent(work, event->status_of), event->status_of, event->rank);
  return true;
}

/* Where keys are the backend's: whether the same key was seen, or another one with the same first half, whose place this one takes. */
static bool takes_place(struct cnk_work *work, struct cnk_halves halves, int64_t day, bool *is_new)
{
  int64_t rest, id = cnk_work_find_key(work, CNK_KEYED_SEEN, halves.hash);
  if (!id || !cnk_work_read(work, CNK_SQL_get_seen, &rest, "ii", id, halves.hash))
    return false;
  *is_new = rest != halves.rest;
  if (*is_new)
    cnk_work_send(work, CNK_SQL_replace_seen, "iii", halves.rest, day, id);
  return true;
}

/* Whether no event with this key was accepted in the last days. */
static bool is_new(struct cnk_work *work, struct cnk_event *event, double now)
{
  if (event->is_ahead)
    return event->ahead > 0;
  struct cnk_halves halves = cnk_work_halves(work, event->key);
  int64_t day = cnk_work_day(now);
  bool is_new;
  if (work->session->driver->find_key && takes_place(work, halves, day, &is_new))
    return is_new;
  int64_t id = cnk_work_add_key(work, CNK_KEYED_SEEN, halves.hash);
  return cnk_work_run(work, CNK_SQL_see, "iiii", halves.hash, halves.rest, day, id) > 0;
}

void cnk_verb_accept_ahead(struct cnk_work *work, struct cnk_accept *request)
{
  for (size_t i = 0; i < request->events.count; i++) {
    struct cnk_event *event = &request->events.items[i];
    event->is_ahead = event->key.data && !event->is_unheard;
    if (!event->is_ahead)
      continue;
    struct cnk_halves halves = cnk_work_halves(work, event->key);
    cnk_work_send_ahead(work, CNK_SQL_see, &event->ahead, "iiii", halves.hash, halves.rest, cnk_work_day(request->now),
                        cnk_work_add_key(work, CNK_KEYED_SEEN, halves.hash));
  }
}

bool cnk_verb_raise_ahead(struct cnk_work *work, struct cnk_accept *request)
{
  bool any = false;
  for (size_t i = 0; i < request->events.count; i++) {
    struct cnk_event *event = &request->events.items[i];
    event->is_raise_ahead = event->status_of.data && !(event->is_ahead && event->ahead == 0);
    if (!event->is_raise_ahead)
      continue;
    any = true;
    cnk_work_send_ahead(work, CNK_SQL_raise_sent, &event->raised, "itriti", event->rank, event->error, request->now,
                        cnk_work_find_sent(work, event->status_of), event->status_of, event->rank);
  }
  return any;
}

void cnk_verb_forget_ahead(struct cnk_accept *request)
{
  for (size_t i = 0; i < request->events.count; i++)
    request->events.items[i].is_ahead = request->events.items[i].is_raise_ahead = false;
}

/* Of a block that is reserved in the same transaction as the first event that gets one of it. 0 when the verb has failed:
 * then there may be no block. */
static int64_t take_id(struct cnk_work *work)
{
  enum { BLOCK = 1000 };
  struct cnk_sql_session *session = work->session;
  int64_t last;
  if (!session->ids_left && cnk_work_read(work, CNK_SQL_next_id, &last, "i", (int64_t)BLOCK)) {
    session->next_id = last - BLOCK + 1;
    session->ids_left = BLOCK;
  }
  if (work->status != 0)
    return 0;
  session->ids_left--;
  return session->next_id++;
}

static void note_inbound(struct cnk_work *work, struct cnk_text contact, const struct cnk_event *event)
{
  if (event->number.data || event->user_id.data || event->name.data || event->username.data)
    cnk_work_send(work, CNK_SQL_note_person, "trtttt", contact, event->inbound_at, event->number, event->user_id,
                  event->name, event->username);
  else
    cnk_work_send(work, CNK_SQL_note_inbound, "tr", contact, event->inbound_at);
}

void cnk_work_put_event(struct cnk_work *work, struct cnk_event *event, double now)
{
  event->seq = 0;
  event->is_fresh = event->is_applied = false;
  event->conversation = (struct cnk_text){0};
  if (event->is_unheard && raise_message(work, event, now)) {
    event->id = 0;
    event->has_given_id = false;
    event->is_fresh = event->is_applied = work->status == 0;
    return;
  }
  if (event->key.data && !is_new(work, event, now))
    return;
  if (!event->id || event->has_given_id) { /* not one of a run of this verb that was undone */
    event->has_given_id = true;
    event->id = take_id(work);
  }
  cnk_work_find_conversation(work, event);
  struct cnk_text contact = event->conversation.data ? event->conversation : event->contact;
  event->seq = cnk_work_next(work);
  cnk_work_send(work, CNK_SQL_put_event, "ittri", event->id, contact, event->body, now, event->seq);
  if (!isnan(event->inbound_at))
    note_inbound(work, contact, event);
  if (event->status_of.data)
    event->is_applied = raise_message(work, event, now);
  event->is_fresh = work->status == 0;
}

/* ---- mail ------------------------------------------------------------------------------------------------------------ */

void cnk_verb_post_mail(struct cnk_work *work, struct cnk_post_mail *request)
{
  cnk_work_send(work, CNK_SQL_post_mail, "tr", request->body, request->now);
  work->session->knows_mail = false;
  work->session->mail = -1;
}

void cnk_verb_look_for_mail(struct cnk_work *work)
{
  work->session->mail = -1; /* until it is answered, which another statement's failure may prevent */
  cnk_work_send_ahead(work, CNK_SQL_any_mail, &work->session->mail, "");
}

/* Where others may post, it was looked for with the batch. */
static bool has_mail(struct cnk_work *work)
{
  struct cnk_sql_session *session = work->session;
  if (session->mail < 0 || (!session->driver->send_ahead && !session->knows_mail)) {
    cnk_work_read(work, CNK_SQL_any_mail, &session->mail, "");
    session->knows_mail = session->mail == 0;
  }
  return session->mail > 0;
}

void cnk_verb_accept(struct cnk_work *work, struct cnk_accept *request)
{
  if (request->minds_mail && has_mail(work))
    cnk_work_fail(work, CNK_STORE_MAIL, "there is mail that came before");
  for (size_t i = 0; i < request->events.count && work->status == 0; i++)
    cnk_work_put_event(work, &request->events.items[i], request->now);
  if (request->letter)
    cnk_work_send(work, CNK_SQL_drop_letter, "i", request->letter);
  request->joins = work->session->joins;
}

void cnk_verb_note_attempt(struct cnk_work *work, struct cnk_note_attempt *request)
{
  cnk_work_send(work, CNK_SQL_note_attempt, "ii", request->attempts, request->event);
}

void cnk_verb_bury(struct cnk_work *work, struct cnk_bury *request)
{
  for (size_t i = 0; i < request->events.count; i++) {
    int64_t id = request->events.items[i];
    cnk_work_send(work, CNK_SQL_put_dead, "tiri", request->error, request->attempts, request->now, id);
    cnk_work_send(work, CNK_SQL_delete_event, "i", id);
  }
}

void cnk_verb_fire(struct cnk_work *work, struct cnk_fire *request)
{
  for (size_t i = 0; i < request->timers.count && work->status == 0; i++) {
    struct cnk_due_timer *timer = &request->timers.items[i];
    bool is_due;
    if (timer->dialog)
      is_due = cnk_work_run(work, timer->event ? CNK_SQL_clear_due : CNK_SQL_clear_paused_due, "iri", timer->dialog,
                            timer->due, timer->steps) > 0;
    else
      is_due = cnk_work_run(work, CNK_SQL_unwatch_window, "t", timer->contact) > 0;
    if (timer->event && is_due)
      cnk_work_put_event(work, timer->event, request->now);
    else if (timer->event)
      timer->event->is_fresh = false;
  }
}
