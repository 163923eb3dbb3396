-- SPDX-License-Identifier: MIT
-- The operations on the values of bot.store: list their keys, show one, set one. They go to the store, with or without a
-- service: a running one keeps no values in memory, and its turns that have read a value which is set are run again, since
-- each change gives a value another version.

local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local json = require "cunnekt.base.json"
local redact = require "cunnekt.base.redact"

local values = {}

-- Values that are read at once.
local page_size = 100

local function key_of(args)
  if not args.key or args.key == "" then
    return nil, errors.new("invalid", "the key of a value is a string that is not empty")
  end
  return args.key
end

local function no_value(key)
  return errors.new("not_found", ("there is no value '%s'"):format(key))
end

-- The JSON under a key; nil and no error when there is none.
local function text_of(store, key)
  local rows, err = store:query("value", { key = key })
  if not rows then
    return nil, err
  end
  return rows[1] and rows[1].value
end

-- ---- list, get -------------------------------------------------------------------------------------------------------

-- A key may hold a customer's number, and no more is shown of a value.
local function shown(row, has_to_reveal)
  return { key = has_to_reveal and row.key or redact.numbers(row.key), bytes = row.bytes }
end

local function list(target, args)
  local rows, wanted, after = {}, filters.of(args).limit, ""
  repeat
    local page, err = target.store:query("scan_values", {
      prefix = args.prefix or "", after = after, limit = math.min(page_size, wanted - #rows),
    })
    if not page then
      return nil, err
    end
    for _, row in ipairs(page) do
      rows[#rows + 1] = { key = row.key, bytes = #row.value }
    end
    after = page[1] and page[#page].key
  until not after or #rows >= wanted
  local views, has_more = filters.page(rows, args, shown)
  return { values = views, has_more = has_more }
end

local function get(target, args)
  local key, err = key_of(args)
  local text
  if key then
    text, err = text_of(target.store, key)
  end
  if not text then
    return nil, err or no_value(key)
  end
  return { key = key, value = (json.decode(text)) }
end

-- ---- set -------------------------------------------------------------------------------------------------------------

-- What is to be set; null is what nil is in a script.
local function change_of(target, args)
  local key, err = key_of(args)
  if not key then
    return nil, err
  end
  local value
  value, err = json.decode(args.json or "")
  if value == nil then
    return nil, errors.new("invalid", "the value is not JSON: " .. err.message)
  elseif value ~= json.null then
    return { key = key, value = json.encode(value) }
  end
  local text
  text, err = text_of(target.store, key)
  if not text then
    return nil, err or no_value(key)
  end
  return { key = key }
end

local function set(target, args)
  local change, err = change_of(target, args)
  if not change then
    return nil, err
  end
  local ok
  ok, err = target.store:commit_turn { values = { change } }
  if not ok then
    return nil, err
  end
  return { key = change.key, is_deleted = change.value == nil }
end

---@type table<string, cunnekt.operate.operation>
values.operations = {
  ["values.list"] = { types = { prefix = "string", limit = "integer", reveal = "boolean" }, run = list },
  ["values.get"] = { types = { key = "string" }, run = get },
  ["values.set"] = { types = { key = "string", json = "string" }, run = set },
}

return values
