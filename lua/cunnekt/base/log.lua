-- SPDX-License-Identifier: MIT
-- One line an occurrence, on stderr, for the system's own journal to keep. Callers say what happened and where; keys,
-- numbers of customers and texts of messages never come here.

local log = {}

---Where lines go; replace it to send them elsewhere.
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
