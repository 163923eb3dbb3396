/* SPDX-License-Identifier: MIT */
/* Which function a verb is. */
#include "store/verbs/verbs.h"

static void reserve_ids(struct cnk_work *work, struct cnk_reserve_ids *request)
{
  int64_t last;
  if (cnk_work_read(work, CNK_SQL_next_id, &last, "i", request->count))
    request->first = last - request->count + 1;
}

static void run_verb(struct cnk_work *work)
{
  void *request = work->call->request;
  switch (work->call->verb) {
  case CNK_ACCEPT: cnk_verb_accept(work, request); break;
  case CNK_POST_MAIL: cnk_verb_post_mail(work, request); break;
  case CNK_COMMIT_TURN: cnk_verb_commit_turn(work, request); break;
  case CNK_FIRE: cnk_verb_fire(work, request); break;
  case CNK_MARK_SENDING: cnk_verb_mark_sending(work, request); break;
  case CNK_SETTLE: cnk_verb_settle(work, request); break;
  case CNK_NOTE_STATUS: cnk_verb_note_status(work, request); break;
  case CNK_NOTE_ATTEMPT: cnk_verb_note_attempt(work, request); break;
  case CNK_BURY: cnk_verb_bury(work, request); break;
  case CNK_BREAK_DIALOG: cnk_verb_break_dialog(work, request); break;
  case CNK_RESERVE_IDS: reserve_ids(work, request); break;
  case CNK_SWEEP: cnk_verb_sweep(work, request); break;
  case CNK_COUNT_ROWS: cnk_verb_count_rows(work, request); break;
  case CNK_UNLOAD: cnk_verb_unload(work, request); break;
  case CNK_LOAD: cnk_verb_load(work, request); break;
  case CNK_QUERY: cnk_verb_query(work, request); break;
  case CNK_REPAIR: cnk_verb_repair(work, request); break;
  }
}

int cnk_work_do(struct cnk_sql_session *session, struct cnk_store_call *call, bool *has_written)
{
  struct cnk_work work = {.session = session, .call = call};
  call->status = 0;
  call->message[0] = '\0';
  run_verb(&work);
  *has_written = work.has_written;
  return work.status;
}
