-- SPDX-License-Identifier: MIT
-- The functions that a script registers with bot:before_send, bot:on_error and bot:on_restart. This file calls those of
-- bot:before_send and bot:on_error; service/start.lua calls those of bot:on_restart. Handlers and middleware are in route.lua.

local blame = require "cunnekt.base.blame"
local build = require "cunnekt.provider.build"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local personal = require "cunnekt.provider.personal"
local redact = require "cunnekt.base.redact"
local task = require "cunnekt.base.task"

local hooks = {}

-- Events and jobs of which is known what was told.
local max_told = 1000

local hooks_methods = {}
local hooks_mt = { __index = hooks_methods, __name = "cunnekt.hooks" }

---@class cunnekt.hooks
---@field senders function[] bot:before_send
---@field failure_listeners function[] bot:on_error
---@field restart_listeners function[] bot:on_restart
---@field budget cunnekt.turn_budget?
---@field observer fun(err: cunnekt.error, about: table?)? sees every failure, heard or logged
---@field is_kept boolean? whether commands can look at the store

---@return cunnekt.hooks
function hooks.new()
  return setmetatable({ senders = {}, failure_listeners = {}, restart_listeners = {}, _told = {}, _count = 0, _sent = {}, _sent_count = 0 }, hooks_mt)
end

---Takes over the functions of another one, in the place of its own. A failure that was told is told again.
---@param other cunnekt.hooks
function hooks_methods:replace(other)
  self.senders, self.failure_listeners, self.restart_listeners = other.senders, other.failure_listeners, other.restart_listeners
  self._told, self._count = {}, 0
end

---Calls the functions of bot:before_send, and checks the payload that they return.
---@param payload table
---@param chat cunnekt.chat
---@return table? payload
---@return cunnekt.error? err kind cancelled or invalid
function hooks_methods:before_send(payload, chat)
  for _, fn in ipairs(self.senders) do
    local verdict = fn(payload, chat)
    if verdict == false then
      return nil, errors.new("cancelled", "before_send dropped the message")
    end
    payload = type(verdict) == "table" and verdict or payload
  end
  return build.send(payload, nil, chat.to)
end

local function traceback(failure)
  return errors.is(failure) and failure or select(2, blame.describe(failure, 2))
end

local function call_listener(self, fn, err, about)
  task.running().is_listener = true
  if self.budget then
    self.budget:charge(self.budget.listener)
  end
  local ok, problem = xpcall(fn, traceback, err, about)
  if ok then
    return
  end
  local stop = self.budget and self.budget:failure(problem)
  log.error("bot:on_error failed: %s", personal.logged(tostring(stop or problem), about))
  if stop then
    self.budget:after_stop(stop)
  end
end

-- What becomes of an event or a job, for the log.
local function fate(self, err)
  local event, job = err.event, err.job
  local of = event or job
  local what = event and ("event %d, %s"):format(event.id, event.type or "unknown") or ("job '%s'"):format(job.name)
  local next_try = "not tried again"
  if of.next_try then
    next_try = ("next try in %.1f s"):format(of.next_try)
  elseif event then
    local how = self.is_kept and (": cunnekt events show %d"):format(event.id) or log.is_shown and "; a changed script gets it again" or ""
    next_try = "now a dead letter" .. how
  end
  return (" (%s, attempt %d of %d; %s)"):format(what, err.attempts, of.attempts, next_try)
end

---Notes a message that a function of bot:on_error has sent. When it fails, that function is not called: it would send another one, which
---fails for the same reason, without end.
---@param handle userdata
function hooks_methods:note_sent(handle)
  if self._sent_count == max_told then
    self._sent, self._sent_count = {}, 0
  end
  self._sent[handle.id], self._sent_count = true, self._sent_count + 1
end

-- Which message failed, for the log: many may fail in the same words.
local function message_named(self, handle)
  local where = self.is_kept and ("; cunnekt outbox show %d"):format(handle.id) or ""
  where = where .. (self._sent[handle.id] and "; bot:on_error sent it, and is not called for it" or "")
  return (" (message %d to %s%s)"):format(handle.id, redact.number(handle.payload.mobile), where)
end

-- The script's file and line: of the failure itself, or of the first line of its traceback.
local function place_of(err, first, rest)
  local sentence = first:sub(1, #err.kind + 2) == err.kind .. ": " and first:sub(#err.kind + 3) or first
  local file, line = (err.where and err.where .. ": " or sentence):match "^([^:]+):(%d+): "
  if not file then
    file, line = rest:match "\n\t([^:\n]+):(%d+): in "
  end
  return file, math.tointeger(tonumber(line))
end

-- Whether somebody who looks on was told of it: by the event, or the job, and the place, since the text may differ each time.
local function was_told(self, of, place)
  local told = self._told[of]
  if not told then
    if self._count == max_told then
      self._told, self._count = {}, 0
    end
    told, self._count = {}, self._count + 1
    self._told[of] = told
  end
  local is_told = told[place] == true
  told[place] = true
  return is_told
end

-- Logs a failure. Somebody who looks on is told once, and not again at each retry.
local function say(self, err, about)
  local text = personal.logged(err.traceback or tostring(err), about)
  local first, rest = text:match "^([^\n]*)(.*)$"
  local file, line = place_of(err, first, rest)
  local event, job = err.event or {}, err.job or {}
  local of, next_try = event.id or job.name, event.next_try or job.next_try
  if of then
    local is_repeated = log.is_shown and was_told(self, of, file and ("%s:%d"):format(file, line) or first)
    if is_repeated and not err.is_final then
      return
    end
    first = first .. fate(self, err)
  end
  local message = type(about) == "userdata" and about.id or nil
  first = message and first .. message_named(self, about) or first
  log.failure(first .. rest, "kind", err.kind, "event", event.id, "type", event.type, "job", job.name, "message", message,
    "attempt", of and err.attempts, "attempts", event.attempts or job.attempts, "next_try", next_try and next_try * 10 // 1 / 10,
    "file", file, "line", line)
end

---Calls the functions of bot:on_error, or logs the failure without them, and without what the customer wrote. Who develops a
---script has it logged in any case.
---@param err cunnekt.error
---@param about table? the event, or the handle of the message
function hooks_methods:on_failure(err, about)
  if self.observer then
    self.observer(err, about)
  end
  local stop = self.budget and self.budget.stopped_listener
  if stop then
    log.error("bot:on_error is not called until the next start: %s", stop.message)
  end
  local is_listeners = type(about) == "userdata" and self._sent[about.id]
  if #self.failure_listeners == 0 or stop or is_listeners or log.shows_heard_failures then
    say(self, err, about)
  end
  if stop or is_listeners then
    return
  end
  for _, fn in ipairs(self.failure_listeners) do
    task.spawn(call_listener, self, fn, err, about)
  end
end

return hooks
