-- SPDX-License-Identifier: MIT
-- The handle that a reply returns: the state of one message of the outbox, and `wait` for a later state. The outbox advances
-- it, by responses and statuses, in C (src/bind/engine/sent.c) or with the functions of this module; a script only reads it and waits.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local receiver = require "cunnekt.base.receiver"
local steps = require "cunnekt.engine.steps"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"

local sent = {}

-- States only move forward, in whatever order the statuses arrive.
local progress, is_final = status_names.progress, status_names.final
local waitable = status_names.set(status_names.awaitable)

---@class cunnekt.sent
---@field state "queued"|"sending"|"accepted"|"sent"|"delivered"|"read"|"played"|"unknown"|"rejected"|"failed"|"expired"|"dropped"
---@field message_id string? the provider's id, once accepted
---@field payload table
---@field err cunnekt.error? why it was rejected, failed or is unknown
---@field track table? the option of the reply
---@field id integer its id in the outbox
local sent_methods = {}
sent.methods = sent_methods

local now = core.sent_now

-- A run reads a field that changes by itself as a step: at a replay it gets what it got.
local function read(self, name)
  local its_run = steps.outside_step()
  if not its_run then
    return now(self, name)
  end
  local kept = its_run:step("sent field", { self.id or 0, name }, function()
    local value = now(self, name)
    return name == "err" and value and { err = journal.pack_error(value) } or { v = value }
  end, { is_internal = true })
  return kept.err and journal.unpack_error(kept.err) or kept.v
end

core.sent_methods(sent_methods, function(self)
  return ("cunnekt.sent: %s%s"):format(self.state, self.message_id and " " .. self.message_id or "")
end, read)

local sent_mt = getmetatable(core.sent {})

---A handle for a new message.
---@param payload table
---@return cunnekt.sent
function sent.new(payload)
  return core.sent(payload)
end

local function wake(self)
  local waiters = self._waiters
  if not waiters then
    return
  end
  self._waiters = nil
  for _, waiter in ipairs(waiters) do
    waiter()
  end
end

---Advances a handle; an earlier state is ignored, and so is a status that this version does not know. For the outbox.
---@param handle cunnekt.sent
---@param state string
---@param err cunnekt.error?
---@return boolean moved
function sent.advance(handle, state, err)
  local before = now(handle, "state")
  if is_final[before] then
    return false
  end
  local is_ahead = is_final[state] or (progress[state] ~= nil and progress[state] > progress[before])
  if not is_ahead then
    return false
  end
  handle.state, handle.err = state, err
  if handle._waiters then
    wake(handle)
  end
  return true
end

---Sets a handle back to queued after a send that was certainly not accepted, or whose fallback is sent. For the outbox.
---@param handle cunnekt.sent
---@param err cunnekt.error?
function sent.requeue(handle, err)
  handle.state, handle.err = "queued", err
end

local function failure_of(self)
  return now(self, "err") or errors.new("rejected", ("the message is %s"):format(now(self, "state")))
end

-- Waits for a change of the handle, at most until `deadline` on the monotonic clock.
local function wait_for_change(self, deadline)
  task.await(function(done)
    local timer = clock.after(deadline - clock.monotonic(), done)
    self._waiters = self._waiters or {}
    table.insert(self._waiters, function()
      timer:close()
      done()
    end)
    return function()
      timer:close()
    end
  end)
end

---Waits for a state of the message, inside or outside a turn. For the outbox; scripts call `wait`.
---@param handle cunnekt.sent
---@param wanted "accepted"|"sent"|"delivered"|"read"
---@param timeout number seconds
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind timeout, or why the message failed
function sent.wait_until(handle, wanted, timeout)
  local deadline = clock.monotonic() + timeout
  while not status_names.has_reached(now(handle, "state"), wanted) do
    if status_names.has_failed(now(handle, "state")) then
      return nil, failure_of(handle)
    end
    if clock.monotonic() >= deadline then
      return nil, errors.new("timeout", ("the message is %s, not yet %s"):format(now(handle, "state"), wanted))
    end
    wait_for_change(handle, deadline)
  end
  return handle
end

-- Commits the turn so far, so that its messages are sent.
local function commit_first()
  local running = task.running()
  if running and running.turn then
    running.turn:commit_more()
  end
end

---Waits until the message has reached a state. Ends the turn: what the handler did before is committed and sent.
---@param wanted "accepted"|"sent"|"delivered"|"read"
---@param timeout? number seconds; 60 by default
---@return cunnekt.sent? self
---@return cunnekt.error? err kind timeout, rejected, unknown_outcome …
function sent_methods:wait(wanted, timeout)
  if getmetatable(self) ~= sent_mt then
    receiver.refuse("sent", "wait", self)
  elseif not waitable[wanted] then
    error(("sent:wait: '%s' is not one of: accepted, sent, delivered, read"):format(tostring(wanted)), 2)
  end
  if timeout ~= nil and type(timeout) ~= "number" then
    error(("sent:wait: the timeout must be a number of seconds, got %s"):format(type(timeout)), 2)
  end
  timeout = timeout or 60
  local current = steps.current()
  if not current then
    steps.refuse_in_wrapper("sent:wait", 2)
    commit_first()
    return sent.wait_until(self, wanted, timeout)
  elseif current.is_in_step then
    error("sent:wait: cannot be used inside chat:step", 2)
  end
  local reached, err
  local result, is_replayed = current:step("sent", { self.id or 0, wanted }, function()
    commit_first()
    reached, err = sent.wait_until(self, wanted, timeout)
    return { state = now(self, "state"), message_id = now(self, "message_id"), err = err and journal.pack_error(err) }, true
  end, { is_internal = true, takes_time = true })
  if not is_replayed then
    return reached, err
  end
  sent.advance(self, result.state)
  self.message_id = now(self, "message_id") or result.message_id
  if result.err then
    return nil, journal.unpack_error(result.err)
  end
  return self
end

return sent
