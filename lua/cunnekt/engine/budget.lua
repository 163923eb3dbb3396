-- SPDX-License-Identifier: MIT
-- The budget of a bot's turns: CPU time of Lua, and memory of the state. The host stops a turn that has used it up
-- (src/host/stop.h); this file makes its error, which is final: the event becomes a dead letter at once.
--
-- A turn that the host could not stop, because it was inside a C function, is noted in a file beside the store, and the
-- program starts anew. Then the turn of that event fails before it runs any code of the script, and the note goes when the
-- store has the dead letter.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

local budget = {}

-- The names by which functions of bot:on_error and bot:tap are charged.
local budget_methods = { listener = "bot:on_error", tap = "bot:tap" }
local budget_mt = { __index = budget_methods, __name = "cunnekt.turn_budget" }

---@class cunnekt.turn_budget
---@field meter userdata? of core.budget; nil without limits
---@field noted table<integer|string, cunnekt.error>? turns that an earlier process could not stop, by event or name; nil: none
---@field stopped_listener cunnekt.error? why the functions of bot:on_error are not called until the next start
---@field stopped_tap cunnekt.error? why those of bot:tap are not
---@field seconds number CPU time of a turn; 0: no limit
---@field memory integer bytes of the Lua state; 0: no limit

-- ---- errors --------------------------------------------------------------------------------------------------------

local function words_for(self, reason)
  if reason == "memory" then
    return ("more memory than its budget of %d MB for all of Lua"):format(self.memory // (1 << 20))
  elseif reason == "depth" then
    return "more nested calls than Lua allows"
  end
  return ("its budget of %g seconds of CPU time"):format(self.seconds)
end

-- The error of a turn that was stopped. `where`: "bot.lua:12", or "" where it is not known.
local function new_error(self, reason, where, traceback)
  local place = where ~= "" and where .. ": " or ""
  local err = errors.new("budget", ("%sthe turn has used %s"):format(place, words_for(self, reason)), {
    reason = reason,
    where = where ~= "" and where or nil,
  })
  err.traceback = traceback and ("%s\n%s"):format(tostring(err), traceback) or nil
  return err
end

core.on_stop(function(reason, where, traceback, seconds, memory)
  return new_error({ seconds = seconds, memory = memory }, reason, where, traceback)
end)

-- The first place in a traceback that is not in cunnekt's own files.
local function place_in(traceback)
  for place in traceback:gmatch "\n%s*([^\n:]+:%d+): in" do
    if not place:find "^cunnekt/" then
      return place
    end
  end
  return ""
end

-- Limits of Lua's own, which another attempt would reach again.
local own_limits = {
  ["stack overflow"] = "depth",
  ["C stack overflow"] = "depth",
  ["error in error handling"] = "depth", -- there is no stack left for the handler
  ["resulting string too large"] = "memory",
  ["string length overflow"] = "memory",
  ["buffer too large"] = "memory",
  ["table overflow"] = "memory",
}

local function error_of_own_limit(self, failure)
  local traceback = type(failure) == "table" and failure.traceback or tostring(failure)
  local first, rest = traceback:match "^([^\n]*)\n?(.*)$"
  local where, words = first:match "^(.-:%d+): (.*)$"
  words = words or first
  local reason = own_limits[words:match "^[^('\"]*[^ ('\"]"]
  if not reason or (reason == "memory" and self.memory == 0) then
    return nil
  end
  return new_error(self, reason, where or place_in(traceback), rest ~= "" and rest or nil)
end

---What a failure is, after it has left the script: the error of the budget, if that is why the turn failed.
---@param failure any
---@return cunnekt.error? err nil when it was not the budget
function budget_methods:failure(failure)
  local text = type(failure) == "table" and failure.message or failure
  local reason, where, charge = core.stopped(text == "not enough memory")
  if reason then
    local running = task.running()
    if running and running.charge then
      running.charge = charge
    end
    if errors.is(failure) and failure.kind == "budget" then
      return failure
    end
    return new_error(self, reason, where)
  elseif errors.is(failure) and failure.kind == "budget" then
    return failure -- caught, and raised again
  end
  return failure ~= nil and error_of_own_limit(self, failure) or nil
end

---Called when a stopped turn has been undone: collects what it left, and once more what its coroutine held. Where the state is
---unsound, or still too large, the program starts anew.
---@param err cunnekt.error
function budget_methods:after_stop(err)
  local meter = self.meter
  if not meter then
    return
  elseif core.is_bounded(meter) then
    clock.after(0, function()
      core.is_bounded(meter)
    end)
    return
  end
  log.error("%s; the memory is still held, or the state is not sound", tostring(err))
  core.start_anew(nil, err.where)
end

-- ---- notes ---------------------------------------------------------------------------------------------------------

-- The turns in the file of notes.
local function read(self)
  local noted, file = {}, self._notes and io.open(self._notes, "rb")
  for line in file and file:lines() or function() end do
    local reason, event, where, name = line:match "^(%a+)\t(%d+)\t([^\t]*)\t(.*)$"
    local key = math.tointeger(tonumber(event))
    if reason then
      noted[key ~= 0 and key or name] = new_error(self, reason, where)
    end
  end
  if file then
    file:close()
  end
  return next(noted) ~= nil and noted or nil
end

---Whether the script leaves room for turns. At its start most of the memory is the script's own.
---@return boolean? ok
---@return cunnekt.error? err
function budget_methods:check_room()
  if not self.meter or core.is_bounded(self.meter) then
    return true
  end
  local problem = "the script holds more than three quarters of budget.memory (%d MB) at its start, so turns would be stopped"
  return nil, errors.new("invalid", problem:format(self.memory // (1 << 20)))
end

---Reads at the start which turns an earlier process could not stop.
---@param is_pending fun(event: integer): boolean whether the event still waits
function budget_methods:load(is_pending)
  local noted = read(self) or {}
  for key in pairs(noted) do
    if math.type(key) == "integer" and not is_pending(key) then
      noted[key] = nil
    end
  end
  -- They would run into the same after each failure, and at each event.
  self.stopped_listener, noted[self.listener] = noted[self.listener], nil
  self.stopped_tap, noted[self.tap] = noted[self.tap], nil
  self.noted = next(noted) ~= nil and noted or nil
  if not self.noted and self._notes then
    os.remove(self._notes)
  end
end

---The error of a turn that was noted, if it was.
---@param subject integer|string event or name
---@return cunnekt.error?
function budget_methods:noted_error(subject)
  return self.noted and self.noted[subject]
end

---Forgets the note of a turn whose failure was given to the store.
---@param subject integer|string
---@param store table
function budget_methods:settle(subject, store)
  if not self:noted_error(subject) then
    return
  end
  self.noted[subject] = nil
  if next(self.noted) == nil then
    self.noted = nil
    task.spawn(function()
      local _, err = store:query "has_unknown" -- answered after all that was given to the store before
      if not err and not self.noted then
        os.remove(self._notes)
      end
    end)
  end
end

-- ---- budgets -------------------------------------------------------------------------------------------------------

---Charges the running task: for code of the script outside of the turns that engine/turn.lua runs.
---@param name string such as "bot:on_error"
function budget_methods:charge(name)
  local running = task.running()
  if self.meter then
    running.charge = self.meter:enter(name)
  end
end

---Calls code of the script outside of a task. It may not wait.
---@param subject integer|string
---@param fn function
---@param ... any
---@return any ... what fn returns; raises what it raises
function budget_methods:call(subject, fn, ...)
  if self.meter then
    return self.meter:charged(subject, fn, ...)
  end
  return fn(...)
end

---@param options {seconds: number, memory: integer, notes: string?} 0: no limit; `notes`: the file for turns that could not be stopped
---@return cunnekt.turn_budget
function budget.new(options)
  local self = setmetatable({ seconds = options.seconds, memory = options.memory, _notes = options.notes }, budget_mt)
  if options.seconds > 0 or options.memory > 0 then
    self.meter = core.budget(options)
  end
  return self
end

return budget
