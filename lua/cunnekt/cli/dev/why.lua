-- SPDX-License-Identifier: MIT
-- Why the last message went where it went: what it met on its way (bot/trace.lua), and where the log says it went. For `cunnekt dev`.

local bot = require "cunnekt.bot"
local formats = require "cunnekt.store.formats"
local log = require "cunnekt.base.log"
local trace = require "cunnekt.bot.trace"
local waits = require "cunnekt.cli.dev.waits"
local words = require "cunnekt.base.words"

local why = {}

local why_methods = {}
local why_mt = { __index = why_methods, __name = "cunnekt.dev.why" }

---@class cunnekt.dev.why
---@param on_unanswered fun(to: string) called for a message that nothing of the script got, with where it went
---@return cunnekt.dev.why
function why.new(on_unanswered)
  local self = setmetatable({ _on_unanswered = on_unanswered, _waits = waits.new() }, why_mt)
  log.listen(function(what, ...)
    self:hear(what, ...)
  end)
  return self
end

-- Whether nothing of the script got a message that went there.
local function answers_nothing(to)
  return to == "no handler matched" or to:find "^nobody;" ~= nil
end

-- Where the function of bot:use is at which the message ended; nil: none has ended it.
local function ended_at(last)
  for _, entry in ipairs(last and last.entries or {}) do
    local note = last.notes[entry]
    if entry.kind == "use" and note and note.returned and not note.passed then
      return entry.place
    end
  end
  return nil
end

-- Where the log says that it went, or who kept it from going there.
local function went_to(self, to)
  local place = to == "no handler matched" and ended_at(self.last)
  return place and ("nobody; the function of bot:use at %s did not call next()"):format(place) or to
end

-- A step of the log.
function why_methods:hear(what, ...)
  local fields = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    fields[name] = value
  end
  if what == "event" then
    self._waits:on_event(fields.event)
    if fields.kind == "message" then
      self._number = fields.event
    elseif fields.event == self._number then
      self._number = nil -- of another bot, which counts its own
    end
  elseif what == "answer" and self.last and fields.event == self._number then
    self.last.refused_by = fields.refused_by
  elseif what == "route" and fields.event == self._number then
    local to = went_to(self, fields.to)
    if self.last then
      self.last.to = to
    end
    if answers_nothing(to) then
      self._on_unanswered(to)
    end
  end
end

---Notes what a customer has written, before the script gets it.
---@param entry cunnekt.sandbox_entry
---@return string? sentence behind what it waits
function why_methods:note_written(entry)
  local text = entry.message and entry.message.text
  self.written = { id = entry.id, contact = entry.contact, type = entry.type, text = type(text) == "table" and text.body or nil }
  return self._waits:sentence(entry.contact)
end

---Notes that a handler has failed.
---@param err cunnekt.error
---@param about table? at what
---@param service cunnekt.service
function why_methods:note_failure(err, about, service)
  self._waits:note(err, about, service)
  if self.last and type(about) == "table" and self.last.id == about.id then
    self.last.failure = words.first_line(err.message)
  end
end

-- The last message begins when it is seen first; attempts after it are the same one's.
local function begin(self, event)
  if event.kind ~= "message" then
    return
  elseif not self.last or self.last.id ~= event.id then
    self.last = { id = event.id, event = event, notes = {}, entries = self._entries }
  end
  self.last.event, self.last.failure, self.last.refused_by = event, nil, nil
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

---Whether a message, or another event, that has failed may wait for its next try now.
---@return boolean
function why_methods:has_retries()
  return self._waits:has_any()
end

---What is left undone at the end.
---@param services cunnekt.service[]
---@return string? sentence nil: all is done
function why_methods:left(services)
  return self._waits:left(services)
end

local function of_middleware(note, failure)
  if not note then
    return "was not reached"
  elseif note.passed then
    return "called next()"
  end
  local unfinished = failure and "was called, and failed" or "was called, and has not returned"
  return note.returned and "did not call next(): the message ended here" or unfinished
end

local function of_handler(entry, note, event, failure)
  if note and note.ran then
    if not note.returned then
      return failure and "was called, and failed" or "was called, and waits"
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
    return last.failure and "nothing, for it failed: " .. last.failure or "nothing yet; it waits, or failed"
  elseif not last.to:find(formats.handler_pattern) then
    return last.refused_by and ("%s, where %s refused it"):format(last.to, last.refused_by) or last.to
  end
  local place
  for _, entry in ipairs(last.entries) do
    local note = last.notes[entry]
    if note and note.ran and entry.kind ~= "use" then
      place = note.verdict ~= "next" and entry.place or nil
    end
  end
  local failure = last.failure and ", which failed: " .. last.failure or ""
  return place and "the handler at " .. place .. failure or 'no other handler, after "next"'
end

local function name_of(message)
  return message.text and ("%s '%s'"):format(message.type, message.text) or message.type
end

-- How it begins: with the last message, and, where the script has not got that yet, with the one before.
local function heading(self)
  local last, written = self.last, self.written
  if not written or last and last.id == written.id then
    return last and { "the last message: " .. name_of(last.event) } or { "nothing was written yet" }
  end
  local lines = { "the last message: " .. name_of(written), self._waits:sentence(written.contact) or "the script has not got it yet" }
  lines[#lines + 1] = last and "the one that the script got last: " .. name_of(last.event) or nil
  return lines
end

---What the last message met, as lines.
---@return string[]
function why_methods:lines()
  local last, lines = self.last, heading(self)
  if not last then
    return lines
  end
  for _, entry in ipairs(last.entries) do
    local note = last.notes[entry]
    if entry.kind ~= "global" or note then
      local result = entry.kind == "use" and of_middleware(note, last.failure) or of_handler(entry, note, last.event, last.failure)
      local what = entry.what ~= "" and (" '%s'"):format(entry.what) or ""
      lines[#lines + 1] = ("  %s%s, %s: %s"):format(names[entry.kind], what, entry.place, result)
    end
  end
  lines[#lines + 1] = ("it went to: %s"):format(destination(last))
  return lines
end

return why
