-- SPDX-License-Identifier: MIT
-- A store for specs above the seam, in memory or on disk, with what a turn and an event look like to it. The seam itself is
-- tested with seam_rig.lua.

local busted = require "busted"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local incoming = require "cunnekt.store.incoming"
local records = require "cunnekt.store.records"
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

---How much there is of everything, by name.
function store_rig.counts(of)
  return of:read("counts")[1]
end

---A turn as the store takes it, which changes these fields and nothing else.
---@param fields? table those of struct cnk_turn; also `record`: its event, with those that are joined; `sends`: rows of the outbox
---`its_run`: a run that goes on
function store_rig.turn(fields)
  local turn = {}
  for name, value in pairs(fields or {}) do
    turn[name] = value
  end
  local record = turn.record
  if record then
    turn.event, turn.joined = record.id, {}
    for i, other in ipairs(record.joined or {}) do
      turn.joined[i] = other.id
    end
  end
  for i, row in ipairs(turn.sends or {}) do
    turn.messages = turn.messages or {}
    turn.messages[i] = records.message(row)
  end
  turn.run = turn.its_run and records.dialog_change(turn.its_run) or turn.run
  turn.record, turn.sends, turn.its_run = nil, nil, nil
  return turn
end

---Commits a turn, and waits for that.
---@param of table
---@param fields table see `turn`
---@return boolean? ok
---@return cunnekt.error? err
function store_rig.commit(of, fields)
  return of:commit_turn(store_rig.turn(fields))
end

---A record as the inbox makes them.
---@param more? table key, inbound_at; of a status also status_of, rank, error
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
function store_rig.accept(of, list)
  local calls, fresh, err = 0, nil, nil
  local request = { events = list }
  of:start("accept", request, function(is_ok, problem)
    calls, fresh, err = calls + 1, {}, problem
    for _, record in ipairs(is_ok and list or {}) do
      fresh[#fresh + 1] = record.is_fresh and record or nil
    end
    if is_ok then
      incoming.note(of, fresh, request.joins)
    end
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
    id = of:next_id(),
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
  local its_run = { id = of:next_id(), at = 1000, code = "a.b", contact = "1:919999999999", name = "it" }
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

---Stores a dialog that waits.
---@param fields? table see `run_of`
function store_rig.waiting(of, fields)
  local its_run = store_rig.run_of(of, fields or {})
  its_run.waiting = its_run.waiting or { types = { text = true }, n = its_run.n + 1 }
  assert(store_rig.commit(of, { its_run = its_run }))
  its_run.is_stored, its_run.stored_n = true, its_run.n
  return its_run
end

return store_rig
