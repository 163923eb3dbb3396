-- SPDX-License-Identifier: MIT
-- The store: persistent events, conversations, values, messages, dialogs and jobs, as methods in the engine's terms. Each
-- change is one request to the database's thread (src/store), which commits all queued requests together. The only Lua code
-- with SQL is in this folder.

local admission = require "cunnekt.store.admission"
local cache = require "cunnekt.base.cache"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local retry = require "cunnekt.provider.retry"
local schema = require "cunnekt.store.schema"
local statements = require "cunnekt.store.statements"
local task = require "cunnekt.base.task"

local store = {}

local store_methods = {}
local store_mt = { __index = store_methods, __name = "cunnekt.store" }

-- Maximum of cached conversations.
local cached_conversations = 10000

for _, part in ipairs { "events", "turns", "messages", "dialogs", "jobs", "queries", "dialog_queries", "repair", "sweep" } do
  for name, method in pairs(require("cunnekt.store." .. part)) do
    store_methods[name] = method
  end
end

-- ---- the database ------------------------------------------------------------------------------------------------

local function store_error(message, code)
  return errors.new("store", message, { code = code })
end

-- Errors of the disk, not of the request. While they last, webhooks are answered 503, and nothing is lost.
local is_disk_error = { full = true, io = true, read_only = true, corrupt = true, moved = true }

-- Logs when the database becomes unwritable, and when it can be written again.
local function log_health(self, results, problem, code)
  if results and self._is_failing then
    self._is_failing = false
    log.info("the store can write again")
  elseif not results and is_disk_error[code] and not self._is_failing then
    self._is_failing = true
    log.error("the store cannot write: %s; webhooks are answered 503 until it can", problem)
  end
end

---Sends a request to the database; calls back after its commit.
---@param request table[] list of statements, see core.store_open
---@param done fun(results: table|boolean|nil, err: cunnekt.error?)
function store_methods:_start(request, done)
  if self._is_closed then
    return done(nil, store_error("the store is closed", "closed"))
  end
  local is_taken, message = self._db:run(request, function(results, problem, code)
    log_health(self, results, problem, code)
    done(results, not results and store_error(problem, code) or nil)
  end)
  if not is_taken then
    done(nil, store_error(message, "busy"))
  end
end

---Runs a request and waits for its commit.
---@param request table[]
---@return table|boolean|nil results
---@return cunnekt.error? err kind store
function store_methods:_run(request)
  return task.await(function(done)
    self:_start(request, done)
  end)
end

---Retries a request until it is committed: for what has already happened, which must not be lost.
---@param request table[]
---@param done? fun() called after the commit
function store_methods:_run_until_committed(request, done)
  local function try()
    if self._is_closed then
      return
    end
    self:_start(request, function(results, err)
      if not results and not self._is_closed then
        log.warn("the store cannot write (%s); retrying", err.message)
        clock.after(retry.store, try)
      elseif results and done then
        done()
      end
    end)
  end
  try()
end

---The file of a store's URL.
---@param url string "sqlite:FILE" or "memory:"
---@return string? path ":memory:" without a file
---@return cunnekt.error? err kind invalid
function store.path(url)
  if url == "memory:" then
    return ":memory:"
  end
  local path = url:match "^sqlite:(.+)$"
  if path then
    return path
  end
  -- The URL of a database can contain a password, so it is not repeated.
  local what = url:find "^postgres%a*://" and "PostgreSQL is not supported yet" or "unknown kind of store"
  return nil, errors.new("invalid", what .. "; use sqlite:FILE or memory:")
end

-- What the open database says of itself: also what only its log holds.
local function read_identity(self)
  local results, err = self:_run {
    { "PRAGMA application_id", want = "rows" },
    { "PRAGMA user_version", want = "rows" },
    {
      [[SELECT group_concat(name, char(10)) FROM sqlite_schema
          WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\']],
      want = "rows",
    },
  }
  if not results then
    return nil, err
  end
  local found = { application_id = results[1][1][1], user_version = results[2][1][1] }
  -- Whoever adds a table to a database of ours may.
  if found.application_id ~= schema.application_id or found.user_version == 0 then
    found.tables = results[3][1][1] or ""
  end
  return found
end

local function migrate(self)
  local found, err = read_identity(self)
  if not found then
    return nil, err
  end
  local is_marked = found.application_id == schema.application_id
  local version, problem = admission.judge(self._path, found)
  if not version then
    return nil, store_error(problem)
  end
  local request = { not is_marked and { ("PRAGMA application_id = %d"):format(schema.application_id) } or nil }
  for _, sql in ipairs(schema.upgrade(version)) do
    request[#request + 1] = { sql }
  end
  if #request == 0 then
    return true
  end
  return self:_run(request)
end

-- New ids continue from the highest in the database.
local function read_counters(self)
  local results, err = self:_run { { statements.counters, want = "rows" } }
  if not results then
    return nil, err
  end
  self._seq, self._outbox_id, self._dialog_id = table.unpack(results[1][1])
  return true
end

---Opens a store, and migrates an older one. Waits.
---@param url string "sqlite:FILE" or "memory:"
---@param options? table for tests: vfs, synchronous
---@return table? store
---@return cunnekt.error? err kind store or invalid
function store.open(url, options)
  local path, err = store.path(url)
  if not path then
    return nil, err
  end
  if path ~= ":memory:" then
    local version, problem = admission.look(path)
    if not version then
      return nil, store_error(problem)
    end
  end
  local db, message = core.store_open(path, options)
  if not db then
    return nil, store_error(message)
  end
  local self = setmetatable({
    _path = path,
    is_kept = path ~= ":memory:", -- whether it survives the process
    _db = db,
    _conversations = cache.new(cached_conversations),
    _writing = {}, -- contact → running commits that write its state
  }, store_mt)
  for _, step in ipairs { migrate, read_counters } do
    local ok, problem = step(self)
    if not ok then
      self:close() -- waits: who tries again must not find it open
      return nil, problem
    end
  end
  self._sql = statements.prepare(db)
  -- The first digest initialises libcrypto, which does not survive a lack of memory later.
  core.hash_halves ""
  return self
end

---Opens a store to look into it: no byte of it changes, an older one stays as it is, and no host may start meanwhile.
---Only queries that its version understands can be run. Waits for the disk.
---@param url string of one that exists
---@return table? store with the field `version`; 0: there is nothing in it yet
---@return cunnekt.error? err kind store or invalid
function store.open_read_only(url)
  local path, err = store.path(url)
  if not path then
    return nil, err
  end
  local found, problem = core.store_peek(path)
  local db
  if found then
    db, problem = core.store_open(path, { read_only = true })
  end
  if not db then
    return nil, store_error(problem)
  end
  local self = setmetatable({ is_kept = true, _db = db, _path = path }, store_mt)
  found, err = read_identity(self)
  if found then
    self.version, problem = admission.judge(path, found)
  end
  if self.version then
    return self
  end
  self:close()
  return nil, err or store_error(problem)
end

---Whether the database can be written now; cheap.
---@return boolean
---@return string? problem why not
function store_methods:is_writable()
  if self._is_closed then
    return false, "it is closed"
  end
  return self._db:is_writable()
end

---Statistics of the database's thread; see core.store_open.
---@return table<string, integer|boolean>
function store_methods:stats()
  return self._db:stats()
end

---A new outbox id.
---@return integer
function store_methods:next_outbox_id()
  self._outbox_id = self._outbox_id + 1
  return self._outbox_id
end

---A new run id.
---@return integer
function store_methods:next_dialog_id()
  self._dialog_id = self._dialog_id + 1
  return self._dialog_id
end

---Commits queued requests and closes the database.
function store_methods:close()
  if self._is_closed then
    return
  end
  self._is_closed = true
  task.await(function(done)
    self._db:close(done)
  end)
end

return store
