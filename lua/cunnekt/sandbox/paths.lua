-- SPDX-License-Identifier: MIT
-- Changes single fields of a sample webhook by their paths, such as `messages.0.text.body`. Positions count from 0, as in
-- JSON. A path that does not start at a field of the body starts in its first item, or in the value of a change.
local canonical = require "cunnekt.base.canonical"
local json = require "cunnekt.base.json"

local paths = {}

local LISTS = {
  "messages", "statuses", "message_echoes", "calls", "user_preferences", "user_id_update", "groups", "automatic_events", "history",
  "state_sync", "errors",
}

local TOP = { messaging_product = true, metadata = true, contacts = true, object = true, entry = true }
for _, name in ipairs(LISTS) do
  TOP[name] = true
end

-- What a path starts in that does not start at the top: the first item, or the value of a change.
local function item_of(body)
  for _, name in ipairs(LISTS) do
    local list = body[name]
    if type(list) == "table" then
      return list[1]
    end
  end
  local entry = type(body.entry) == "table" and body.entry[1]
  local changes = type(entry) == "table" and entry.changes
  return type(changes) == "table" and type(changes[1]) == "table" and changes[1].value or nil
end

local function split(path)
  local steps = {}
  for step in path:gsub("%[(%d+)%]", ".%1"):gmatch "[^.]+" do
    steps[#steps + 1] = step:match "^%d+$" and math.tointeger(tonumber(step)) + 1 or step
  end
  return steps
end

-- The parent table of a field, created when missing, and its key.
local function locate(body, path)
  local steps = split(path)
  if #steps == 0 then
    return nil
  end
  local at, first = body, steps[1]
  local item = item_of(body)
  -- `errors` is a field of both: the existing one counts.
  if item and body[first] == nil and (item[first] ~= nil or not TOP[first]) then
    at = item
  end
  for index = 1, #steps - 1 do
    local next_table = at[steps[index]]
    if type(next_table) ~= "table" then
      next_table = {}
      at[steps[index]] = next_table
    end
    at = next_table
  end
  return at, steps[#steps]
end

-- Text that replaces a number or a boolean becomes one, so `location.latitude=1.5` keeps its type.
local function like(old, new)
  if type(new) == "string" and type(old) == "number" and tonumber(new) then
    return tonumber(new)
  elseif type(new) == "string" and type(old) == "boolean" and (new == "true" or new == "false") then
    return new == "true"
  end
  return new
end

---Sets one field; `json.null` removes it.
---@param body table a webhook body
---@param path string
---@param value any
---@return boolean ok false when the path is empty
function paths.set(body, path, value)
  local parent, key = locate(body, path)
  if not parent then
    return false
  end
  if value == json.null then
    if math.type(key) == "integer" then
      table.remove(parent, key)
    else
      parent[key] = nil
    end
  else
    parent[key] = like(parent[key], value)
  end
  return true
end

---Sets several fields in the order of their paths, so the outcome does not depend on the order of `pairs`.
---@param body table a webhook body
---@param changes table<string, any> path → value
---@return table body the same one
function paths.set_all(body, changes)
  for _, path in ipairs(canonical.keys(changes)) do
    paths.set(body, path, changes[path])
  end
  return body
end

return paths
