-- SPDX-License-Identifier: MIT
-- The seam to the store for its conformance suite: the backends, an open store whose verbs are waited for, and things to
-- store. It uses the raw face of core.store_open alone. A further backend is one more entry of `seam_rig.backends`.

local core = require "cunnekt.core"
local process = require "spec.support.process"

local seam_rig = {}

---@class cunnekt.spec.backend
---@field name string
---@field is_kept boolean what was stored is there again after the store was closed, or its process was killed
---@field options? table of core.store_open, always
---@field url fun(): string, any a new store, and what it needs as long as it is used

---@type cunnekt.spec.backend[]
seam_rig.backends = {
  {
    name = "SQLite in a file",
    is_kept = true,
    url = function()
      local folder = process.folder()
      return ("sqlite:%s/seam.db"):format(folder.path), folder
    end,
  },
  {
    name = "SQLite in memory",
    is_kept = false,
    url = function()
      return "memory:"
    end,
  },
  {
    name = "SQLite in memory, without a thread",
    is_kept = false,
    options = { in_place = true },
    url = function()
      return "memory:"
    end,
  },
}

-- `make test-postgres` starts one. A store has a schema of its own.
local postgres = os.getenv "CUNNEKT_TEST_POSTGRES"
if postgres then
  local count = 0
  seam_rig.backends = {
    {
      name = "PostgreSQL",
      is_kept = true,
      url = function()
        count = count + 1
        return ("%s&options=-csearch_path%%3Dseam_%d_%d"):format(postgres, core.pid(), count)
      end,
    },
  }
end

---A time that all of the suite takes for now; nothing in the store depends on the clock.
seam_rig.now = 1700000000

seam_rig.verbs = {
  "accept", "commit_turn", "fire", "mark_sending", "settle", "note_status", "note_attempt", "bury", "break_dialog",
  "post_mail", "reserve_ids", "sweep", "count_rows", "unload", "load",
}

local seam_methods = {}
local seam_mt = { __index = seam_methods }

-- ---- waiting ---------------------------------------------------------------------------------------------------------

-- What a callback has raised. The loop only logs that, so it is raised again by whoever waits.
local raised

local function checked(see)
  return function(...)
    local ok, problem = pcall(see, ...)
    raised = raised or not ok and { problem } or nil
  end
end

---Steps the loop until a test gives something.
---@generic T
---@param test fun(): T?
---@return T
function seam_rig.wait(test)
  local value = test()
  while not value do
    core.step(true)
    if raised then
      local problem = raised[1]
      raised = nil
      error(problem, 0)
    end
    value = test()
  end
  return value
end

-- Waits for what is started to be answered.
local function await(start)
  local answer
  start(function(...)
    assert(not answer, "answered twice")
    answer = table.pack(...)
  end)
  seam_rig.wait(function()
    return answer
  end)
  return table.unpack(answer, 1, answer.n)
end

-- Calls a method of the face, and waits for its answer.
local function call(db, method, ...)
  local arguments = table.pack(...)
  return await(function(done)
    arguments[arguments.n + 1] = done
    assert(db[method](db, table.unpack(arguments, 1, arguments.n + 1)))
  end)
end

---Begins a call of the face; the last argument is its callback, which may raise.
---@param method string
---@param ... any
function seam_methods:begin(method, ...)
  local arguments = table.pack(...)
  arguments[arguments.n] = checked(arguments[arguments.n])
  assert(self.db[method](self.db, table.unpack(arguments, 1, arguments.n)))
end

local function must(what, result, message, code)
  if result == nil then
    error(("%s: %s (%s)"):format(what, message, code), 3)
  end
  return result
end

-- ---- verbs -----------------------------------------------------------------------------------------------------------

---Calls a verb, and waits for its answer.
---@return table? request
---@return string? message
---@return string? code
function seam_methods:try(verb, request)
  local ok, message, code = call(self.db, verb, request)
  return ok and request or nil, message, code
end

-- seam:accept(request) and so on: the request, with what the store has set in it; raises when the call fails.
for _, verb in ipairs(seam_rig.verbs) do
  seam_methods[verb] = function(self, request)
    return must(verb, self:try(verb, request))
  end
end

---Calls a verb for each of many requests, which are under way together.
function seam_methods:together(verb, requests)
  local answered, failure = 0, nil
  for _, request in ipairs(requests) do
    self:begin(verb, request, function(ok, message)
      answered, failure = answered + 1, failure or not ok and message
    end)
  end
  seam_rig.wait(function()
    return answered == #requests
  end)
  assert(not failure, failure)
end

---Commits a turn that changes these fields and nothing else.
function seam_methods:turn(fields)
  fields.now = fields.now or seam_rig.now
  return self:commit_turn(fields)
end

---The same, where it may fail.
---@return table? turn
---@return string? message
---@return string? code
function seam_methods:try_turn(fields)
  fields.now = fields.now or seam_rig.now
  return self:try("commit_turn", fields)
end

---The rows of a question.
function seam_methods:query(name, parameters)
  return must(name, call(self.db, "query", name, parameters or {}))
end

---Its first row.
function seam_methods:row(name, parameters)
  return self:query(name, parameters)[1]
end

---The values of a column, in order.
function seam_methods:column(name, column, parameters)
  local values = {}
  for i, row in ipairs(self:query(name, parameters)) do
    values[i] = row[column]
  end
  return values
end

-- What the lists want beside the usual, so that nothing is excluded.
local unfiltered = {
  pending_events = { has_bodies = 0 },
  dead_events = { has_bodies = 0 },
  outbox_messages = { states = -1 },
  accepted_messages = { ranks = -1 },
}

---All rows of a list, step by step, and the number of steps. Parameters that are missing exclude nothing.
function seam_methods:walk(name, more)
  local parameters = { at = math.mininteger, before = math.huge, after = -math.huge }
  for _, some in ipairs { unfiltered[name] or {}, more or {} } do
    for key, value in pairs(some) do
      parameters[key] = value
    end
  end
  local list, steps = {}, 0
  while true do
    local rows = self:query(name, parameters)
    steps = steps + 1
    if not (rows[1] and rows[1].next) then
      return list, steps
    end
    for _, row in ipairs(rows) do
      list[#list + 1] = row.id and row or nil
    end
    assert(rows[1].next > parameters.at, name .. " does not go on")
    parameters.at = rows[1].next
  end
end

---The ids of a list's rows, in order.
function seam_methods:ids(name, more)
  local ids = {}
  for i, row in ipairs((self:walk(name, more))) do
    ids[i] = row.id
  end
  return ids
end

---Repairs; the list of the ids that it changed.
function seam_methods:repair(name, ids, parameters)
  local request = { ids = ids }
  for key, value in pairs(parameters or {}) do
    request[key] = value
  end
  return must(name, call(self.db, "repair", name, request))
end

---The conversation of a contact; a version of 0 and nothing else when there is none.
function seam_methods:conversation(contact)
  return self:row("conversation", { contact = contact }) or { version = 0 }
end

---A value, or a version of 0 and nothing else.
function seam_methods:value(key)
  return self:row("value", { key = key }) or { version = 0 }
end

---How much there is of everything.
function seam_methods:counts()
  return self:row "counts"
end

-- ---- things to store -------------------------------------------------------------------------------------------------

local function with(fields, more)
  for name, value in pairs(more or {}) do
    fields[name] = value
  end
  return fields
end

---An id that nothing has yet.
function seam_methods:id()
  if not self._ids or self._ids.at == self._ids.behind then
    local first = self:reserve_ids({ count = 4000 }).first
    self._ids = { at = first, behind = first + 4000 }
  end
  self._ids.at = self._ids.at + 1
  return self._ids.at - 1
end

---An event, not stored.
function seam_methods:event(more)
  return with({ id = self:id(), contact = "1:2", body = "body" }, more)
end

---Stores one; gives it with what the store has set.
function seam_methods:accepted(more)
  local event = self:event(more)
  self:accept { events = { event }, now = seam_rig.now }
  return event
end

---A message, not stored.
function seam_methods:message(more)
  return with({ id = self:id(), contact = "1:2", payload = '{"text":"hi"}', state = "queued", unknown = "hold" }, more)
end

---Stores one, as it is after its outcome: what seam:settle says of it, if that is given.
function seam_methods:sent(more, outcome)
  local message = self:message(more)
  self:turn { messages = { message } }
  if outcome then
    self:settle { outcomes = { with({ id = message.id, contact = message.contact, track = message.track }, outcome) }, now = seam_rig.now }
  end
  return message
end

---Stores one that the provider has accepted under this id.
function seam_methods:accepted_message(message_id, more, outcome)
  return self:sent(more, with({ state = "accepted", message_id = message_id, rank = 0 }, outcome))
end

---Steps of a journal.
---@param first integer
---@param last integer
function seam_rig.steps(first, last)
  local steps = {}
  for n = first, last do
    steps[#steps + 1] = { n = n, mark = "send " .. n, result = ('{"v":%d}'):format(n) }
  end
  return steps
end

---A new dialog with so many steps, not stored. It waits.
function seam_methods:dialog(more)
  local id = self:id()
  local dialog = with({
    id = id, is_new = true, contact = "1:2", name = "it", code = "a.b", seed = "seed " .. id, started_at = 1000,
    waiting = '{"types":{"text":true},"n":1}', before = 0, after = 0,
  }, more)
  dialog.steps = dialog.steps or seam_rig.steps(1, dialog.after)
  return dialog
end

---Stores one.
function seam_methods:waiting(more)
  local dialog = self:dialog(more)
  self:turn { run = dialog }
  return dialog
end

---Stores many, each made by a function of its number that gives the fields of `dialog`.
function seam_methods:all_waiting(count, make)
  local list, turns = {}, {}
  for i = 1, count do
    list[i] = self:dialog(make and make(i))
    turns[i] = { run = list[i], now = seam_rig.now }
  end
  self:together("commit_turn", turns)
  return list
end

---What a stored dialog goes on with.
---@param dialog table
---@param more table after; waiting, due, sent
function seam_rig.continue(dialog, more)
  local change = with({ id = dialog.id, before = dialog.after, after = dialog.after }, more)
  change.steps = change.steps or seam_rig.steps(change.before + 1, change.after)
  return change
end

---Many things of a kind, made by a function of their number.
function seam_rig.many(count, make)
  local list = {}
  for i = 1, count do
    list[i] = make(i)
  end
  return list
end

-- ---- opening ---------------------------------------------------------------------------------------------------------

---Opens a new store.
---@param backend cunnekt.spec.backend
---@param options? table of core.store_open
function seam_rig.open(backend, options)
  local url, owner = backend.url()
  options = setmetatable(options or {}, { __index = backend.options })
  return setmetatable({ url = url, _owner = owner, db = assert(core.store_open(url, options)) }, seam_mt)
end

---Opens what is at a URL already. Nil with a sentence when that is refused.
---@return table? seam
---@return string? message
function seam_rig.open_at(url, options)
  local db, message = core.store_open(url, options)
  return db and setmetatable({ url = url, db = db }, seam_mt), message
end

---Closes it, and waits for that.
function seam_methods:close()
  local db = self.db
  self.db = nil
  return not db or await(function(done)
    db:close(done)
  end)
end

---Closes it and opens it again; for backends that keep what was stored.
function seam_methods:reopen(options)
  self:close()
  self.db = assert(core.store_open(self.url, options))
end

---Begins a backup; gives a function that waits for its outcome.
---@return fun(): boolean?, string?, string?
function seam_methods:back_up(path)
  local outcome
  assert(self.db:backup(path, function(...)
    outcome = table.pack(...)
  end))
  return function()
    seam_rig.wait(function()
      return outcome
    end)
    return table.unpack(outcome, 1, outcome.n)
  end
end

---A face with some of its methods broken on purpose, for negative controls.
---@param db table a store of core.store_open
---@param broken table<string, fun(pass: fun(...), ...)> what a method does instead; `pass` is the method itself
function seam_rig.break_face(db, broken)
  return setmetatable({}, {
    __index = function(_, name)
      return function(_, ...)
        if not broken[name] then
          return db[name](db, ...)
        end
        broken[name](function(...)
          return assert(db[name](db, ...))
        end, ...)
        return true
      end
    end,
  })
end

---The same store behind a broken face.
function seam_methods:breaking(broken)
  return setmetatable({ url = self.url, db = seam_rig.break_face(self.db, broken) }, seam_mt)
end

---Describes something of the seam on every backend.
---@param what string
---@param define fun(open: fun(): table, backend: cunnekt.spec.backend) `open()` gives the store of the running test
---@param only? fun(backend: cunnekt.spec.backend): boolean
function seam_rig.describe(what, define, only)
  local busted = require "busted"
  for _, backend in ipairs(seam_rig.backends) do
    if not only or only(backend) then
      busted.describe(("%s (%s)"):format(what, backend.name), function()
        local seam
        busted.before_each(function()
          seam = seam_rig.open(backend)
        end)
        busted.after_each(function()
          seam:close()
        end)
        define(function()
          return seam
        end, backend)
      end)
    end
  end
end

---For `only`: backends that keep what was stored.
function seam_rig.is_kept(backend)
  return backend.is_kept
end

return seam_rig
