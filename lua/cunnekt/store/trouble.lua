-- SPDX-License-Identifier: MIT
-- A store that cannot be written, or is no longer this host's: what the log says of it, and why the host must end.

local incoming = require "cunnekt.store.incoming"
local log = require "cunnekt.base.log"

local trouble = {}

-- Errors of the disk, not of the call. While they last, webhooks are answered 503, and nothing is lost.
local is_disk_error = { full = true, io = true, read_only = true, corrupt = true, moved = true }

---Makes the error of a call that failed. Logs when the store becomes unwritable and, called without a message, when it can
---be written again.
---@param self cunnekt.open_store
---@param message string?
---@param code string?
---@return cunnekt.error?
function trouble.on_failure(self, message, code)
  if not message then
    if self._is_failing and self:is_writable() then
      self._is_failing = false
      log.info("the store can write again")
    end
    return nil
  elseif is_disk_error[code] and not self._is_failing and not self.version then
    self._is_failing = true
    log.error("the store cannot write: %s; webhooks are answered 503 until it can", message)
  end
  return incoming.error_of(message, code)
end

---Logs the same where calls wait for the store, and none fails: nobody else would say it.
---@param self cunnekt.open_store
function trouble.look(self)
  local is_writable, problem = self:is_writable()
  trouble.on_failure(self, not is_writable and (problem or "it is away") or nil, "io")
end

-- What is in memory is not what the database has.
local ends = {
  taken = "another host has taken the database over; this one ends: started anew, it stands by",
  behind = "the database lacks what it had confirmed, as after a fail-over to a standby that had not received it; this one ends: "
    .. "started anew, it goes on with what is there",
}

---Why the host of a store must end, and may do nothing more with it.
---@param hold string see core.lua
---@return string? reason nil: it need not
function trouble.end_reason(hold)
  return ends[hold]
end

return trouble
