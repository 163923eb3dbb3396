-- SPDX-License-Identifier: MIT
-- What holds for the journal of a dialog: a step's result comes back as it was, at every replay; and a row that is damaged is
-- refused with an error, and never taken for something else. An input is a row as the store has it, or JSON of a value.

local canonical = require "cunnekt.base.canonical"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local record = require "cunnekt.engine.record"

-- Lua compares a whole number with a float exactly.
local function same(a, b, is_of_one_type)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and (not is_of_one_type or math.type(a) == math.type(b))
  end
  for key, value in pairs(a) do
    if not same(value, b[key], is_of_one_type) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- A script gets what was read, at first, too: as JSON has no types of numbers, 5.0 may be 5 then, and stays so.
local function check_value(value)
  local written = journal.read(journal.write(value))
  assert(same(written, value), "read otherwise than written")
  assert(same(journal.read(journal.write(written)), written, true), "read otherwise at the next replay")
  local outcome = journal.decode(journal.encode { value = value, at = 1.5, is_commit = true })
  if value == json.null then
    assert(outcome.value == nil, "null is something")
  else
    assert(same(outcome.value, written, true), "decoded otherwise than encoded")
  end
  assert(outcome.at == 1.5 and outcome.is_commit == true and outcome.raised == nil)
  assert(same(journal.snapshot(value), value, true))
  local err = errors.new("rejected", "no", { raw = value, body = "x" })
  local text = journal.write(journal.pack_error(err))
  local again = journal.unpack_error(journal.read(text))
  assert(errors.is(again) and same(again.raw, written, true) and again.message == "no", "another error")
  local raised = journal.decode(journal.encode { raised = journal.pack_error(value) })
  assert(same(journal.unpack_error(raised.raised), written, true), "another value was raised")
  canonical.text(value)
end

-- Refused with an error of ours, never with one of Lua's.
local function check_row(read, text)
  local ok, err = pcall(read, text)
  assert(ok or errors.is(err), err)
end

local function check(input)
  local value = json.decode(input)
  if value ~= nil then
    check_value(value)
  end
  check_value(input)
  if utf8.len(input) then -- names are text, as in JSON
    check_value { [input] = { input, json.null } }
  end
  check_row(journal.decode, input)
  check_row(journal.read, input)
  check_row(record.read_body, input)
end

-- A fault: bytes that are not UTF-8 are written as they are.
local function plant()
  journal.write = function(value)
    return json.encode(value)
  end
end

return { check = check, plant = plant }
