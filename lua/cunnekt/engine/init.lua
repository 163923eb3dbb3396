-- SPDX-License-Identifier: MIT
-- The engine takes an event from its acceptance to the settled messages of its turn. It assembles inbox, turns and outbox,
-- and calls four hooks of the layers above. It knows no handlers, no dialogs and no HTTP.

local core = require "cunnekt.core"
local counts = require "cunnekt.engine.counts"
local inbox = require "cunnekt.engine.inbox"
local limits = require "cunnekt.provider.limits"
local log = require "cunnekt.base.log"
local messages = require "cunnekt.store.messages"
local outbox = require "cunnekt.engine.outbox"
local personal = require "cunnekt.provider.personal"
local turn = require "cunnekt.engine.turn"
local wall_clock = require "cunnekt.time.wall_clock"

local engine = {}

local engine_methods = {}
local engine_mt = { __index = engine_methods, __name = "cunnekt.engine" }

---What the engine needs from the layers above it.
---@class cunnekt.engine.hooks
---@field on_turn fun(record: cunnekt.inbox.record, done: fun(pause?: number)) runs the turn of an event; `done()` ends it, `done(seconds)` schedules a retry
---@field on_commit fun(change: table) called for a committed turn that changed a run, a pause or a job
---@field on_answer fun(row: cunnekt.outbox.row, outcome: string, err: cunnekt.error?): cunnekt.inbox.record[]? returns the events that report the outcome of a message; nil: none
---@field is_heard? fun(status: string): boolean whether anybody but the engine hears of a status, which is not "failed"
---@field on_join fun(from: string, to: string) one conversation has become part of another
---@field on_failure fun(err: cunnekt.error, about: table?) reports a failure to the script

---@class cunnekt.engine
---@field store table
---@field client cunnekt.client
---@field inbox cunnekt.inbox
---@field outbox cunnekt.outbox
---@field turns cunnekt.turns
---@field budget cunnekt.turn_budget
---@field counts table<string, integer>
---@field wall_clock cunnekt.wall_clock
---@field phone_number_id string? the business number's id that the script chose
---@field lines table the ids of business numbers that customers wrote to; see bot/lines.lua
---@field has_read_lines boolean?
---@field has_warned_of_line boolean?

---Creates the parts. Nothing runs before `connect`.
---@param parts {store: table, client: cunnekt.client, options: table, handles: table, budget: cunnekt.turn_budget?, phone_number_id: string?} `options`: concurrency, queue, sends, unknown and on_failure of cunnekt.bot; `handles`: bot/sent.lua
---@return cunnekt.engine
function engine.new(parts)
  local store, options, numbers, its_clock = parts.store, parts.options, counts.new(), wall_clock.new()
  store.persons:have_aliases() -- what has no alias needs no look-up; known from now on
  local its_outbox = outbox.new {
    store = store,
    client = parts.client,
    handles = parts.handles,
    counts = numbers,
    concurrency = options.sends,
    unknown = options.unknown,
    has_unknown = messages.has_unknown(store),
  }
  local its_inbox = inbox.new {
    store = store,
    outbox = its_outbox,
    wall_clock = its_clock,
    counts = numbers,
    concurrency = options.concurrency,
    capacity = options.queue,
    has_to_wait = options.on_failure == "wait",
  }
  local its_turns = turn.manager { store = store, inbox = its_inbox, outbox = its_outbox, budget = parts.budget }
  return setmetatable({
    store = store,
    client = parts.client,
    inbox = its_inbox,
    outbox = its_outbox,
    budget = its_turns.budget,
    turns = its_turns,
    counts = numbers,
    wall_clock = its_clock,
    phone_number_id = parts.phone_number_id,
    lines = {},
  }, engine_mt)
end

---Sets the hooks.
---@param hooks cunnekt.engine.hooks
function engine_methods:connect(hooks)
  self.inbox:connect(hooks.on_turn, function(from, to, was_used)
    self.inbox:join_contacts(from, to)
    self.outbox:join_contacts(from, to)
    hooks.on_join(from, to)
    if was_used then
      log.info("two conversations are one person's: %s is now part of %s", personal.contact(from), personal.contact(to))
    end
  end, hooks.is_heard)
  self.outbox:connect(hooks, self.inbox)
  self.turns:connect(hooks.on_commit)
end

---Lets C run the turns of events that need nothing but their handler and its replies, see src/bind/engine/turn.c. Call it after `connect`.
---@param parts {routes: table, dialogs: table, taps: table, senders: function[], serve: function, make_task: function, fail: function}
function engine_methods:serve_bare(parts)
  local store = self.store
  parts.lanes, parts.outbox, parts.store, parts.persons = self.inbox._lanes, self.outbox._core, store, store.persons
  parts.budget, parts.log, parts.wall_clock, parts.counts = self.budget, log, self.wall_clock, self.counts
  parts.most_characters, parts.window = limits.characters.text.max, limits.service_window
  parts.least_digits, parts.most_digits = limits.number_digits.min, limits.number_digits.max
  function parts.take_id()
    return store:take_id()
  end
  self.turns.bare = core.bare_turns(parts)
end

---Stores an own event outside any turn and queues it. Waits.
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
