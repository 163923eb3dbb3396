-- SPDX-License-Identifier: MIT
-- The statements that the store runs often, prepared once per database. Rare ones are in queries.lua and repair.lua;
-- the tables are in schema.lua.

local limits = require "cunnekt.provider.limits"

local statements = {}

-- The highest ids in use: events, messages, dialogs.
statements.counters = [[SELECT
    max(coalesce((SELECT max(seq) FROM event), 0), coalesce((SELECT max(seq) FROM dead), 0)),
    max(coalesce((SELECT max(id) FROM outbox), 0), coalesce((SELECT max(outbox) FROM sent), 0)),
    coalesce((SELECT max(id) FROM dialog), 0)]]

local put_event = "INSERT INTO event (seq, contact, body, accepted_at) VALUES (?, ?, ?, ?)"

local raise_sent = "UPDATE sent SET rank = ?, error = ?, changed_at = ? WHERE hash = ? AND rank < ?"

local dialog_columns = [[SELECT id, contact, name, recipient, args, code, seed, started_at, changed_at, waiting, due,
    steps, error FROM dialog]]

-- name → SQL, or SQL and the options of core.store_open's prepare
local texts = {
  -- Changes a row unless the same key was seen: another key with the same first half counts as new.
  see = [[INSERT INTO seen (hash, rest, day) VALUES (?, ?, ?)
      ON CONFLICT (hash) DO UPDATE SET rest = excluded.rest, day = excluded.day WHERE rest <> excluded.rest]],
  put_event = { put_event, want = "changes" },
  put_event_if_new = { put_event, want = "changes", if_changed = true },
  delete_event = "DELETE FROM event WHERE seq = ?",
  -- Replaces an event whose turn continues after a commit.
  put_resume = [[INSERT INTO event (seq, contact, body, accepted_at) VALUES (?, ?, ?, ?)
      ON CONFLICT (seq) DO UPDATE SET body = excluded.body, attempts = 0]],
  get_body = { "SELECT body FROM event WHERE seq = ?", want = "rows" },
  get_pending = {
    "SELECT seq, contact, attempts FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
    want = "rows",
    max_rows = 10000,
  },
  note_attempt = "UPDATE event SET attempts = ? WHERE seq = ?",
  put_dead = [[INSERT INTO dead (error, attempts, failed_at, seq, contact, body, accepted_at)
      SELECT ?, ?, ?, seq, contact, body, accepted_at FROM event WHERE seq = ?]],

  get_conversation = { "SELECT state, last_inbound, paused FROM conversation WHERE contact = ?", want = "rows" },
  get_any_contact = { "SELECT contact FROM conversation LIMIT 1", want = "rows" },
  note_inbound = [[INSERT INTO conversation (contact, last_inbound) VALUES (?, ?)
      ON CONFLICT (contact) DO UPDATE SET last_inbound = max(coalesce(last_inbound, 0), excluded.last_inbound)]],
  put_state = [[INSERT INTO conversation (contact, state) VALUES (?, ?)
      ON CONFLICT (contact) DO UPDATE SET state = excluded.state]],

  pause = [[INSERT INTO conversation (contact, paused) VALUES (?, ?)
      ON CONFLICT (contact) DO UPDATE SET paused = excluded.paused]],
  watch_window = [[INSERT INTO conversation (contact, watch) VALUES (?, ?)
      ON CONFLICT (contact) DO UPDATE SET watch = excluded.watch]],
  -- The watched windows that end soon.
  get_closing = {
    ([[SELECT contact, last_inbound FROM conversation
        WHERE watch IS NOT NULL AND last_inbound + %d - watch <= ? LIMIT 1000]]):format(limits.service_window),
    want = "rows",
  },
  unwatch_window = "UPDATE conversation SET watch = NULL WHERE contact = ?",

  -- Old rows are deleted a thousand at a time; `seen` is scanned along its key, because it has no other index.
  clear_seen = [[DELETE FROM seen WHERE hash IN
      (SELECT hash FROM seen WHERE hash > ? ORDER BY hash LIMIT 1000) AND day < ?]],
  next_seen = {
    "SELECT max(hash) FROM (SELECT hash FROM seen WHERE hash > ? ORDER BY hash LIMIT 1000)",
    want = "rows",
  },
  clear_sent = "DELETE FROM sent WHERE hash IN (SELECT hash FROM sent WHERE hash > ? ORDER BY hash LIMIT 1000) AND day < ?",
  next_sent = {
    "SELECT max(hash) FROM (SELECT hash FROM sent WHERE hash > ? ORDER BY hash LIMIT 1000)",
    want = "rows",
  },
  clear_dead = "DELETE FROM dead WHERE failed_at < ?",
  clear_broken_steps = [[DELETE FROM step WHERE dialog IN
      (SELECT id FROM dialog WHERE error IS NOT NULL AND changed_at < ? ORDER BY changed_at LIMIT 200)]],
  clear_broken = [[DELETE FROM dialog WHERE id IN
      (SELECT id FROM dialog WHERE error IS NOT NULL AND changed_at < ? ORDER BY changed_at LIMIT 200)]],
  -- Dialog ids are reused, so messages kept for a dialog that is gone must not wait for the next one.
  clear_kept = [[DELETE FROM kept WHERE id IN
      (SELECT id FROM kept WHERE dialog NOT IN (SELECT id FROM dialog) LIMIT 1000)]],
  clear_outbox = "DELETE FROM outbox WHERE state > 1 AND changed_at < ?",

  put_dialog = [[INSERT INTO dialog (id, contact, name, recipient, args, code, seed, started_at, changed_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)]],
  -- Compare and set: fails when the dialog has ended, or another turn has continued it.
  change_dialog = {
    "UPDATE dialog SET waiting = ?, due = ?, sent = ?, steps = ?, changed_at = ?, error = NULL WHERE id = ? AND steps = ?",
    must_change = true,
  },
  end_dialog = { "DELETE FROM dialog WHERE id = ? AND steps = ?", must_change = true },
  put_step = "INSERT INTO step (dialog, n, mark, result) VALUES (?, ?, ?, ?)",
  delete_dialog = "DELETE FROM dialog WHERE id = ?",
  delete_steps = "DELETE FROM step WHERE dialog = ? AND n >= ?",
  cut_dialog = {
    "UPDATE dialog SET waiting = NULL, due = NULL, sent = NULL, steps = ?, changed_at = ? WHERE id = ? AND steps = ?",
    must_change = true,
  },
  break_dialog = "UPDATE dialog SET error = ?, due = NULL, sent = NULL, changed_at = ? WHERE id = ?",
  get_dialog = { dialog_columns .. " WHERE id = ?", want = "rows" },
  get_dialogs = { dialog_columns .. " WHERE contact = ? ORDER BY id DESC", want = "rows" },
  -- Timers of a conversation that a person has taken over do not fire; `resume_dues` sets them again.
  get_due = {
    [[SELECT id, contact, seed, waiting, due, steps, contact IN (SELECT contact FROM conversation WHERE paused IS NOT NULL)
        FROM dialog WHERE due <= ? ORDER BY due LIMIT 1000]],
    want = "rows",
  },
  get_next_due = {
    [[SELECT (SELECT id FROM dialog LIMIT 1), (SELECT min(due) FROM dialog WHERE due IS NOT NULL),
        (SELECT count(*) FROM conversation WHERE paused IS NOT NULL)]],
    want = "rows",
  },
  clear_due = { "UPDATE dialog SET due = NULL WHERE id = ? AND due = ? AND steps = ?", want = "changes" },
  resume_dues = [[UPDATE dialog SET due = json_extract(CAST(waiting AS TEXT), '$.due')
      WHERE contact = ? AND error IS NULL AND waiting IS NOT NULL AND due IS NULL]],
  get_sent_waits = { "SELECT id, sent, contact FROM dialog WHERE sent IS NOT NULL", want = "rows", max_rows = 1000000 },
  count_dialogs = { "SELECT count(*) FROM dialog", want = "rows" },
  get_steps = { "SELECT n, mark, result FROM step WHERE dialog = ? AND n > ? ORDER BY n LIMIT 1000", want = "rows" },
  put_kept = "INSERT INTO kept (dialog, bodies) VALUES (?, ?)",
  get_kept = { "SELECT id, bodies FROM kept WHERE dialog = ? ORDER BY id", want = "rows", max_rows = 1000 },
  delete_kept = "DELETE FROM kept WHERE id = ?",
  delete_all_kept = "DELETE FROM kept WHERE dialog = ?",
  get_code = { "SELECT source FROM code WHERE digest = ?", want = "rows" },
  put_code = "INSERT OR IGNORE INTO code (digest, source) VALUES (?, ?)",

  put_job = [[INSERT OR REPLACE INTO job (serial, name, spec, due, catch_up, runs, args, ran, last, attempts)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)]],
  bind_job = "UPDATE job SET catch_up = ?, runs = ?, args = ? WHERE serial = ?",
  move_job = "UPDATE job SET due = ?, ran = ?, last = ?, attempts = 0 WHERE serial = ?",
  try_job = "UPDATE job SET attempts = ? WHERE serial = ?",
  delete_job = "DELETE FROM job WHERE serial = ?",
  drop_job = "DELETE FROM job WHERE name = ?",
  get_jobs = {
    [[SELECT serial, name, spec, due, catch_up, runs, args, ran, last, attempts FROM job
        WHERE serial > ? ORDER BY serial LIMIT ?]],
    want = "rows",
  },

  get_value = { "SELECT value FROM value WHERE key = ?", want = "rows" },
  put_value = [[INSERT INTO value (key, value) VALUES (?, ?)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value]],
  delete_value = "DELETE FROM value WHERE key = ?",

  put_outbox = [[INSERT INTO outbox (id, contact, payload, state, unknown, track, follows, fallback, changed_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)]],
  change_payload = "UPDATE outbox SET payload = ?, fallback = NULL WHERE id = ?",
  change_outbox = "UPDATE outbox SET state = ?, attempts = ?, error = ?, changed_at = ? WHERE id = ?",
  has_unknown = { "SELECT 1 FROM outbox WHERE state = ? LIMIT 1", want = "rows" },
  get_unknown = {
    [[SELECT id, track FROM outbox WHERE contact = ? AND state = ? AND state > 1 AND changed_at BETWEEN ? AND ? LIMIT 2]],
    want = "rows",
  },
  delete_outbox = "DELETE FROM outbox WHERE id = ?",
  get_outgoing = {
    [[SELECT id, contact, payload, state, unknown, track, attempts, follows, fallback, changed_at FROM outbox
        WHERE id > ? AND state <= 1 ORDER BY id LIMIT ?]],
    want = "rows",
    max_rows = 10000,
  },
  get_sent = { "SELECT track, outbox FROM sent WHERE hash = ? AND message_id = ?", want = "rows" },
  put_sent = [[INSERT OR REPLACE INTO sent (hash, message_id, contact, track, rank, error, changed_at, day, outbox)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)]],
  -- Statuses arrive in any order; a message's state only moves forward.
  raise_sent = raise_sent,
  raise_sent_if_new = { raise_sent, if_changed = true },
  get_sent_by_id = { "SELECT message_id, rank FROM sent WHERE outbox = ?", want = "rows" },
  get_outbox_state = { "SELECT state FROM outbox WHERE id = ?", want = "rows" },
}

---Prepares all statements for one database.
---@param db userdata
---@return table<string, integer>
function statements.prepare(db)
  local prepared = {}
  for name, text in pairs(texts) do
    if type(text) == "table" then
      local options = {}
      for key, value in pairs(text) do
        if key ~= 1 then
          options[key] = value
        end
      end
      prepared[name] = db:prepare(text[1], options)
    else
      prepared[name] = db:prepare(text)
    end
  end
  return prepared
end

return statements
