-- SPDX-License-Identifier: MIT
-- Turns that want nothing but to reply have no table (src/bind/engine/turn.c). A customer notices nothing of that, whatever the handler
-- does before, between and after its replies; and what fails has no effect.

local bot_rig = require "spec.support.rigs.bot_rig"
local inside = require("cunnekt.service").of
local process = require "spec.support.process"
local recorder = require "recorder"
local store = require "cunnekt.store"

describe("a handler that replies", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  local function define(code, opts)
    local bot = rig:new_bot(opts)
    assert(load("local bot, cunnekt, seen = ... " .. code, "@bot.lua"))(bot, require "cunnekt", rig)
    rig:start()
  end

  local function quiet()
    local service = inside(rig.bot)
    bot_rig.wait_for(function()
      return service.inbox:count() == 0 and service.outbox:count() == 0 and service.engine.turns:count() == 0
    end, "quiet")
  end

  it("may wait afterwards, and go on", function()
    define [[
      bot:on("text", function(msg)
        msg:reply_text "one"
        local answer = msg.chat:ask "two?"
        msg:reply_text(answer.text .. "!")
        answer = msg.chat:ask "three?"
        answer:reply_text(answer.text .. "?")
      end)]]
    rig:say "hi"
    assert.same({ "one", "two?" }, rig:texts(2))
    rig:say "yes"
    assert.same({ "one", "two?", "yes!", "three?" }, rig:texts(4))
    rig:say "no"
    assert.same({ "one", "two?", "yes!", "three?", "no?" }, rig:texts(5))
  end)

  it("may read and write state between its replies", function()
    define [[
      bot:on("text", function(msg)
        msg:reply_text("before " .. msg.text)
        local state = msg.chat.state
        state.count = (state.count or 0) + 1
        bot.store:set("last", msg.text)
        msg:reply_text(("after %d %s"):format(state.count, bot.store:get "last"))
      end)]]
    rig:say "a"
    rig:texts(2)
    rig:say "b"
    assert.same({ "before a", "after 1 a", "before b", "after 2 b" }, rig:texts(4))
  end)

  it("may reply in coroutines of its own, and outside of itself", function()
    define [[
      bot:on("text", function(msg)
        local step = coroutine.wrap(function()
          msg:reply_text "inner"
          coroutine.yield()
          msg.chat:reply_text "inner again"
        end)
        step()
        msg:reply_text "outer"
        step()
        cunnekt.spawn(function() msg:reply_text "later" end)
      end)]]
    rig:say "a"
    local got = rig:texts(4)
    table.sort(got)
    assert.same({ "inner", "inner again", "later", "outer" }, got)
  end)

  it("sends nothing when it fails, and all of it when it is tried again", function()
    define [[
      local tries = 0
      bot:on("text", function(msg)
        tries = tries + 1
        msg:reply_text("try " .. tries)
        seen.first = seen.first or msg:reply_text "and more"
        if tries == 1 then error "no" end
      end)]]
    rig:say "a"
    assert.same({ "try 2" }, rig:texts(1))
    quiet()
    assert.equal(1, #rig:outgoing())
    assert.equal("dropped", rig.first.state)
    assert.matches("bot.lua", table.concat(rig.lines, "\n"))
  end)

  it("hears of its messages", function()
    define [[
      bot:on("text", function(msg)
        seen.sent = msg:reply_text "a"
        seen.first = { seen.sent.state, seen.sent.payload.text, seen.sent.message_id }
      end)]]
    rig:say "a"
    rig:texts(1)
    assert.same({ "queued", "a" }, rig.first)
    bot_rig.wait_for(function()
      return rig.sent.state == "delivered" or rig.sent.state == "read"
    end, "its delivery")
    assert.is_string(rig.sent.message_id)
    assert.equal("a", rig.sent.payload.text)
    assert.matches("^cunnekt.sent: %a+ ", tostring(rig.sent))
  end)

  it("may wait for what becomes of them", function()
    define [[
      bot:on("text", function(msg)
        local sent = msg:reply_text "a"
        seen.reached = sent:wait("delivered", 5)
        msg:reply_text("it was " .. (seen.reached and seen.reached.state or "lost"))
      end)]]
    rig:say "a"
    assert.matches("^it was ", rig:texts(2)[2])
  end)

  it("hands on to the next handler, with the name of that one", function()
    define [[
      bot:on("text", function(msg) msg:reply_text "first" return "next" end)
      bot:on("text", function(msg) msg:reply_text(seen.nothing) return "next" end)
      bot:on("message", function(msg) msg.chat.state.n = 1 msg:reply_text "third" end)]]
    rig:say "a"
    assert.same({ "first", "third" }, rig:texts(2))
    assert.matches("bot.lua:2:", table.concat(rig.lines, "\n"))
  end)

  it("runs again when the disk refuses its commit, and what it says is sent once", function()
    local folder, open = process.folder(), store.open
    recorder.begin()
    store.open = function(url)
      return open(url, { vfs = "recorder" })
    end
    define('bot:on("text", function(msg) seen.runs = (seen.runs or 0) + 1 msg:reply_text("run " .. seen.runs) seen.fill() end)', {
      store = "sqlite:" .. folder.path .. "/bare.db",
    })
    store.open = open
    rig.fill = function()
      if rig.runs == 1 then
        recorder.faults { write = true, after = 1, times = 1000000, code = "full" }
      end
    end
    rig:say "a"
    bot_rig.wait_for(function()
      return table.concat(rig.lines, "\n"):find("could not be committed", 1, true)
    end, "the refusal")
    assert.equal(0, #rig:outgoing())
    recorder.faults {}
    assert.same({ "run 2" }, rig:texts(1))
    quiet()
    assert.equal(1, #rig:outgoing())
    rig:close()
    recorder.begin()
    rig = bot_rig.new()
  end)

  it("has no effect when its event was dropped meanwhile", function()
    define [[
      bot:on("text", function(msg)
        msg:reply_text "late"
        seen.drop(msg)
      end)]]
    rig.drop = function()
      local service = inside(rig.bot)
      local id = service.inbox._lanes:running()[1].id
      service.store:persist("bury", { events = { id }, error = "dropped", attempts = 1 })
      rig.is_dropped = true
    end
    rig:say "a"
    bot_rig.wait_for(function()
      return rig.is_dropped
    end, "the handler")
    quiet()
    assert.same({}, rig:outgoing())
    rig.drop = function() end
    rig:say "b"
    assert.same({ "late" }, rig:texts(1))
  end)
end)
