-- What operators change: `repair` of store.h, once for each id. The last statement of a repair says whether it did anything.

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
-- Queues a message that was given up.
UPDATE outbox SET state = 0, attempts = 0, error = NULL, changed_at = :now WHERE id = :id AND state > 1;

-- name: drop_message
-- Deletes a message that is not being sent.
DELETE FROM outbox WHERE id = :id AND state <> 1;

-- name: end_dialog_of
DELETE FROM step WHERE dialog = :id;
DELETE FROM kept WHERE dialog = :id;
DELETE FROM dialog WHERE id = :id;
