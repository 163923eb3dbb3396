/* SPDX-License-Identifier: MIT */
/*
 * The commit of a turn: all that it changes takes hold together, once, or not at all.
 *
 * What may conflict comes first, and of that what only reads: a conflict is usual where turns compete, and one that has
 * written nothing costs the others of its batch nothing; on a network, from the second one of several on.
 */
#include <math.h>

#include "store/verbs/verbs.h"

/* ---- conflicts ----------------------------------------------------------------------------------------------------- */

static void check_reads(struct cnk_work *work, const struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->reads.count && work->status == 0; i++) {
    const struct cnk_read *read = &turn->reads.items[i];
    enum cnk_sql sql = read->kind == CNK_READ_VALUE ? CNK_SQL_check_value_version : CNK_SQL_check_version;
    cnk_work_expect_row(work, "another turn changed what this one had read", sql, "ti", read->key, read->version);
  }
}

/* Which dialog gets an event is decided by what is known of the conversation's dialogs in memory. */
static void check_only(struct cnk_work *work, const struct cnk_only_dialog *only)
{
  int64_t id;
  if (only && cnk_work_read(work, CNK_SQL_get_other_dialog, &id, "ti", only->contact, only->id))
    cnk_work_conflict(work, "the dialogs of the conversation have changed");
}

/* Exactly the events that the turn handled end with it. */
static void end_events(struct cnk_work *work, const struct cnk_turn *turn)
{
  static const char gone[] = "the event is handled already, or was dropped";
  if (turn->event && turn->resume.data)
    cnk_work_expect(work, gone, CNK_SQL_resume_event, "ti", turn->resume, turn->event);
  else if (turn->event)
    cnk_work_expect(work, gone, CNK_SQL_delete_event, "i", turn->event);
  for (size_t i = 0; i < turn->joined.count; i++)
    cnk_work_expect(work, gone, CNK_SQL_delete_event, "i", turn->joined.items[i]);
}

/* ---- dialogs --------------------------------------------------------------------------------------------------------- */

static const char gone_on[] = "the dialog has ended, or another turn has continued it";

static void cut_dialogs(struct cnk_work *work, const struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->cuts.count; i++) {
    const struct cnk_cut *cut = &turn->cuts.items[i];
    cnk_work_expect(work, gone_on, CNK_SQL_cut_dialog, "irii", cut->n - 1, turn->now, cut->id, cut->steps);
    cnk_work_send(work, CNK_SQL_delete_steps, "ii", cut->id, cut->n);
  }
}

/* A signal that is kept would not reach it. */
static void check_signal(struct cnk_work *work, const struct cnk_dialog_change *run, double now)
{
  int64_t is_kept;
  if (run->signal.data && cnk_work_read(work, CNK_SQL_is_signal_kept, &is_kept, "itr", run->id, run->signal, now) &&
      is_kept)
    cnk_work_conflict(work, "a signal that the dialog waits for is kept for it");
}

static void put_dialog(struct cnk_work *work, const struct cnk_dialog_change *run, double now)
{
  cnk_work_send(work, CNK_SQL_put_dialog, "ittttttrr", run->id, run->contact, run->name, run->to, run->args, run->code,
                run->seed, run->started_at, now);
}

static void change_dialog(struct cnk_work *work, struct cnk_dialog_change *run, double now)
{
  if (run->is_new)
    put_dialog(work, run, now);
  else if (run->code.data)
    cnk_work_send(work, CNK_SQL_recode_dialog, "ti", run->code, run->id);
  if (run->source.data)
    cnk_work_send(work, CNK_SQL_put_code, "tt", run->digest, run->source);
  run->asked = run->asks ? cnk_work_next(work) : 0;
  cnk_work_expect(work, gone_on, CNK_SQL_change_dialog, "trooirii", run->waiting, run->due, run->sent, run->asked,
                  run->after, now, run->id, run->before);
  for (size_t i = 0; i < run->steps.count; i++) {
    const struct cnk_step *step = &run->steps.items[i];
    cnk_work_send(work, CNK_SQL_put_step, "iitt", run->id, step->n, step->mark, step->result);
  }
  check_signal(work, run, now);
}

/* A message that was kept for it since the turn has looked would be lost with it. */
static void clear_dialog(struct cnk_work *work, int64_t id)
{
  cnk_work_expect_row(work, "a message was kept for the dialog meanwhile", CNK_SQL_check_none_kept, "i", id);
  cnk_work_send(work, CNK_SQL_delete_steps, "ii", id, (int64_t)0);
}

static void end_dialogs(struct cnk_work *work, const struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->ends.count; i++) {
    cnk_work_send(work, CNK_SQL_delete_dialog, "i", turn->ends.items[i]);
    clear_dialog(work, turn->ends.items[i]);
  }
  if (!turn->ended)
    return;
  cnk_work_expect(work, gone_on, CNK_SQL_end_dialog, "ii", turn->ended->id, turn->ended->steps);
  clear_dialog(work, turn->ended->id);
}

static void keep_messages(struct cnk_work *work, const struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->taken.count; i++)
    cnk_work_send(work, CNK_SQL_delete_kept, "i", turn->taken.items[i]);
  for (size_t i = 0; i < turn->kept.count; i++) {
    const struct cnk_kept *kept = &turn->kept.items[i];
    /* What is kept for a dialog that is gone would reach nobody. */
    cnk_work_expect(work, gone_on, CNK_SQL_put_kept, "it", kept->dialog, kept->bodies);
  }
}

static void take_events(struct cnk_work *work, const struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->taken_events.count; i++)
    cnk_work_expect(work, "what was kept for the conversation has been taken already", CNK_SQL_take_kept_event, "i",
                    turn->taken_events.items[i]);
}

/* A message is kept only while a person has the conversation, a signal only while no dialog waits for it. */
static void check_kept_event(struct cnk_work *work, const struct cnk_kept_event *kept)
{
  int64_t is_awaited;
  if (!kept->name.data) {
    cnk_work_expect(work, "no person has the conversation any more", CNK_SQL_count_paused_message, "t", kept->contact);
  } else if (cnk_work_read(work, CNK_SQL_is_signal_awaited, &is_awaited, "tt", kept->contact, kept->name) &&
             is_awaited) {
    cnk_work_conflict(work, "a dialog waits for the signal");
  }
}

static void keep_events(struct cnk_work *work, struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->kept_events.count; i++) {
    struct cnk_kept_event *kept = &turn->kept_events.items[i];
    check_kept_event(work, kept);
    cnk_work_send(work, CNK_SQL_put_kept_event, "itttrr", cnk_work_next(work), kept->contact, kept->name, kept->body,
                  turn->now, kept->expires);
    kept->dropped = cnk_work_run(work, CNK_SQL_trim_kept_events, "tii", kept->contact,
                                 (int64_t)(kept->name.data != NULL), kept->max);
  }
}

static void change_pauses(struct cnk_work *work, const struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->pauses.count; i++) {
    const struct cnk_pause *pause = &turn->pauses.items[i];
    cnk_work_send(work, CNK_SQL_pause, "tor", pause->contact, (int64_t)pause->is_paused,
                  pause->is_paused ? turn->now : (double)NAN);
    if (pause->is_paused)
      continue;
    cnk_work_send(work, CNK_SQL_resume_dues, "t", pause->contact);
    cnk_work_send(work, CNK_SQL_clear_paused_messages, "t", pause->contact);
  }
}

static void change_dialogs(struct cnk_work *work, struct cnk_turn *turn)
{
  take_events(work, turn);
  cut_dialogs(work, turn);
  if (turn->run)
    change_dialog(work, turn->run, turn->now);
  keep_messages(work, turn);
  end_dialogs(work, turn);
  keep_events(work, turn);
  change_pauses(work, turn);
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static void change_job(struct cnk_work *work, struct cnk_job_change *job)
{
  static const char has_run[] = "the job has run already, or was changed";
  int64_t version = cnk_work_next(work);
  job->new_version = job->version;
  switch ((enum cnk_job_change_kind)job->kind) {
  case CNK_JOB_PUT:
    cnk_work_send(work, CNK_SQL_put_job, "titrtttrri", job->name, version, job->spec, job->due, job->catch_up,
                  job->runs, job->args, job->ran, job->last, job->attempts);
    job->new_version = version;
    break;
  case CNK_JOB_BIND:
    cnk_work_send(work, CNK_SQL_bind_job, "ttttt", job->catch_up, job->runs, job->args, job->name, job->spec);
    break;
  case CNK_JOB_DONE:
    if (isnan(job->due))
      cnk_work_expect(work, has_run, CNK_SQL_end_job, "ti", job->name, job->version);
    else
      cnk_work_expect(work, has_run, CNK_SQL_move_job, "irrrti", version, job->due, job->ran, job->last, job->name,
                      job->version);
    job->new_version = version;
    break;
  case CNK_JOB_TRIED: cnk_work_send(work, CNK_SQL_try_job, "iti", job->attempts, job->name, job->version); break;
  case CNK_JOB_DROP: cnk_work_send(work, CNK_SQL_drop_job, "t", job->name); break;
  }
}

static void change_states(struct cnk_work *work, struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->states.count; i++) {
    struct cnk_state_change *change = &turn->states.items[i];
    change->version = cnk_work_next(work);
    cnk_work_send(work, CNK_SQL_put_state, "tti", change->contact, change->state, change->version);
  }
  for (size_t i = 0; i < turn->values.count; i++) {
    struct cnk_value_change *change = &turn->values.items[i];
    change->version = change->value.data ? cnk_work_next(work) : 0;
    if (change->value.data)
      cnk_work_send(work, CNK_SQL_put_value, "tti", change->key, change->value, change->version);
    else
      cnk_work_send(work, CNK_SQL_delete_value, "t", change->key);
  }
  for (size_t i = 0; i < turn->watches.count; i++)
    cnk_work_send(work, CNK_SQL_watch_window, "tr", turn->watches.items[i].contact, turn->watches.items[i].before);
}

static void put_messages(struct cnk_work *work, struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->messages.count; i++) {
    struct cnk_message *message = &turn->messages.items[i];
    message->seq = cnk_work_next(work);
    cnk_work_send(work, CNK_SQL_put_outbox, "ittittttrio", message->id, message->contact, message->payload,
                  message->state, message->unknown, message->track, message->follows, message->fallback, turn->now,
                  message->seq, turn->event);
    if (message->is_parked || message->is_bulk || !isnan(message->due) || !isnan(message->expires) ||
        message->hours.data)
      cnk_work_send(work, CNK_SQL_put_times, "irrtii", (int64_t)message->is_bulk, message->due, message->expires,
                    message->hours, (int64_t)message->is_parked, message->id);
  }
}

void cnk_verb_commit_turn(struct cnk_work *work, struct cnk_turn *turn)
{
  cnk_work_check_joins(work, turn);
  check_reads(work, turn);
  check_only(work, turn->only);
  end_events(work, turn);
  for (size_t i = 0; i < turn->events.count; i++) /* before what a dialog asks: they are no answer to that */
    cnk_work_put_event(work, &turn->events.items[i], turn->now);
  change_dialogs(work, turn);
  for (size_t i = 0; i < turn->jobs.count; i++)
    change_job(work, &turn->jobs.items[i]);
  change_states(work, turn);
  put_messages(work, turn);
}
