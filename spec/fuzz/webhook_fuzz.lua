-- SPDX-License-Identifier: MIT
-- What holds for every webhook body, and every JSON text, whatever is in it.

local event_types = dofile "spec/support/event_types.lua"
local json = require "cunnekt.base.json"
local webhook = require "cunnekt.provider.webhook"

local function equals(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not equals(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- Whether two values of JSON are the same to the last bit: integers are no floats, and an empty list is no object.
local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b and math.type(a) == math.type(b) end
  if getmetatable(a) ~= getmetatable(b) then return false end
  for key, value in pairs(a) do
    if not is_same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- A body is read by other code than json.decode's: the value, or what is wrong and where, must be the same.
local function check_reading(text)
  local _, err = json.decode(text)
  local events, problem = webhook.parse(text)
  assert(tostring(err) == tostring(problem), "parse and decode differ about what is wrong")
  if events then
    local list = json.decode("[" .. text .. "]")
    local within = webhook.parse("[" .. text .. "]")
    assert((list == nil) == (within == nil), "parse and decode differ in a list")
    assert(not list or is_same(list[1], within[1].raw[1]), "parse and decode differ")
  end
end

-- What the host gets of a body from outside: the same, but that the only event has its raw item later.
local function check_later(body, events)
  local later = assert(webhook.parse_bounded(body))
  assert(#later == #events, "other events")
  for i, event in ipairs(later) do
    assert((rawget(event, "raw") == nil) == (#events == 1), "raw at the wrong time")
    webhook.raw(event)
    assert(equals(event, events[i]), "another event")
  end
end

local function has_null(value)
  if type(value) ~= "table" then return value == json.null end
  for _, inner in pairs(value) do
    if has_null(inner) then return true end
  end
  return false
end

local function check_name(name)
  local is_fine = #name >= 1 and #name <= 120 and utf8.len(name) and not name:find '[%c/\\:*?"<>|]' and not name:find "^[.%s~-]"
  assert(is_fine, "unsafe file name")
end

local function check_event(event)
  local again = webhook.parse(webhook.wrap(event))
  assert(#again == 1 and equals(event, again[1]), "wrap and parse differ")
  assert(type(webhook.key(event)) == "string")
  webhook.dedupe_key(event)
  assert(not event_types.wrong_field(event), "a field of another type than the documented")
  if event.media then check_name(event.media.safe_filename) end
  for name, value in pairs(event) do
    assert(name == "raw" or not has_null(value), "null in an event")
  end
end

local function check(body)
  check_name(webhook.safe_filename(body, "image/png", body))
  check_reading(body)
  local events, err = webhook.parse(body)
  if not events then
    assert(err.kind == "invalid")
    return
  end
  check_later(body, events)
  assert(#events >= 1, "dropped")
  for _, event in ipairs(events) do
    check_event(event)
  end
  local value = json.decode(body)
  assert(equals(value, json.decode(json.encode(value))), "encode and decode differ")
end

-- Planted is a fault of the scanner of JSON, in c/planted.c.
return { check = check }
