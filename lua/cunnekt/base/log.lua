-- SPDX-License-Identifier: MIT
-- The log: one line per event on stderr, which the system's journal keeps. No timestamps, for the journal adds them; but lines of
-- the level debug, which are read beside each other, and lines of JSON have one. Callers leave out API keys, customers' numbers
-- and texts of messages.

local core = require "cunnekt.core"
local redact = require "cunnekt.base.redact"

local log = {}

---Whether lines of the level debug are written. Callers ask before they gather what those say.
log.is_debug = false
---Whether somebody looks on: `cunnekt dev` and tests see each refused reply, where it happens, and a failure once.
log.is_shown = false
---Whether a failure is logged although bot:on_error hears of it: in `cunnekt dev` and `cunnekt test`, where one looks for mistakes.
log.shows_heard_failures = false

---Whether lines are objects.
log.is_json = false

-- Who hears of each step; and whether it is written as well.
local listener, is_written = nil, true

---Writes a line; replace it to log elsewhere.
---@param line string
function log.write(line)
  io.stderr:write(line, "\n")
end

---Sets what is logged, and how.
---@param words? string "debug", "json", or both, with a comma or a blank between them, as in CUNNEKT_LOG
---@return string? problem names a word that means nothing
function log.configure(words)
  for word in (words or ""):gmatch "[^%s,]+" do
    if word == "debug" then
      log.is_debug = true
    elseif word == "json" then
      log.is_json = true
    elseif word == "text" or word == "info" then
      log.is_json, log.is_debug = log.is_json and word ~= "text", log.is_debug and word ~= "info"
    else
      return ("'%s' is none of: debug, info, json, text"):format(word)
    end
  end
  warn(log.is_json and "@json" or "@text") -- to the host, which writes the warnings of Lua
  return nil
end

local function hidden(value)
  return type(value) == "string" and redact.own_secrets(value) or value
end

-- One object, its keys in this order: names and values in turns.
local function as_json(level, text, fields)
  local json = require "cunnekt.base.json"
  local at = core.now()
  local time = os.date("!%Y-%m-%dT%H:%M:%S", at // 1 | 0) .. (".%03dZ"):format(at % 1 * 1000 // 1 | 0)
  local parts = { ('"time":"%s","level":"%s","msg":%s'):format(time, level, json.encode(hidden(text))) }
  for i = 1, fields and #fields or 0, 2 do
    parts[#parts + 1] = ("%s:%s"):format(json.encode(fields[i]), json.encode(hidden(fields[i + 1])))
  end
  return ("{%s}"):format(table.concat(parts, ","))
end

---Lets a function hear of each step, whether those are logged or not: `cunnekt dev`.
---@param fn fun(what: string, ...: any) as log.debug is called
function log.listen(fn)
  listener, is_written, log.is_debug = fn, log.is_debug, true
end

local function write(level, text, fields)
  if log.is_json then
    log.write(as_json(level, text, fields))
  else
    log.write(("cunnekt: %s%s"):format(level == "info" and "" or level .. ": ", hidden(text)))
  end
end

local function say(level, format, ...)
  local text = select("#", ...) > 0 and format:format(...) or format
  write(level, text)
end

---@param format string as in string.format
---@param ... any
function log.info(format, ...)
  say("info", format, ...)
end

---@param format string as in string.format
---@param ... any
function log.warn(format, ...)
  say("warning", format, ...)
end

---@param format string as in string.format
---@param ... any
function log.error(format, ...)
  say("error", format, ...)
end

---Why the program or a task of it has failed. A plain line has no level: the sentence is that of a command that fails.
---@param text string
function log.fatal(text)
  if log.is_json then
    write("error", text)
  else
    log.write("cunnekt: " .. hidden(text))
  end
end

-- Names and values in turns, without those that are nil.
local function fields_of(...)
  local fields = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if value ~= nil then
      fields[#fields + 1], fields[#fields + 2] = name, value
    end
  end
  return fields
end

---An error whose parts are fields of their own in JSON.
---@param text string says all of it
---@param ... any names and values in turns; those that are nil are left out
function log.failure(text, ...)
  write("error", text, log.is_json and fields_of(...) or nil)
end

---One step of what happens to an event or a message. Only where `log.is_debug`.
---@param what string "event", "route", "reply", "send"
---@param ... any names and values in turns; those that are nil are left out
function log.debug(what, ...)
  if listener then
    listener(what, ...)
  end
  if not is_written then
    return
  end
  local fields, words = fields_of(...), {}
  if log.is_json then
    return log.write(as_json("debug", what, fields))
  end
  for i = 1, #fields, 2 do
    words[#words + 1] = ("%s=%s"):format(fields[i], hidden(tostring(fields[i + 1])):gsub("[%c ]", "_"))
  end
  local at = core.now()
  log.write(("cunnekt: debug: %s.%03d %s %s"):format(os.date("%H:%M:%S", at // 1 | 0), at % 1 * 1000 // 1 | 0, what, table.concat(words, " ")))
end

return log
