-- SPDX-License-Identifier: MIT
-- The store: what must survive. It speaks in the verbs of the seam (src/store/store.h) and knows neither tables nor SQL. What
-- it adds to the core's face: errors, waiting, retries of what must not be lost, ids, and the cache of conversations. How
-- rows read as Lua values is in records.lua; what is asked of them in dialogs.lua, messages.lua, recovery.lua and lists.lua.

local clock = require "cunnekt.time.clock"
local conversations = require "cunnekt.store.conversations"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local ids = require "cunnekt.store.ids"
local incoming = require "cunnekt.store.incoming"
local limits = require "cunnekt.provider.limits"
local location = require "cunnekt.store.location"
local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local persons = require "cunnekt.store.persons"
local retry = require "cunnekt.provider.retry"
local task = require "cunnekt.base.task"
local trouble = require "cunnekt.store.trouble"
local units = require "cunnekt.time.units"

local store = {}

---@class cunnekt.open_store
---@field is_kept boolean whether it survives the process
---@field may_have_watches boolean whether a conversation may have a watched window: in memory none has until a turn stores one
---@field on_watch fun()? called before that
---@field version integer? of a store that is only read, and has it alone; 0: there is nothing in it yet
local store_methods = {}
local store_mt = { __index = store_methods, __name = "cunnekt.open_store" }

-- Per call, so that commits never wait long behind one.
local max_repairs = 200
-- URL → true: a database that a bot of this process has, or stands by for. A second one would stand by for the first one for ever.
local shared = {}
-- A day longer than webhooks are repeated; statuses do not arrive later either.
local days_seen = limits.webhook_days + 1

-- ---- calls -----------------------------------------------------------------------------------------------------------

local error_of = incoming.error_of

---Starts a verb of the seam; calls back after its commit.
---@param verb string
---@param request table the verb's struct in src/store/store.h; `now` is the clock's unless it is given
---@param done fun(ok: boolean?, err: cunnekt.error?)
function store_methods:start(verb, request, done)
  local is_taken, message, code = self._db[verb](self._db, request, done)
  if not is_taken then
    done(nil, error_of(message, code))
  end
end

---Runs a verb of the seam and waits for its commit.
---@param verb string
---@param request table as in `start`
---@return boolean? ok
---@return cunnekt.error? err kind store or conflict
function store_methods:call(verb, request)
  return task.await(function(done)
    self:start(verb, request, done)
  end)
end

---Retries a verb until it is committed: for what has already happened, which must not be lost.
---@param verb string
---@param request table as in `start`
---@param done? fun(err: cunnekt.error?) called after the commit; `err`: a conflict, which no retry would change
function store_methods:persist(verb, request, done)
  local function on_done(is_ok, err)
    if is_ok or err.kind == "conflict" then
      return done and done(err)
    elseif not self._is_closed then
      if self._log_pace:note(err.code or "store") then
        log.warn("the store cannot write (%s); retrying", err.message)
      end
      clock.after(retry.store, function()
        self:start(verb, request, on_done)
      end)
    end
  end
  self:start(verb, request, on_done)
end

-- Calls `query` or `repair` of the core, and waits.
local function ask(self, method, what, parameters)
  return task.await(function(done)
    local is_taken, message, code = self._db[method](self._db, what, parameters, done)
    if not is_taken then
      done(nil, error_of(message, code))
    end
  end)
end

---The rows of a question. Waits.
---@param what string its name in src/store/sql
---@param parameters? table<string, any>
---@return table[]? rows by column
---@return cunnekt.error? err kind store
function store_methods:query(what, parameters)
  return ask(self, "query", what, parameters or {})
end

---Like `query`, but raises the error.
---@param what string
---@param parameters? table<string, any>
---@return table[] rows
function store_methods:read(what, parameters)
  local rows, err = self:query(what, parameters)
  return rows or error(err, 0)
end

---Repairs rows by their ids. Waits.
---@param what string the repair's name in src/store/sql
---@param request {ids: integer[], [string]: any} and its parameters
---@return integer[]? changed those of the ids that it was done to
---@return cunnekt.error? err kind store
function store_methods:repair(what, request)
  local changed = {}
  for first = 1, #request.ids, max_repairs do
    local some = {}
    for name, value in pairs(request) do
      some[name] = value
    end
    some.ids = table.move(request.ids, first, math.min(first + max_repairs - 1, #request.ids), 1, {})
    local list, err = ask(self, "repair", what, some)
    if not list then
      return nil, err
    end
    table.move(list, 1, #list, #changed + 1, changed)
  end
  return changed
end

---The store's own face, for what C asks of it.
---@return table
function store_methods:face()
  return self._db
end

---A new id of a message or a dialog; the store names events itself. Waits now and then; raises a cunnekt.error of kind store
---when the store can reserve none.
---@return integer
function store_methods:next_id()
  local id, err = self._ids:next()
  return id or error(err, 0)
end

---As `next_id`, but without waiting.
---@return integer? id nil when it would have to wait
function store_methods:take_id()
  local its_ids = self._ids
  local id = its_ids._next
  if its_ids._last - id > ids.few and not its_ids._waiting[1] then
    its_ids._next = id + 1
    return id
  end
  return its_ids:take_one()
end

-- ---- events ----------------------------------------------------------------------------------------------------------

local place = incoming.place

---Stores an own event. Waits.
---@param record cunnekt.inbox.record
---@return boolean? ok
---@return cunnekt.error? err kind store
function store_methods:put_own(record)
  local ok, err = self:call("accept", { events = { record } })
  place { record }
  return ok, err
end

---The body of a stored event. Waits.
---@param id integer
---@return string? body nil when it was dropped
---@return cunnekt.error? err kind store
function store_methods:event_body(id)
  local rows, err = self:query("event_body", { id = id })
  if not rows then
    return nil, err
  end
  return rows[1] and rows[1].body
end

---Stores the number of an event's attempts.
---@param record cunnekt.inbox.record
function store_methods:note_attempt(record)
  self:persist("note_attempt", { event = record.id, attempts = record.attempts })
end

---Makes an event and the texts joined to it dead letters.
---@param record cunnekt.inbox.record
---@param err cunnekt.error
function store_methods:bury(record, err)
  local events = { record.id }
  for i, other in ipairs(record.joined or {}) do
    events[i + 1] = other.id
  end
  self:persist("bury", { events = events, error = errors.kept(err), attempts = record.attempts })
end

---Stores the events of timers that are due, unless a timer is gone meanwhile. Waits.
---@param timers table[] struct cnk_timer
---@return cunnekt.inbox.record[]? records those that were stored
---@return cunnekt.error? err kind store
function store_methods:fire(timers)
  if #timers == 0 then
    return {}
  end
  local ok, err = self:call("fire", { timers = timers })
  if not ok then
    return nil, err
  end
  local fresh = {}
  for _, timer in ipairs(timers) do
    fresh[#fresh + 1] = timer.event and timer.event.is_fresh and timer.event or nil
  end
  place(fresh)
  return fresh
end

-- ---- turns -----------------------------------------------------------------------------------------------------------

local function note_watch(self)
  if not self.may_have_watches then
    self.may_have_watches = true
    if self.on_watch then
      self.on_watch()
    end
  end
end

---Commits a turn in one transaction. Waits.
---@param turn table struct cnk_turn
---@return boolean? ok
---@return cunnekt.error? err kind store or conflict
function store_methods:commit_turn(turn)
  local known, writes_state = self.conversations, turn.states ~= nil and turn.states[1] ~= nil
  if turn.watches then
    note_watch(self)
  end
  if writes_state then
    known:begin(turn)
  end
  local ok, err = self:call("commit_turn", turn)
  place(turn.events)
  -- It is empty as long as no handler has loaded a state.
  if writes_state or not known.cache.is_empty then
    known:finish(turn, err)
  end
  return ok, err
end

---Commits a turn that only finishes an event, queues messages and lets a dialog wait.
---@param event integer its id
---@param joins integer see struct cnk_turn
---@param rows cunnekt.outbox.row[] with nothing but what store:commit_plain of the core takes
---@param done fun(subject: any, ok: boolean?, err: any) called after the commit; `err` after a success: see that method
---@param subject any
---@param part table? see that method
---@return cunnekt.error? err kind store: it is not begun
function store_methods:commit_plain(event, joins, rows, done, subject, part)
  local is_taken, message, code = self._db:commit_plain(event, joins, rows, done, subject, part)
  return not is_taken and error_of(message, code) or nil
end

---@return integer? id all ids of messages and dialogs that this process gives are at least that; nil: it has given none
function store_methods:first_own_id()
  return self._ids.first
end

---A conversation, from the cache where possible. Waits; raises a cunnekt.error when the store cannot be read.
---@param contact string
---@return cunnekt.store.conversation
function store_methods:conversation(contact)
  local known = self.conversations:find(contact)
  if known then
    return known
  end
  local row = self:read("conversation", { contact = contact })[1]
  local found = row or { version = 0 }
  return self.conversations:keep(contact, {
    state = found.state,
    version = found.version,
    last_inbound = found.last_inbound,
    is_paused = found.paused == 1,
    number = found.number,
    user_id = found.user_id,
    name = found.name,
    username = found.username,
  })
end

---A shared value, as JSON. Waits and raises like `conversation`.
---@param key string
---@return string? text
---@return integer version 0: there is none
function store_methods:value(key)
  local row = self:read("value", { key = key })[1]
  if not row then
    return nil, 0
  end
  return row.value, row.version
end

-- ---- messages --------------------------------------------------------------------------------------------------------

---Stores what became of messages.
---@param outcomes table[] struct cnk_outcome; see records.outcome
---@param done? fun() called after the commit
function store_methods:settle(outcomes, done)
  if not self.persons.has_aliases then
    return self:persist("settle", { outcomes = outcomes }, done)
  end
  self:persist("settle", { outcomes = outcomes }, function(err)
    for _, outcome in ipairs(outcomes) do
      place(outcome.events)
    end
    if done then
      done(err)
    end
  end)
end

-- ---- the whole -------------------------------------------------------------------------------------------------------

---Deletes some old rows: one small step, so that no commit waits long behind it. Waits.
---@param keep_days integer days to keep dead letters, undelivered messages and broken dialogs
---@param now number seconds since 1970; a time that has certainly come, see time/wall_clock.lua
---@return boolean? is_done the whole store was scanned; nil when the store cannot be written
---@return cunnekt.error? err kind store
function store_methods:sweep(keep_days, now)
  local step = self._sweep or { stage = 0, at = 0 }
  step.day, step.before = now - days_seen * units.day, now - keep_days * units.day
  local ok, err = self:call("sweep", step)
  if not ok then
    return nil, err
  end
  self._sweep = not step.is_done and step or nil
  return step.is_done
end

---Copies a consistent snapshot of the store to a file while it is in use. The file appears when it is complete. Waits.
---@param path string
---@return boolean? ok
---@return cunnekt.error? err kind store
function store_methods:backup(path)
  local ok, message, code = task.await(function(done)
    local is_taken, problem = self._db:backup(path, done)
    if not is_taken then
      done(nil, problem, "busy")
    end
  end)
  if not ok then
    return nil, error_of(message, code)
  end
  return true
end

---Whether the store can be written now; cheap.
---@return boolean
---@return string? problem why not
function store_methods:is_writable()
  if self._is_closed then
    return false, "it is closed"
  end
  return self._db:is_writable()
end

---Why this host must end: another one has had the database since, or that has lost what it had confirmed. Logs when the store
---becomes unwritable, or is no longer.
---@return string? reason nil: it need not
function store_methods:look()
  if self._is_closed then
    return nil
  end
  trouble.look(self)
  return trouble.end_reason(self._db:hold())
end

---@return boolean stands_by another host has the database: mail may be posted and questions asked
function store_methods:stands_by()
  return not self._is_closed and self._db:hold() == "stands_by"
end

---The host that has the database, of a store that stands by or is only read.
---@return string? owner, string? hindrance why its session cannot be ended
function store_methods:owner()
  return self._db:owner()
end

---Statistics of the store's thread; see core.store_open.
---@return table<string, integer|boolean>
function store_methods:stats()
  return self._db:stats()
end

---Commits what is queued, and closes the store. Waits.
function store_methods:close()
  if self._is_closed then
    return
  end
  self._is_closed = true
  task.await(function(done)
    self._db:close(done)
  end)
  if self._url then
    shared[self._url] = nil
  end
end

-- ---- opening ---------------------------------------------------------------------------------------------------------

local function open(url, options)
  local path, err = location.path(url)
  if not path then
    return nil, err
  end
  local may_stand_by = options and options.may_stand_by
  if may_stand_by and shared[url] then
    return nil, error_of "the database is open already in this process"
  end
  local db, message = core.store_open(url, options)
  if not db then
    return nil, error_of(message)
  end
  if may_stand_by then
    shared[url] = true
  end
  local self = setmetatable({
    is_kept = path ~= ":memory:",
    is_shared = location.is_postgres(url), -- other hosts may take webhooks for it
    may_have_watches = path ~= ":memory:",
    _db = db,
    _url = may_stand_by and url or nil,
    _log_pace = log_pace.new(),
    conversations = conversations.new(),
    joins = 0, -- of conversations, that the store has told of
  }, store_mt)
  self.persons = persons.new(self, self.conversations)
  db:on_failure(function(problem, code)
    return trouble.on_failure(self, problem, code)
  end)
  self._ids = ids.new(function(count, done)
    local request = { count = count }
    self:start("reserve_ids", request, function(is_ok, problem)
      done(is_ok and request.first or nil, problem)
    end)
  end)
  return self
end

---What a store may lose by the settings of its database, a sentence each.
---@return string[]
function store_methods:notes()
  return self._db:notes()
end

---Opens a store, and migrates an older one. Waits.
---@param url string "sqlite:FILE", "memory:" or "postgres://…"
---@param options? table for tests and moves; see core.store_open
---@return cunnekt.open_store? store
---@return cunnekt.error? err kind store or invalid
function store.open(url, options)
  return open(url, options)
end

---Opens a store to look into it: no byte of it changes, an older one stays as it is, and no host may start meanwhile.
---Only questions that its version understands can be asked. Waits for the disk.
---@param url string of one that exists
---@return cunnekt.open_store? store with the field `version`
---@return cunnekt.error? err kind store or invalid
function store.open_read_only(url)
  local self, err = open(url, { read_only = true })
  if self then
    self.version = self._db:version()
  end
  return self, err
end

return store
