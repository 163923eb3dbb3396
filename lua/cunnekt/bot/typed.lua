-- SPDX-License-Identifier: MIT
-- The normal form by which typed text is compared with the commands of bot:global and the titles of choices. Patterns of
-- bot:on match the text itself.

local words = require "cunnekt.base.words"

local typed = {}

---Lower case, without surrounding space.
---@param text string?
---@return string
function typed.plain(text)
  return words.trim(text or ""):lower()
end

return typed
