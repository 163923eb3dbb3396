/* SPDX-License-Identifier: MIT */
/* The removal of old rows, one small step a call, so that no commit waits long behind it. */

#include "store/verbs/verbs.h"

/* The two tables without an index of days are scanned one after the other, then their keys, then what has an index. */
enum stage { BEGIN, SEEN, SENT, SEEN_KEYS, SENT_KEYS, REST };

static void go_on(struct cnk_work *work, struct cnk_sweep *request, int64_t from, enum cnk_sql next)
{
  int64_t last;
  bool has_more = cnk_work_read(work, next, &last, "i", from);
  request->next_at = has_more ? last : INT64_MIN;
  request->next_stage += !has_more;
}

static void clear_rest(struct cnk_work *work, struct cnk_sweep *request)
{
  cnk_work_send(work, CNK_SQL_clear_dead, "r", request->before);
  cnk_work_send(work, CNK_SQL_clear_outbox, "r", request->before);
  cnk_work_send(work, CNK_SQL_clear_broken_steps, "r", request->before);
  cnk_work_send(work, CNK_SQL_clear_broken, "r", request->before);
  cnk_work_send(work, CNK_SQL_clear_kept, "");
  cnk_work_send(work, CNK_SQL_clear_kept_messages, "r", request->before);
  cnk_work_send(work, CNK_SQL_clear_lost, "");
  request->is_done = true;
}

void cnk_verb_sweep(struct cnk_work *work, struct cnk_sweep *request)
{
  int64_t from = request->stage == BEGIN ? INT64_MIN : request->at, day = cnk_work_day(request->day);
  request->next_stage = request->stage == BEGIN ? SEEN : request->stage;
  request->next_at = 0;
  request->is_done = false;
  if (request->next_stage == SEEN_KEYS && !work->session->driver->find_key)
    request->next_stage = REST;
  switch ((enum stage)request->next_stage) {
  case SEEN:
    go_on(work, request, from, CNK_SQL_next_seen);
    cnk_work_send(work, CNK_SQL_clear_seen, "ii", from, day);
    break;
  case SENT:
    cnk_work_send(work, CNK_SQL_clear_accepted, "ii", from, day);
    go_on(work, request, from, CNK_SQL_next_sent);
    cnk_work_send(work, CNK_SQL_clear_sent, "ii", from, day);
    break;
  case SEEN_KEYS:
    go_on(work, request, from, CNK_SQL_next_seen_key);
    cnk_work_send(work, CNK_SQL_clear_seen_keys, "i", from);
    break;
  case SENT_KEYS:
    go_on(work, request, from, CNK_SQL_next_sent_key);
    cnk_work_send(work, CNK_SQL_clear_sent_keys, "i", from);
    break;
  default: clear_rest(work, request);
  }
}
