-- What the engine and dialogs ask: `query` of store.h. Each row comes back with the names of its columns.

-- name: conversation
SELECT version, state, last_inbound, paused, number, user_id, name, username FROM conversation WHERE contact = :contact;

-- name: conversation_of
-- types: id=t
-- The conversation that an id belongs to, in the form of a key; none where that is the id's own.
SELECT contact, is_left FROM alias WHERE id = :id;

-- name: any_alias
SELECT EXISTS (SELECT 1 FROM alias) AS is_any;

-- name: aliases_of
SELECT id, is_left FROM alias WHERE contact = :contact AND id <> contact ORDER BY id;

-- name: value
SELECT value, version FROM value WHERE key = :key;

-- name: scan_values
-- types: after=t
-- The values whose keys begin with a prefix, a page after the key `after`. A page reads no other rows: with two lower bounds it
-- would read all from the prefix on, and with the prefix compared before the limit, all to the end of the table.
SELECT key, value, version FROM
  (SELECT key, value, version FROM value WHERE key >= CASE WHEN :prefix > :after THEN :prefix ELSE :after END
    AND key <> :after ORDER BY key LIMIT :limit) AS part
  WHERE substr(key, 1, length(:prefix)) = :prefix ORDER BY key;

-- name: mail
-- types: bytes=i
-- The webhooks that other hosts have taken, in their order: so many, or fewer when these are long, but always one. And the newest one's id.
SELECT id, body, (SELECT max(id) FROM mail) AS newest FROM
  (SELECT *, sum(length(body)) OVER (ORDER BY id) - length(body) AS page_bytes FROM
    (SELECT id, body FROM mail ORDER BY id LIMIT :limit) AS most) AS page
  WHERE page_bytes < :bytes ORDER BY id;

-- name: mail_count
-- About how many wait, and since when; most stores have none.
SELECT coalesce(max(id) - min(id) + 1, 0) AS count, min(posted_at) AS since FROM mail;

-- name: event_body
SELECT body FROM event WHERE id = :id;

-- name: pending
-- types: after=i
-- Unfinished events, without their bodies. Within a conversation they are in order by seq; those of an older version
-- have none, and come first, by id.
SELECT id, contact, attempts, seq FROM event WHERE id > :after ORDER BY id LIMIT :limit;

-- name: outgoing
-- types: after=i
-- Messages that are queued or being sent, without parked ones (`parked` is 0) or with them (1); in order as events are.
SELECT id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), outbox.contact) AS contact,
    payload, state, unknown, track, attempts, follows, fallback, changed_at, seq, is_bulk, due, expires, hours,
    event
  FROM outbox
  WHERE id > :after AND state BETWEEN 0 AND 1 AND parked <= :parked ORDER BY id LIMIT :limit;

-- name: parked_messages
-- Parked messages of a class that have no time, in the order of their commits.
SELECT id, contact, payload, state, unknown, track, attempts, follows, fallback, changed_at, seq, is_bulk, due, expires, hours,
    event
  FROM outbox
  WHERE parked = 1 AND is_bulk = :is_bulk AND due IS NULL AND (seq, id) > (:seq, :id)
  ORDER BY seq, id LIMIT :limit;

-- name: due_messages
-- Those whose time has come, in the order of their times.
SELECT id, contact, payload, state, unknown, track, attempts, follows, fallback, changed_at, seq, is_bulk, due, expires, hours,
    event
  FROM outbox
  WHERE parked = 1 AND is_bulk = :is_bulk AND due <= :now AND (due, seq, id) > (:due, :seq, :id)
  ORDER BY due, seq, id LIMIT :limit;

-- name: parked_of
-- The first ones of a contact, of both kinds.
SELECT id, contact, payload, state, unknown, track, attempts, follows, fallback, changed_at, seq, is_bulk, due, expires, hours,
    event
  FROM outbox
  WHERE parked = 1 AND contact = :contact AND is_bulk = :is_bulk AND (due IS NULL OR due <= :now)
  ORDER BY seq, id LIMIT :limit;

-- name: next_due
SELECT min(due) AS due FROM (
  SELECT min(due) AS due FROM outbox WHERE parked = 1 AND is_bulk = 0 AND due > :now UNION ALL
  SELECT min(due) AS due FROM outbox WHERE parked = 1 AND is_bulk = 1 AND due > :now) AS dues;

-- name: count_parked
SELECT (SELECT count(*) FROM outbox WHERE parked = 1 AND is_bulk = 0 AND due IS NULL) AS replies,
  (SELECT count(*) FROM outbox WHERE parked = 1 AND is_bulk = 1 AND due IS NULL) AS bulk,
  (SELECT count(*) FROM outbox WHERE parked = 1 AND is_bulk = 0 AND due IS NOT NULL)
    + (SELECT count(*) FROM outbox WHERE parked = 1 AND is_bulk = 1 AND due IS NOT NULL) AS timed;

-- name: queued_message
SELECT id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), outbox.contact) AS contact,
    payload, state, unknown, track, attempts, follows, fallback, changed_at, seq, is_bulk, due, expires, hours,
    event
  FROM outbox
  WHERE id = :id AND state = 0;

-- name: message
-- One message, by the id that it was given: in the outbox, or accepted with how far it is.
SELECT id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), outbox.contact) AS contact,
    state, NULL AS rank, NULL AS message_id, track
  FROM outbox WHERE id = :id AND state >= 0
UNION ALL
SELECT outbox, coalesce((SELECT alias.contact FROM alias WHERE alias.id = sent.contact), sent.contact), NULL, rank, message_id, track
  FROM sent WHERE outbox = :id;

-- name: previous_message
-- types: after=i before=i
-- The newest message to a contact, by ids between these two, that was accepted; without its payload where it has arrived.
SELECT outbox AS id, (SELECT payload FROM outbox WHERE id = sent.outbox AND state = -1) AS payload FROM sent
  WHERE outbox > :after AND outbox < :before AND contact = :contact ORDER BY outbox DESC LIMIT 1;

-- name: accepted_message
-- One message, by the id that the provider gave it.
SELECT outbox AS id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = sent.contact), sent.contact) AS contact,
    rank, message_id, track
  FROM sent
  WHERE sent.id = sent_id(:message_id) AND message_id = :message_id;
-- postgres:
SELECT outbox AS id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = sent.contact), sent.contact) AS contact,
    rank, message_id, track
  FROM sent
  WHERE hash = digest_half(:message_id) AND message_id = :message_id;

-- name: has_unknown
SELECT 1 AS is_any FROM outbox WHERE state = 2 AND state > 1 LIMIT 1;
-- postgres:
SELECT 1 AS is_any FROM outbox WHERE state = 2 AND ended LIMIT 1;

-- name: unknown_messages
-- At most two: more than one cannot be told apart.
SELECT id, track FROM outbox
  WHERE contact = :contact AND state = 2 AND state > 1 AND changed_at BETWEEN :earliest AND :latest LIMIT 2;
-- postgres:
SELECT id, track FROM outbox
  WHERE contact = :contact AND state = 2 AND ended AND changed_at BETWEEN :earliest AND :latest LIMIT 2;

-- name: dialogs_overview
SELECT EXISTS (SELECT 1 FROM dialog) AS is_any, (SELECT min(due) FROM dialog WHERE due IS NOT NULL) AS due,
  (SELECT count(*) FROM conversation WHERE paused IS NOT NULL) AS paused, EXISTS (SELECT 1 FROM kept) AS has_kept;

-- name: count_dialogs
SELECT count(*) AS count FROM dialog;

-- name: dialog
SELECT id, contact, name, recipient, args, code, seed, started_at, changed_at, waiting, due, steps, error, origin, asked
  FROM dialog
  WHERE id = :id;

-- name: dialogs_of
-- The dialogs of a conversation, the newest first, broken ones included.
SELECT id, contact, name, recipient, args, code, seed, started_at, changed_at, waiting, due, steps, error, origin, asked
  FROM dialog
  WHERE contact = :contact ORDER BY started_at DESC, id DESC;

-- name: dialogs_with_journal
-- The same; behind them a page of the journal of the newest one that is not broken, which is most often all of it.
SELECT id, contact, name, recipient, args, code, seed, started_at, changed_at, waiting, due, steps, error, origin, asked,
    NULL AS n, NULL AS mark, NULL AS result
  FROM (SELECT * FROM dialog WHERE contact = :contact ORDER BY started_at DESC, id DESC) AS dialogs
UNION ALL
SELECT dialog, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, n, mark, result
  FROM (SELECT * FROM step WHERE dialog =
    (SELECT id FROM dialog WHERE contact = :contact AND error IS NULL ORDER BY started_at DESC, id DESC LIMIT 1)
    ORDER BY n LIMIT 1000) AS steps;

-- name: due_dialogs
SELECT id, contact, seed, waiting, due, steps,
    contact IN (SELECT contact FROM conversation WHERE paused IS NOT NULL) AS is_paused
  FROM dialog WHERE due <= :until ORDER BY due LIMIT 1000;

-- name: closing_windows
-- The watched windows of `window` seconds that end soon.
SELECT contact, last_inbound FROM conversation
  WHERE watch IS NOT NULL AND last_inbound + :window - watch <= :until LIMIT 1000;

-- name: sent_waits
-- types: after=i
-- The dialogs that wait for the delivery of a message: few of all, so the + keeps the planner from walking along the ids.
SELECT id, sent, contact FROM dialog WHERE sent IS NOT NULL AND +id > :after ORDER BY +id LIMIT :limit;

-- name: journal
-- types: after=i
SELECT n, mark, result FROM step WHERE dialog = :dialog AND n > :after ORDER BY n LIMIT 1000;

-- name: kept
-- types: after=i
SELECT id, bodies FROM kept WHERE dialog = :dialog AND id > :after ORDER BY id LIMIT 1000;

-- name: kept_signals
-- For the dialog of a conversation that waits for it.
SELECT seq, body FROM kept_event WHERE contact = :contact AND name = :name AND expires > :now ORDER BY seq;

-- name: expired_signals
SELECT seq AS id, contact, name FROM kept_event WHERE name IS NOT NULL AND expires <= :until ORDER BY expires LIMIT 1000;

-- name: awaited_signals
-- Kept ones for which a dialog waits: another conversation's, until the two were joined.
SELECT seq, contact, body FROM kept_event k
  WHERE name IS NOT NULL AND expires > :now AND EXISTS (SELECT 1 FROM dialog WHERE contact = k.contact AND error IS NULL
    AND json_extract(CAST(waiting AS TEXT), '$.signal') = CAST(k.name AS TEXT))
  ORDER BY +seq LIMIT 1000;
-- postgres:
SELECT seq, contact, body FROM kept_event k
  WHERE name IS NOT NULL AND expires > :now AND EXISTS (SELECT 1 FROM dialog WHERE contact = k.contact AND error IS NULL
    AND convert_to(json_text(waiting, 'signal'), 'UTF8') = k.name)
  ORDER BY seq LIMIT 1000;

-- name: script
SELECT source FROM code WHERE digest = :digest;

-- name: jobs
-- types: after=t
SELECT name, version, spec, due, catch_up, runs, args, ran, last, attempts FROM job
  WHERE name > :after ORDER BY name LIMIT :limit;

-- name: job
SELECT name, version, spec, due, catch_up, runs, args, ran, last, attempts FROM job WHERE name = :name;
