/* SPDX-License-Identifier: MIT */
/*
 * The verbs of store.h in SQL, each a function on the thread of its session, within the transaction of its batch. It reads and
 * fills in the request of a call, and may be run again after the transaction was undone, so it sets every "out" anew.
 *
 * After the first failure of a verb nothing more of it is run, so its steps need not be checked one by one.
 */
#ifndef CNK_STORE_VERBS_H
#define CNK_STORE_VERBS_H

#include "store/sql/session.h"

struct cnk_work {
  struct cnk_sql_session *session;
  struct cnk_store_call *call;
  int status;       /* of the verb so far */
  bool has_written; /* otherwise there is nothing to undo */
};

/* Runs a verb, and sets the call's status and answer; gives the status. */
int cnk_work_do(struct cnk_sql_session *session, struct cnk_store_call *call, bool *has_written);

/* Runs a statement that gives no rows; `format` is that of sql/session.h. Gives the number of rows that it changed; 0 after
 * a failure. */
int64_t cnk_work_run(struct cnk_work *work, enum cnk_sql sql, const char *format, ...);

/* The verb conflicts, for this reason, unless the statement changes a row, or gives one. On a network nobody waits for that while a batch
 * is run as a whole: what comes behind it is sent, and all of the batch is undone where it does not. */
void cnk_work_expect(struct cnk_work *work, const char *reason, enum cnk_sql sql, const char *format, ...);
void cnk_work_expect_row(struct cnk_work *work, const char *reason, enum cnk_sql sql, const char *format, ...);

/* The same where nobody asks what it changed: on a network it need not be awaited. */
void cnk_work_send(struct cnk_work *work, enum cnk_sql sql, const char *format, ...);

/* Sends one whose changes are there when the session has settled. */
void cnk_work_send_ahead(struct cnk_work *work, enum cnk_sql sql, int64_t *changes, const char *format, ...);

/* Runs a statement that gives one integer. False when it gives no row, or NULL, or fails. */
bool cnk_work_read(struct cnk_work *work, enum cnk_sql sql, int64_t *out, const char *format, ...);

/* Runs a statement that gives one text, which is kept with the call. No text when it gives no row, or NULL, or fails. */
struct cnk_text cnk_work_read_text(struct cnk_work *work, enum cnk_sql sql, const char *format, ...);

/* The verb fails: with a code and a sentence, with what the session has refused, or because the turn must be run again. */
void cnk_work_fail(struct cnk_work *work, int status, const char *reason);
void cnk_work_refuse(struct cnk_work *work, int status);
void cnk_work_conflict(struct cnk_work *work, const char *reason);

/* The next sequence, or version: greater than all that this database ever gave. */
int64_t cnk_work_next(struct cnk_work *work);

/* The day of a time, by which keys and accepted messages are forgotten. */
int64_t cnk_work_day(double time);

/* The key and the rest by which a long random name is found. */
struct cnk_halves {
  int64_t hash, rest;
};
struct cnk_halves cnk_work_halves(struct cnk_work *work, struct cnk_text name);

/* What a row of the table is found by: where the database has an index of the digests, the digest itself; otherwise the row's id, or 0.
 * An id for a new row. */
int64_t cnk_work_find_key(struct cnk_work *work, enum cnk_keyed table, int64_t hash);
int64_t cnk_work_find_sent(struct cnk_work *work, struct cnk_text message_id); /* that of an accepted message */
int64_t cnk_work_add_key(struct cnk_work *work, enum cnk_keyed table, int64_t hash);

/* person.c: whether anybody has several ids; finds the conversation of an event, and joins those that turn out to be of one
 * person. */
bool cnk_work_has_aliases(struct cnk_work *work);
void cnk_work_find_conversation(struct cnk_work *work, struct cnk_event *event);
/* A turn that began before a conversation of its contacts was joined to another one conflicts. */
void cnk_work_check_joins(struct cnk_work *work, const struct cnk_turn *turn);

/* What several verbs do: store an event, raise an accepted message to a rank, and tell whether one of this rank has
 * arrived, so that its content is not needed any more. */
void cnk_work_put_event(struct cnk_work *work, struct cnk_event *event, double now);
bool cnk_work_raise_sent(struct cnk_work *work, struct cnk_text message_id, int64_t rank, struct cnk_text reason,
                         double now);
bool cnk_work_has_arrived(int64_t rank);

/* Sends ahead what decides of each event whether it is stored, for a session on a network: its verb then awaits nothing. */
void cnk_verb_accept_ahead(struct cnk_work *work, struct cnk_accept *request);
void cnk_verb_forget_ahead(struct cnk_accept *request);
/* Then, for those that are new: what raises the messages of statuses. Whether there is any. */
bool cnk_verb_raise_ahead(struct cnk_work *work, struct cnk_accept *request);
/* The same for whether there is mail, once for all that ask, into session->mail. */
void cnk_verb_look_for_mail(struct cnk_work *work);
void cnk_verb_accept(struct cnk_work *work, struct cnk_accept *request);
void cnk_verb_post_mail(struct cnk_work *work, struct cnk_post_mail *request);
void cnk_verb_commit_turn(struct cnk_work *work, struct cnk_turn *request);
void cnk_verb_fire(struct cnk_work *work, struct cnk_fire *request);
void cnk_verb_mark_sending(struct cnk_work *work, struct cnk_mark_sending *request);
void cnk_verb_settle(struct cnk_work *work, struct cnk_settle *request);
void cnk_verb_note_status(struct cnk_work *work, struct cnk_note_status *request);
void cnk_verb_note_attempt(struct cnk_work *work, struct cnk_note_attempt *request);
void cnk_verb_bury(struct cnk_work *work, struct cnk_bury *request);
void cnk_verb_break_dialog(struct cnk_work *work, struct cnk_break_dialog *request);
void cnk_verb_sweep(struct cnk_work *work, struct cnk_sweep *request);
void cnk_verb_count_rows(struct cnk_work *work, struct cnk_count_rows *request);
void cnk_verb_unload(struct cnk_work *work, struct cnk_unload *request);
void cnk_verb_load(struct cnk_work *work, struct cnk_load *request);
void cnk_verb_query(struct cnk_work *work, struct cnk_query *request);
void cnk_verb_repair(struct cnk_work *work, struct cnk_repair *request);

#endif
