-- SPDX-License-Identifier: MIT
-- The normal form by which typed text is compared with the commands of bot:global and the titles of choices. Patterns of
-- bot:on match the text itself.

local typed = {}

---Lower case, without surrounding space.
---@param text string?
---@return string
function typed.plain(text)
  text = text or ""
  -- Two anchored steps: one pattern for both ends takes a step for each pair of spaces, and anybody can send a million.
  local first = text:find "%S"
  return first and text:lower():match("^.*%S", first) or ""
end

return typed
