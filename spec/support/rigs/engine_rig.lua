-- SPDX-License-Identifier: MIT
-- An engine on a store in memory, without a bot: the provider is the spec's, and so is what its hooks hear.

local engine = require "cunnekt.engine"
local errors = require "cunnekt.base.errors"
local fake_client = require "spec.support.fake_client"
local log = require "cunnekt.base.log"
local rig = require "spec.support.rigs.store_rig"
local sent = require "cunnekt.bot.sent"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local engine_rig = {}

local rig_methods = {}
local rig_mt = { __index = rig_methods }

-- The provider takes a message, or gives the next of the rig's `answers`: an answer, a failure, or "hold", which keeps the
-- message until the spec answers it (`let_go`).
local function deliver(self, payload)
  self.delivered[#self.delivered + 1] = payload
  local answer = table.remove(self.answers, 1)
  if answer == "hold" then
    answer = task.await(function(done)
      self.held[#self.held + 1] = done
    end)
  end
  if errors.is(answer) then
    return nil, answer
  end
  return answer or { message_id = "wamid." .. (payload.text or payload.templateid or payload.body), status = 200 }
end

---@param opts? table url: of the store; `store`: its options; on_turn, on_answer; the options of an engine
---@return table rig `engine` and its parts; `heard`: commits and failures; `answers`; `lines`: of the log
function engine_rig.new(opts)
  opts = opts or {}
  local self = setmetatable({
    heard = { commits = {}, failures = {}, joins = {} },
    answers = {},
    held = {},
    delivered = {},
    lines = {},
    _write = log.write,
  }, rig_mt)
  log.write = function(line)
    self.lines[#self.lines + 1] = line
  end
  self.store = rig.open(opts.url, opts.store)
  local client = {
    take_permit = function()
      return 0, false
    end,
    return_permit = function() end,
  }
  fake_client.transmits(client, function(_, payload)
    return deliver(self, payload)
  end)
  local options = { concurrency = 100, queue = 1000, sends = 10, unknown = "hold", on_failure = "wait" }
  for name in pairs(options) do
    options[name] = opts[name] or options[name]
  end
  self.engine = engine.new { store = self.store, client = client, options = options, handles = sent }
  self.inbox, self.outbox, self.turns, self.counts = self.engine.inbox, self.engine.outbox, self.engine.turns, self.engine.counts
  self.engine:connect {
    on_turn = opts.on_turn or function(record, done)
      self.turns:run(record, function() end, function()
        done()
      end)
    end,
    on_commit = function(change)
      table.insert(self.heard.commits, change)
    end,
    on_answer = opts.on_answer or function() end,
    on_join = function(from, to)
      table.insert(self.heard.joins, { from = from, to = to })
    end,
    on_failure = function(err, about)
      table.insert(self.heard.failures, { err = err, about = about })
    end,
  }
  return self
end

---Steps the loop until `is_done` gives something.
function rig_methods:step_until(is_done, what)
  return wire.step_until(is_done, what, self.lines)
end

---Waits until no turn is open and no message is being sent, and everything is written.
function rig_methods:settle()
  local function is_quiet()
    return self.turns:count() == 0 and self.outbox:active() == 0
  end
  repeat
    self:step_until(is_quiet, "quiet")
    self.store:value "anything" -- the store works in order, and messages that it was asked for are there
  until is_quiet()
end

---Runs `fn` as a turn, and waits for its end.
---@return cunnekt.error? err
---@return table? record
---@return table? its_run
function rig_methods:turn(record, fn)
  local result
  self.turns:run(record, fn, function(...)
    result = table.pack(...)
  end)
  self:step_until(function()
    return result
  end, "a turn")
  return table.unpack(result, 1, 3)
end

---Runs `fn` in a task, and waits for its end; raises what it raises.
function rig_methods:run(fn)
  local t = task.spawn(function()
    return pcall(fn)
  end)
  self:step_until(function()
    return t.is_done
  end, "a task")
  assert(table.unpack(t.results, 1, t.results.n))
  return table.unpack(t.results, 2, t.results.n)
end

---An accepted event that waits for its turn.
function rig_methods:accept(contact, body, more)
  local record = rig.record(contact, body, more)
  rig.accept(self.store, { record })
  return record
end

---A row that is to be sent.
function rig_methods:row(contact, text, delivery)
  return self.outbox:new_row(contact, { mobile = "919999999999", type = "text", text = text }, delivery)
end

---Sends messages in a turn of their own; gives the handles.
function rig_methods:send(...)
  local rows, handles = { ... }, {}
  assert(self:turn(nil, function(current)
    for i, row in ipairs(rows) do
      current:send(row)
      handles[i] = row.handle
    end
  end) == nil)
  return table.unpack(handles)
end

---The provider holds the next messages.
---@param count integer
function rig_methods:hold(count)
  for _ = 1, count do
    self.answers[#self.answers + 1] = "hold"
  end
end

---Accepts a message that is held, and waits until so many in all have reached the provider.
---@param i integer which of those that were held
---@param count integer
function rig_methods:let_go(i, count)
  self.held[i]()
  self:step_until(function()
    return #self.delivered == count
  end, count .. " messages")
end

---The texts of the messages that reached the client.
function rig_methods:texts()
  local texts = {}
  for i, payload in ipairs(self.delivered) do
    texts[i] = payload.text or payload.templateid
  end
  return texts
end

function rig_methods:close()
  self.inbox:stop()
  self.outbox:stop()
  self.store:close()
  log.write = self._write
end

return engine_rig
