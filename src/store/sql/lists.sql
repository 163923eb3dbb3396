-- What operators ask: `query` of store.h. Lists are scanned along a key in small steps, each a request of its own, so that
-- commits never wait long behind one: a row has in `next` where the following step begins; without one the list is over.
-- Where nothing of a step fits, there is a row with `next` alone. In a conversation's key the customer follows the first
-- colon (X'3A'). `contact` may be such a key, or a customer by any of their ids, and `common` is the same with the form in which
-- numbers are compared: `meant` are the conversations with such an alias.

-- name: pending_events
WITH who (id) AS (VALUES (:contact), (:common)),
  meant (contact) AS (SELECT id FROM who UNION SELECT contact FROM alias
    WHERE id IN (SELECT id FROM who) OR substr(id, instr(id, X'3A') + 1) IN (SELECT id FROM who) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who)),
  page (next) AS (SELECT max(id) FROM (SELECT id FROM event WHERE id > :at ORDER BY id LIMIT 2000) AS part)
SELECT page.next, id, contact, attempts, accepted_at, CASE WHEN :has_bodies <> 0 AND length(body) <= 16384 THEN body END AS body
  FROM page LEFT JOIN event ON id > :at AND id <= page.next
    AND (:contact IS NULL OR contact IN (SELECT contact FROM meant) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who))
    AND coalesce(accepted_at, 0) < :before AND coalesce(accepted_at, 0) >= :after
  ORDER BY id;

-- name: dead_events
WITH who (id) AS (VALUES (:contact), (:common)),
  meant (contact) AS (SELECT id FROM who UNION SELECT contact FROM alias
    WHERE id IN (SELECT id FROM who) OR substr(id, instr(id, X'3A') + 1) IN (SELECT id FROM who) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who)),
  page (next) AS (SELECT max(id) FROM (SELECT id FROM dead WHERE id > :at ORDER BY id LIMIT 2000) AS part)
SELECT page.next, id, seq, contact, attempts, accepted_at, failed_at, substr(error, 1, 400) AS error,
    CASE WHEN :has_bodies <> 0 AND length(body) <= 16384 THEN body END AS body
  FROM page LEFT JOIN dead ON id > :at AND id <= page.next
    AND (:contact IS NULL OR contact IN (SELECT contact FROM meant) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who))
    AND coalesce(failed_at, 0) < :before AND coalesce(failed_at, 0) >= :after
  ORDER BY id;

-- name: event
SELECT id, seq, contact, attempts, accepted_at, NULL AS failed_at, NULL AS error, body FROM event WHERE id = :id
UNION ALL
SELECT id, seq, contact, attempts, accepted_at, failed_at, error, body FROM dead WHERE id = :id;

-- name: outbox_messages
-- `states`: a bit for each. What was accepted is in the next list.
WITH who (id) AS (VALUES (:contact), (:common)),
  meant (contact) AS (SELECT id FROM who UNION SELECT contact FROM alias
    WHERE id IN (SELECT id FROM who) OR substr(id, instr(id, X'3A') + 1) IN (SELECT id FROM who) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who)),
  page (next) AS (SELECT max(id) FROM (SELECT id FROM outbox WHERE id > :at ORDER BY id LIMIT 2000) AS part)
SELECT page.next, id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), outbox.contact) AS contact,
    state, attempts, changed_at, error, payload, track, unknown, event,
    CASE WHEN state = 0 THEN due END AS next_try
  FROM page LEFT JOIN outbox ON id > :at AND id <= page.next AND state >= 0 AND ((:states >> state) & 1) = 1
    AND (:contact IS NULL OR coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), outbox.contact) IN (SELECT contact FROM meant)
      OR substr(outbox.contact, instr(outbox.contact, X'3A') + 1) IN (SELECT id FROM who))
    AND coalesce(changed_at, 0) < :before AND coalesce(changed_at, 0) >= :after
  ORDER BY id;

-- name: accepted_messages
-- In no order that means anything. `ranks`: a bit for each. The content only of what failed, for the others are many.
WITH who (id) AS (VALUES (:contact), (:common)),
  meant (contact) AS (SELECT id FROM who UNION SELECT contact FROM alias
    WHERE id IN (SELECT id FROM who) OR substr(id, instr(id, X'3A') + 1) IN (SELECT id FROM who) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who)),
  page (next) AS (SELECT max(id) FROM (SELECT id FROM sent WHERE id > :at ORDER BY id LIMIT 2000) AS part)
SELECT page.next, hash, outbox AS id,
    coalesce((SELECT alias.contact FROM alias WHERE alias.id = sent.contact), sent.contact) AS contact,
    rank, changed_at, error, message_id, track,
    CASE WHEN rank = 9 THEN (SELECT payload FROM outbox WHERE id = sent.outbox AND state = -1) END AS payload
  FROM page LEFT JOIN sent ON sent.id > :at AND sent.id <= page.next AND ((:ranks >> rank) & 1) = 1
    AND (:contact IS NULL OR coalesce((SELECT alias.contact FROM alias WHERE alias.id = sent.contact), sent.contact) IN (SELECT contact FROM meant)
      OR substr(sent.contact, instr(sent.contact, X'3A') + 1) IN (SELECT id FROM who))
    AND coalesce(changed_at, 0) < :before AND coalesce(changed_at, 0) >= :after
  ORDER BY sent.id;

-- name: message_details
SELECT id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = outbox.contact), outbox.contact) AS contact,
    state, NULL AS rank, attempts, changed_at, error, payload, NULL AS message_id, track, unknown, event,
    CASE WHEN state = 0 THEN due END AS next_try
  FROM outbox WHERE id = :id AND state >= 0
UNION ALL
SELECT s.outbox, coalesce((SELECT alias.contact FROM alias WHERE alias.id = s.contact), s.contact),
    NULL, rank, NULL, s.changed_at, s.error, payload, message_id, s.track, unknown, event, NULL
  FROM sent s LEFT JOIN outbox o ON o.id = s.outbox AND o.state = -1 WHERE s.outbox = :id;

-- name: accepted_message_details
SELECT s.outbox AS id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = s.contact), s.contact) AS contact,
    rank, s.changed_at, s.error, payload, message_id, s.track, unknown, event
  FROM sent s LEFT JOIN outbox o ON o.id = s.outbox AND o.state = -1
  WHERE s.id = sent_id(:message_id) AND message_id = :message_id;
-- postgres:
SELECT s.outbox AS id, coalesce((SELECT alias.contact FROM alias WHERE alias.id = s.contact), s.contact) AS contact,
    rank, s.changed_at, s.error, payload, message_id, s.track, unknown, event
  FROM sent s LEFT JOIN outbox o ON o.id = s.outbox AND o.state = -1
  WHERE hash = digest_half(:message_id) AND message_id = :message_id;

-- name: dialogs
-- `is_broken`: 0 open ones, 1 broken ones; NULL all.
WITH who (id) AS (VALUES (:contact), (:common)),
  meant (contact) AS (SELECT id FROM who UNION SELECT contact FROM alias
    WHERE id IN (SELECT id FROM who) OR substr(id, instr(id, X'3A') + 1) IN (SELECT id FROM who) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who)),
  page (next) AS (SELECT max(id) FROM (SELECT id FROM dialog WHERE id > :at ORDER BY id LIMIT 2000) AS part)
SELECT page.next, id, contact, name, steps, started_at, changed_at, waiting, due, error
  FROM page LEFT JOIN dialog ON id > :at AND id <= page.next AND (:is_broken IS NULL OR CASE WHEN error IS NOT NULL THEN 1 ELSE 0 END = :is_broken)
    AND (:contact IS NULL OR contact IN (SELECT contact FROM meant) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who))
    AND coalesce(changed_at, 0) < :before AND coalesce(changed_at, 0) >= :after
  ORDER BY id;

-- name: dialog_scripts
-- What open dialogs began with, and how many of them.
WITH page (next) AS (SELECT max(id) FROM (SELECT id FROM dialog WHERE id > :at ORDER BY id LIMIT 2000) AS part)
SELECT page.next, name, code, count(id) AS dialogs
  FROM page LEFT JOIN dialog ON id > :at AND id <= page.next AND error IS NULL
  GROUP BY page.next, name, code;

-- name: count_paused
-- Few conversations are, and they have an index.
SELECT count(*) AS conversations, min(paused_at) AS since, coalesce(sum(paused_messages), 0) AS messages
  FROM conversation WHERE paused IS NOT NULL;

-- name: paused
-- Conversations that a person has, the longest first; of the messages that came since some are kept.
WITH meant (contact) AS (SELECT :contact UNION SELECT contact FROM alias WHERE id = :contact
    UNION SELECT contact FROM alias
    WHERE :contact IN (substr(id, instr(id, X'3A') + 1), substr(contact, instr(contact, X'3A') + 1)))
SELECT contact, paused_at, paused_messages AS messages,
    (SELECT count(*) FROM kept_event WHERE contact = conversation.contact AND name IS NULL) AS kept
  FROM conversation WHERE paused IS NOT NULL
    AND (:contact IS NULL OR contact IN (SELECT contact FROM meant) OR substr(contact, instr(contact, X'3A') + 1) = :contact)
    AND coalesce(paused_at, 0) < :before AND coalesce(paused_at, 0) >= :after
  ORDER BY coalesce(paused_at, 0), contact LIMIT :limit;

-- name: kept_events
-- All that is kept for a conversation.
SELECT seq, name, body, kept_at, expires FROM kept_event WHERE contact = :contact ORDER BY seq;

-- name: contacts
-- types: at=t
WITH who (id) AS (VALUES (:contact), (:common)),
  meant (contact) AS (SELECT id FROM who UNION SELECT contact FROM alias
    WHERE id IN (SELECT id FROM who) OR substr(id, instr(id, X'3A') + 1) IN (SELECT id FROM who) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who)),
  page (next) AS (SELECT (SELECT contact FROM
    (SELECT contact FROM conversation WHERE contact > :at ORDER BY contact LIMIT 1000) AS part ORDER BY contact DESC LIMIT 1))
SELECT page.next, contact, last_inbound, paused, number, user_id, name, username
  FROM page LEFT JOIN conversation ON contact > :at AND contact <= page.next
    AND (:contact IS NULL OR contact IN (SELECT contact FROM meant) OR substr(contact, instr(contact, X'3A') + 1) IN (SELECT id FROM who))
    AND coalesce(last_inbound, 0) < :before AND coalesce(last_inbound, 0) >= :after
  ORDER BY contact;

-- name: count_of_contact
-- What there is of a person. Messages are found by scanning all.
WITH mine (contact) AS (SELECT :contact UNION ALL SELECT id FROM alias WHERE contact = :contact)
SELECT (SELECT count(*) FROM event WHERE contact = :contact) + (SELECT count(*) FROM dead WHERE contact = :contact) AS events,
  (SELECT count(*) FROM dialog WHERE contact = :contact) AS dialogs,
  (SELECT count(*) FROM kept_event WHERE contact = :contact) AS kept,
  (SELECT count(*) FROM outbox WHERE state >= 0 AND contact IN (SELECT contact FROM mine))
    + (SELECT count(*) FROM sent WHERE contact IN (SELECT contact FROM mine)) AS messages,
  (SELECT count(*) FROM outbox WHERE state = 1 AND contact IN (SELECT contact FROM mine)) AS sending,
  (SELECT count(*) FROM conversation WHERE contact = :contact) AS conversations,
  (SELECT count(*) FROM alias WHERE contact = :contact AND id <> contact) AS aliases;

-- name: has_conversation
SELECT 1 AS is_any FROM conversation WHERE contact = :contact;

-- name: next_contact
-- types: after=t
SELECT (SELECT contact FROM conversation WHERE contact > :after ORDER BY contact LIMIT 1) AS contact;

-- name: has_contact
-- Whether there is anything of a person, who may never have written. Messages are found by scanning all.
WITH mine (contact) AS (SELECT :contact UNION ALL SELECT id FROM alias WHERE contact = :contact)
SELECT 1 AS is_any WHERE EXISTS (SELECT 1 FROM conversation WHERE contact = :contact)
  OR EXISTS (SELECT 1 FROM dialog WHERE contact = :contact) OR EXISTS (SELECT 1 FROM kept_event WHERE contact = :contact)
  OR EXISTS (SELECT 1 FROM event WHERE contact = :contact) OR EXISTS (SELECT 1 FROM dead WHERE contact = :contact)
  OR EXISTS (SELECT 1 FROM outbox WHERE contact IN (SELECT contact FROM mine))
  OR EXISTS (SELECT 1 FROM sent WHERE contact IN (SELECT contact FROM mine));

-- name: next_known_contact
-- types: after=t
-- As next_contact, with those who never wrote.
SELECT (SELECT contact FROM (SELECT contact FROM conversation WHERE contact > :after
    UNION ALL SELECT contact FROM dialog WHERE contact > :after UNION ALL SELECT contact FROM kept_event WHERE contact > :after
    UNION ALL SELECT contact FROM outbox WHERE contact > :after UNION ALL SELECT contact FROM sent WHERE contact > :after) AS known
  ORDER BY contact LIMIT 1) AS contact;

-- name: count_dead_letters
-- Cheap, because there are few.
SELECT (SELECT count(*) FROM dead) AS dead,
  count(CASE WHEN state = 2 THEN 1 END) AS unknown, count(CASE WHEN state = 3 THEN 1 END) AS rejected,
  count(CASE WHEN state = 4 THEN 1 END) AS failed FROM outbox WHERE state > 1;
-- postgres:
SELECT (SELECT count(*) FROM dead) AS dead,
  count(CASE WHEN state = 2 THEN 1 END) AS unknown, count(CASE WHEN state = 3 THEN 1 END) AS rejected,
  count(CASE WHEN state = 4 THEN 1 END) AS failed FROM outbox WHERE ended;

-- name: scan_dead_letters
-- The same in a store of an earlier version.
SELECT (SELECT count(*) FROM dead) AS dead,
  count(CASE WHEN state = 2 THEN 1 END) AS unknown, count(CASE WHEN state = 3 THEN 1 END) AS rejected,
  count(CASE WHEN state = 4 THEN 1 END) AS failed FROM outbox;

-- name: count_waiting
-- Scans both tables, so not for a running host, which has counters.
SELECT (SELECT count(*) FROM event) AS pending, (SELECT count(*) FROM outbox WHERE state BETWEEN 0 AND 1) AS queued;

-- name: nodes
-- The hosts that are connected, by the locks of their sessions (src/store/postgres/connection.c); a file has one, and knows nothing of it.
SELECT NULL AS name, NULL AS address, NULL AS has_store, NULL AS since, NULL AS beat WHERE 0;
-- postgres:
SELECT a.application_name AS name, coalesce(host(a.client_addr), '') AS address,
    CASE WHEN l.classid::bigint = 1668640363 THEN 1 ELSE 0 END AS has_store,
    extract(epoch FROM a.backend_start)::double precision AS since, extract(epoch FROM a.state_change)::double precision AS beat
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND (l.classid::bigint = 1668640363 OR (l.classid::bigint = 1668640364 AND l.mode = 'ShareLock')) -- a move has both alone
    AND l.objid = current_schema()::regnamespace::oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  ORDER BY has_store DESC, a.backend_start, a.pid;

-- name: latest_time
SELECT max(latest) AS latest FROM (SELECT coalesce(max(failed_at), 0) AS latest FROM dead
  UNION ALL SELECT max(accepted_at) FROM (SELECT accepted_at FROM event ORDER BY id DESC LIMIT 100) AS part
  UNION ALL SELECT max(changed_at) FROM (SELECT changed_at FROM outbox ORDER BY id DESC LIMIT 100) AS part
  UNION ALL SELECT max(changed_at) FROM
    (SELECT changed_at FROM sent WHERE outbox IS NOT NULL ORDER BY outbox DESC LIMIT 100) AS part) AS times;

-- name: counts
-- How much there is of everything. Scans all of it.
SELECT (SELECT count(*) FROM event) AS events, (SELECT count(*) FROM dead) AS dead, (SELECT count(*) FROM seen) AS seen,
  (SELECT count(*) FROM conversation) AS conversations, (SELECT count(*) FROM value) AS "values",
  (SELECT count(*) FROM outbox WHERE state >= 0) AS messages, (SELECT count(*) FROM sent) AS accepted,
  (SELECT count(*) FROM dialog) AS dialogs, (SELECT count(*) FROM step) AS steps, (SELECT count(*) FROM kept) AS kept,
  (SELECT count(*) FROM kept_event) AS kept_events,
  (SELECT count(*) FROM code) AS scripts, (SELECT count(*) FROM job) AS jobs;

-- name: check
-- The integrity of the whole store: "ok", or at most 20 problems. Blocks everything else. PostgreSQL has tools of its own.
PRAGMA integrity_check(20);
-- postgres:
SELECT 'ok' AS integrity_check;

-- name: facts
-- The page size is SQLite's default, 4 KiB.
SELECT 'SQLite ' || sqlite_version() AS engine, page_count * 4096 AS bytes FROM pragma_page_count;
-- postgres:
SELECT 'PostgreSQL ' || current_setting('server_version') AS engine,
  (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r') AS bytes;
