-- SPDX-License-Identifier: MIT
-- What a host that stands by does with webhooks: it stores them as they came, and answers 200; whoever has the database accepts their
-- events. It stands where the inbox does, for service/webhook_server.lua.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local mail = require "cunnekt.store.mail"
local task = require "cunnekt.base.task"
local webhook = require "cunnekt.provider.webhook"

local postbox = {}

local postbox_methods = {}
local postbox_mt = { __index = postbox_methods, __name = "cunnekt.postbox" }

-- Webhooks that wait at most: with more of them the provider keeps its own. Seconds between counts of them.
local capacity, count_pace = 100000, 1

---@class cunnekt.postbox
---@param store cunnekt.open_store that stands by
---@return cunnekt.postbox
function postbox.new(store)
  return setmetatable({ _store = store, _waiting = 0, _counted_at = -math.huge }, postbox_mt)
end

---Why it takes no webhook now.
---@return string? reason nil when it takes them
function postbox_methods:trouble()
  local is_writable, problem = self._store:is_writable()
  if not is_writable then
    return problem or "the store cannot be written"
  end
  return self._waiting >= capacity and "too many webhooks wait for the host that has the database" or nil
end

local function count(self)
  local now = clock.monotonic()
  if now < self._counted_at + count_pace then
    return
  end
  self._counted_at = now
  task.spawn(function()
    self._waiting = mail.count(self._store) or self._waiting
  end)
end

---Stores a webhook.
---@param body string
---@param done fun(err: cunnekt.error?, subject: any) called after its commit
---@param subject any
---@return boolean? is_taken nil: nothing is stored, and `done` is not called
---@return cunnekt.error? err kind invalid, too_large, store or busy
function postbox_methods:accept(body, done, subject)
  local events, err = webhook.parse_bounded(body)
  if not events then
    return nil, err
  end
  local trouble = self:trouble()
  if trouble then
    return nil, errors.new("busy", trouble)
  end
  count(self)
  mail.post(self._store, body, function(ok, problem)
    done(not ok and problem or nil, subject)
  end)
  return true
end

return postbox
