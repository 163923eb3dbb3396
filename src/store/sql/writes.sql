-- What the verbs run. Their parameters are plain ?, bound in order by the C files beside this folder.

-- name: next_id
-- Reserves a block of ids: the last one of it.
INSERT INTO counter (name, next) VALUES (CAST('id' AS BLOB), 1 + ?1)
  ON CONFLICT (name) DO UPDATE SET next = counter.next + ?1 RETURNING next - 1;

-- name: get_batch
-- The newest batch that a connection has committed, where a connection can be lost in the middle of that.
SELECT next FROM counter WHERE name = CAST('batch' AS BLOB);

-- name: put_batch
INSERT INTO counter (name, next) VALUES (CAST('batch' AS BLOB), ?)
  ON CONFLICT (name) DO UPDATE SET next = excluded.next;

-- name: get_opening
SELECT next FROM counter WHERE name = CAST('opening' AS BLOB);

-- name: next_opening
INSERT INTO counter (name, next) VALUES (CAST('opening' AS BLOB), 2)
  ON CONFLICT (name) DO UPDATE SET next = counter.next + 1 RETURNING next - 1;

-- name: see
-- Changes a row unless the same key was seen: another key with the same first half counts as new. A file has been asked before.
INSERT INTO seen (hash, rest, day, id) VALUES (?, ?, ?, ?);
-- postgres:
INSERT INTO seen (hash, rest, day, id) VALUES (?, ?, ?, ?)
  ON CONFLICT (hash) DO UPDATE SET rest = excluded.rest, day = excluded.day WHERE seen.rest <> excluded.rest;

-- name: get_seen
SELECT rest FROM seen WHERE id = ? AND hash = ?;

-- name: replace_seen
UPDATE seen SET rest = ?, day = ? WHERE id = ?;

-- name: post_mail
INSERT INTO mail (body, posted_at) VALUES (?, ?);

-- name: any_mail
-- A row, if there is any.
SELECT 1 FROM mail ORDER BY id LIMIT 1;

-- name: drop_letter
DELETE FROM mail WHERE id = ?;

-- name: put_event
INSERT INTO event (id, contact, body, accepted_at, seq) VALUES (?, ?, ?, ?, ?);

-- name: delete_event
DELETE FROM event WHERE id = ?;

-- name: resume_event
-- Replaces an event whose turn continues after a commit.
UPDATE event SET body = ?, attempts = 0 WHERE id = ?;

-- name: note_attempt
UPDATE event SET attempts = ? WHERE id = ?;

-- name: put_dead
INSERT INTO dead (error, attempts, failed_at, id, seq, contact, body, accepted_at)
  SELECT ?, ?, ?, id, seq, contact, body, accepted_at FROM event WHERE id = ?;

-- name: note_inbound
INSERT INTO conversation (contact, last_inbound) VALUES (?, ?)
  ON CONFLICT (contact) DO UPDATE SET last_inbound =
    CASE WHEN conversation.last_inbound > excluded.last_inbound THEN conversation.last_inbound ELSE excluded.last_inbound END;

-- name: note_person
-- The same, with what is known of the person now.
INSERT INTO conversation (contact, last_inbound, number, user_id, name, username) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (contact) DO UPDATE SET last_inbound =
    CASE WHEN conversation.last_inbound > excluded.last_inbound THEN conversation.last_inbound ELSE excluded.last_inbound END,
    number = coalesce(excluded.number, conversation.number), user_id = coalesce(excluded.user_id, conversation.user_id),
    name = coalesce(excluded.name, conversation.name), username = coalesce(excluded.username, conversation.username);

-- name: any_alias
SELECT EXISTS (SELECT 1 FROM alias);

-- name: get_alias
SELECT contact FROM alias WHERE id = ?;

-- name: put_alias
INSERT INTO alias (id, contact, is_left) VALUES (?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET contact = excluded.contact, is_left = excluded.is_left
    WHERE alias.contact <> excluded.contact OR alias.is_left <> excluded.is_left;

-- name: get_left_alias
SELECT contact FROM alias WHERE id = ? AND is_left = 1;

-- name: take_left_alias
-- Somebody uses it again, who is their own conversation. The row stays: as long as there is any, messages are compared with it.
UPDATE alias SET contact = id, is_left = 0 WHERE id = ?;

-- name: rename_left
-- Scans all messages; a number that was left and is used again is rare.
UPDATE outbox SET contact = ?2 WHERE contact = ?1 AND state BETWEEN 0 AND 1;

-- name: join_aliases
-- This and the next ones: all that is of conversation ?1 becomes one of conversation ?2. What was accepted, is being sent or waits in
-- the memory of a process keeps its key: whoever reads it asks for its alias.
UPDATE alias SET contact = ?2 WHERE contact = ?1;

-- name: join_events
UPDATE event SET contact = ?2 WHERE contact = ?1;

-- name: join_dead
UPDATE dead SET contact = ?2 WHERE contact = ?1;

-- name: join_dialogs
UPDATE dialog SET origin = coalesce(origin, contact), contact = ?2 WHERE contact = ?1;

-- name: join_kept_events
UPDATE kept_event SET contact = ?2 WHERE contact = ?1;

-- name: join_parked
UPDATE outbox SET contact = ?2 WHERE parked = 1 AND contact = ?1;

-- name: join_ended
UPDATE outbox SET contact = ?2 WHERE state > 1 AND contact = ?1;
-- postgres:
UPDATE outbox SET contact = ?2 WHERE ended AND contact = ?1;

-- name: open_joined
INSERT INTO conversation (contact) SELECT ?2 WHERE EXISTS (SELECT 1 FROM conversation WHERE contact = ?1)
  ON CONFLICT (contact) DO NOTHING;

-- name: join_conversation
-- ?4: the two states as one.
UPDATE conversation AS t SET
    state = ?4,
    version = CASE WHEN s.version > 0 THEN ?3 ELSE t.version END,
    last_inbound = CASE WHEN t.last_inbound IS NULL OR s.last_inbound > t.last_inbound THEN s.last_inbound ELSE t.last_inbound END,
    watch = coalesce(t.watch, s.watch),
    paused = CASE WHEN t.paused > 0 THEN t.paused ELSE coalesce(s.paused, t.paused) END,
    paused_at = CASE WHEN s.paused_at < t.paused_at OR t.paused_at IS NULL THEN s.paused_at ELSE t.paused_at END,
    paused_messages = t.paused_messages + s.paused_messages,
    number = coalesce(t.number, s.number), user_id = coalesce(t.user_id, s.user_id),
    name = coalesce(t.name, s.name), username = coalesce(t.username, s.username)
  FROM (SELECT * FROM conversation WHERE contact = ?1) AS s WHERE t.contact = ?2;

-- name: delete_conversation
DELETE FROM conversation WHERE contact = ?1;

-- name: get_version
SELECT version FROM conversation WHERE contact = ?;

-- name: check_version
-- A row, if the conversation's state has this version; a conversation that there is not has 0.
SELECT 1 WHERE coalesce((SELECT version FROM conversation WHERE contact = ?), 0) = ?;

-- name: get_state
SELECT state FROM conversation WHERE contact = ?;

-- name: put_state
INSERT INTO conversation (contact, state, version) VALUES (?, ?, ?)
  ON CONFLICT (contact) DO UPDATE SET state = excluded.state, version = excluded.version;

-- name: pause
-- ?2: 1, at ?3; or none, to resume. Who has it already keeps it since then.
INSERT INTO conversation (contact, paused, paused_at) VALUES (?1, ?2, ?3)
  ON CONFLICT (contact) DO UPDATE SET paused = excluded.paused,
    paused_at = CASE WHEN excluded.paused IS NOT NULL AND conversation.paused IS NOT NULL THEN conversation.paused_at
      ELSE excluded.paused_at END,
    paused_messages = CASE WHEN excluded.paused IS NOT NULL THEN conversation.paused_messages ELSE 0 END;

-- name: watch_window
INSERT INTO conversation (contact, watch) VALUES (?, ?)
  ON CONFLICT (contact) DO UPDATE SET watch = excluded.watch;

-- name: unwatch_window
UPDATE conversation SET watch = NULL WHERE contact = ? AND watch IS NOT NULL;

-- name: check_value_version
SELECT 1 WHERE coalesce((SELECT version FROM value WHERE key = ?), 0) = ?;

-- name: put_value
INSERT INTO value (key, value, version) VALUES (?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version;

-- name: delete_value
DELETE FROM value WHERE key = ?;

-- name: get_other_dialog
-- One of a conversation that is another one, or is broken.
SELECT id FROM dialog WHERE contact = ? AND (id <> ? OR error IS NOT NULL) LIMIT 1;

-- name: put_dialog
INSERT INTO dialog (id, contact, name, recipient, args, code, seed, started_at, changed_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: change_dialog
-- Compare and set: changes nothing when the dialog has ended, or another turn has continued it.
UPDATE dialog SET waiting = ?, due = ?, sent = ?, asked = coalesce(?, asked), steps = ?, changed_at = ?, error = NULL
  WHERE id = ? AND steps = ?;

-- name: recode_dialog
UPDATE dialog SET code = ? WHERE id = ?;

-- name: cut_dialog
UPDATE dialog SET waiting = NULL, due = NULL, sent = NULL, steps = ?, changed_at = ? WHERE id = ? AND steps = ?;

-- name: end_dialog
DELETE FROM dialog WHERE id = ? AND steps = ?;

-- name: delete_dialog
DELETE FROM dialog WHERE id = ?;

-- name: put_step
INSERT INTO step (dialog, n, mark, result) VALUES (?, ?, ?, ?);

-- name: delete_steps
DELETE FROM step WHERE dialog = ? AND n >= ?;

-- name: break_dialog
UPDATE dialog SET error = ?, due = NULL, sent = NULL, changed_at = ? WHERE id = ?;

-- name: clear_due
UPDATE dialog SET due = NULL WHERE id = ? AND due = ? AND steps = ?;

-- name: clear_paused_due
-- A resumed one fires in its turn.
UPDATE dialog SET due = NULL WHERE id = ? AND due = ? AND steps = ?
  AND (waiting IS NULL OR contact IN (SELECT contact FROM conversation WHERE paused IS NOT NULL));

-- name: resume_dues
-- Timers of a conversation that a person has taken over do not fire; this sets them again.
UPDATE dialog SET due = json_extract(CAST(waiting AS TEXT), '$.due')
  WHERE contact = ? AND error IS NULL AND waiting IS NOT NULL AND due IS NULL;
-- postgres:
UPDATE dialog SET due = CAST(json_text(waiting, 'due') AS double precision)
  WHERE contact = ? AND error IS NULL AND waiting IS NOT NULL AND due IS NULL;

-- name: put_kept
INSERT INTO kept (dialog, bodies) SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM dialog WHERE id = ?1);

-- name: delete_kept
DELETE FROM kept WHERE id = ?;

-- name: check_none_kept
-- A row, if nothing is kept for this dialog.
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM kept WHERE dialog = ?);

-- name: put_kept_event
INSERT INTO kept_event (seq, contact, name, body, kept_at, expires) VALUES (?, ?, ?, ?, ?, ?);

-- name: count_paused_message
UPDATE conversation SET paused_messages = paused_messages + 1 WHERE contact = ? AND paused IS NOT NULL;

-- name: trim_kept_events
-- Of a conversation's signals (?2 is 1) or messages (0) the newest ?3 stay.
DELETE FROM kept_event WHERE seq IN (SELECT seq FROM kept_event WHERE contact = ?1 AND CASE WHEN name IS NOT NULL THEN 1 ELSE 0 END = ?2
  ORDER BY seq DESC LIMIT 1000000000 OFFSET ?3);

-- name: take_kept_event
DELETE FROM kept_event WHERE seq = ?;

-- name: clear_paused_messages
DELETE FROM kept_event WHERE contact = ? AND name IS NULL;

-- name: is_signal_awaited
SELECT EXISTS (SELECT 1 FROM dialog WHERE contact = ?1 AND error IS NULL
  AND json_extract(CAST(waiting AS TEXT), '$.signal') = CAST(?2 AS TEXT));
-- postgres:
SELECT EXISTS (SELECT 1 FROM dialog WHERE contact = ?1 AND error IS NULL
  AND convert_to(json_text(waiting, 'signal'), 'UTF8') = ?2);

-- name: is_signal_kept
SELECT EXISTS (SELECT 1 FROM kept_event WHERE contact = (SELECT contact FROM dialog WHERE id = ?1)
  AND name = ?2 AND expires > ?3);

-- name: put_code
INSERT INTO code (digest, source) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING;

-- name: put_job
INSERT INTO job (name, version, spec, due, catch_up, runs, args, ran, last, attempts)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET version = excluded.version, spec = excluded.spec, due = excluded.due,
    catch_up = excluded.catch_up, runs = excluded.runs, args = excluded.args, ran = excluded.ran, last = excluded.last,
    attempts = excluded.attempts;

-- name: bind_job
UPDATE job SET catch_up = ?, runs = ?, args = ? WHERE name = ? AND spec = ?;

-- name: move_job
UPDATE job SET version = ?, due = ?, ran = ?, last = ?, attempts = 0 WHERE name = ? AND version = ?;

-- name: try_job
UPDATE job SET attempts = ? WHERE name = ? AND version = ?;

-- name: end_job
DELETE FROM job WHERE name = ? AND version = ?;

-- name: drop_job
DELETE FROM job WHERE name = ?;

-- name: put_outbox
INSERT INTO outbox (id, contact, payload, state, unknown, track, follows, fallback, changed_at, seq, event)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_times
-- Of a message that has any, or is parked; most are not.
UPDATE outbox SET is_bulk = ?, due = ?, expires = ?, hours = ?, parked = ? WHERE id = ?;

-- name: change_outbox
UPDATE outbox SET state = ?, attempts = ?, error = ?, changed_at = ? WHERE id = ? AND state >= 0;

-- name: unpark
UPDATE outbox SET parked = 0 WHERE id = ? AND parked = 1;

-- name: change_due
UPDATE outbox SET due = ?, parked = ? WHERE id = ?;

-- name: rename_outbox
-- It leaves the memory that holds it under the key that its conversation had.
UPDATE outbox SET contact = (SELECT alias.contact FROM alias WHERE alias.id = outbox.contact)
  WHERE id = ? AND contact IN (SELECT id FROM alias);

-- name: change_payload
UPDATE outbox SET payload = ?, fallback = NULL WHERE id = ?;

-- name: accept_outbox
UPDATE outbox SET state = -1 WHERE id = ?;

-- name: delete_outbox
DELETE FROM outbox WHERE id = ?;

-- name: delete_accepted
-- The content of a message that has arrived.
DELETE FROM outbox WHERE id = (SELECT outbox FROM sent WHERE id = ? AND message_id = ?) AND state = -1;
-- postgres:
DELETE FROM outbox WHERE id = (SELECT outbox FROM sent WHERE hash = ? AND message_id = ?) AND state = -1;

-- name: put_sent
-- In a file a message id that was given twice has two rows, of which the newer one is found.
INSERT INTO sent (hash, message_id, contact, track, rank, error, changed_at, day, outbox, id)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- postgres:
INSERT INTO sent (hash, message_id, contact, track, rank, error, changed_at, day, outbox, id)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (hash) DO UPDATE SET message_id = excluded.message_id, contact = excluded.contact, track = excluded.track,
    rank = excluded.rank, error = excluded.error, changed_at = excluded.changed_at, day = excluded.day, outbox = excluded.outbox;

-- name: get_sent_contact
SELECT contact FROM sent WHERE id = ? AND message_id = ?;
-- postgres:
SELECT contact FROM sent WHERE hash = ? AND message_id = ?;

-- name: raise_sent
-- Statuses arrive in any order; a message's state only moves forward.
UPDATE sent SET rank = ?, error = ?, changed_at = ? WHERE id = ? AND message_id = ? AND rank < ?;
-- postgres:
UPDATE sent SET rank = ?, error = ?, changed_at = ? WHERE hash = ? AND message_id = ? AND rank < ?;

-- Keys of the two tables; src/store/sqlite/keys.c has what they are for.

-- name: get_folded_seen
SELECT id FROM folded WHERE name = CAST('seen' AS BLOB);

-- name: get_folded_sent
SELECT id FROM folded WHERE name = CAST('sent' AS BLOB);

-- name: put_folded_seen
INSERT INTO folded (name, id) VALUES (CAST('seen' AS BLOB), ?) ON CONFLICT (name) DO UPDATE SET id = excluded.id;

-- name: put_folded_sent
INSERT INTO folded (name, id) VALUES (CAST('sent' AS BLOB), ?) ON CONFLICT (name) DO UPDATE SET id = excluded.id;

-- name: get_newest_seen
SELECT max(id) FROM seen;

-- name: get_newest_sent
SELECT max(id) FROM sent;

-- name: get_span_seen
-- About how many rows there are: the oldest are deleted first.
SELECT (SELECT max(id) FROM seen) - (SELECT min(id) FROM seen);

-- name: get_span_sent
SELECT (SELECT max(id) FROM sent) - (SELECT min(id) FROM sent);

-- name: list_new_seen
SELECT hash, id FROM seen WHERE id > ? ORDER BY id;

-- name: list_new_sent
SELECT hash, id FROM sent WHERE id > ? ORDER BY id;

-- name: get_seen_key
SELECT id FROM seen_key WHERE hash = ?;

-- name: get_sent_key
SELECT id FROM sent_key WHERE hash = ?;

-- name: put_seen_key
INSERT INTO seen_key (hash, id) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET id = excluded.id;

-- name: put_sent_key
INSERT INTO sent_key (hash, id) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET id = excluded.id;

-- name: fold_seen
INSERT INTO seen_key (hash, id) SELECT hash, max(id) FROM seen WHERE id > ? AND id <= ? GROUP BY hash ORDER BY hash
  ON CONFLICT (hash) DO UPDATE SET id = excluded.id;

-- name: fold_sent
INSERT INTO sent_key (hash, id) SELECT hash, max(id) FROM sent WHERE id > ? AND id <= ? GROUP BY hash ORDER BY hash
  ON CONFLICT (hash) DO UPDATE SET id = excluded.id;

-- name: forget_seen_keys
DELETE FROM seen_key;

-- name: forget_sent_keys
DELETE FROM sent_key;

-- Old rows are deleted a thousand at a time. `seen` and `sent` are scanned along their ids, because they have no index of days; new rows come
-- at the end, so the scan is over where fewer are left.

-- name: next_seen
SELECT CASE WHEN count(*) = 1000 THEN max(id) END FROM (SELECT id FROM seen WHERE id > ? ORDER BY id LIMIT 1000) AS part;

-- name: clear_seen
DELETE FROM seen WHERE id IN (SELECT id FROM seen WHERE id > ? ORDER BY id LIMIT 1000) AND day < ?;

-- name: next_sent
SELECT CASE WHEN count(*) = 1000 THEN max(id) END FROM (SELECT id FROM sent WHERE id > ? ORDER BY id LIMIT 1000) AS part;

-- name: clear_accepted
-- Before clear_sent, the content of the same messages.
DELETE FROM outbox WHERE state = -1 AND id IN (SELECT outbox FROM sent
  WHERE id IN (SELECT id FROM sent WHERE id > ? ORDER BY id LIMIT 1000) AND day < ?);

-- name: clear_lost
-- Content that belongs to no row of `sent`: the provider gave the same message id again.
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
  WHERE state = -1 AND id < coalesce((SELECT min(outbox) FROM sent WHERE outbox IS NOT NULL), 9223372036854775807)
  ORDER BY id LIMIT 1000);

-- name: clear_sent
DELETE FROM sent WHERE id IN (SELECT id FROM sent WHERE id > ? ORDER BY id LIMIT 1000) AND day < ?;

-- name: next_seen_key
SELECT max(hash) FROM (SELECT hash FROM seen_key WHERE hash > ? ORDER BY hash LIMIT 1000) AS part;

-- name: clear_seen_keys
-- Of rows that are gone; the oldest go first.
DELETE FROM seen_key WHERE hash IN (SELECT hash FROM seen_key WHERE hash > ? ORDER BY hash LIMIT 1000)
  AND id < coalesce((SELECT min(id) FROM seen), 9223372036854775807);

-- name: next_sent_key
SELECT max(hash) FROM (SELECT hash FROM sent_key WHERE hash > ? ORDER BY hash LIMIT 1000) AS part;

-- name: clear_sent_keys
DELETE FROM sent_key WHERE hash IN (SELECT hash FROM sent_key WHERE hash > ? ORDER BY hash LIMIT 1000)
  AND id < coalesce((SELECT min(id) FROM sent), 9223372036854775807);

-- name: clear_dead
DELETE FROM dead WHERE failed_at < ?;

-- name: clear_outbox
DELETE FROM outbox WHERE state > 1 AND changed_at < ?;
-- postgres:
DELETE FROM outbox WHERE ended AND changed_at < ?;

-- name: clear_broken_steps
DELETE FROM step WHERE dialog IN
  (SELECT id FROM dialog WHERE error IS NOT NULL AND changed_at < ? ORDER BY changed_at, id LIMIT 200);

-- name: clear_broken
DELETE FROM dialog WHERE id IN
  (SELECT id FROM dialog WHERE error IS NOT NULL AND changed_at < ? ORDER BY changed_at, id LIMIT 200);

-- name: clear_kept
-- Messages kept for a dialog that is gone.
DELETE FROM kept WHERE id IN (SELECT id FROM kept WHERE dialog NOT IN (SELECT id FROM dialog) LIMIT 1000);

-- name: clear_kept_messages
-- Of conversations that a person has had for long.
DELETE FROM kept_event WHERE name IS NULL AND kept_at < ?;
