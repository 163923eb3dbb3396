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

---The oldest webhooks. Waits.
---@param store cunnekt.open_store
---@param limit integer
---@return {id: integer, body: string}[]? letters
---@return cunnekt.error? err kind store
function mail.read(store, limit)
  return store:query("mail", { limit = limit })
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
