-- SPDX-License-Identifier: MIT
-- Expected failures: a table with a stable `kind`, which prints as a sentence. Functions return it as their second result.
-- Misuse of a function is not one: that raises a string that names the function.

local redact = require "cunnekt.base.redact"

local errors = {}

---An expected failure.
---@class cunnekt.error
---@field kind "invalid"|"auth"|"rate_limited"|"window_closed"|"rejected"|"http"|"network"|"tls"|"timeout"|"tries"|"unknown_outcome"|"cancelled"|"too_large"|"corrupt"|"store"|"conflict"|"handler"|"budget"|"diverged"|string later versions may add kinds
---@field message string a sentence without the kind; never holds a key, a number or a message text
---@field status? integer HTTP status of the answer
---@field code? integer the provider's or Meta's error code
---@field retryable? boolean whether the same call may succeed later
---@field retry_after? number seconds the server asked to wait
---@field sent? boolean whether the request may have reached the server
---@field body? string the answer's body, shortened
---@field raw? any the answer's decoded body
---@field received? integer bytes of a download that timed out
---@field total? integer bytes that it would have had, where the server says it
---@field field? string the field that a check refused
---@field limit? number the limit that it broke
---@field length? integer the length it had
---@field more? cunnekt.error[] what else a check refused in the same message
---@field attempts? integer of the send, or of the handler's event so far
---@field is_final? boolean the handler's event is not tried again
---@field traceback? string of a handler or a job
---@field event? {id: integer, type: string?, attempts: integer, next_try: number?} of a handler: its event, how many attempts that has at most, and seconds until the next one
---@field job? {name: string, attempts: integer, next_try: number?} the same of a job
---@field reason? string kind budget: seconds, memory or depth
---@field where? string kind budget: the script's file and line
---@field cause? string kind unknown_outcome: the kind of what went wrong
local error_mt = { __name = "cunnekt.error" }

function error_mt:__tostring()
  local code = self.code and (" (code %s)"):format(self.code) or ""
  local text = self.kind .. ": " .. self.message .. code
  for _, one in ipairs(self.more or {}) do
    text = text .. "; " .. one.message
  end
  return text
end

local joins = { string = true, number = true }

-- A part of a text, as `..` takes it. Blames the line that joins.
local function part_of(value)
  if getmetatable(value) == error_mt then
    return tostring(value)
  end
  return joins[type(value)] and value or error(("attempt to concatenate a %s value"):format(type(value)), 3)
end

-- "not sent: " .. err
function error_mt.__concat(first, second)
  local text = part_of(first)
  return text .. part_of(second)
end

---Makes a failure.
---@param kind string
---@param message string
---@param fields? table more fields of cunnekt.error; taken, not copied
---@return cunnekt.error
function errors.new(kind, message, fields)
  local err = fields or {}
  err.kind, err.message = kind, message
  return setmetatable(err, error_mt)
end

---Whether a value is such a failure.
---@param value any
---@return boolean
function errors.is(value)
  return getmetatable(value) == error_mt
end

---What the store keeps of a failure, for operators: with its traceback, and without our own secrets.
---@param err cunnekt.error
---@return string
function errors.kept(err)
  return redact.own_secrets(tostring(err.traceback or err))
end

return errors
