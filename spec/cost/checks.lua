-- SPDX-License-Identifier: MIT
-- Figures against their bounds: a line for each, and the counts as the last line, as the specs' own output ends. The
-- program ends with 1 when a figure is above its bound.

local checks = {}

local passed, failed = 0, 0

-- 1234567 → 1,234,567
local function grouped(number)
  local text = ("%d"):format(number)
  repeat
    local count
    text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until count == 0
  return text
end

---@param what string such as "cost: event"
---@param figure integer
---@param unit string
---@param bound integer
function checks.at_most(what, figure, unit, bound)
  print(("%s %s %s (bound %s)"):format(what, grouped(figure), unit, grouped(bound)))
  if figure <= bound then
    passed = passed + 1
    return
  end
  failed = failed + 1
  print(("%s takes %s %s more than spec/cost/bounds.lua allows; that file says when a bound may be raised.")
    :format(what, grouped(figure - bound), unit))
end

---Prints the counts and gives the exit code.
---@return integer code
function checks.finish()
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0 and 0 or 1
end

return checks
