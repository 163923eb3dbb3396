/* SPDX-License-Identifier: MIT */
/* The structs of store.h as Lua tables: the same names. */
#include <stddef.h>

#include "bind/store/verbs.h"

#define COUNT(fields) (sizeof(fields) / sizeof *(fields))
#define OF(type, field) .offset = offsetof(struct type, field)
#define IN(type, what, field)                                                                                          \
  {                                                                                                                    \
    .name = #field, .kind = CNK_FIELD_##what, OF(type, field)                                                          \
  }
#define NEEDED(type, what, field)                                                                                      \
  {                                                                                                                    \
    .name = #field, .kind = CNK_FIELD_##what, OF(type, field), .is_needed = true                                       \
  }
#define OUT(type, what, field)                                                                                         \
  {                                                                                                                    \
    .name = #field, .kind = CNK_FIELD_##what, OF(type, field), .is_out = true                                          \
  }
#define LIST(type, field, of)                                                                                          \
  {                                                                                                                    \
    .name = #field, .kind = CNK_FIELD_LIST, OF(type, field), .shape = &of##_shape                                      \
  }
#define OBJECT(type, field, of)                                                                                        \
  {                                                                                                                    \
    .name = #field, .kind = CNK_FIELD_OBJECT, OF(type, field), .shape = &of##_shape                                    \
  }
#define WORD(type, field, list, first)                                                                                 \
  {                                                                                                                    \
    .name = #field, .kind = CNK_FIELD_WORD, OF(type, field), .is_needed = true, .words = (list), .first_word = (first) \
  }
#define SHAPE(id, title, type, list, is_answered)                                                                      \
  static const struct cnk_shape id##_shape = {                                                                         \
      .name = (title), .size = sizeof(struct type), .has_out = (is_answered), .fields = (list), .count = COUNT(list)}

static struct cnk_field person_id_fields[] = {
    NEEDED(cnk_person_id, TEXT, key),
    IN(cnk_person_id, BOOLEAN, is_left),
    OUT(cnk_person_id, TEXT, joined),
    OUT(cnk_person_id, BOOLEAN, was_used),
};
SHAPE(person_id, "an id", cnk_person_id, person_id_fields, true);

static struct cnk_field event_fields[] = {
    IN(cnk_event, INTEGER, id),          NEEDED(cnk_event, TEXT, contact),
    LIST(cnk_event, others, person_id),  IN(cnk_event, BOOLEAN, is_from_contact),
    IN(cnk_event, TEXT, number),         IN(cnk_event, TEXT, user_id),
    IN(cnk_event, TEXT, name),           IN(cnk_event, TEXT, username),
    NEEDED(cnk_event, TEXT, body),       IN(cnk_event, TEXT, key),
    IN(cnk_event, REAL, inbound_at),     IN(cnk_event, TEXT, status_of),
    IN(cnk_event, TEXT, error),          IN(cnk_event, TEXT, message_id),
    IN(cnk_event, INTEGER, rank),        IN(cnk_event, BOOLEAN, is_unheard),
    OUT(cnk_event, INTEGER, id),         OUT(cnk_event, TEXT, conversation),
    OUT(cnk_event, INTEGER, seq),        OUT(cnk_event, BOOLEAN, is_fresh),
    OUT(cnk_event, BOOLEAN, is_applied), OUT(cnk_event, TEXT, contact),
};
SHAPE(event, "an event", cnk_event, event_fields, true);

static struct cnk_field post_mail_fields[] = {
    NEEDED(cnk_post_mail, TEXT, body),
    IN(cnk_post_mail, TIME, now),
};
SHAPE(post_mail, "post_mail", cnk_post_mail, post_mail_fields, false);

static struct cnk_field accept_fields[] = {
    LIST(cnk_accept, events, event), IN(cnk_accept, TIME, now),       IN(cnk_accept, BOOLEAN, minds_mail),
    IN(cnk_accept, INTEGER, letter), OUT(cnk_accept, INTEGER, joins),
};
SHAPE(accept, "accept", cnk_accept, accept_fields, true);

/* ---- a turn -------------------------------------------------------------------------------------------------------- */

static const char *const read_kinds[] = {"conversation", "value", NULL};
static struct cnk_field read_fields[] = {
    WORD(cnk_read, kind, read_kinds, CNK_READ_CONVERSATION),
    NEEDED(cnk_read, TEXT, key),
    IN(cnk_read, INTEGER, version),
};
SHAPE(read, "a read", cnk_read, read_fields, false);

static struct cnk_field state_fields[] = {
    NEEDED(cnk_state_change, TEXT, contact),
    NEEDED(cnk_state_change, TEXT, state),
    OUT(cnk_state_change, INTEGER, version),
};
SHAPE(state, "a state", cnk_state_change, state_fields, true);

static struct cnk_field value_fields[] = {
    NEEDED(cnk_value_change, TEXT, key),
    IN(cnk_value_change, TEXT, value),
    OUT(cnk_value_change, INTEGER, version),
};
SHAPE(value, "a value", cnk_value_change, value_fields, true);

static struct cnk_field pause_fields[] = {
    NEEDED(cnk_pause, TEXT, contact),
    IN(cnk_pause, BOOLEAN, is_paused),
};
SHAPE(pause, "a pause", cnk_pause, pause_fields, false);

static struct cnk_field watch_fields[] = {
    NEEDED(cnk_watch, TEXT, contact),
    NEEDED(cnk_watch, REAL, before),
};
SHAPE(watch, "a watch", cnk_watch, watch_fields, false);

static struct cnk_field cut_fields[] = {
    NEEDED(cnk_cut, INTEGER, id),
    NEEDED(cnk_cut, INTEGER, n),
    NEEDED(cnk_cut, INTEGER, steps),
};
SHAPE(cut, "a cut", cnk_cut, cut_fields, false);

static struct cnk_field step_fields[] = {
    NEEDED(cnk_step, INTEGER, n),
    NEEDED(cnk_step, TEXT, mark),
    NEEDED(cnk_step, TEXT, result),
};
SHAPE(step, "a step", cnk_step, step_fields, false);

static struct cnk_field dialog_fields[] = {
    NEEDED(cnk_dialog_change, INTEGER, id),  IN(cnk_dialog_change, BOOLEAN, is_new),
    IN(cnk_dialog_change, TEXT, contact),    IN(cnk_dialog_change, TEXT, name),
    IN(cnk_dialog_change, TEXT, to),         IN(cnk_dialog_change, TEXT, args),
    IN(cnk_dialog_change, TEXT, code),       IN(cnk_dialog_change, TEXT, seed),
    IN(cnk_dialog_change, REAL, started_at), IN(cnk_dialog_change, TEXT, digest),
    IN(cnk_dialog_change, TEXT, source),     IN(cnk_dialog_change, TEXT, waiting),
    IN(cnk_dialog_change, REAL, due),        IN(cnk_dialog_change, INTEGER, sent),
    IN(cnk_dialog_change, BOOLEAN, asks),    IN(cnk_dialog_change, TEXT, signal),
    IN(cnk_dialog_change, INTEGER, before),  NEEDED(cnk_dialog_change, INTEGER, after),
    LIST(cnk_dialog_change, steps, step),    OUT(cnk_dialog_change, INTEGER, asked),
};
SHAPE(dialog, "a dialog", cnk_dialog_change, dialog_fields, true);

static struct cnk_field only_fields[] = {
    NEEDED(cnk_only_dialog, TEXT, contact),
    NEEDED(cnk_only_dialog, INTEGER, id),
};
SHAPE(only, "the only dialog", cnk_only_dialog, only_fields, false);

static struct cnk_field dialog_end_fields[] = {
    NEEDED(cnk_dialog_end, INTEGER, id),
    NEEDED(cnk_dialog_end, INTEGER, steps),
};
SHAPE(dialog_end, "the end of a dialog", cnk_dialog_end, dialog_end_fields, false);

static struct cnk_field kept_fields[] = {
    NEEDED(cnk_kept, INTEGER, dialog),
    NEEDED(cnk_kept, TEXT, bodies),
};
SHAPE(kept, "a kept message", cnk_kept, kept_fields, false);

static struct cnk_field kept_event_fields[] = {
    NEEDED(cnk_kept_event, TEXT, contact), NEEDED(cnk_kept_event, TEXT, body),   IN(cnk_kept_event, TEXT, name),
    IN(cnk_kept_event, REAL, expires),     NEEDED(cnk_kept_event, INTEGER, max), OUT(cnk_kept_event, INTEGER, dropped),
};
SHAPE(kept_event, "a kept event", cnk_kept_event, kept_event_fields, true);

static const char *const job_kinds[] = {"put", "bind", "done", "tried", "drop", NULL};
static struct cnk_field job_fields[] = {
    WORD(cnk_job_change, kind, job_kinds, CNK_JOB_PUT),
    NEEDED(cnk_job_change, TEXT, name),
    IN(cnk_job_change, INTEGER, version),
    IN(cnk_job_change, TEXT, spec),
    IN(cnk_job_change, TEXT, catch_up),
    IN(cnk_job_change, TEXT, runs),
    IN(cnk_job_change, TEXT, args),
    IN(cnk_job_change, REAL, due),
    IN(cnk_job_change, REAL, ran),
    IN(cnk_job_change, REAL, last),
    IN(cnk_job_change, INTEGER, attempts),
    {.name = "version", .kind = CNK_FIELD_INTEGER, OF(cnk_job_change, new_version), .is_out = true},
};
SHAPE(job, "a job", cnk_job_change, job_fields, true);

static const char *const message_states[] = {"accepted", "queued", "sending", "unknown",
                                             "rejected", "failed", "expired", NULL};
static struct cnk_field message_fields[] = {
    NEEDED(cnk_message, INTEGER, id),    NEEDED(cnk_message, TEXT, contact),
    NEEDED(cnk_message, TEXT, payload),  WORD(cnk_message, state, message_states, CNK_MESSAGE_ACCEPTED),
    NEEDED(cnk_message, TEXT, unknown),  IN(cnk_message, TEXT, track),
    IN(cnk_message, TEXT, follows),      IN(cnk_message, TEXT, fallback),
    IN(cnk_message, BOOLEAN, is_bulk),   IN(cnk_message, REAL, due),
    IN(cnk_message, REAL, expires),      IN(cnk_message, TEXT, hours),
    IN(cnk_message, BOOLEAN, is_parked), OUT(cnk_message, INTEGER, seq),
};
SHAPE(message, "a message", cnk_message, message_fields, true);

static struct cnk_field turn_fields[] = {
    IN(cnk_turn, TIME, now),
    IN(cnk_turn, INTEGER, event),
    IN(cnk_turn, TEXT, resume),
    IN(cnk_turn, INTEGER, joins),
    IN(cnk_turn, INTEGERS, joined),
    LIST(cnk_turn, reads, read),
    LIST(cnk_turn, states, state),
    LIST(cnk_turn, values, value),
    LIST(cnk_turn, watches, watch),
    LIST(cnk_turn, cuts, cut),
    OBJECT(cnk_turn, only, only),
    OBJECT(cnk_turn, run, dialog),
    IN(cnk_turn, INTEGERS, taken),
    LIST(cnk_turn, kept, kept),
    IN(cnk_turn, INTEGERS, ends),
    OBJECT(cnk_turn, ended, dialog_end),
    LIST(cnk_turn, pauses, pause),
    LIST(cnk_turn, jobs, job),
    LIST(cnk_turn, events, event),
    LIST(cnk_turn, messages, message),
    IN(cnk_turn, INTEGERS, taken_events),
    LIST(cnk_turn, kept_events, kept_event),
};
SHAPE(turn, "a turn", cnk_turn, turn_fields, true);

/* ---- the other verbs ------------------------------------------------------------------------------------------------- */

static struct cnk_field timer_fields[] = {
    IN(cnk_due_timer, INTEGER, dialog), IN(cnk_due_timer, REAL, due),        IN(cnk_due_timer, INTEGER, steps),
    IN(cnk_due_timer, TEXT, contact),   OBJECT(cnk_due_timer, event, event),
};
SHAPE(timer, "a timer", cnk_due_timer, timer_fields, true);

static struct cnk_field fire_fields[] = {
    LIST(cnk_fire, timers, timer),
    IN(cnk_fire, TIME, now),
};
SHAPE(fire, "fire", cnk_fire, fire_fields, true);

static struct cnk_field mark_fields[] = {
    NEEDED(cnk_mark, INTEGER, id),
    IN(cnk_mark, INTEGER, attempts),
    IN(cnk_mark, BOOLEAN, is_parked),
};
SHAPE(mark, "a mark", cnk_mark, mark_fields, false);

static struct cnk_field mark_sending_fields[] = {
    LIST(cnk_mark_sending, messages, mark),
    IN(cnk_mark_sending, TIME, now),
};
SHAPE(mark_sending, "mark_sending", cnk_mark_sending, mark_sending_fields, false);

static struct cnk_field outcome_fields[] = {
    NEEDED(cnk_outcome, INTEGER, id),  WORD(cnk_outcome, state, message_states, CNK_MESSAGE_ACCEPTED),
    IN(cnk_outcome, TEXT, payload),    IN(cnk_outcome, INTEGER, attempts),
    IN(cnk_outcome, TEXT, error),      IN(cnk_outcome, REAL, at),
    IN(cnk_outcome, REAL, due),        IN(cnk_outcome, BOOLEAN, is_parked),
    IN(cnk_outcome, TEXT, message_id), IN(cnk_outcome, TEXT, contact),
    IN(cnk_outcome, TEXT, track),      IN(cnk_outcome, INTEGER, rank),
    IN(cnk_outcome, TEXT, reason),     LIST(cnk_outcome, events, event),
};
SHAPE(outcome, "an outcome", cnk_outcome, outcome_fields, true);

static struct cnk_field settle_fields[] = {
    LIST(cnk_settle, outcomes, outcome),
    IN(cnk_settle, TIME, now),
};
SHAPE(settle, "settle", cnk_settle, settle_fields, true);

static struct cnk_field note_status_fields[] = {
    NEEDED(cnk_note_status, TEXT, message_id),
    NEEDED(cnk_note_status, INTEGER, rank),
    IN(cnk_note_status, TEXT, reason),
    IN(cnk_note_status, TIME, now),
};
SHAPE(note_status, "note_status", cnk_note_status, note_status_fields, false);

static struct cnk_field note_attempt_fields[] = {
    NEEDED(cnk_note_attempt, INTEGER, event),
    NEEDED(cnk_note_attempt, INTEGER, attempts),
};
SHAPE(note_attempt, "note_attempt", cnk_note_attempt, note_attempt_fields, false);

static struct cnk_field bury_fields[] = {
    IN(cnk_bury, INTEGERS, events),
    NEEDED(cnk_bury, TEXT, error),
    NEEDED(cnk_bury, INTEGER, attempts),
    IN(cnk_bury, TIME, now),
};
SHAPE(bury, "bury", cnk_bury, bury_fields, false);

static struct cnk_field break_dialog_fields[] = {
    NEEDED(cnk_break_dialog, INTEGER, id),
    NEEDED(cnk_break_dialog, TEXT, error),
    IN(cnk_break_dialog, TIME, now),
};
SHAPE(break_dialog, "break_dialog", cnk_break_dialog, break_dialog_fields, false);

static struct cnk_field reserve_ids_fields[] = {
    NEEDED(cnk_reserve_ids, INTEGER, count),
    OUT(cnk_reserve_ids, INTEGER, first),
};
SHAPE(reserve_ids, "reserve_ids", cnk_reserve_ids, reserve_ids_fields, true);

static struct cnk_field sweep_fields[] = {
    NEEDED(cnk_sweep, REAL, day),
    NEEDED(cnk_sweep, REAL, before),
    IN(cnk_sweep, INTEGER, stage),
    IN(cnk_sweep, INTEGER, at),
    {.name = "stage", .kind = CNK_FIELD_INTEGER, OF(cnk_sweep, next_stage), .is_out = true},
    {.name = "at",    .kind = CNK_FIELD_INTEGER, OF(cnk_sweep, next_at),    .is_out = true},
    OUT(cnk_sweep, BOOLEAN, is_done),
};
SHAPE(sweep, "sweep", cnk_sweep, sweep_fields, true);

static struct cnk_field count_rows_fields[] = {
    NEEDED(cnk_count_rows, TEXT, table),
    OUT(cnk_count_rows, INTEGER, rows),
};
SHAPE(count_rows, "count_rows", cnk_count_rows, count_rows_fields, true);

static struct cnk_field unload_fields[] = {
    NEEDED(cnk_unload, TEXT, table), IN(cnk_unload, TEXT, after),
    OUT(cnk_unload, TEXT, page),     {.name = "after", .kind = CNK_FIELD_TEXT, OF(cnk_unload, last), .is_out = true},
    OUT(cnk_unload, INTEGER, rows),
};
SHAPE(unload, "unload", cnk_unload, unload_fields, true);

static struct cnk_field load_fields[] = {
    NEEDED(cnk_load, TEXT, table),
    IN(cnk_load, TEXT, page),
    IN(cnk_load, BOOLEAN, is_first),
};
SHAPE(load, "load", cnk_load, load_fields, false);

const struct cnk_verb_shape cnk_verb_shapes[] = {
    {{cnk_bind_push_out_fields}, "accept",       CNK_ACCEPT,       &accept_shape      },
    {{cnk_bind_push_out_fields}, "post_mail",    CNK_POST_MAIL,    &post_mail_shape   },
    {{cnk_bind_push_out_fields}, "commit_turn",  CNK_COMMIT_TURN,  &turn_shape        },
    {{cnk_bind_push_out_fields}, "fire",         CNK_FIRE,         &fire_shape        },
    {{cnk_bind_push_out_fields}, "mark_sending", CNK_MARK_SENDING, &mark_sending_shape},
    {{cnk_bind_push_out_fields}, "settle",       CNK_SETTLE,       &settle_shape      },
    {{cnk_bind_push_out_fields}, "note_status",  CNK_NOTE_STATUS,  &note_status_shape },
    {{cnk_bind_push_out_fields}, "note_attempt", CNK_NOTE_ATTEMPT, &note_attempt_shape},
    {{cnk_bind_push_out_fields}, "bury",         CNK_BURY,         &bury_shape        },
    {{cnk_bind_push_out_fields}, "break_dialog", CNK_BREAK_DIALOG, &break_dialog_shape},
    {{cnk_bind_push_out_fields}, "reserve_ids",  CNK_RESERVE_IDS,  &reserve_ids_shape },
    {{cnk_bind_push_out_fields}, "sweep",        CNK_SWEEP,        &sweep_shape       },
    {{cnk_bind_push_out_fields}, "count_rows",   CNK_COUNT_ROWS,   &count_rows_shape  },
    {{cnk_bind_push_out_fields}, "unload",       CNK_UNLOAD,       &unload_shape      },
    {{cnk_bind_push_out_fields}, "load",         CNK_LOAD,         &load_shape        },
};
const size_t cnk_verb_shapes_count = COUNT(cnk_verb_shapes);
