-- SPDX-License-Identifier: MIT
-- Databases as earlier versions left them: made by the first sections of the schema alone, with rows in every table, which are
-- those of version 3 and are brought up to date by the later sections.

local core = require "cunnekt.core"
local sql = require "spec.support.sql"

local old_database = {}

old_database.contact = "123456789:919999999999"
old_database.now = 1700000000

local contact, now = old_database.contact, old_database.now

-- The step with which the dialog below asked, and its wait, as version 1 wrote them.
local asked = 'send {1={"mobile"="919999999999","text"="?","type"="text",},2=false,}'
local waiting = '{"types":{"text":true},"from":1,"n":2}'

-- table → rows, each a list of columns and of values.
local function rows_of(dialog_code)
  local hash, rest = core.hash_halves "m:123456789:wamid.seen"
  local own = '\1{"status":"window_closing","kind":"own","recipient":"919999999998","ends_at":1700000060}'
  return {
    event = { { seq = 11, contact = "123456789:919999999998", body = own, attempts = 2 } },
    dead = {
      {
        seq = 7, contact = contact, attempts = 5, error = "handler: no luck", failed_at = now - 100,
        body = '{"messages":[{"from":"919999999999","id":"wamid.dead","type":"text","text":{"body":"dead"}}],'
          .. '"metadata":{"phone_number_id":"123456789"}}',
      },
    },
    seen = { { hash = hash, rest = rest, day = now // 86400 } },
    conversation = {
      { contact = contact, state = '{"n":5}', last_inbound = now - 60 },
      { contact = "123456789:918888888888", last_inbound = now - 60, watch = 3600, paused = 1 },
    },
    value = { { key = "a\0b", value = '"x"' } },
    outbox = {
      { id = 21, contact = contact, payload = '{"mobile":"919999999999","text":"queued","type":"text"}', state = 0, unknown = "hold", changed_at = now - 9 },
      {
        id = 22, contact = "123456789:917777777777", payload = '{"mobile":"917777777777","text":"lost","type":"text"}', state = 2, unknown = "hold",
        track = '{"n":7}', attempts = 1, error = "unknown_outcome: the answer was lost", changed_at = now - 9,
      },
    },
    dialog = {
      {
        id = 31, contact = contact, name = "it", recipient = "919999999999", code = dialog_code or "a.b", seed = "0.5 1699999000 31",
        started_at = now - 1000, changed_at = now - 900, waiting = waiting, steps = 1,
      },
    },
    step = { { dialog = 31, n = 1, mark = asked, result = '{"v":{"id":20}}' } },
    kept = { { id = 1, dialog = 31, bodies = '["x"]' } },
    code = { { digest = "d", source = "{}" } },
    sent = { { hash = (core.hash_halves "wamid.sent"), message_id = "wamid.sent", contact = contact, track = '{"n":8}', rank = 1, day = now // 86400, outbox = 20 } },
    job = { { serial = 3, name = "tick", spec = "every 60", due = now + 30, catch_up = "once", runs = "tick", args = '[{"n":9}]', attempts = 1 } },
  }
end

---The names of the tables.
function old_database.tables()
  local names = {}
  for name in pairs(rows_of()) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function insert(db, name, row)
  local columns, marks, values = {}, {}, {}
  for column, value in pairs(row) do
    columns[#columns + 1], marks[#marks + 1], values[#values + 1] = column, "?", value
  end
  db:rows(("INSERT INTO %s (%s) VALUES (%s)"):format(name, table.concat(columns, ", "), table.concat(marks, ", ")), table.unpack(values))
end

---Makes one.
---@param path string
---@param version integer 1 to 4
---@param opts? table code: of the dialog; vfs
function old_database.make(path, version, opts)
  opts = opts or {}
  local db <close> = sql.open(path, opts.vfs)
  db:run("PRAGMA journal_mode = WAL", "BEGIN")
  local function bring_to(first, last)
    for i = first, last do
      db:run(sql.text_of("schema.sql", "version_" .. i))
    end
  end
  bring_to(1, math.min(version, 3))
  for name, rows in pairs(rows_of(opts.code)) do
    for _, row in ipairs(rows) do
      insert(db, name, row)
    end
  end
  bring_to(4, version)
  if version > 3 then
    db:run "PRAGMA application_id = 0x63756e6b" -- earlier versions did not always mark their databases
  end
  db:run(("PRAGMA user_version = %d"):format(version), "COMMIT")
end

return old_database
