-- SPDX-License-Identifier: MIT
-- The engine: the way of an event from its acceptance to the settled messages of its turn. It puts inbox, turns and outbox
-- together; what a turn runs, and what a script hears, is asked of those above by four hooks. It knows no handlers, no
-- dialogs and no HTTP.

local counts = require "cunnekt.engine.counts"
local inbox = require "cunnekt.engine.inbox"
local outbox = require "cunnekt.engine.outbox"
local turn = require "cunnekt.engine.turn"
local wall = require "cunnekt.time.wall"

local engine = {}

local engine_methods = {}
local engine_mt = { __index = engine_methods, __name = "cunnekt.engine" }

---What the engine asks of those above it.
---@class cunnekt.engine.hooks
---@field on_turn fun(record: cunnekt.inbox.record, done: fun(pause?: number)) runs the turn of an event; `done()` ends it, `done(seconds)` asks for another one after a pause
---@field on_commit fun(change: table) hears of a committed turn with a run, a pause or a job in it
---@field on_answer fun(row: cunnekt.outbox.row, outcome: string, err: cunnekt.error?): cunnekt.inbox.record[] the events that report the outcome of a message
---@field on_failure fun(err: cunnekt.error, about: table?) a failure that the script should hear of

---@class cunnekt.engine
---@field store table
---@field client cunnekt.client
---@field inbox cunnekt.inbox
---@field outbox cunnekt.outbox
---@field turns cunnekt.turns
---@field counts table<string, integer>
---@field wall cunnekt.wall
---@field phone_number_id string? the business number that a customer wrote to last

local function on_accepted(self, event, seq)
  if event.timestamp then
    self.wall:witness(event.timestamp)
  end
  if event.kind == "status" then
    self.outbox:on_status(event, seq)
  end
end

---@param parts {store: table, client: cunnekt.client, options: table, hooks: cunnekt.engine.hooks, handles: table} `options`: concurrency, queue, sends, unknown and on_failure of cunnekt.bot; `handles`: bot/sent.lua; the hooks are called from the first event on, so they may be filled in later
---@return cunnekt.engine
function engine.new(parts)
  local store, options, hooks = parts.store, parts.options, parts.hooks
  local self = setmetatable({ store = store, client = parts.client, counts = counts.new(), wall = wall.new() }, engine_mt)
  self.outbox = outbox.new {
    store = store,
    client = parts.client,
    handles = parts.handles,
    counts = self.counts,
    concurrency = options.sends,
    unknown = options.unknown,
    has_unknown = store:has_unknown(),
    on_failure = function(err, handle)
      hooks.on_failure(err, handle)
    end,
    on_answer = function(row, outcome, err)
      return hooks.on_answer(row, outcome, err)
    end,
    enqueue_events = function(records)
      self.inbox:enqueue(records)
    end,
  }
  self.inbox = inbox.new {
    store = store,
    counts = self.counts,
    concurrency = options.concurrency,
    capacity = options.queue,
    has_to_wait = options.on_failure == "wait",
    on_accepted = function(event, seq)
      on_accepted(self, event, seq)
    end,
    run = function(record, done)
      hooks.on_turn(record, done)
    end,
  }
  self.turns = turn.manager {
    store = store,
    inbox = self.inbox,
    outbox = self.outbox,
    on_commit = function(change)
      hooks.on_commit(change)
    end,
  }
  return self
end

---Stores an event of our own at once, and queues it. Waits.
---@param record cunnekt.inbox.record
---@return boolean? ok
---@return cunnekt.error? err kind store
function engine_methods:put_own(record)
  local ok, err = self.store:put_own(record)
  if not ok then
    return nil, err
  end
  self.inbox:enqueue { record }
  return true
end

return engine
