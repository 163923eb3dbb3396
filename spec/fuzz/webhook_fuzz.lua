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
  local events, err = webhook.parse(body)
  if not events then
    assert(err.kind == "invalid")
    return
  end
  assert(#events >= 1, "dropped")
  for _, event in ipairs(events) do
    check_event(event)
  end
  local value = json.decode(body)
  assert(equals(value, json.decode(json.encode(value))), "encode and decode differ")
end

-- Planted is a fault of the scanner of JSON, in c/planted.c.
return { check = check }
