-- SPDX-License-Identifier: MIT
-- A bot's client that asks nobody: a function says what becomes of each message that the outbox writes.

local task = require "cunnekt.base.task"

local fake_client = {}

local function answer(message, done, fn, client)
  local sent, err = fn(client, message.payload, message)
  done(message, sent and sent.message_id, err)
end

---Replaces how a client writes.
---@param client table
---@param fn fun(client: table, payload: table, message: table): table?, cunnekt.error? may wait; gives what client:deliver would
function fake_client.transmits(client, fn)
  client.transmit = function(_, message, done)
    task.spawn(answer, message, done, fn, client)
  end
end

---Wraps how a client writes.
---@param client table
---@param fn fun(ask: function, payload: table): table?, cunnekt.error? may wait; `ask()` writes the message, and gives what client:deliver would
function fake_client.wrap(client, fn)
  local transmit = client.transmit
  fake_client.transmits(client, function(self, payload, message)
    return fn(function()
      local _, message_id, err = task.await(function(done)
        transmit(self, message, done)
      end)
      return not err and { message_id = message_id } or nil, err
    end, payload)
  end)
end

return fake_client
