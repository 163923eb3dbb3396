/* SPDX-License-Identifier: MIT */
/* The removal of old rows, one small step a call, so that no commit waits long behind it. */

#include "store/verbs/verbs.h"

/* The two tables with random keys are scanned one after the other, then what has an index. */
enum stage { BEGIN, SEEN, SENT, REST };

static void scan(struct cnk_work *work, struct cnk_sweep *request, int64_t from, enum cnk_sql next, enum cnk_sql clear)
{
  int64_t last, day = cnk_work_day(request->day);
  bool has_more = cnk_work_read(work, next, &last, "i", from);
  cnk_work_send(work, clear, "ii", from, day);
  request->next_at = has_more ? last : INT64_MIN;
  request->next_stage += !has_more;
}

void cnk_verb_sweep(struct cnk_work *work, struct cnk_sweep *request)
{
  int64_t from = request->stage == BEGIN ? INT64_MIN : request->at;
  request->next_stage = request->stage == BEGIN ? SEEN : request->stage;
  request->next_at = 0;
  request->is_done = false;
  if (request->next_stage == SEEN) {
    scan(work, request, from, CNK_SQL_next_seen, CNK_SQL_clear_seen);
  } else if (request->next_stage == SENT) {
    cnk_work_send(work, CNK_SQL_clear_accepted, "ii", from, cnk_work_day(request->day));
    scan(work, request, from, CNK_SQL_next_sent, CNK_SQL_clear_sent);
  } else {
    cnk_work_send(work, CNK_SQL_clear_dead, "r", request->before);
    cnk_work_send(work, CNK_SQL_clear_outbox, "r", request->before);
    cnk_work_send(work, CNK_SQL_clear_broken_steps, "r", request->before);
    cnk_work_send(work, CNK_SQL_clear_broken, "r", request->before);
    cnk_work_send(work, CNK_SQL_clear_kept, "");
    cnk_work_send(work, CNK_SQL_clear_kept_messages, "r", request->before);
    cnk_work_send(work, CNK_SQL_clear_lost, "");
    request->is_done = true;
  }
}
