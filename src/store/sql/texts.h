/* SPDX-License-Identifier: MIT */
/*
 * The named statements of the files in this folder, which the build puts into the program (embed.lua). All SQL is there, but
 * for what opens, checks and copies a database as a whole.
 */
#ifndef CNK_SQL_TEXTS_H
#define CNK_SQL_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

/* A statement has at most so many named parameters. */
enum { CNK_SQL_PARAMETERS_MOST = 8 };

struct cnk_sql_text {
  const char *file; /* "writes", "reads", "lists", "repairs", "moves" or "schema" */
  const char *name; /* in its file; NULL: goes on with what the text before it began */
  const char *text;
  size_t size;                   /* with the final NUL */
  const char *postgres;          /* the same for PostgreSQL */
  const char *types;             /* a letter for each parameter, as in session.h */
  const char *const *parameters; /* the names after `:`, each once, of all parts; in a part alone, in its order */
  size_t parameters_count;
  size_t own_count; /* so many of them, the first ones, are in this part */
};

extern const struct cnk_sql_text cnk_sql_texts[];
extern const unsigned cnk_sql_count;

/* The number of a text; -1 when there is none of this name. */
int cnk_sql_find(const char *file, const char *name);
/* A migration to a version, in one of the schema files; -1 when there is none. The newest one. */
int cnk_sql_find_version(const char *file, int version);
int cnk_sql_version(void);
/* The same of a question or a repair, with the names of its parameters. */
int cnk_sql_find_asked(bool is_repair, const char *name, const char *const **parameters, size_t *count);

/* The texts of writes.sql, as the verbs name them. */
#define CNK_SQL_WRITES(X)                                                                                              \
  X(next_id)                                                                                                           \
  X(get_batch)                                                                                                         \
  X(put_batch)                                                                                                         \
  X(get_opening)                                                                                                       \
  X(next_opening)                                                                                                      \
  X(see)                                                                                                               \
  X(get_seen)                                                                                                          \
  X(replace_seen)                                                                                                      \
  X(post_mail)                                                                                                         \
  X(any_mail)                                                                                                          \
  X(drop_letter)                                                                                                       \
  X(put_event)                                                                                                         \
  X(delete_event)                                                                                                      \
  X(resume_event)                                                                                                      \
  X(note_attempt)                                                                                                      \
  X(put_dead)                                                                                                          \
  X(note_inbound)                                                                                                      \
  X(note_person)                                                                                                       \
  X(any_alias)                                                                                                         \
  X(get_alias)                                                                                                         \
  X(put_alias)                                                                                                         \
  X(get_left_alias)                                                                                                    \
  X(take_left_alias)                                                                                                   \
  X(rename_left)                                                                                                       \
  X(join_aliases)                                                                                                      \
  X(join_events)                                                                                                       \
  X(join_dead)                                                                                                         \
  X(join_dialogs)                                                                                                      \
  X(join_kept_events)                                                                                                  \
  X(join_parked)                                                                                                       \
  X(join_ended)                                                                                                        \
  X(open_joined)                                                                                                       \
  X(join_conversation)                                                                                                 \
  X(delete_conversation)                                                                                               \
  X(get_version)                                                                                                       \
  X(check_version)                                                                                                     \
  X(get_state)                                                                                                         \
  X(put_state)                                                                                                         \
  X(pause)                                                                                                             \
  X(watch_window)                                                                                                      \
  X(unwatch_window)                                                                                                    \
  X(check_value_version)                                                                                               \
  X(put_value)                                                                                                         \
  X(delete_value)                                                                                                      \
  X(get_other_dialog)                                                                                                  \
  X(put_dialog)                                                                                                        \
  X(change_dialog)                                                                                                     \
  X(recode_dialog)                                                                                                     \
  X(cut_dialog)                                                                                                        \
  X(end_dialog)                                                                                                        \
  X(delete_dialog)                                                                                                     \
  X(put_step)                                                                                                          \
  X(delete_steps)                                                                                                      \
  X(break_dialog)                                                                                                      \
  X(clear_due)                                                                                                         \
  X(clear_paused_due)                                                                                                  \
  X(resume_dues)                                                                                                       \
  X(put_kept)                                                                                                          \
  X(delete_kept)                                                                                                       \
  X(check_none_kept)                                                                                                   \
  X(put_kept_event)                                                                                                    \
  X(count_paused_message)                                                                                              \
  X(trim_kept_events)                                                                                                  \
  X(take_kept_event)                                                                                                   \
  X(clear_paused_messages)                                                                                             \
  X(is_signal_awaited)                                                                                                 \
  X(is_signal_kept)                                                                                                    \
  X(put_code)                                                                                                          \
  X(put_job)                                                                                                           \
  X(bind_job)                                                                                                          \
  X(move_job)                                                                                                          \
  X(try_job)                                                                                                           \
  X(end_job)                                                                                                           \
  X(drop_job)                                                                                                          \
  X(put_outbox)                                                                                                        \
  X(put_times)                                                                                                         \
  X(change_outbox)                                                                                                     \
  X(unpark)                                                                                                            \
  X(change_due)                                                                                                        \
  X(rename_outbox)                                                                                                     \
  X(change_payload)                                                                                                    \
  X(accept_outbox)                                                                                                     \
  X(delete_accepted)                                                                                                   \
  X(delete_outbox)                                                                                                     \
  X(put_sent)                                                                                                          \
  X(get_sent_contact)                                                                                                  \
  X(raise_sent)                                                                                                        \
  X(get_folded_seen)                                                                                                   \
  X(get_folded_sent)                                                                                                   \
  X(put_folded_seen)                                                                                                   \
  X(put_folded_sent)                                                                                                   \
  X(get_newest_seen)                                                                                                   \
  X(get_newest_sent)                                                                                                   \
  X(get_span_seen)                                                                                                     \
  X(get_span_sent)                                                                                                     \
  X(list_new_seen)                                                                                                     \
  X(list_new_sent)                                                                                                     \
  X(get_seen_key)                                                                                                      \
  X(get_sent_key)                                                                                                      \
  X(put_seen_key)                                                                                                      \
  X(put_sent_key)                                                                                                      \
  X(fold_seen)                                                                                                         \
  X(fold_sent)                                                                                                         \
  X(forget_seen_keys)                                                                                                  \
  X(forget_sent_keys)                                                                                                  \
  X(next_seen)                                                                                                         \
  X(clear_seen)                                                                                                        \
  X(next_sent)                                                                                                         \
  X(clear_accepted)                                                                                                    \
  X(clear_lost)                                                                                                        \
  X(clear_sent)                                                                                                        \
  X(next_seen_key)                                                                                                     \
  X(clear_seen_keys)                                                                                                   \
  X(next_sent_key)                                                                                                     \
  X(clear_sent_keys)                                                                                                   \
  X(clear_dead)                                                                                                        \
  X(clear_outbox)                                                                                                      \
  X(clear_broken_steps)                                                                                                \
  X(clear_broken)                                                                                                      \
  X(clear_kept)                                                                                                        \
  X(clear_kept_messages)

enum cnk_sql {
#define CNK_SQL_NAME(name) CNK_SQL_##name,
  CNK_SQL_WRITES(CNK_SQL_NAME)
#undef CNK_SQL_NAME
      CNK_SQL_WRITES_COUNT
};

/* Where the writes are among the texts. The first call looks them up: on the loop's thread. */
const unsigned *cnk_sql_writes(void);

#endif
