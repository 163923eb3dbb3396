-- SPDX-License-Identifier: MIT
-- Why the last message went where it went: what it met on its way (bot/trace.lua), and where the log says it went. For `cunnekt dev`.

local bot = require "cunnekt.bot"
local formats = require "cunnekt.store.formats"
local log = require "cunnekt.base.log"
local trace = require "cunnekt.bot.trace"

local why = {}

local why_methods = {}
local why_mt = { __index = why_methods, __name = "cunnekt.dev.why" }

---@class cunnekt.dev.why
---@param on_unanswered fun(to: string) called for a message that nothing of the script got, with where it went
---@return cunnekt.dev.why
function why.new(on_unanswered)
  local self = setmetatable({ _on_unanswered = on_unanswered }, why_mt)
  log.listen(function(what, ...)
    self:hear(what, ...)
  end)
  return self
end

-- Whether nothing of the script got a message that went there.
local function answers_nothing(to)
  return to == "no handler matched" or to:find "^nobody;" ~= nil
end

-- A step of the log.
function why_methods:hear(what, ...)
  local fields = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    fields[name] = value
  end
  if what == "event" then
    self._number = fields.kind == "message" and fields.event or self._number
    self._is_message = fields.kind == "message"
  elseif what == "route" and fields.event == self._number then
    if self.last then
      self.last.to = fields.to
    end
    if answers_nothing(fields.to) then
      self._on_unanswered(fields.to)
    end
  end
end

-- The last message begins when it is seen first; attempts after it are the same one's.
local function begin(self, event)
  if event.kind ~= "message" then
    return
  elseif not self.last or self.last.id ~= event.id then
    self.last = { id = event.id, event = event, notes = {}, entries = self._entries }
  end
  self.last.event = event
end

---Watches the bots of a script, as they are now.
---@param services cunnekt.service[]
function why_methods:attach(services)
  self._entries = {}
  for _, one in ipairs(services) do
    local entries = trace.attach(bot.parts(one.bot).routes, function(event)
      begin(self, event)
    end, function(entry, event)
      begin(self, event)
      local is_last = self.last and self.last.id == event.id and event.kind == "message"
      local notes = is_last and self.last.notes or {}
      notes[entry] = notes[entry] or {}
      return notes[entry]
    end)
    table.move(entries, 1, #entries, #self._entries + 1, self._entries)
  end
end

local function of_middleware(note)
  if not note then
    return "was not reached"
  elseif note.passed then
    return "called next()"
  end
  return note.returned and "did not call next(): the message ended here" or "was called, and has not returned: it failed"
end

local function of_handler(entry, note, event)
  if note and note.ran then
    if not note.returned then
      return "was called, and has not returned: it waits, or it failed"
    end
    return note.verdict == "next" and 'was called, and returned "next"' or "was called"
  elseif note and note.asked then
    return note.matched == nil and "its matcher failed" or note.matched and "its matcher said yes" or "its matcher said no"
  elseif entry.fits and not entry.fits(event) then
    return "is for other events"
  end
  return "was not reached"
end

local names = { use = "bot:use", global = "bot:global", on = "bot:on" }

-- Where it ended, in words.
local function destination(last)
  if not last.to then
    return "nothing yet; it waits, or failed"
  elseif not last.to:find(formats.handler_pattern) then
    return last.to
  end
  local place
  for _, entry in ipairs(last.entries) do
    local note = last.notes[entry]
    if note and note.ran and entry.kind ~= "use" then
      place = note.verdict ~= "next" and entry.place or nil
    end
  end
  return place and "the handler at " .. place or 'no other handler, after "next"'
end

---What the last message met, as lines.
---@return string[]
function why_methods:lines()
  local last = self.last
  if not last then
    return { "nothing was written yet" }
  end
  local lines = { ("the last message: %s%s"):format(last.event.type, last.event.text and (" '%s'"):format(last.event.text) or "") }
  for _, entry in ipairs(last.entries) do
    local note = last.notes[entry]
    if entry.kind ~= "global" or note then
      local result = entry.kind == "use" and of_middleware(note) or of_handler(entry, note, last.event)
      local what = entry.what ~= "" and (" '%s'"):format(entry.what) or ""
      lines[#lines + 1] = ("  %s%s, %s: %s"):format(names[entry.kind], what, entry.place, result)
    end
  end
  lines[#lines + 1] = ("it went to: %s"):format(destination(last))
  return lines
end

return why
