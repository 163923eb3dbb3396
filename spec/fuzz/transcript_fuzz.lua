-- SPDX-License-Identifier: MIT
-- What holds for each line of a transcript, which a terminal gets, whatever a message has in it. An input is JSON: a message,
-- or a payload.

local json = require "cunnekt.base.json"
local transcript = require "cunnekt.transcript.line"

local function texts_of(list)
  local statuses = {}
  for i, status in ipairs(type(list) == "table" and list or {}) do
    statuses[i] = { status = type(status) == "table" and status.status or tostring(status) }
  end
  return statuses
end

local function check(input)
  local raw = json.decode(input)
  if type(raw) ~= "table" then
    raw = { type = "text", text = { body = input }, body = input }
  end
  local name = type(raw.name) == "string" and raw.name or "9199"
  for _, direction in ipairs { "in", "out" } do
    local kind = type(raw.type) == "string" and raw.type or "text"
    local entry = {
      direction = direction, type = kind, message = raw, payload = raw, name = name, contact = name, statuses = texts_of(raw.statuses),
      media = type(raw.size) == "number" and { size = math.tointeger(raw.size) or 1 } or nil,
    }
    local text = transcript.format(entry, name)
    assert(type(text) == "string" and text ~= "")
    assert(not text:find "[%z\1-\9\11-\31\127]", "a control character on a terminal")
    -- Lines break at spaces, so that only a long word makes a long line.
    for line in text:gmatch "[^\n]+" do
      local shown = line:gsub("^%s*", "")
      assert((utf8.len(shown) or #shown) <= 60 + #input, "a line without an end")
    end
    for _, line in ipairs(transcript.describe(entry)) do
      assert(type(line) == "string")
    end
  end
end

-- A fault: a line that never ends.
local function plant()
  local describe = transcript.describe
  function transcript.describe(entry)
    local lines = describe(entry)
    while #lines > 3 and #lines[1] > 3 do
      lines[1] = lines[1] .. ""
    end
    return lines
  end
end

return { check = check, plant = plant }
