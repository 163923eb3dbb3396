-- SPDX-License-Identifier: MIT
-- The database's tables, and how an older one becomes a newer one. Payloads, keys and states are bytes (BLOB), never
-- text that refuses a NUL. Rows that are finished are deleted in the commit that finishes them.

local schema = {}

-- "cunk": what SQLite's application_id says in a database of ours.
schema.application_id = 0x63756e6b

-- Each entry brings a database from version i - 1 to version i; entries are only ever added.
schema.migrations = {
  {
    -- Accepted events that are not finished, in the order of acceptance.
    [[CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        contact BLOB NOT NULL,
        body BLOB NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0)]],
    -- Events that were given up, with why; until someone retries or drops them.
    [[CREATE TABLE dead (
        seq INTEGER PRIMARY KEY,
        contact BLOB NOT NULL,
        body BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        error BLOB NOT NULL,
        failed_at REAL NOT NULL)]],
    -- What was accepted in the last days. `hash` is one half of a 128-bit digest, so that the table is keyed by an
    -- integer; `rest` is the other half.
    [[CREATE TABLE seen (
        hash INTEGER PRIMARY KEY,
        rest INTEGER NOT NULL,
        day INTEGER NOT NULL)]],
    [[CREATE TABLE conversation (
        contact BLOB PRIMARY KEY,
        state BLOB,
        last_inbound REAL,
        watch REAL,
        paused INTEGER) WITHOUT ROWID]],
    -- Few conversations are watched; the others are not in this index.
    "CREATE INDEX conversation_watch ON conversation (last_inbound) WHERE watch IS NOT NULL",
    [[CREATE TABLE value (
        key BLOB PRIMARY KEY,
        value BLOB NOT NULL) WITHOUT ROWID]],
    -- Messages on their way, and those that came to no good end; store/messages.lua names the states.
    [[CREATE TABLE outbox (
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
        changed_at REAL NOT NULL)]],
    "CREATE INDEX conversation_paused ON conversation (paused) WHERE paused IS NOT NULL",
    -- Dialogs: what each waits for, until when, and for which message's fate; `error` where it was set aside.
    [[CREATE TABLE dialog (
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
        error BLOB)]],
    "CREATE INDEX dialog_contact ON dialog (contact)",
    "CREATE INDEX dialog_due ON dialog (due) WHERE due IS NOT NULL",
    "CREATE INDEX dialog_sent ON dialog (sent) WHERE sent IS NOT NULL",
    "CREATE INDEX dialog_broken ON dialog (changed_at) WHERE error IS NOT NULL",
    -- The journal: what each step of a dialog was, and what came of it.
    [[CREATE TABLE step (
        dialog INTEGER NOT NULL,
        n INTEGER NOT NULL,
        mark BLOB NOT NULL,
        result BLOB NOT NULL,
        PRIMARY KEY (dialog, n)) WITHOUT ROWID]],
    -- Messages put by for dialogs that did not wait for them yet; `bodies` as in a journal.
    [[CREATE TABLE kept (
        id INTEGER PRIMARY KEY,
        dialog INTEGER NOT NULL,
        bodies BLOB NOT NULL)]],
    "CREATE INDEX kept_dialog ON kept (dialog)",
    -- Scripts that open dialogs were begun with, by the digest of their files.
    [[CREATE TABLE code (
        digest BLOB PRIMARY KEY,
        source BLOB NOT NULL)]],
    "CREATE INDEX outbox_ended ON outbox (contact) WHERE state > 1",
    -- Messages that were accepted, to be found by their statuses. `hash` as above, of the message id.
    [[CREATE TABLE sent (
        hash INTEGER PRIMARY KEY,
        message_id BLOB NOT NULL,
        contact BLOB NOT NULL,
        track BLOB,
        rank INTEGER NOT NULL,
        day INTEGER NOT NULL,
        outbox INTEGER)]],
    -- Numbers of messages only grow, so this index is only ever appended to.
    "CREATE INDEX sent_outbox ON sent (outbox)",
    -- Named jobs of the script: when each is due, by what timing, and the due time and the moment of its last run.
    [[CREATE TABLE job (
        serial INTEGER PRIMARY KEY,
        name BLOB NOT NULL UNIQUE,
        spec BLOB NOT NULL,
        due REAL NOT NULL,
        catch_up BLOB NOT NULL,
        runs BLOB,
        args BLOB,
        ran REAL,
        last REAL,
        attempts INTEGER NOT NULL DEFAULT 0)]],
  },
  {
    -- For whoever looks into the store: since when events wait, and what became of messages that were accepted.
    "ALTER TABLE event ADD COLUMN accepted_at REAL",
    "ALTER TABLE dead ADD COLUMN accepted_at REAL",
    "ALTER TABLE sent ADD COLUMN changed_at REAL",
    "ALTER TABLE sent ADD COLUMN error BLOB",
    -- Counting and clearing must not read all the bodies.
    "CREATE INDEX dead_failed ON dead (failed_at)",
  },
  {
    -- It was never read.
    "ALTER TABLE event DROP COLUMN due",
  },
}

---The version that this program reads and writes.
schema.version = #schema.migrations

---The statements that bring a database of some version to this program's.
---@param version integer
---@return string[]
function schema.upgrade(version)
  local statements = {}
  for i = version + 1, #schema.migrations do
    table.move(schema.migrations[i], 1, #schema.migrations[i], #statements + 1, statements)
    statements[#statements + 1] = ("PRAGMA user_version = %d"):format(i)
  end
  return statements
end

return schema
