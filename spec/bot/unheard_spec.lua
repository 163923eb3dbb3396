-- SPDX-License-Identifier: MIT
-- Statuses that no handler, dialog or tap hears move their message on, and are no events: most of what a number receives. Who listens
-- gets them as before.

local bot_rig = require "spec.support.rigs.bot_rig"
local inside = require("cunnekt.service").of
local messages = require "cunnekt.store.messages"

describe("the statuses of a reply", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  -- Has a customer write, and waits until the reply is read, or as far as its statuses come.
  local function talk(define)
    local bot, handle = rig:new_bot(), nil
    bot:on("text", function(msg)
      handle = msg:reply_text "hi"
    end)
    define(bot)
    rig:start()
    rig:say "hello"
    bot_rig.wait_for(function()
      return handle and handle.state == "read"
    end, "the last status")
    local service = inside(bot)
    bot_rig.wait_for(function()
      return service.inbox:count() == 0 and service.counts.events_finished == service.counts.events_accepted
    end, "the end of all events")
    return handle, service
  end

  -- How many events were stored, of one message and its three statuses. The first of these may come before the answer that says which
  -- message it is about, and is an event then.
  local function is_stored(service, count)
    local stored = service.store:read("counts")[1].seen
    assert.is_true(stored == count or stored == count + 1, stored .. " are stored")
  end

  it("are no events where nobody hears them, but the store and the handle know how far it is", function()
    local handle, service = talk(function() end)
    is_stored(service, 1)
    assert.equal("read", (messages.state(service.store, handle.id)))
    assert.equal(4, service.counts.events_accepted)
  end)

  it("reach a handler of each, and one of all", function()
    local heard = {}
    local _, service = talk(function(bot)
      bot:on("delivered", function(status)
        heard[#heard + 1] = status.status
      end)
    end)
    assert.same({ "delivered" }, heard)
    is_stored(service, 2)
  end)

  it("reach a handler of all statuses", function()
    local heard = {}
    talk(function(bot)
      bot:on("status", function(status)
        heard[#heard + 1] = status.status
      end)
    end)
    assert.same({ "sent", "delivered", "read" }, heard)
  end)

  it("are shown to bot:tap", function()
    local heard = {}
    talk(function(bot)
      bot:tap(function(event)
        heard[#heard + 1] = event.kind == "status" and event.status or nil
      end)
    end)
    assert.same({ "sent", "delivered", "read" }, heard)
  end)

  it("end a dialog's wait for them", function()
    local reached
    local bot = rig:new_bot()
    bot:dialog("picture", function(chat)
      local sent = chat:reply_text "look"
      local event = chat:wait { sent = sent, reaches = "delivered", timeout = 60 }
      reached = event and event.status
    end)
    bot:on("text", function(msg)
      msg:start "picture"
    end)
    rig:start()
    rig:say "hello"
    bot_rig.wait_for(function()
      return reached
    end, "the end of the wait")
    assert.is_true(reached == "delivered" or reached == "read")
  end)
end)
