-- SPDX-License-Identifier: MIT
-- The log: one line per event on stderr, which the system's journal keeps. No timestamps, for the journal adds them. Callers
-- leave out API keys, customers' numbers and texts of messages.

local log = {}

---Writes a line; replace it to log elsewhere.
---@param line string
function log.write(line)
  io.stderr:write(line, "\n")
end

local function say(level, format, ...)
  local text = select("#", ...) > 0 and format:format(...) or format
  log.write(("cunnekt: %s%s"):format(level, text))
end

---@param format string as in string.format
---@param ... any
function log.info(format, ...)
  say("", format, ...)
end

---@param format string as in string.format
---@param ... any
function log.warn(format, ...)
  say("warning: ", format, ...)
end

---@param format string as in string.format
---@param ... any
function log.error(format, ...)
  say("error: ", format, ...)
end

return log
