-- SPDX-License-Identifier: MIT
-- The store's part for turns: the commit of all that a turn changes, and reads of state, values, windows and pauses. It also
-- owns the cache of conversations. What a turn changes in dialogs and jobs is in dialogs.lua and jobs.lua.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local states = require("cunnekt.provider.status").outbox_numbers

local turns = {}

local function add_sends(self, request, sends)
  local now = clock.now()
  for _, row in ipairs(sends) do
    request[#request + 1] = {
      self._sql.put_outbox,
      row.id,
      row.contact,
      row.text or json.encode(row.payload),
      row.is_marked and states.sending or states.queued,
      row.unknown,
      row.track and json.encode(row.track) or nil,
      row.after,
      row.fallback and json.encode(row.fallback) or nil,
      now,
    }
  end
end

local function add_values(self, request, values)
  for key, text in pairs(values) do
    request[#request + 1] = text and { self._sql.put_value, key, text } or { self._sql.delete_value, key }
  end
end

-- Applies a commit to the cached conversations.
local function update_cache(self, change)
  if self._conversations.is_empty then
    return -- no handler has loaded a state
  end
  for contact, text in pairs(change.states) do
    local known = self._conversations:get(contact)
    if known then
      known.state = text
    end
  end
  for contact, is_paused in pairs(change.pauses) do
    local known = self._conversations:get(contact)
    if known then
      known.is_paused = is_paused
    end
  end
  local record = change.record
  local known = record and record.inbound_at and self._conversations:get(record.contact)
  if known then
    known.last_inbound = math.max(known.last_inbound or 0, record.inbound_at)
  end
end

-- Counts the running commits that write a conversation's state.
local function count_writes(self, changed, step)
  for contact in pairs(changed) do
    local count = (self._writing[contact] or 0) + step
    self._writing[contact] = count > 0 and count or nil
  end
end

local function changes_dialogs(change)
  return change.run or change.ended or next(change.cuts) or next(change.taken) or next(change.kept) or next(change.ends)
    or next(change.pauses)
end

---Commits a turn in one transaction. Waits.
---@param change table record?, sends, values, states; see engine/turn.lua
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store, or conflict when another turn has changed a dialog
function turns:commit(change)
  -- With the usual statements preallocated.
  local request, record, sql = { nil, nil, nil, nil }, change.record, self._sql
  if record then
    request[1] = change.resume and { sql.put_resume, record.seq, record.contact, change.resume, clock.now() }
      or { sql.delete_event, record.seq }
    for _, other in ipairs(record.joined or {}) do
      request[#request + 1] = { sql.delete_event, other.seq }
    end
    if record.inbound_at then
      request[#request + 1] = { sql.note_inbound, record.contact, record.inbound_at }
    end
  end
  for contact, text in pairs(change.states) do
    request[#request + 1] = { sql.put_state, contact, text }
  end
  for contact, before in pairs(change.watches) do
    request[#request + 1] = { sql.watch_window, contact, before }
  end
  if changes_dialogs(change) then
    self:add_dialogs(request, change, clock.now())
  end
  if next(change.jobs) then
    self:add_jobs(request, change.jobs)
  end
  for _, own in ipairs(change.own_events) do
    self:add_own(request, own)
  end
  add_values(self, request, change.values)
  add_sends(self, request, change.sends)
  count_writes(self, change.states, 1)
  local ok, err = self:_run(request)
  count_writes(self, change.states, -1)
  if not ok and err.code == "unchanged" then
    return nil, errors.new("conflict", "the dialog has ended, or another turn has continued it")
  elseif not ok then
    return nil, err
  end
  update_cache(self, change)
  return true
end

-- A conversation from the cache or the database. While a commit writes its state, the cached one is stale and the outcome
-- unknown: then the query waits in the queue behind that commit.
local function conversation(self, contact)
  local known = not self._writing[contact] and self._conversations:get(contact)
  if known then
    return known
  end
  local results = assert(self:_run { { self._sql.get_conversation, contact } })
  local row = results[1][1] or {}
  local read = { state = row[1], last_inbound = row[2], is_paused = row[3] == 1 }
  if self._writing[contact] then
    return read
  end
  known = self._conversations:get(contact) or read
  self._conversations:put(contact, known)
  return known
end

---A conversation's state, as JSON. Waits; raises a cunnekt.error when the store cannot be read.
---@param contact string
---@return string?
function turns:state(contact)
  return conversation(self, contact).state
end

---When the customer last wrote. Waits and raises like `state`.
---@param contact string
---@return number? seconds since 1970
function turns:last_inbound(contact)
  return conversation(self, contact).last_inbound
end

---Whether a person has taken over the conversation. Waits and raises like `state`.
---@param contact string
---@return boolean
function turns:is_paused(contact)
  return conversation(self, contact).is_paused or false
end

---A shared value, as JSON. Waits and raises like `state`.
---@param key string
---@return string?
function turns:value(key)
  local results = assert(self:_run { { self._sql.get_value, key } })
  local row = results[1][1]
  return row and row[1]
end

return turns
