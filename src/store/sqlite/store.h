/* SPDX-License-Identifier: MIT */
/*
 * The durable store on SQLite: one database, one connection, on a thread of its own.
 *
 * Requests that wait when the writer wakes up are committed together, with one fsync. A request that fails is undone alone.
 * A request is delivered after the commit that holds it, never before. No call here waits for the disk, save
 * cnk_store_open() and the shutting of the loop, which writes what is queued.
 *
 * It is not a schema, and knows nothing of events. Everything here is called on the loop's thread.
 */
#ifndef CNK_STORE_SQLITE_H
#define CNK_STORE_SQLITE_H

#include "store/sqlite/request.h"

/* Results of a request beside SQLite's extended codes, which are positive. */
enum cnk_store_code {
  CNK_STORE_UNCHANGED = -1, /* a statement with CNK_STATEMENT_MUST_CHANGE changed nothing */
  CNK_STORE_TOO_MANY = -2,  /* more rows or bytes than the request may give */
  CNK_STORE_CLOSED = -3,
  CNK_STORE_MOVED = -4, /* the files were deleted, moved or replaced while they were open */
};

struct cnk_store_options {
  const char *path; /* a file, or ":memory:" */
  const char *vfs;  /* name of a registered SQLite VFS; NULL: the default one */
  int synchronous;  /* SQLite's number: 2 is FULL, and the only one that keeps promises; others are for tests */
  int busy_ms;      /* how long to wait for a foreign process that holds the database */
  int cache_kb;
  int wal_pages; /* so many new pages of log begin a round of checkpoints; it may grow to some dozen times this */
  size_t queue_requests, queue_bytes; /* more than this is not taken */
  bool is_read_only;                  /* leaves no trace: the file stays as it is, and nothing appears beside it */
};

/* What an owner should begin with. */
extern const struct cnk_store_options cnk_store_defaults;

struct cnk_store_stats {
  uint64_t queued, queued_bytes; /* taken and not yet delivered */
  uint64_t requests, failed, batches, redone, checkpoints, probes;
  uint64_t wal_bytes;
  uint32_t last_commit_us, max_commit_us, max_checkpoint_us;
  bool is_writable, is_backing_up;
};

/* Finished work that is not a request: a close or a backup. The owner keeps it until it is delivered. */
struct cnk_store_task {
  struct cnk_done done;
  int status;
  char message[192];
};

/* Opens or creates the database, waiting for it. NULL on failure, with a sentence in `message`. */
struct cnk_store *cnk_store_open(struct cnk_loop *loop, const struct cnk_store_options *options, char *message,
                                 size_t size);

/* Gives the number of a statement's text, the same for the same text; copies it. -1: too many different texts, or
 * no memory. The text is compiled by the writer when a request first uses it. */
int cnk_store_prepare(struct cnk_store *store, const char *sql, size_t size);

/* How many `?` a statement has; -1 for a number that was never given out. */
int cnk_store_parameters(const struct cnk_store *store, unsigned sql);

/* An empty request of this store; NULL without memory. */
struct cnk_store_request *cnk_store_new_request(struct cnk_store *store);

/* Takes the request until it is delivered; false, and takes nothing, when the queue is full. Requests run in the order in
 * which they came. */
bool cnk_store_run(struct cnk_store *store, struct cnk_store_request *request);

/* Gives back a request that was delivered, or that was never run. */
void cnk_store_release(struct cnk_store_request *request);

/* Copies the database, as it is when the copy ends, to `path`, which appears only when it is complete and synced.
 * Borrows task until it is delivered. False when a backup is under way already, or without memory. */
bool cnk_store_backup(struct cnk_store *store, const char *path, struct cnk_store_task *task);

/* Runs what is queued, delivers it, closes the database, then delivers `task` (borrowed, or NULL). The
 * store is gone for the caller; release() of its requests stays allowed. */
void cnk_store_close(struct cnk_store *store, struct cnk_store_task *task);

/* Cheap: asked before a webhook is taken. */
bool cnk_store_is_writable(const struct cnk_store *store);
/* Why it is not, as a sentence in `message`; empty when it is. */
void cnk_store_read_trouble(struct cnk_store *store, char *message, size_t size);
struct cnk_store_stats cnk_store_read_stats(struct cnk_store *store);

/* `on_shut` is called with `context` when the store is closed by the end of its loop, not by cnk_store_close(). */
void cnk_store_on_shut(struct cnk_store *store, void (*on_shut)(void *context), void *context);

/* A stable word for a status: "constraint", "full", "io", "busy", … */
const char *cnk_store_code_name(int status);

#endif
