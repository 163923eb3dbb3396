-- SPDX-License-Identifier: MIT
-- Calls the functions of bot:use around what a dialog gets of a customer. They are no part of the dialog: its journal has
-- nothing of them, and a replay does not call them. So the dialog gets an event of its own, they cannot wait, and what they
-- change joins the turn. Around handlers and global commands route.lua calls them, in the handler's run.

local attempts = require "cunnekt.engine.attempts"
local execute = require "cunnekt.dialog.engine.execute"
local formats = require "cunnekt.store.formats"
local outer = require "cunnekt.engine.outer"
local record_of = require "cunnekt.engine.record"
local route = require "cunnekt.bot.route"
local task = require "cunnekt.base.task"

local wrapping = {}

-- Gives what the dialog has changed in the states that the functions had read back to them: they may hold these tables.
local function give_back(its_turn)
  outer.restore(its_turn)
  for contact, state in pairs(its_turn.outer.states) do
    local holder = its_turn.states[contact]
    if holder == nil then
      state:unload() -- a commit in the middle of the dialog has saved it
      state:load()
    elseif holder ~= state then
      state:take_over(holder)
      its_turn.states[contact] = state
    end
  end
end

-- Gives the event to the dialog; a failure of it is noted, because the functions may catch it. `over`: how the turn goes on.
local function pass_on(its_turn, give, over)
  if over.is_ended then
    error("bot:use: next() was called after the function had returned", 2)
  elseif over.is_passed then
    error("bot:use: next() was called twice, and the dialog has the message already", 2)
  elseif not task.can_yield() then
    error("bot:use: next() cannot be called " .. task.hindrance(), 2)
  end
  over.is_passed = true
  outer.set_aside(its_turn)
  local ok, failure = xpcall(give, attempts.with_traceback)
  task.running().run = nil -- what follows is no part of the dialog
  if not ok then
    over.failure = failure
    error(failure, 0)
  end
  give_back(its_turn)
end

---Calls the functions of bot:use in the running turn; the last one's `next` calls `give`. Raises what they raise, and what the
---dialog has raised, whether they catch it or not.
---@param dialogs cunnekt.dialogs
---@param it table the bound event
---@param record cunnekt.inbox.record
---@param give fun(it: table) gives an event to the dialog, or does what the dialog says about it
function wrapping.call(dialogs, it, record, give)
  local running, over = task.running(), {}
  local its_turn = running.turn
  execute.check_noted(its_turn)
  its_turn.is_wrapping = true
  its_turn.is_continued = true -- after a conflict the event is read and dispatched again, because the functions may have changed it
  local kept = { bodies = record_of.bodies_of(record), rules = formats.rules }
  local function inside()
    return pass_on(its_turn, function()
      give(dialogs:read_event(record.contact, kept))
    end, over)
  end
  local wrappers, strand = dialogs.script.routes:wrappers(), task.new_strand()
  local how, ok, failure = task.resume(strand, xpcall, route.call_wrapped, attempts.with_traceback, wrappers, it, inside)
  over.is_ended, its_turn.is_wrapping = true, false
  if over.failure then
    error(over.failure, 0)
  elseif how == "failed" or not ok then
    if its_turn.run then
      its_turn.run.is_blameless = true -- it goes on waiting, after the last attempt as well
    end
    error(how == "failed" and ok or failure, 0)
  end
  running.run = its_turn.run
end

return wrapping
