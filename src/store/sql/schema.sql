-- The tables, as migrations from each version to the next. Payloads, keys and states are bytes (BLOB), because TEXT does not
-- allow NUL. Finished rows are deleted in the commit that finishes them. A version is only appended, never changed; docs and
-- the Lua side name what the columns hold in lua/cunnekt/store/formats.lua.

-- name: version_1
-- Unfinished events, in the order of acceptance.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  contact BLOB NOT NULL,
  body BLOB NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  due REAL NOT NULL DEFAULT 0);
-- Dead letters, with the error; until an operator retries or drops them.
CREATE TABLE dead (
  seq INTEGER PRIMARY KEY,
  contact BLOB NOT NULL,
  body BLOB NOT NULL,
  attempts INTEGER NOT NULL,
  error BLOB NOT NULL,
  failed_at REAL NOT NULL);
-- Keys of the events accepted in the last days. `hash` is one half of a 128-bit digest, so that the table has an
-- integer key; `rest` is the other half.
CREATE TABLE seen (
  hash INTEGER PRIMARY KEY,
  rest INTEGER NOT NULL,
  day INTEGER NOT NULL);
CREATE TABLE conversation (
  contact BLOB PRIMARY KEY,
  state BLOB,
  last_inbound REAL,
  watch REAL,
  paused INTEGER) WITHOUT ROWID;
-- Few conversations are watched; the others are not in this index.
CREATE INDEX conversation_watch ON conversation (last_inbound) WHERE watch IS NOT NULL;
CREATE TABLE value (
  key BLOB PRIMARY KEY,
  value BLOB NOT NULL) WITHOUT ROWID;
-- Messages that were not accepted yet, and undelivered ones; provider/status.lua has the states.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  contact BLOB NOT NULL,
  payload BLOB NOT NULL,
  state INTEGER NOT NULL,
  unknown BLOB NOT NULL,
  track BLOB,
  follows BLOB,
  fallback BLOB,
  attempts INTEGER NOT NULL DEFAULT 0,
  error BLOB,
  changed_at REAL NOT NULL);
CREATE INDEX conversation_paused ON conversation (paused) WHERE paused IS NOT NULL;
-- Dialogs: what each waits for, until when, and for which message's delivery; `error` of a broken one.
CREATE TABLE dialog (
  id INTEGER PRIMARY KEY,
  contact BLOB NOT NULL,
  name BLOB NOT NULL,
  recipient BLOB,
  args BLOB,
  code BLOB,
  seed BLOB NOT NULL,
  started_at REAL NOT NULL,
  changed_at REAL NOT NULL,
  waiting BLOB,
  due REAL,
  sent INTEGER,
  steps INTEGER NOT NULL DEFAULT 0,
  error BLOB);
CREATE INDEX dialog_contact ON dialog (contact);
CREATE INDEX dialog_due ON dialog (due) WHERE due IS NOT NULL;
CREATE INDEX dialog_sent ON dialog (sent) WHERE sent IS NOT NULL;
CREATE INDEX dialog_broken ON dialog (changed_at) WHERE error IS NOT NULL;
-- The journal: the mark and the result of each step of a dialog.
CREATE TABLE step (
  dialog INTEGER NOT NULL,
  n INTEGER NOT NULL,
  mark BLOB NOT NULL,
  result BLOB NOT NULL,
  PRIMARY KEY (dialog, n)) WITHOUT ROWID;
-- Messages kept for later waits of dialogs; `bodies` as in a journal.
CREATE TABLE kept (
  id INTEGER PRIMARY KEY,
  dialog INTEGER NOT NULL,
  bodies BLOB NOT NULL);
CREATE INDEX kept_dialog ON kept (dialog);
-- Scripts with which dialogs began, by the digest of their files.
CREATE TABLE code (
  digest BLOB PRIMARY KEY,
  source BLOB NOT NULL);
CREATE INDEX outbox_ended ON outbox (contact) WHERE state > 1;
-- Accepted messages, for their statuses. `hash` as above, of the message id.
CREATE TABLE sent (
  hash INTEGER PRIMARY KEY,
  message_id BLOB NOT NULL,
  contact BLOB NOT NULL,
  track BLOB,
  rank INTEGER NOT NULL,
  day INTEGER NOT NULL,
  outbox INTEGER);
-- Outbox ids only grow, so this index is only appended to.
CREATE INDEX sent_outbox ON sent (outbox);
-- Named jobs: timing and due time; `ran` and `last`: due time and time of the last run.
CREATE TABLE job (
  serial INTEGER PRIMARY KEY,
  name BLOB NOT NULL UNIQUE,
  spec BLOB NOT NULL,
  due REAL NOT NULL,
  catch_up BLOB NOT NULL,
  runs BLOB,
  args BLOB,
  ran REAL,
  last REAL,
  attempts INTEGER NOT NULL DEFAULT 0);

-- name: version_2
-- For operators: since when events wait, and the status of accepted messages.
ALTER TABLE event ADD COLUMN accepted_at REAL;
ALTER TABLE dead ADD COLUMN accepted_at REAL;
ALTER TABLE sent ADD COLUMN changed_at REAL;
ALTER TABLE sent ADD COLUMN error BLOB;
-- Counting and clearing must not read all the bodies.
CREATE INDEX dead_failed ON dead (failed_at);

-- name: version_3
-- Never read.
ALTER TABLE event DROP COLUMN due;

-- name: version_4
-- Names do not order: ids come from reserved blocks, `seq` is the order in a conversation. What an older version wrote has
-- seq 0, comes first, and is in order by id. A version is that of the commit which wrote the row: 0 is none.
ALTER TABLE event RENAME COLUMN seq TO id;
ALTER TABLE event ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead RENAME COLUMN seq TO id;
ALTER TABLE dead ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE value ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
-- "id": the first that is in no block; "opening": how often the store was opened.
CREATE TABLE counter (
  name BLOB PRIMARY KEY,
  next INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter (name, next) SELECT CAST('id' AS BLOB), 1 + max(
  (SELECT coalesce(max(id), 0) FROM event), (SELECT coalesce(max(id), 0) FROM dead),
  (SELECT coalesce(max(id), 0) FROM outbox), (SELECT coalesce(max(outbox), 0) FROM sent),
  (SELECT coalesce(max(id), 0) FROM dialog));
-- A job is its name and a version.
CREATE TABLE job_by_name (
  name BLOB PRIMARY KEY,
  version INTEGER NOT NULL,
  spec BLOB NOT NULL,
  due REAL NOT NULL,
  catch_up BLOB NOT NULL,
  runs BLOB,
  args BLOB,
  ran REAL,
  last REAL,
  attempts INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO job_by_name SELECT name, serial, spec, due, catch_up, runs, args, ran, last, attempts FROM job;
DROP TABLE job;
ALTER TABLE job_by_name RENAME TO job;

-- name: version_5
-- An accepted message stays in `outbox` with state -1, beside its row in `sent`, until it is delivered, so that it can be sent
-- again should its status say "failed". Programs that know no such state must not open the store.
-- When messages are sent: bulk ones let others pass; not before `due`, not after `expires`, and only in some hours of the day.
ALTER TABLE outbox ADD COLUMN is_bulk INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN due REAL;
ALTER TABLE outbox ADD COLUMN expires REAL;
ALTER TABLE outbox ADD COLUMN hours BLOB;

-- name: version_6
-- Memory holds some of what waits to be sent. The rest is parked: asked for in the order of commits, or of the times before which
-- it is not sent, or of one conversation. It is queued, and what is never parked is in no index.
ALTER TABLE outbox ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET parked = 1 WHERE state = 0;
CREATE INDEX outbox_parked ON outbox (is_bulk, due, seq) WHERE parked = 1;
CREATE INDEX outbox_lane ON outbox (contact, is_bulk, seq) WHERE parked = 1;
-- For operators: whose turn it comes from. `due` of a message in memory is when it is tried again.
ALTER TABLE outbox ADD COLUMN event INTEGER;

-- name: version_7
-- Who a person is. An alias is another id of the customer of a conversation, in the form of a key; one that they have left is theirs
-- until somebody else writes from it. What is known of them is in their conversation: the number and the user id that they have now,
-- if the key does not say it. A dialog replays with the key that it began with, its `origin`.
CREATE TABLE alias (
  id BLOB PRIMARY KEY,
  contact BLOB NOT NULL,
  is_left INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX alias_contact ON alias (contact);
ALTER TABLE conversation ADD COLUMN number BLOB;
ALTER TABLE conversation ADD COLUMN user_id BLOB;
ALTER TABLE conversation ADD COLUMN name BLOB;
ALTER TABLE conversation ADD COLUMN username BLOB;
ALTER TABLE dialog ADD COLUMN origin BLOB;

-- name: version_8
-- Events that are kept for a conversation, in the order of `seq`: messages that came while a person had it, which nobody handles, and
-- signals (they have a name) for a dialog that will wait for them before `expires`. A conversation has when a person took over, and how
-- many messages have come since: of them the newest are kept.
CREATE TABLE kept_event (
  seq INTEGER PRIMARY KEY,
  contact BLOB NOT NULL,
  name BLOB,
  body BLOB NOT NULL,
  kept_at REAL NOT NULL,
  expires REAL);
CREATE INDEX kept_event_contact ON kept_event (contact, seq);
CREATE INDEX kept_event_message ON kept_event (kept_at) WHERE name IS NULL;
CREATE INDEX kept_event_signal ON kept_event (expires) WHERE name IS NOT NULL;
ALTER TABLE conversation ADD COLUMN paused_at REAL;
ALTER TABLE conversation ADD COLUMN paused_messages INTEGER NOT NULL DEFAULT 0;

-- name: version_9
-- Where a dialog waits for the answer to a question: the sequence of the commit that asked it. Events with a smaller one came before.
ALTER TABLE dialog ADD COLUMN asked INTEGER;

-- name: version_10
-- A move of all of it to another store: 1 its content is going to the target; 2 it has come from the origin; and no host may use it where
-- 3 it is coming, or 4 it has gone. Both stores have the same pair, by which each knows the other.
CREATE TABLE move (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  pair BLOB NOT NULL,
  state INTEGER NOT NULL,
  origin BLOB NOT NULL,
  target BLOB NOT NULL);

-- name: version_11
-- Webhooks as they came, at hosts that do not have the database. Whoever has it accepts their events, in the order of the ids. A store
-- that is a file has none, but what was moved here.
CREATE TABLE mail (
  id INTEGER PRIMARY KEY,
  body BLOB NOT NULL,
  posted_at REAL NOT NULL);

-- name: version_12
-- Rows of `seen` and `sent` are in the order in which they came; src/store/sqlite/keys.c says why, and how they are found. `folded`: the
-- newest row of each that is in its table of keys, with all before it. Rows of earlier versions keep the order of their digests, in which
-- nothing has to be sorted.
CREATE TABLE seen_row (
  id INTEGER PRIMARY KEY,
  hash INTEGER NOT NULL,
  rest INTEGER NOT NULL,
  day INTEGER NOT NULL);
INSERT INTO seen_row (hash, rest, day) SELECT hash, rest, day FROM seen;
DROP TABLE seen;
ALTER TABLE seen_row RENAME TO seen;
CREATE TABLE seen_key (
  hash INTEGER PRIMARY KEY,
  id INTEGER NOT NULL);
INSERT INTO seen_key (hash, id) SELECT hash, id FROM seen;
CREATE TABLE sent_row (
  id INTEGER PRIMARY KEY,
  hash INTEGER NOT NULL,
  message_id BLOB NOT NULL,
  contact BLOB NOT NULL,
  track BLOB,
  rank INTEGER NOT NULL,
  day INTEGER NOT NULL,
  outbox INTEGER,
  changed_at REAL,
  error BLOB);
INSERT INTO sent_row (hash, message_id, contact, track, rank, day, outbox, changed_at, error)
  SELECT hash, message_id, contact, track, rank, day, outbox, changed_at, error FROM sent;
DROP TABLE sent;
ALTER TABLE sent_row RENAME TO sent;
CREATE INDEX sent_outbox ON sent (outbox);
CREATE TABLE sent_key (
  hash INTEGER PRIMARY KEY,
  id INTEGER NOT NULL);
INSERT INTO sent_key (hash, id) SELECT hash, id FROM sent;
CREATE TABLE folded (
  name BLOB PRIMARY KEY,
  id INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO folded (name, id) SELECT CAST('seen' AS BLOB), coalesce(max(id), 0) FROM seen;
INSERT INTO folded (name, id) SELECT CAST('sent' AS BLOB), coalesce(max(id), 0) FROM sent;

-- name: version_13
-- No index has a column that changes with each message of a customer, or with each step of a dialog.
DROP INDEX conversation_watch;
CREATE INDEX conversation_watch ON conversation (watch) WHERE watch IS NOT NULL;
DROP INDEX dialog_broken;
CREATE INDEX dialog_broken ON dialog (id) WHERE error IS NOT NULL;
