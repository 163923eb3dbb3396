-- SPDX-License-Identifier: MIT
-- Messages whose handler has failed and that are tried again later: what the same customer writes meanwhile waits behind them. For
-- `cunnekt dev`, which says so. Whether an event waits is the inbox's business.

local clock = require "cunnekt.time.clock"
local words = require "cunnekt.base.words"

local waits = {}

local waits_methods = {}
local waits_mt = { __index = waits_methods, __name = "cunnekt.dev.waits" }

---@class cunnekt.dev.waits
---@return cunnekt.dev.waits
function waits.new()
  return setmetatable({ _failed = {} }, waits_mt)
end

---Notes a failure.
---@param err cunnekt.error
---@param about table? what has failed
---@param service cunnekt.service
function waits_methods:note(err, about, service)
  local its = err.event
  if not its or type(about) ~= "table" or about.kind ~= "message" or service.options.on_failure ~= "wait" then
    return
  end
  self._failed[about.from or about.user_id] = its.next_try and {
    id = its.id,
    what = about.text and ("'%s'"):format(words.first_line(about.text)) or about.type,
    why = words.first_line(err.message),
    at = clock.monotonic() + its.next_try,
  } or nil
end

---An event is being handled, again perhaps.
---@param id integer
function waits_methods:on_event(id)
  for contact, failed in pairs(self._failed) do
    if failed.id == id then
      self._failed[contact] = nil
    end
  end
end

---Behind what the messages of a customer wait, and how they go on.
---@param contact string
---@return string? sentence nil: they wait for nothing
function waits_methods:sentence(contact)
  local failed = self._failed[contact]
  local seconds = failed and math.max(1, math.ceil(failed.at - clock.monotonic()))
  return failed
    and ("it waits behind %s, which failed (%s) and is tried again in %d s: at once when you save the script, or with /clock +%ds"):format(
      failed.what, failed.why, seconds, seconds)
end

return waits
