/* SPDX-License-Identifier: MIT */
/*
 * The seam to the store: what must survive, in verbs on finished things of the domain. Above it there is no SQL and no
 * name of a table; below it, in one folder for each backend, nothing is known of Lua, sockets or handlers.
 *
 * A verb is called with a request: a struct in the memory of its call, filled in by the caller. The store takes the call
 * and delivers it on the loop, after the commit that holds it and never before. What a verb answers is in the fields
 * marked "out" of the request. A call holds as a whole or not at all. Nothing here waits for a disk but cnk_store_open()
 * and the closing of the loop.
 *
 *   Ids       name events, messages and dialogs. They come from blocks, by `reserve_ids` or the store's own, and order
 *             nothing.
 *   Sequences order the events, and the messages, of one conversation. The store gives them out as it stores.
 *   Versions  belong to a conversation's state, to a value and to a job, and change with each write; 0: there is none.
 *             A turn carries those of what it read. When one of them has changed, an event that it handled is gone, or
 *             its dialog has gone on, the commit has no effect and says CNK_STORE_CONFLICT: the turn must run again.
 *   Texts     are bytes; one without data is none, which is something else than an empty one.
 *   Times     are seconds since 1970; NAN: none.
 *
 * The conformance suite (spec/store/conformance) is the whole contract: a backend that passes it will do.
 */
#ifndef CNK_STORE_H
#define CNK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/loop.h"
#include "base/text.h"
#include "store/arena.h"
#include "store/copies.h"
#include "store/hold.h"
#include "store/mail.h"
#include "store/value.h"

/* A list in a request: `count` structs, one behind the other. */
#define CNK_ITEMS(type)                                                                                                \
  struct {                                                                                                             \
    type *items;                                                                                                       \
    size_t count;                                                                                                      \
  }

/* ---- what requests hold ------------------------------------------------------------------------------------------ */

/* Another id of the person whom an event is from or about, in the form of a conversation's key. */
struct cnk_person_id {
  struct cnk_text key;
  bool is_left;           /* they use it no more: it is theirs until somebody else writes from it */
  struct cnk_text joined; /* out: the conversation that it was one of, part of the event's now; none: of no other */
  bool was_used;          /* out: and there was something of that conversation in the store */
};

/* An event to accept, from a webhook or of our own. `contact` is the id by which its person is known best; it and the
 * others name one conversation from now on. */
struct cnk_event {
  int64_t id; /* 0: the store gives one. out */
  struct cnk_text contact, body;
  CNK_ITEMS(struct cnk_person_id) others;
  bool is_from_contact;                            /* they wrote from this id: it is nobody else's */
  struct cnk_text number, user_id, name, username; /* of the person now, kept when they write; none: as it was */
  struct cnk_text key;       /* events with the same one are accepted once in 8 days; none: always new */
  double inbound_at;         /* when the customer wrote, for the service window */
  struct cnk_text status_of; /* a status: the id of its message, which is raised to `rank` with the reason `error` */
  struct cnk_text error;
  struct cnk_text
      message_id; /* of the message that it is about, where it names no number: that tells whose it is, and its
                               * `contact` is the message's then, out */
  int64_t rank;
  bool is_unheard; /* a status that nobody hears: where it raises its message, nothing else is stored; its id is 0 */
  /* out */
  struct cnk_text conversation; /* where it belongs, if that is another key than `contact` */
  int64_t seq;
  bool is_fresh;   /* false: a duplicate, which was not stored */
  bool is_applied; /* a fresh status: its message was found, and raised */
  /* The backend's own: the id is one that it gave; what first statements, which were sent ahead, have changed: whether the key is new,
   * and the message raised. */
  bool has_given_id, is_ahead, is_raise_ahead;
  int64_t ahead, raised;
};

struct cnk_accept {
  CNK_ITEMS(struct cnk_event) events;
  double now;
  bool minds_mail; /* fails with CNK_STORE_MAIL while there is mail, which came before */
  int64_t letter;  /* the mail that the events are of, which goes when they are accepted; 0: they are of none */
  int64_t joins;   /* out: so many conversations were joined to others since the store was opened */
};

/* What a turn has read. */
enum cnk_read_kind { CNK_READ_CONVERSATION, CNK_READ_VALUE };
struct cnk_read {
  int64_t kind;
  struct cnk_text key;
  int64_t version;
};

struct cnk_state_change {
  struct cnk_text contact, state;
  int64_t version; /* out */
};

struct cnk_value_change {
  struct cnk_text key, value; /* none: deleted */
  int64_t version;            /* out */
};

struct cnk_pause {
  struct cnk_text contact;
  bool is_paused; /* false: sets the timers of its dialogs again, and drops the messages that were kept meanwhile */
};

struct cnk_watch {
  struct cnk_text contact;
  double before; /* seconds before the end of the service window */
};

/* Truncates a dialog's journal before step n; `steps` is what it has now. */
struct cnk_cut {
  int64_t id, n, steps;
};

struct cnk_step {
  int64_t n;
  struct cnk_text mark, result;
};

/* A dialog that goes on to wait. */
struct cnk_dialog_change {
  int64_t id;
  struct cnk_text contact;
  bool
      is_new; /* then its origin is stored, too: `contact` and the fields up to `source`. Else only a new code, if any */
  struct cnk_text name, to, args, code, seed;
  double started_at;
  struct cnk_text digest, source; /* of the script, if the store may lack it */
  struct cnk_text waiting;        /* what it waits for; none: it is in the middle of a turn */
  double due;
  int64_t sent;           /* the message for whose delivery it waits; 0: none */
  bool asks;              /* with this commit it asks what it waits for: events with a smaller sequence came before */
  int64_t asked;          /* out: that sequence, if it asks */
  struct cnk_text signal; /* that it waits for; conflicts while one of this name is kept for its conversation */
  int64_t before;         /* the steps that it has, 0 for a new one */
  int64_t after;          /* and has now */
  CNK_ITEMS(struct cnk_step) steps;
};

/* A dialog that got its event as the only one of its conversation: conflicts when it is not by now, or is broken. */
struct cnk_only_dialog {
  struct cnk_text contact;
  int64_t id;
};

struct cnk_dialog_end {
  int64_t id, steps;
};

/* A message that waits for later questions of a dialog. */
struct cnk_kept {
  int64_t dialog;
  struct cnk_text bodies;
};

/* An event that is kept for a conversation: a message that came while a person has it, which conflicts when they do not; or
 * a signal for a dialog that will wait for it, which conflicts when one does. */
struct cnk_kept_event {
  struct cnk_text contact, body;
  struct cnk_text name; /* of a signal; none: a message */
  double expires;       /* of a signal */
  int64_t max;          /* of the conversation's signals, or messages, the newest so many stay */
  int64_t dropped;      /* out: so many older ones had to go */
};

enum cnk_job_change_kind {
  CNK_JOB_PUT,   /* anew */
  CNK_JOB_BIND,  /* another function or other arguments, if it has this timing still; it may have run meanwhile */
  CNK_JOB_DONE,  /* it ran: `due` is the next time, or none and it ends. It conflicts without this version */
  CNK_JOB_TRIED, /* it failed, if it has this version still */
  CNK_JOB_DROP,
};
struct cnk_job_change {
  int64_t kind;
  struct cnk_text name;
  int64_t version;     /* that it had */
  int64_t new_version; /* out: that it has */
  struct cnk_text spec, catch_up, runs, args;
  double due, ran, last;
  int64_t attempts;
};

/* The states of a message in the outbox; provider/status.lua names the same. */
enum cnk_message_state {
  CNK_MESSAGE_ACCEPTED = -1, /* it leaves the outbox, which keeps its content until it is delivered */
  CNK_MESSAGE_QUEUED = 0,
  CNK_MESSAGE_SENDING = 1,
  CNK_MESSAGE_UNKNOWN = 2,
  CNK_MESSAGE_REJECTED = 3,
  CNK_MESSAGE_FAILED = 4,
  CNK_MESSAGE_EXPIRED = 5,
};

struct cnk_message {
  int64_t id;
  struct cnk_text contact, payload;
  int64_t state; /* queued, or sending: marked with the commit */
  struct cnk_text unknown, track, follows, fallback;
  bool is_bulk;
  double due, expires;   /* not before, not after */
  struct cnk_text hours; /* of the day in which it may be sent */
  bool is_parked;        /* the caller's memory does not hold it: it will ask for it */
  int64_t seq;           /* out */
};

/* All that a turn changes. */
struct cnk_turn {
  int64_t event;             /* the one that it handled; 0: none */
  struct cnk_text resume;    /* the event goes on in this form; none: it is finished */
  CNK_ITEMS(int64_t) joined; /* other events that it handled */
  CNK_ITEMS(struct cnk_read) reads;
  CNK_ITEMS(struct cnk_state_change) states;
  CNK_ITEMS(struct cnk_value_change) values;
  CNK_ITEMS(struct cnk_watch) watches;
  CNK_ITEMS(struct cnk_cut) cuts;
  struct cnk_only_dialog *only;
  struct cnk_dialog_change *run;
  CNK_ITEMS(int64_t) taken; /* kept messages that a dialog has consumed */
  CNK_ITEMS(struct cnk_kept) kept;
  CNK_ITEMS(int64_t) taken_events; /* kept for a conversation, by their `seq`. One that is gone conflicts */
  CNK_ITEMS(struct cnk_kept_event) kept_events;
  CNK_ITEMS(int64_t) ends; /* dialogs that end, however far they are. It conflicts while a message is kept for one */
  struct cnk_dialog_end *ended; /* the one that ends with this turn; the same */
  CNK_ITEMS(struct cnk_pause) pauses;
  CNK_ITEMS(struct cnk_job_change) jobs;
  CNK_ITEMS(struct cnk_event) events;
  CNK_ITEMS(struct cnk_message) messages;
  int64_t joins; /* as many the store had told of when the turn began. A later one about its contacts conflicts */
  double now;
};

/* A timer that is due: of a dialog, unless it has gone on since `due` and `steps` were read; without one, of the watched
 * service window of `contact`. One without an event is only cleared, if a person has the conversation still. */
struct cnk_due_timer {
  int64_t dialog;
  double due;
  int64_t steps;
  struct cnk_text contact;
  struct cnk_event *event; /* reports it; NULL: it is only cleared. out: is_fresh, whether the timer was still there */
};

struct cnk_fire {
  CNK_ITEMS(struct cnk_due_timer) timers;
  double now;
};

struct cnk_mark {
  int64_t id, attempts;
  bool is_parked; /* it was, and is no more */
};

struct cnk_mark_sending {
  CNK_ITEMS(struct cnk_mark) messages;
  double now;
};

/* What became of a message. */
struct cnk_outcome {
  int64_t id;
  int64_t state;           /* enum cnk_message_state */
  struct cnk_text payload; /* replaces the message's own, and its fallback */
  int64_t attempts;        /* this and what follows: of one that stays in the outbox */
  struct cnk_text error;
  double at;                           /* when it was last sent or changed; NAN: now */
  double due;                          /* of a queued one: not before; NAN: when its turn comes */
  bool is_parked;                      /* the caller's memory does not hold it */
  struct cnk_text message_id, contact; /* of one that was accepted, as is what follows */
  struct cnk_text track;
  int64_t rank;
  struct cnk_text reason;
  CNK_ITEMS(struct cnk_event) events; /* report it */
};

struct cnk_settle {
  CNK_ITEMS(struct cnk_outcome) outcomes;
  double now;
};

/* How far an accepted message is, where its status came before its acceptance was stored. */
struct cnk_note_status {
  struct cnk_text message_id;
  int64_t rank;
  struct cnk_text reason;
  double now;
};

struct cnk_note_attempt {
  int64_t event, attempts;
};

/* Makes events dead letters. */
struct cnk_bury {
  CNK_ITEMS(int64_t) events;
  struct cnk_text error;
  int64_t attempts;
  double now;
};

struct cnk_break_dialog {
  int64_t id;
  struct cnk_text error;
  double now;
};

struct cnk_reserve_ids {
  int64_t count;
  int64_t first; /* out */
};

/* One small step of the removal of old rows. */
struct cnk_sweep {
  double day;        /* keys and accepted messages of before this time go */
  double before;     /* dead letters, messages that were given up and broken dialogs of before this time go */
  int64_t stage, at; /* where the step begins; 0 and 0 at first */
  /* out */
  int64_t next_stage, next_at; /* where the next one begins */
  bool is_done;                /* all of the store was looked at */
};

/* A question by its name, cnk_store_query_of(); `parameters` are in its order. */
struct cnk_query {
  unsigned name;
  CNK_ITEMS(struct cnk_value) parameters;
  /* out; `rows_count` times `columns_count` values, read with cnk_value_read() */
  struct cnk_buffer rows;
  size_t rows_count, columns_count;
  const char *const *columns; /* their names, kept by the store */
};

/* A repair by its name, cnk_store_repair_of(), once for each id, which takes the place of the parameter "id". */
struct cnk_repair {
  unsigned name;
  CNK_ITEMS(int64_t) ids;
  CNK_ITEMS(struct cnk_value) parameters;
  bool *is_changed; /* out, for each id */
};

/* ---- calls --------------------------------------------------------------------------------------------------------- */

enum cnk_verb {
  CNK_ACCEPT,
  CNK_POST_MAIL,
  CNK_COMMIT_TURN,
  CNK_FIRE,
  CNK_MARK_SENDING,
  CNK_SETTLE,
  CNK_NOTE_STATUS,
  CNK_NOTE_ATTEMPT,
  CNK_BURY,
  CNK_BREAK_DIALOG,
  CNK_RESERVE_IDS,
  CNK_SWEEP,
  CNK_COUNT_ROWS,
  CNK_UNLOAD,
  CNK_LOAD,
  CNK_QUERY,
  CNK_REPAIR,
};

/* What became of a call, beside the backend's own codes, which are positive. */
enum cnk_store_code {
  CNK_STORE_CONFLICT = -1,
  CNK_STORE_TOO_MANY = -2, /* more rows or bytes than a call may give */
  CNK_STORE_CLOSED = -3,
  CNK_STORE_NO_MEMORY = -5,
  CNK_STORE_MAIL = -6,  /* there is mail */
  CNK_STORE_MOVED = -4, /* the files were deleted, moved or replaced while they were open */
};

/* A single call may not grow beyond this; larger things belong into files. */
#define CNK_STORE_CALL_BYTES_MAX ((size_t)64 << 20)

struct cnk_store;

struct cnk_store_call {
  struct cnk_done done; /* the caller sets done.deliver */
  enum cnk_verb verb;
  void *request;          /* the struct of the verb */
  struct cnk_arena arena; /* holds it, all that it points at, and the answer */
  int status;             /* 0, a code of the backend, or one of enum cnk_store_code */
  char message[192];
  int callback, subject; /* left to the caller, as is this */
  const void *form;
  /* The backend's own. */
  struct cnk_link link, of_store;
  struct cnk_store *store;
  size_t charged;
};

/* ---- the store ------------------------------------------------------------------------------------------------------- */

struct cnk_store_options {
  const char *url; /* "sqlite:FILE", "memory:", or "postgres://…" where libpq was found when this was built */
  const char *vfs; /* SQLite: name of a registered file system; NULL: the default one */
  int synchronous; /* SQLite's number: 2 is FULL, and the only one that keeps promises; others are for tests */
  int busy_ms;     /* how long to wait for a foreign process that holds the database */
  int cache_kb;
  int wal_pages; /* so many new pages of log begin a round of checkpoints; it may grow to some dozen times this */
  size_t queue_calls, queue_bytes; /* more than this is not taken */
  bool is_read_only;               /* leaves no trace: the file stays as it is, and nothing appears beside it */
  bool is_moving;                  /* it may be in the middle of a move, or be moved away: for whoever moves it */
  bool is_in_place;                /* one in memory works on the loop's thread: for tests, which open many */
  /* Of a database that hosts on other machines may take: a host without a sign of life for so long has lost it. While another
   * one has it, a host that may stand by does, and ends that one's session when it has been silent; others are refused. */
  int take_over_ms;
  bool may_stand_by;
};

/* What an owner should begin with. */
extern const struct cnk_store_options cnk_store_defaults;

struct cnk_store_stats {
  uint64_t queued, queued_bytes; /* taken and not yet delivered */
  uint64_t calls, failed, batches, redone, checkpoints, probes;
  uint64_t wal_bytes;
  uint32_t last_commit_us, max_commit_us, max_checkpoint_us;
  bool is_writable, is_backing_up;
};

/* Finished work that is not a call: a close or a backup. The owner keeps it until it is delivered. */
struct cnk_store_task {
  struct cnk_done done;
  int status;
  char message[192];
};

struct cnk_store_backend; /* backend.h */

/* The first member of every store. */
struct cnk_store {
  const struct cnk_store_backend *backend;
  int version;       /* of its tables; 0: there is nothing, and it is only read */
  const char *name;  /* its URL without what is secret in it; NULL: it was opened with that */
  const char *notes; /* what it may lose by the settings of its database: a sentence a line; or NULL */
  bool has_failed;   /* left to the owner */
};

/* For a program that has its process to itself, before any store is opened: leaves out what no store needs of the process. */
void cnk_store_own_process(void);

/* Opens a store, makes it where there is none, and brings an older one up to date, in one transaction; waits for all of it.
 * NULL on failure, with a sentence in `message`. */
struct cnk_store *cnk_store_open(struct cnk_loop *loop, const struct cnk_store_options *options, char *message,
                                 size_t size);

/* The version of the tables that this program makes. */
int cnk_store_version(void);

/* An empty call of this verb, with its request zeroed; NULL without memory. */
struct cnk_store_call *cnk_store_new_call(struct cnk_store *store, enum cnk_verb verb);

/* Takes the call until it is delivered; false, and takes nothing, when the queue is full. Calls run in the order in which
 * they came. */
bool cnk_store_run(struct cnk_store *store, struct cnk_store_call *call);

/* Gives back a call that was delivered, or that was never run. Allowed after the store was closed. */
void cnk_store_release(struct cnk_store_call *call);

/* Copies the store, as it is when the copy ends, to `path`, which appears only when it is complete and synced. Borrows task
 * until it is delivered. False when a backup is under way already, or without memory. */
bool cnk_store_backup(struct cnk_store *store, const char *path, struct cnk_store_task *task);

/* Runs what is queued, delivers it, closes the store, then delivers `task` (borrowed, or NULL). The store is gone. */
void cnk_store_close(struct cnk_store *store, struct cnk_store_task *task);

/* Cheap: asked before a webhook is taken. */
bool cnk_store_is_writable(const struct cnk_store *store);
/* Why it is not, as a sentence in `message`; empty when it is. */
void cnk_store_read_trouble(struct cnk_store *store, char *message, size_t size);
struct cnk_store_stats cnk_store_read_stats(struct cnk_store *store);
/* Cheap: asked before what a commit allowed is done in the world. */
enum cnk_store_hold cnk_store_hold(const struct cnk_store *store);
/* Of one that stands by or is only read. */
struct cnk_store_owner cnk_store_read_owner(struct cnk_store *store);

/* `on_shut` is called with `context` when the store is closed by the end of its loop, not by cnk_store_close(). */
void cnk_store_on_shut(struct cnk_store *store, void (*on_shut)(void *context), void *context);

/* A stable word for a status: "conflict", "full", "io", "busy", … `backend` may be NULL for one of enum cnk_store_code. */
const char *cnk_store_code_name(const struct cnk_store_backend *backend, int status);

/* The number of a question or a repair, and the names of its parameters; -1 when there is none of this name. */
int cnk_store_find(const struct cnk_store *store, bool is_repair, const char *name, const char *const **parameters,
                   size_t *count);

/* The size of a verb's request. */
size_t cnk_store_request_size(enum cnk_verb verb);

#endif
