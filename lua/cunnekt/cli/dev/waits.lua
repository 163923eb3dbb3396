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
  return setmetatable({ _failed = {}, _until = 0 }, waits_mt)
end

---Notes a failure.
---@param err cunnekt.error
---@param about table? what has failed
---@param service cunnekt.service
function waits_methods:note(err, about, service)
  local its = err.event
  self._until = math.max(self._until, its and its.next_try and clock.monotonic() + its.next_try or 0)
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

---Whether an event that has failed may wait for its next try now.
---@return boolean
function waits_methods:has_any()
  return clock.monotonic() < self._until
end

---What is left undone at the end, where nothing else is under way.
---@param services cunnekt.service[]
---@return string? sentence nil: all is done
function waits_methods:left(services)
  local count, is_kept = 0, false
  for _, one in ipairs(services) do
    count = count + one.inbox:count()
    is_kept = is_kept or one.store.is_kept
  end
  if count == 0 or not self:has_any() then
    return nil
  end
  local fate = is_kept and "; the store keeps it for the next start" or ""
  local _, failed = next(self._failed)
  local what = failed and ("%s, which failed (%s)"):format(failed.what, failed.why) or "an event that failed"
  local others = count > 1 and ("; %s too"):format(count == 2 and "1 other event waits" or ("%d other events wait"):format(count - 1)) or ""
  return ("the session ends before the next try of %s%s%s"):format(what, others, fate)
end

return waits
