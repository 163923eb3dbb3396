-- SPDX-License-Identifier: MIT
-- For now: a bot as what operators may ask of a running service (cunnekt.operate.service). It goes when there is a service
-- of its own; nothing else may use it.

local clock = require "cunnekt.time.clock"

local adapter = {}

local function inbox_of(bot)
  local inbox = bot._inbox
  return {
    has_room = function(_, n)
      return inbox:has_room(n)
    end,
    count = function()
      return inbox.lanes:count()
    end,
    active = function()
      return inbox.lanes:active()
    end,
    retry_first = function(_, seq, contact)
      inbox:take_up(seq, contact)
    end,
    hurry = function(_, seq, contact)
      inbox:hurry(seq, contact)
    end,
    forget = function(_, seq, contact)
      return inbox:forget(seq, contact)
    end,
  }
end

local function outbox_of(bot)
  local outbox = bot._outbox
  return {
    count = function()
      return outbox.lanes:count()
    end,
    retry_first = function(_, row)
      outbox:take_up(row)
    end,
    drop = function(_, id, contact)
      return outbox:drop(id, contact)
    end,
  }
end

---A bot that is about to serve.
---@param bot table
---@return cunnekt.operate.service
function adapter.of(bot)
  local service = {
    store = bot._store,
    settings = bot._settings,
    counts = bot._counts,
    started_at = clock.now(),
    inbox = inbox_of(bot),
    outbox = outbox_of(bot),
    dialogs = {
      evict = function(_, id)
        bot._dialogs.parked:evict(id)
      end,
    },
    address = function()
      return bot:address()
    end,
    chat = function(_, to, phone_number_id)
      return bot:chat(to, phone_number_id)
    end,
  }
  return setmetatable(service, {
    __index = function(_, name)
      return name == "is_stopping" and bot._is_stopping or nil
    end,
  })
end

return adapter
