-- SPDX-License-Identifier: MIT
-- Mail in the store: webhooks that hosts have taken which do not have the database, see src/store/mail.h.

local mail = {}

---Stores a webhook as it came.
---@param store cunnekt.open_store
---@param body string
---@param done fun(ok: boolean?, err: cunnekt.error?) called after its commit
function mail.post(store, body, done)
  store:start("post_mail", { body = body }, done)
end

-- Webhooks of a page, and bytes after which it ends: one webhook has three million at most, and an answer of the store has a limit.
local page, page_bytes = 200, 8 << 20

---The oldest webhooks. Waits.
---@param store cunnekt.open_store
---@return {id: integer, body: string, newest: integer}[]? letters `newest`: the newest of all
---@return cunnekt.error|boolean|nil may_be_more whether there may be more of them; or the error, of kind store
function mail.read(store)
  local letters, err = store:query("mail", { limit = page, bytes = page_bytes })
  if not letters then
    return nil, err
  end
  local bytes = 0
  for _, letter in ipairs(letters) do
    bytes = bytes + #letter.body
  end
  return letters, #letters == page or bytes >= page_bytes
end

---Removes those whose events are accepted. Waits.
---@param store cunnekt.open_store
---@param ids integer[]
---@return boolean? ok
---@return cunnekt.error? err kind store
function mail.drop(store, ids)
  local dropped, err = store:repair("drop_mail", { ids = ids })
  return dropped and true or nil, err
end

---About how many wait. Waits.
---@param store cunnekt.open_store
---@return integer? count
---@return cunnekt.error|number|nil since of the oldest one; or the error, of kind store
function mail.count(store)
  local rows, err = store:query "mail_count"
  if not rows then
    return nil, err
  end
  return rows[1].count, rows[1].since
end

return mail
