-- SPDX-License-Identifier: MIT
-- Dialogs and handlers that wait, whose turn conflicts with another one: their run is dropped, rebuilt, and gets the event
-- again. The script's effects happen once, and nobody hears of a failure.

local inside = require("cunnekt.service").of
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored

describe("a conflict", function()
  local failures

  before_each(function()
    failures = {}
  end)

  after_each(talk.finish)

  -- Another turn, from within one; only the first `times` times.
  local function meddler(times, change)
    local count = 0
    return function()
      count = count + 1
      if count <= times then
        task.await(function(done)
          inside(talk.bot).engine.turns:run(nil, change, done)
        end)
      end
    end
  end

  local function begin_with(fn)
    begin(function(bot)
      bot:on_error(function(err)
        failures[#failures + 1] = err
      end)
      bot:dialog("it", fn)
    end)
  end

  local function set_n()
    talk.bot.store:set("n", 10)
  end

  local function set_state()
    talk.bot:chat(talk.customer, (talk.contact:match "^[^:]+")).state.other = true
  end

  for _, is_killed in ipairs { false, true } do
    local how = is_killed and "rebuilt" or "resident"

    it("after a wait runs the turn of a " .. how .. " dialog again: a value", function()
      local meddle = meddler(2, set_n)
      begin_with(function(chat)
        local name = chat:ask("name?").text
        local n = talk.bot.store:get("n", 0)
        meddle()
        talk.bot.store:set("n", n + 1)
        chat:reply_text(("%s %d"):format(name, n))
        chat:ask "more?"
        chat:reply_text "end"
      end)
      say "go"
      if is_killed then
        talk.all:kill()
      end
      say "Asha"
      assert.equal(11, talk.bot.store:get "n")
      say "x"
      assert.are.same({ "name?", "Asha 10", "more?", "end" }, said())
      assert.are.same({ {}, {} }, { failures, stored() })
    end)

    it("after a wait runs the turn of a " .. how .. " dialog again: its state", function()
      local meddle = meddler(1, set_state)
      begin_with(function(chat)
        chat.state.begun = true
        local name = chat:ask("name?").text
        chat.state.name = name
        meddle()
        chat:reply_text(tostring(chat.state.other))
      end)
      say "go"
      if is_killed then
        talk.all:kill()
      end
      say "Asha"
      assert.are.same({ "name?", "true" }, said())
      assert.are.same({ begun = true, name = "Asha", other = true }, talk.bot:chat(talk.customer, (talk.contact:match "^[^:]+")).state)
      assert.are.same({ {}, {} }, { failures, stored() })
    end)
  end

  it("after a commit in the middle runs a dialog again from its journal", function()
    local meddle = meddler(1, set_n)
    begin_with(function(chat)
      chat:reply_text("delivered"):wait "accepted"
      local n = talk.bot.store:get("n", 0)
      meddle()
      talk.bot.store:set("n", n + 1)
      chat:reply_text("n " .. n)
    end)
    say "go"
    assert.are.same({ "delivered", "n 10" }, said())
    assert.are.same({ 11, {}, {} }, { talk.bot.store:get "n", failures, stored() })
  end)

  it("after a commit in the middle runs a handler again from its journal", function()
    local meddle = meddler(1, set_state)
    begin(function(bot)
      bot:on_error(function(err)
        failures[#failures + 1] = err
      end)
      bot:on("text", "^hi$", function(msg)
        msg:reply_text("delivered"):wait "accepted"
        msg.chat.state.n = (msg.chat.state.n or 0) + 1
        meddle()
        msg:reply_text(("n %d %s"):format(msg.chat.state.n, tostring(msg.chat.state.other)))
      end)
    end)
    say "hi"
    assert.are.same({ "delivered", "n 1 true" }, said())
    assert.are.same({ {}, {} }, { failures, stored() })
  end)

  it("before a step that is made once is found before it", function()
    local meddle, steps = meddler(1, set_n), 0
    begin_with(function(chat)
      local n = talk.bot.store:get("n", 0)
      meddle()
      chat:step("pay", function()
        steps = steps + 1
        return n
      end)
      talk.bot.store:set("n", n + 1)
      chat:reply_text("n " .. n)
    end)
    say "go"
    assert.are.same({ "n 10" }, said())
    assert.are.same({ 1, 11, {} }, { steps, talk.bot.store:get "n", failures })
  end)

  it("keeps the changes of others where a dialog goes on after a crash in the middle of a step", function()
    local has_crashed = false
    begin_with(function(chat)
      chat.state.begun = true
      chat:step("slow", function()
        if not has_crashed then
          has_crashed = true
          task.await(function() end) -- the process ends amid this
        end
        return 1
      end)
      chat.state.over = true
      chat:reply_text "end"
    end)
    talk.all:act(talk.customer, { type = "text", text = "go" })
    local is_set
    repeat
      talk.all:turn_wheel()
      if has_crashed and is_set == nil then
        is_set = false
        inside(talk.bot).engine.turns:run(nil, set_state, function()
          is_set = true
        end)
      end
    until is_set
    talk.all:kill()
    talk.all:settle()
    assert.are.same({ "end" }, said())
    assert.are.same({ begun = true, over = true, other = true }, talk.bot:chat(talk.customer, (talk.contact:match "^[^:]+")).state)
  end)
end)
