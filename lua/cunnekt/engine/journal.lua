-- SPDX-License-Identifier: MIT
-- How a step's result is written into the journal: JSON, with what JSON cannot hold in a form that it can. What a script
-- gets from a step is the same the first time and each time that it is recalled.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"

local journal = {}

local bytes_key, keys = formats.bytes_key, formats.outcome

local function is_text(value)
  return utf8.len(value) ~= nil
end

-- A copy without bytes that JSON would change. What is fine stays as it is.
local function wrap(value)
  if type(value) == "string" then
    return is_text(value) and value or { [bytes_key] = core.base64_encode(value) }
  elseif type(value) ~= "table" then
    return value
  end
  local copy = setmetatable({}, getmetatable(value))
  for key, item in next, value do
    copy[key] = wrap(item)
  end
  return copy
end

local function unwrap(value)
  if type(value) ~= "table" then
    return value
  elseif type(value[bytes_key]) == "string" then
    return core.base64_decode(value[bytes_key])
  end
  for key, item in next, value do
    if type(item) == "table" then
      value[key] = unwrap(item)
    end
  end
  return value
end

---A copy of a value that stays as it is, whatever becomes of the value's tables.
---@param value any
---@return any
function journal.snapshot(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = setmetatable({}, getmetatable(value))
  for key, item in next, value do
    copy[key] = journal.snapshot(item)
  end
  return copy
end

---Writes a value as JSON that keeps all its bytes.
---@param value any
---@return string
function journal.write(value)
  return json.encode(wrap(value))
end

---Reads it again.
---@param text string
---@return any
function journal.read(text)
  return unwrap(json.decode(text))
end

---@class cunnekt.dialog.outcome what came of a step
---@field value any
---@field raised any? what it raised, instead of a value
---@field at number? the time after it, where it took some
---@field is_commit boolean? the turn was committed with it

---@param outcome cunnekt.dialog.outcome
---@return string
function journal.encode(outcome)
  return json.encode {
    [keys.value] = wrap(outcome.value),
    [keys.raised] = outcome.raised and wrap(outcome.raised),
    [keys.at] = outcome.at,
    [keys.is_commit] = outcome.is_commit,
  }
end

---@param text string
---@return cunnekt.dialog.outcome
function journal.decode(text)
  local kept = json.decode(text)
  local value, at = unwrap(kept[keys.value]), kept[keys.at]
  if value == json.null then
    value = nil
  end
  return { value = value, raised = unwrap(kept[keys.raised]), at = at and at + 0.0, is_commit = kept[keys.is_commit] }
end

-- ---- errors --------------------------------------------------------------------------------------------------------

-- Whether JSON takes a value.
local function is_fit(value)
  return (pcall(json.encode, json.array { wrap(value) }))
end

---What the journal keeps of an error.
---@param err any
---@return any
function journal.pack_error(err)
  if not errors.is(err) then
    local has_value = err ~= nil and is_fit(err)
    if has_value then
      return { value = journal.snapshot(err) }
    end
    return { value = tostring(err) }
  end
  local kept = {}
  for key, value in next, err do
    kept[key] = is_fit(value) and journal.snapshot(value) or nil
  end
  return { err = kept }
end

---The error again.
---@param kept table
---@return any
function journal.unpack_error(kept)
  if not kept.err then
    return kept.value
  end
  return errors.new(kept.err.kind, kept.err.message, journal.snapshot(kept.err))
end

return journal
