-- Statements of writes.sql, by their names there, for many rows at once: each parameter is an array of its values. Of PostgreSQL alone;
-- src/store/postgres/rows.c says when they are run.

-- name: see
-- Gives those that are new.
INSERT INTO seen (hash, rest, day, id) SELECT * FROM unnest(?, ?, ?, ?)
  ON CONFLICT (hash) DO UPDATE SET rest = excluded.rest, day = excluded.day WHERE seen.rest <> excluded.rest RETURNING hash;

-- name: put_event
INSERT INTO event (id, contact, body, accepted_at, seq) SELECT * FROM unnest(?, ?, ?, ?, ?);

-- name: note_inbound
INSERT INTO conversation (contact, last_inbound) SELECT * FROM unnest(?, ?)
  ON CONFLICT (contact) DO UPDATE SET last_inbound =
    CASE WHEN conversation.last_inbound > excluded.last_inbound THEN conversation.last_inbound ELSE excluded.last_inbound END;

-- name: note_person
INSERT INTO conversation (contact, last_inbound, number, user_id, name, username) SELECT * FROM unnest(?, ?, ?, ?, ?, ?)
  ON CONFLICT (contact) DO UPDATE SET last_inbound =
    CASE WHEN conversation.last_inbound > excluded.last_inbound THEN conversation.last_inbound ELSE excluded.last_inbound END,
    number = coalesce(excluded.number, conversation.number), user_id = coalesce(excluded.user_id, conversation.user_id),
    name = coalesce(excluded.name, conversation.name), username = coalesce(excluded.username, conversation.username);

-- name: put_outbox
INSERT INTO outbox (id, contact, payload, state, unknown, track, follows, fallback, changed_at, seq, event)
  SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_sent
INSERT INTO sent (hash, message_id, contact, track, rank, error, changed_at, day, outbox, id)
  SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (hash) DO UPDATE SET message_id = excluded.message_id, contact = excluded.contact, track = excluded.track,
    rank = excluded.rank, error = excluded.error, changed_at = excluded.changed_at, day = excluded.day, outbox = excluded.outbox;
