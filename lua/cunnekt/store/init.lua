-- SPDX-License-Identifier: MIT
-- What must survive: events, conversations, values and messages, in the words of the bot. Each change is one job of the
-- database's own thread, which commits whatever waits together. SQL is here and in store/schema.lua only.

local cache = require "cunnekt.store.cache"
local clock = require "cunnekt.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.errors"
local json = require "cunnekt.json"
local log = require "cunnekt.log"
local schema = require "cunnekt.store.schema"
local statements = require "cunnekt.store.statements"
local task = require "cunnekt.task"
local turn = require "cunnekt.turn"

local store = {}

local store_methods = {}
local store_mt = { __index = store_methods, __name = "cunnekt.store" }

-- Conversations kept in memory, and records in one job: a body of 3 MB may hold tens of thousands.
local cached_conversations, records_in_a_job = 10000, 1000
-- Seconds between tries of a change that must not be forgotten while the disk is full.
local settle_pause = 1

-- ---- the database ------------------------------------------------------------------------------------------------

local function store_error(message, code)
  return errors.new("store", message, { code = code })
end

---Runs a job and waits for its commit.
---@param job table[] list of statements, see core.store_open
---@return table|boolean|nil results
---@return cunnekt.error? err kind store
function store_methods:_run(job)
  return task.await(function(done)
    local is_taken, message = self._db:run(job, function(results, problem, code)
      if results then
        done(results)
      else
        done(nil, store_error(problem, code))
      end
    end)
    if not is_taken then
      done(nil, store_error(message, "busy"))
    end
  end)
end

-- The file of a store's URL; nil and why when it is none that this program knows.
local function database_path(url)
  if url == "memory:" then
    return ":memory:"
  end
  local path = url:match "^sqlite:(.+)$"
  if path then
    return path
  end
  return nil, errors.new("invalid", ("the store '%s' is not known: use sqlite:FILE or memory:"):format(url))
end

local function migrate(self)
  local results, err = self:_run { { "PRAGMA user_version", want = "rows" } }
  if not results then
    return nil, err
  end
  local version = results[1][1][1]
  if version > schema.version then
    return nil, store_error(("the store is of version %d; this program knows %d"):format(version, schema.version))
  end
  local job = {}
  for i, sql in ipairs(schema.upgrade(version)) do
    job[i] = { sql }
  end
  if #job == 0 then
    return true
  end
  return self:_run(job)
end

-- Numbers go on from the highest that the database holds.
local function read_counters(self)
  local results, err = self:_run { { statements.counters, want = "rows" } }
  if not results then
    return nil, err
  end
  self._seq, self._outbox_id = table.unpack(results[1][1])
  return true
end

---Opens a store, and brings an older one up to date. Waits for the disk.
---@param url string "sqlite:FILE" or "memory:"
---@param options? table for tests: vfs, synchronous
---@return table? store
---@return cunnekt.error? err kind store or invalid
function store.open(url, options)
  local path, err = database_path(url)
  if not path then
    return nil, err
  end
  local db, message = core.store_open(path, options)
  if not db then
    return nil, store_error(message)
  end
  local self = setmetatable({ _db = db, _conversations = cache.new(cached_conversations) }, store_mt)
  for _, step in ipairs { migrate, read_counters } do
    local ok, problem = step(self)
    if not ok then
      db:close()
      return nil, problem
    end
  end
  self._sql = statements.prepare(db)
  return self
end

---Writes what is queued and closes the database.
function store_methods:close()
  if self._is_closed then
    return
  end
  self._is_closed = true
  task.await(function(done)
    self._db:close(done)
  end)
end

-- ---- events ------------------------------------------------------------------------------------------------------

-- Two halves of a digest: one is the key of a table, the other tells real duplicates from equal keys.
local function digest_halves(key)
  return string.unpack("<i8i8", core.sha256():update(key):digest())
end

local function today()
  return math.floor(clock.now() / 86400)
end

-- Appends what stores a record; returns the statement whose result tells whether the record was new.
local function add_record(self, job, record, day)
  local sql = self._sql
  self._seq = self._seq + 1
  record.seq = self._seq
  if not record.dedupe_key then
    job[#job + 1] = { sql.put_event, record.seq, record.contact, record.body }
    return #job
  end
  local hash, rest = digest_halves(record.dedupe_key)
  job[#job + 1] = { sql.see, hash, rest, day }
  job[#job + 1] = { sql.put_event_if_new, record.seq, record.contact, record.body }
  return #job
end

local function accept_some(self, records, first, last, done)
  local job, tells, day = {}, {}, today()
  for i = first, last do
    tells[i] = add_record(self, job, records[i], day)
  end
  local is_taken, message = self._db:run(job, function(results, problem, code)
    if not results then
      return done(nil, store_error(problem, code))
    end
    local fresh = {}
    for i = first, last do
      local changes = results[tells[i]]
      if changes and changes > 0 then
        fresh[#fresh + 1] = records[i]
      end
    end
    done(fresh)
  end)
  if not is_taken then
    done(nil, store_error(message, "busy"))
  end
end

---Stores events; calls back after the commit.
---@param records cunnekt.inbox.record[] their `seq` is set
---@param done fun(fresh: cunnekt.inbox.record[]?, err: cunnekt.error?) those that were not accepted before
function store_methods:accept(records, done)
  local fresh, missing, failure = {}, 0, nil
  for first = 1, #records, records_in_a_job do
    missing = missing + 1
    accept_some(self, records, first, math.min(first + records_in_a_job - 1, #records), function(some, err)
      failure = failure or err
      table.move(some or {}, 1, #(some or {}), #fresh + 1, fresh)
      missing = missing - 1
      if missing == 0 then
        -- What did get in is handled, whatever became of the rest: the sender repeats the body and finds it seen.
        done(fresh, failure)
      end
    end)
  end
  if #records == 0 then
    done({})
  end
end

---Sets a failed event aside.
---@param record cunnekt.inbox.record
---@param err cunnekt.error
function store_methods:fail(record, err)
  self:_insist {
    { self._sql.put_dead, tostring(err.traceback or err), clock.now(), record.seq },
    { self._sql.delete_event, record.seq },
  }
end

-- ---- a turn ------------------------------------------------------------------------------------------------------

local function add_sends(self, job, sends)
  local now = clock.now()
  for _, row in ipairs(sends) do
    self._outbox_id = self._outbox_id + 1
    row.id = self._outbox_id
    job[#job + 1] = {
      self._sql.put_outbox,
      row.id,
      row.contact,
      json.encode(row.payload),
      "queued",
      row.unknown,
      row.track and json.encode(row.track) or nil,
      now,
    }
  end
end

local function add_values(self, job, values)
  for key, text in pairs(values) do
    if text == turn.gone then
      job[#job + 1] = { self._sql.delete_value, key }
    else
      job[#job + 1] = { self._sql.put_value, key, text }
    end
  end
end

-- What was committed, for the conversations that are in memory.
local function remember(self, change)
  for contact, text in pairs(change.states) do
    local known = self._conversations:get(contact)
    if known then
      known.state = text
    end
  end
  local record = change.record
  local known = record and record.inbound_at and self._conversations:get(record.contact)
  if known then
    known.last_inbound = math.max(known.last_inbound or 0, record.inbound_at)
  end
end

---Commits a turn: all of it or nothing. Waits.
---@param change table record?, sends, values, states; see turn.lua
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function store_methods:commit(change)
  local job, record, sql = {}, change.record, self._sql
  if record then
    job[1] = { sql.delete_event, record.seq }
    if record.inbound_at then
      job[2] = { sql.note_inbound, record.contact, record.inbound_at }
    end
  end
  for contact, text in pairs(change.states) do
    job[#job + 1] = { sql.put_state, contact, text }
  end
  add_values(self, job, change.values)
  add_sends(self, job, change.sends)
  local ok, err = self:_run(job)
  if not ok then
    return nil, err
  end
  remember(self, change)
  return true
end

-- ---- conversations and values --------------------------------------------------------------------------------------

-- What is known of a conversation, from memory or from the database.
local function conversation(self, contact)
  local known = self._conversations:get(contact)
  if known then
    return known
  end
  local results = assert(self:_run { { self._sql.get_conversation, contact } })
  local row = results[1][1] or {}
  known = self._conversations:get(contact) or { state = row[1], last_inbound = row[2] }
  self._conversations:put(contact, known)
  return known
end

---A conversation's kept state, as text. Waits; raises a cunnekt.error when the store cannot be read.
---@param contact string
---@return string?
function store_methods:state(contact)
  return conversation(self, contact).state
end

---When the customer last wrote. Waits as `state` does.
---@param contact string
---@return number? seconds since 1970
function store_methods:last_inbound(contact)
  return conversation(self, contact).last_inbound
end

---A shared value, as text. Waits as `state` does.
---@param key string
---@return string?
function store_methods:value(key)
  local results = assert(self:_run { { self._sql.get_value, key } })
  local row = results[1][1]
  return row and row[1]
end

-- ---- messages ------------------------------------------------------------------------------------------------------

-- Runs a job until it is committed: it says what has happened already, so it must not be dropped.
function store_methods:_insist(job)
  local function try()
    local function again(problem)
      if not self._is_closed then
        log.warn("the store cannot write (%s); trying again", problem)
        clock.after(settle_pause, try)
      end
    end
    if self._is_closed then
      return
    end
    local is_taken, message = self._db:run(job, function(results, problem)
      if not results then
        again(problem)
      end
    end)
    if not is_taken then
      again(message)
    end
  end
  try()
end

---Notes what became of a message.
---@param row cunnekt.outbox.row
---@param state "accepted"|"rejected"|"failed"|"unknown"
---@param message_id string?
---@param err cunnekt.error?
function store_methods:settle(row, state, message_id, err)
  local sql, job = self._sql, nil
  if state ~= "accepted" then
    job = { { sql.change_outbox, state, row.attempts, tostring(err), clock.now(), row.id } }
  else
    job = { { sql.delete_outbox, row.id } }
    if message_id then
      local track = row.track and json.encode(row.track) or nil
      job[2] = { sql.put_sent, (digest_halves(message_id)), message_id, row.contact, track, today() }
    end
  end
  self:_insist(job)
end

return store
