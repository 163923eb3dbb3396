-- SPDX-License-Identifier: MIT
-- The encoding of step results in the journal: JSON, with wrappers for what JSON cannot represent. A script gets the same
-- value from a step the first time and at every replay. Journals in existing stores have this form, so it must not change.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"

local journal = {}

local bytes_key, keys = formats.bytes_key, formats.outcome
local results_key, error_key = formats.results_key, formats.result_error

local function corrupt(what)
  error(errors.new("corrupt", "the journal of a dialog has a step " .. what), 0)
end

local function unwrap(value)
  if type(value) ~= "table" then
    return value
  end
  local wrapped = value[bytes_key]
  if type(wrapped) == "string" then
    return core.base64_decode(wrapped) or corrupt "whose bytes cannot be read"
  elseif type(wrapped) == "table" then
    value = wrapped
  end
  for key, item in next, value do
    if type(item) == "table" then
      value[key] = unwrap(item)
    end
  end
  return value
end

---A deep copy, which later changes of the value do not affect.
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

-- Bytes that JSON would change are put into a wrapper; so is a table that looks like one, because a server answered with it.
local write, encode = core.journal_encoder(bytes_key, keys.value, keys.raised, keys.at, keys.is_commit)

---Encodes a value as JSON without loss of bytes. Raises for what JSON cannot hold, like json.encode.
---@type fun(value: any): string
journal.write = write

---Decodes what `write` returned. Raises the kind "corrupt".
---@param text string
---@return any
function journal.read(text)
  local value, err = json.decode(text)
  if value == nil then
    corrupt("that cannot be read: " .. err.message)
  end
  return unwrap(value)
end

---The mark of a step, by which a replay compares it: its kind, and canonical text of what it was about (base/canonical.lua). A long
---one is shortened with a digest, a short one is readable in a report.
---@type fun(kind: string, subject: any): string
journal.mark = core.step_mark

---The mark of a step about `{ value, false }`, of a value as JSON: a message without options.
---@type fun(kind: string, text: string): string
journal.mark_of_json = core.step_mark_of_json

---@class cunnekt.dialog.outcome the result of a step
---@field value any
---@field raised any? what it raised, instead of a value
---@field at number? the time after a step that takes time
---@field is_commit boolean? the turn was committed with it

---An outcome as the journal holds it. Raises like `write`.
---@type fun(outcome: cunnekt.dialog.outcome): string
journal.encode = encode

local before_id, behind_id = ('{"%s":{"id":'):format(keys.value), "}}"

---The outcome of the step of a message that was sent: its id.
---@param id integer
---@return string
function journal.encode_sent(id)
  return before_id .. id .. behind_id
end

---Raises the kind "corrupt".
---@param text string
---@return cunnekt.dialog.outcome
function journal.decode(text)
  local kept, err = json.decode(text)
  if kept == nil then
    corrupt("that cannot be read: " .. err.message)
  elseif type(kept) ~= "table" or not (kept[keys.at] == nil or type(kept[keys.at]) == "number") then
    corrupt "that is none"
  end
  local value, at = unwrap(kept[keys.value]), kept[keys.at]
  if value == json.null then
    value = nil
  end
  return { value = value, raised = unwrap(kept[keys.raised]), at = at and at + 0.0, is_commit = kept[keys.is_commit] }
end

-- ---- errors --------------------------------------------------------------------------------------------------------

-- Whether JSON can represent a value.
local function is_fit(value)
  return (pcall(write, json.array { value }))
end

---An error in the form that the journal holds.
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
    if is_fit(value) then
      kept[key] = journal.snapshot(value)
    end
  end
  return { err = kept }
end

---The error from its packed form.
---@param kept table
---@return any
function journal.unpack_error(kept)
  if not kept.err then
    return kept.value
  end
  return errors.new(kept.err.kind, kept.err.message, journal.snapshot(kept.err))
end

-- ---- several results -----------------------------------------------------------------------------------------------

local function pack_result(value)
  if errors.is(value) then
    return { [error_key] = journal.pack_error(value) }
  end
  return json.array { value }
end

local function unpack_result(entry)
  local value = entry[1]
  if entry[error_key] then
    return journal.unpack_error(entry[error_key])
  elseif value == json.null then
    return nil
  end
  return value
end

---The results of a function as one value. A single one that JSON can represent is itself.
---@param ... any
---@return any
function journal.pack_results(...)
  local first, count = ..., select("#", ...)
  local is_itself = not errors.is(first) and not (type(first) == "table" and rawget(first, results_key))
  if count <= 1 and is_itself then
    return first
  end
  local list = json.array {}
  for i = 1, count do
    list[i] = pack_result((select(i, ...)))
  end
  return { [results_key] = list }
end

---The results from their packed form.
---@param value any
---@return any ...
function journal.unpack_results(value)
  local list = type(value) == "table" and value[results_key]
  if type(list) ~= "table" then
    return value
  end
  local results = {}
  for i = 1, #list do
    results[i] = unpack_result(list[i])
  end
  return table.unpack(results, 1, #list)
end

return journal
