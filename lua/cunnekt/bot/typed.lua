-- SPDX-License-Identifier: MIT
-- How words that a customer types are compared: with the words of bot:global and the titles of choices.

local typed = {}

---The form in which typed words are compared.
---@param text string?
---@return string
function typed.plain(text)
  text = text or ""
  -- Two anchored steps: one pattern for both ends takes a step for each pair of spaces, and anybody can send a million.
  local first = text:find "%S"
  return first and text:lower():match("^.*%S", first) or ""
end

return typed
