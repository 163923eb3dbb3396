/* SPDX-License-Identifier: MIT */
/* Messages on their way and after it, and the end of a dialog that cannot go on. */
#include <math.h>

#include "store/verbs/verbs.h"

void cnk_verb_mark_sending(struct cnk_work *work, struct cnk_mark_sending *request)
{
  const struct cnk_text none = {0};
  for (size_t i = 0; i < request->messages.count; i++) {
    const struct cnk_mark *mark = &request->messages.items[i];
    cnk_work_expect(work, "the message was dropped", CNK_SQL_change_outbox, "iitri", (int64_t)CNK_MESSAGE_SENDING,
                    mark->attempts, none, request->now, mark->id);
    if (mark->is_parked)
      cnk_work_send(work, CNK_SQL_unpark, "i", mark->id);
  }
}

static void settle_accepted(struct cnk_work *work, const struct cnk_outcome *outcome, double now)
{
  /* Whoever has no message id hears of no failure, and cannot send it again. */
  bool is_kept = outcome->message_id.data && !cnk_work_has_arrived(outcome->rank);
  cnk_work_send(work, is_kept ? CNK_SQL_accept_outbox : CNK_SQL_delete_outbox, "i", outcome->id);
  if (!outcome->message_id.data)
    return;
  int64_t hash = cnk_work_halves(work, outcome->message_id).hash;
  int64_t id = cnk_work_add_key(work, CNK_KEYED_SENT, hash);
  cnk_work_send(work, CNK_SQL_put_sent, "itttitriii", hash, outcome->message_id, outcome->contact, outcome->track,
                outcome->rank, outcome->reason, now, cnk_work_day(now), outcome->id, id);
}

void cnk_verb_settle(struct cnk_work *work, struct cnk_settle *request)
{
  for (size_t i = 0; i < request->outcomes.count; i++) {
    struct cnk_outcome *outcome = &request->outcomes.items[i];
    double at = isnan(outcome->at) ? request->now : outcome->at;
    if (outcome->state == CNK_MESSAGE_ACCEPTED) {
      settle_accepted(work, outcome, request->now);
    } else {
      if (outcome->payload.data)
        cnk_work_send(work, CNK_SQL_change_payload, "ti", outcome->payload, outcome->id);
      cnk_work_send(work, CNK_SQL_change_outbox, "iitri", outcome->state, outcome->attempts, outcome->error, at,
                    outcome->id);
      if (cnk_work_has_aliases(work) && (outcome->state != CNK_MESSAGE_QUEUED || outcome->is_parked))
        cnk_work_send(work, CNK_SQL_rename_outbox, "i", outcome->id);
      if (outcome->state != CNK_MESSAGE_QUEUED)
        cnk_work_send(work, CNK_SQL_unpark, "i", outcome->id);
      else
        cnk_work_send(work, CNK_SQL_change_due, "rii", outcome->due, (int64_t)outcome->is_parked, outcome->id);
    }
    for (size_t k = 0; k < outcome->events.count; k++)
      cnk_work_put_event(work, &outcome->events.items[k], request->now);
  }
}

void cnk_verb_note_status(struct cnk_work *work, struct cnk_note_status *request)
{
  cnk_work_raise_sent(work, request->message_id, request->rank, request->reason, request->now);
}

void cnk_verb_break_dialog(struct cnk_work *work, struct cnk_break_dialog *request)
{
  cnk_work_send(work, CNK_SQL_break_dialog, "tri", request->error, request->now, request->id);
}
