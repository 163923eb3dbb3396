-- SPDX-License-Identifier: MIT
-- How words that a customer types are compared: with the words of bot:global and the titles of choices.

local typed = {}

---The form in which typed words are compared.
---@param text string?
---@return string
function typed.plain(text)
  return (text or ""):lower():match "^%s*(.-)%s*$"
end

return typed
