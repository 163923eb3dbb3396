-- SPDX-License-Identifier: MIT
-- Texts in which `…` stands for anything.

local wildcard = {}

wildcard.mark = "…"

local function split(text)
  local parts, at = {}, 1
  while true do
    local from, to = text:find(wildcard.mark, at, true)
    parts[#parts + 1] = text:sub(at, (from or 0) - 1)
    if not from then
      return parts
    end
    at = to + 1
  end
end

---A function that says whether a text is as expected: every sign of it, with anything for each `…`.
---@param expected string
---@return fun(text: string): boolean
function wildcard.matcher(expected)
  local parts = split(expected)
  local first, last = parts[1], parts[#parts]
  return function(text)
    if #parts == 1 then
      return text == first
    end
    local at, stop = #first + 1, #text - #last
    if text:sub(1, #first) ~= first or at > stop + 1 or text:sub(stop + 1) ~= last then
      return false
    end
    for i = 2, #parts - 1 do
      local _, to = text:find(parts[i], at, true)
      if not to or to > stop then
        return false
      end
      at = to + 1
    end
    return true
  end
end

return wildcard
