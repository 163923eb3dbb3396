-- SPDX-License-Identifier: MIT
-- A store for the specs of its parts, in memory or on disk, with what a turn and an event look like to it.

local busted = require "busted"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local store = require "cunnekt.store"

local store_rig = {}

---@param url? string "memory:" by default
---@param options? table of store.open
function store_rig.open(url, options)
  return assert(store.open(url or "memory:", options))
end

---Opens a store in memory before each test, at a time that stands still, and closes it afterwards. Call it in a `describe`.
---@param take fun(store: table, time: cunnekt.virtual_clock)
function store_rig.open_for_each(take)
  local its_store, time
  busted.before_each(function()
    time = clock.virtual(1700000000):install()
    its_store = store_rig.open()
    take(its_store, time)
  end)
  busted.after_each(function()
    its_store:close()
    time:uninstall()
  end)
end

---The rows of a query.
---@return table[]
function store_rig.rows(of, sql, ...)
  return assert(of:_run { { sql, ..., want = "rows" } })[1]
end

---The first column of the first row.
function store_rig.value(of, sql, ...)
  local row = store_rig.rows(of, sql, ...)[1]
  return row and row[1]
end

---Runs statements, each a list of its text and parameters.
function store_rig.run(of, ...)
  return assert(of:_run { ... })
end

---What a turn changes: these fields, and nothing else.
---@param fields? table see engine/turn.lua
function store_rig.change(fields)
  local change = {
    sends = {}, values = {}, states = {}, watches = {}, ends = {}, pauses = {}, jobs = {}, cuts = {}, kept = {}, taken = {},
    own_events = {},
  }
  for name, value in pairs(fields or {}) do
    change[name] = value
  end
  return change
end

---A record as the inbox makes them.
---@param more? table dedupe_key, event, inbound_at
function store_rig.record(contact, body, more)
  local record = { contact = contact, body = body, attempts = 0 }
  for name, value in pairs(more or {}) do
    record[name] = value
  end
  return record
end

---Accepts records, and waits for the answer.
---@return table[]? fresh
---@return cunnekt.error? err
---@return integer calls how often it was answered
function store_rig.accept(of, records)
  local calls, fresh, err = 0, nil, nil
  of:accept(records, function(...)
    calls = calls + 1
    fresh, err = ...
  end)
  while calls == 0 do
    core.step(true)
  end
  return fresh, err, calls
end

---A row for the outbox, as a turn sends it.
---@param more? table state, unknown, track, after, fallback, is_marked
function store_rig.message(of, contact, text, more)
  local row = {
    id = of:next_outbox_id(),
    contact = contact,
    payload = { mobile = "919999999999", text = text, type = "text" },
    unknown = "hold",
    attempts = 0,
    handle = { state = "queued" },
  }
  for name, value in pairs(more or {}) do
    row[name] = value
  end
  return row
end

---A dialog that waits, as dialog/engine/run.lua gives it to the store.
---@param fields table contact, name; waiting, args, to, n, source; steps: mark and result of each
function store_rig.run_of(of, fields)
  local its_run = { id = of:next_dialog_id(), at = 1000, code = "a.b", contact = "1:919999999999", name = "it" }
  for name, value in pairs(fields) do
    its_run[name] = value
  end
  its_run.pending = its_run.steps or {}
  its_run.n = its_run.n or #its_run.pending
  function its_run:find_seed()
    return "seed " .. self.id
  end
  function its_run:take_pending()
    local pending = self.pending
    self.pending = {}
    return pending
  end
  return its_run
end

return store_rig
