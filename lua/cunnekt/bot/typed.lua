-- SPDX-License-Identifier: MIT
-- The normal form by which typed text is compared with the commands of bot:global and the titles of choices. Patterns of
-- bot:on match the text itself.

local typed = {}

---Lower case, without surrounding space.
---@param text string?
---@return string
function typed.plain(text)
  return (text or ""):lower():match "^%s*(.-)%s*$"
end

return typed
