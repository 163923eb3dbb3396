-- What operators change: `repair` of store.h, once for each id. It did something when one of its
-- statements did.

-- name: requeue_event
-- Makes a dead letter pending again, without attempts.
INSERT INTO event (id, seq, contact, body, accepted_at)
  SELECT id, seq, contact, body, accepted_at FROM dead WHERE id = :id;
DELETE FROM dead WHERE id = :id;

-- name: drop_dead_event
DELETE FROM dead WHERE id = :id;

-- name: drop_pending_event
DELETE FROM event WHERE id = :id;

-- name: requeue_message
-- Queues a message that was given up; whoever asks for it wants it sent now, and however late it is.
-- One that the provider had accepted, and then reported as failed, is first given up too, if its content is still there:
-- statuses of its old message id are nobody's then.
UPDATE outbox SET state = 4 WHERE id = :id AND state = -1 AND EXISTS (SELECT 1 FROM sent WHERE outbox = :id AND rank = 9);
DELETE FROM sent WHERE outbox = :id AND rank = 9 AND EXISTS (SELECT 1 FROM outbox WHERE id = :id AND state = 4);
UPDATE outbox SET state = 0, attempts = 0, error = NULL, due = NULL, expires = NULL, changed_at = :now
  WHERE id = :id AND state > 1;

-- name: queue_fallback
-- Queues the fallback of a message, under its id, which the provider had accepted and then reported as failed. What has become of its
-- old message id is nobody's then.
DELETE FROM sent WHERE outbox = :id AND rank = 9
  AND EXISTS (SELECT 1 FROM outbox WHERE id = :id AND state = -1 AND fallback IS NOT NULL);
UPDATE outbox SET payload = fallback, fallback = NULL, state = 0, attempts = 0, error = NULL, due = NULL, changed_at = :now
  WHERE id = :id AND state = -1 AND fallback IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sent WHERE outbox = :id);

-- name: park_message
-- Of a process that is gone: it is in nobody's memory, and tried in its turn.
UPDATE outbox SET parked = 1, due = NULL, contact = coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), contact)
  WHERE id = :id AND state = 0;

-- name: drop_message
-- Deletes a message that is not being sent, or was reported as failed.
DELETE FROM outbox WHERE id = :id AND state <> 1
  AND (state >= 0 OR EXISTS (SELECT 1 FROM sent WHERE outbox = :id AND rank = 9));
DELETE FROM sent WHERE outbox = :id AND rank = 9;

-- name: mend_dialog
-- Notes in a broken dialog that it is to go on, and with which script.
UPDATE dialog SET error = CAST(json_set(CAST(error AS TEXT), '$.mend', CAST(:script AS TEXT)) AS BLOB), changed_at = :now
  WHERE id = :id AND json_valid(CAST(error AS TEXT));
-- postgres:
UPDATE dialog SET error = json_with(error, 'mend', :script), changed_at = :now
  WHERE id = :id AND json_with(error, 'mend', :script) IS NOT NULL;

-- name: mend_dialog_of_event
-- The same for the one that broke at an event.
UPDATE dialog SET error = CAST(json_set(CAST(error AS TEXT), '$.mend', CAST(:script AS TEXT)) AS BLOB), changed_at = :now
  WHERE error IS NOT NULL
    AND CASE WHEN json_valid(CAST(error AS TEXT)) THEN json_extract(CAST(error AS TEXT), '$.seq') END = :id;
-- postgres:
UPDATE dialog SET error = json_with(error, 'mend', :script), changed_at = :now
  WHERE json_text(error, 'seq') = CAST(:id AS text) AND json_with(error, 'mend', :script) IS NOT NULL;

-- name: note_move
-- types: pair=t state=i origin=t target=t
-- :id is 1.
INSERT INTO move (id, pair, state, origin, target) VALUES (:id, :pair, :state, :origin, :target)
  ON CONFLICT (id) DO UPDATE SET pair = excluded.pair, state = excluded.state, origin = excluded.origin, target = excluded.target;

-- name: raise_counter
-- To :id at least.
INSERT INTO counter (name, next) VALUES (:name, :id)
  ON CONFLICT (name) DO UPDATE SET next = excluded.next WHERE excluded.next > counter.next;

-- name: raise_kept
-- Where the database gives ids of its own, they go on above those that were copied. :id is of no use.
UPDATE kept SET id = id WHERE id = (SELECT max(id) FROM kept);
-- postgres:
UPDATE kept SET id = id WHERE id = (SELECT setval(pg_get_serial_sequence('kept', 'id'), max(id)) FROM kept);

-- name: raise_mail
-- The same.
UPDATE mail SET id = id WHERE id = (SELECT max(id) FROM mail);
-- postgres:
UPDATE mail SET id = id WHERE id = (SELECT setval(pg_get_serial_sequence('mail', 'id'), max(id)) FROM mail);

-- name: drop_mail
DELETE FROM mail WHERE id = :id;

-- name: drop_kept_event
DELETE FROM kept_event WHERE seq = :id;

-- name: forget_contact
-- Deletes all of a person, with those of their messages that are not being sent now: where there is one, their ids stay as well, by
-- which they are found once more when it is answered. :id is of no use.
DELETE FROM step WHERE dialog IN (SELECT id FROM dialog WHERE contact = :contact);
DELETE FROM kept WHERE dialog IN (SELECT id FROM dialog WHERE contact = :contact);
DELETE FROM dialog WHERE contact = :contact;
DELETE FROM event WHERE contact = :contact;
DELETE FROM kept_event WHERE contact = :contact;
DELETE FROM dead WHERE contact = :contact;
DELETE FROM outbox WHERE state <> 1 AND contact IN (SELECT :contact UNION ALL SELECT id FROM alias WHERE contact = :contact);
DELETE FROM sent WHERE contact IN (SELECT :contact UNION ALL SELECT id FROM alias WHERE contact = :contact);
DELETE FROM conversation WHERE contact = :contact;
DELETE FROM alias WHERE contact = :contact AND NOT EXISTS
  (SELECT 1 FROM outbox WHERE state = 1 AND contact IN (SELECT :contact UNION ALL SELECT id FROM alias WHERE contact = :contact));
