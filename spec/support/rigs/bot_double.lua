-- SPDX-License-Identifier: MIT
-- What stands where a bot would: takes webhooks and remembers the events in them.

local server = require "spec.support.server"
local task = require "cunnekt.base.task"
local webhook = require "cunnekt.provider.webhook"

local bot_double = {}

---@param answer? fun(event: table, request: table): integer? the status to answer a webhook with; 200 by default
---@return {url: string, events: table[], requests: table[], wait_for: fun(count: integer): table[], close: fun()}
function bot_double.new(answer)
  local self = { events = {}, _waiting = nil }
  local http_server = server.new(function(request)
    local event = assert(webhook.parse(request.body))[1]
    local status = answer and answer(event, request) or 200
    self.events[#self.events + 1] = event
    if self._waiting then
      self._waiting()
    end
    return status
  end)
  self.url = http_server.url .. "/webhook"
  self.requests = http_server.requests
  self.close = http_server.close

  ---Waits until so many events came, all tries counted.
  function self.wait_for(count)
    while #self.events < count do
      task.await(function(done)
        self._waiting = done
      end)
    end
    self._waiting = nil
    return self.events
  end

  return self
end

return bot_double
